"""Files in the HDF5 layout of The Well, which `the_well.data.WellDataset` opens, written field by
field.

Layout: https://polymathic-ai.org/the_well/data_format/; Ohana et al., The Well: a Large-Scale
Collection of Diverse Physics Simulations for Machine Learning, NeurIPS 2024.  Here: one scalar
field on a periodic, Cartesian grid.
"""

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from jobs import shards, yaml12
from jobs.shards import Data


@dataclass(frozen=True)
class Layout:
    """What a file holds beside the field's values, float32 (n, t, *shape).

    times: (t,).  axes: {"x": coordinates, ...}, in the order of the field's.  scalars: () the same
    for all trajectories, or (n,).  parameters: names of the scalars that the simulation was set up
    with, all ().
    """

    dataset_name: str
    field: str
    field_about: str
    trajectories: int
    times: Data
    axes: dict[str, Data]
    scalars: dict[str, Data]
    parameters: tuple[str, ...]


@contextlib.contextmanager
def new(path: Path, layout: Layout, attributes: dict) -> Iterator[h5py.Dataset]:
    """The field of a new file, to be filled; the file gets its name once it is whole, on leaving
    without an exception.
    """
    with shards.new(path, attributes) as file:
        yield _lay_out(file, layout)


def statistics(field: h5py.Dataset, name: str) -> dict[str, dict[str, float]]:
    """What stats.yaml holds, over all of a field (n, t, ...): mean, std, rms, and those of the
    change from time to time.
    """
    sums = {"": np.zeros(3), "_delta": np.zeros(3)}  # number, sum, sum of squares
    rows = max(1, shards.BLOCK // max(1, field.nbytes // max(1, len(field))))
    for first in range(0, len(field), rows):
        values = field[first : first + rows].astype(np.float64)
        for key in ("_delta", ""):  # blocks are large: squares take the place of what they are of
            part = values if key == "" else np.diff(values, axis=1)
            total = part.sum()
            sums[key] += part.size, total, np.square(part, out=part).sum()
    found = {}
    for key, (number, total, squares) in sums.items():
        mean = total / number
        found[f"mean{key}"] = {name: float(mean)}
        found[f"std{key}"] = {name: float(np.sqrt(max(squares / number - mean**2, 0)))}
        found[f"rms{key}"] = {name: float(np.sqrt(squares / number))}
    return found


def write_statistics(path: Path, numbers: dict) -> None:
    temporary = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.tmp")
    temporary.write_text(yaml12.dump(numbers))
    shards.sync(temporary)
    os.replace(temporary, path)


def _lay_out(file: h5py.File, layout: Layout) -> h5py.Dataset:
    """Everything but the values of the field, which is returned."""
    file.attrs.update(
        {
            "dataset_name": layout.dataset_name,
            "grid_type": "cartesian",
            "n_spatial_dims": len(layout.axes),
            "n_trajectories": layout.trajectories,
            "simulation_parameters": list(layout.parameters),
            **{name: float(layout.scalars[name].values) for name in layout.parameters},
        }
    )
    group = file.create_group("dimensions")
    group.attrs["spatial_dims"] = list(layout.axes)
    _put(group, "time", layout.times, sample_varying=False, time_varying=True)
    for name, data in layout.axes.items():
        _put(group, name, data, sample_varying=False, time_varying=False)
    group = file.create_group("boundary_conditions")
    for name, data in layout.axes.items():
        side = group.create_group(f"{name}_periodic")
        side.attrs.update(
            {
                "associated_dims": [name],
                "bc_type": "PERIODIC",
                "sample_varying": False,
                "time_varying": False,
            }
        )
        side.attrs["associated_fields"] = np.array([], dtype=h5py.string_dtype())
        side["mask"] = np.isin(np.arange(len(data.values)), (0, len(data.values) - 1))
    group = file.create_group("scalars")
    group.attrs["field_names"] = list(layout.scalars)
    for name, data in layout.scalars.items():
        _put(group, name, data, sample_varying=np.ndim(data.values) == 1, time_varying=False)
    for order in range(3):
        group = file.create_group(f"t{order}_fields")
        names = [layout.field] if order == 0 else []
        group.attrs["field_names"] = np.array(names, dtype=h5py.string_dtype())
    shape = tuple(len(data.values) for data in (layout.times, *layout.axes.values()))
    field = file["t0_fields"].create_dataset(
        layout.field, (layout.trajectories, *shape), np.float32
    )
    field.attrs.update(
        {
            "dim_varying": [True] * len(layout.axes),
            "sample_varying": True,
            "time_varying": True,
            "unit": "",
            "axes": ", ".join(("trajectory", "time", *layout.axes)),
            "about": layout.field_about,
        }
    )
    return field


def _put(
    group: h5py.Group, name: str, data: Data, sample_varying: bool, time_varying: bool
) -> None:
    dataset = group.create_dataset(name, data=np.asarray(data.values, np.float32))
    dataset.attrs.update(
        {
            "sample_varying": sample_varying,
            "time_varying": time_varying,
            "unit": data.unit,
            "axes": data.axes,
            "about": data.about,
        }
    )
