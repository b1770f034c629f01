"""Picture of RUN/large/box.h5, what `jobs coarsening large` wrote: slices of the kept frames, and
how free energy and surface fall.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from analysis import style
from analysis.coarsening import energy
from analysis.coarsening.figures_energy import axes_of_decay, fitted, law
from analysis.estimates import Estimate
from analysis.runs import BadInput
from jobs import shards

SLICES = 6  # in the picture, at most
HALF_WIDTH = 1.5  # local exponents are those of lines over this factor in time to both sides


@dataclass(frozen=True)
class LargeBox:
    """time (n,) of all looks; free_energy (n,); area (n,), nan where it was not taken; kept (m,):
    times of the slices (m, y, z).
    """

    time: np.ndarray
    free_energy: np.ndarray
    area: np.ndarray
    kept: np.ndarray
    slices: np.ndarray
    side: float

    @property
    def volume(self) -> float:
        return self.side**3

    @property
    def window(self) -> tuple[float, float] | None:
        """Times between which the exponent is fitted: energy.window."""
        return energy.window(self.time, self.free_energy, self.volume, self.side)

    @property
    def exponent(self) -> Estimate:
        return energy.exponent(self.time, self.free_energy[None], self.window)

    def local_exponents(self) -> tuple[np.ndarray, np.ndarray]:
        """(times, d log F / d log t there)."""
        known = self.time > 0
        x, y = np.log(self.time[known]), np.log(self.free_energy[known])
        reach = np.log(HALF_WIDTH)
        at = x[(x >= x[0] + reach) & (x <= x[-1] - reach)]
        near = [np.abs(x - centre) <= reach * (1 + 1e-9) for centre in at]
        enough = [some.sum() > 1 for some in near]
        slopes = [
            energy.slopes(x[some], y[None, some])[0]
            for some, many in zip(near, enough, strict=True)
            if many
        ]
        return np.exp(at[np.array(enough, bool)]), np.array(slopes)


def read(path: Path) -> LargeBox:
    """Raises BadInput for a file of another kind, or one whose frames are gone."""
    try:
        shards.check_large(path)
        with h5py.File(path, "r", locking=False) as file:
            series = {name: values[...] for name, values in file["series"].items()}
            kept, phi = file["time"][...], file["phi"]
            shown = np.unique(np.rint(np.linspace(0, len(kept) - 1, SLICES)).astype(int))
            slices = np.stack([phi[int(i), phi.shape[1] // 2] for i in shown])
            side = phi.shape[1] * float(file.attrs["spacing"])
            free_energy = series["chemical_energy"] + series["surface_energy"]
            found = LargeBox(series["time"], free_energy, series["area"], kept[shown], slices, side)
    except (OSError, KeyError) as error:
        raise BadInput(f"{path} is not what `jobs coarsening large` writes: {error}") from None
    except shards.BadFileError as error:
        raise BadInput(f"{path}: {error}") from None
    if np.isnan(slices).any():
        raise BadInput(f"{path}: frames that it shows are missing below {path.parent / 'frames'}")
    return found


def draw(path: Path, out: Path | None) -> list[Path]:
    """Write a PNG beside the file (or into `out`) and return its path, alone in a list.  Raises
    BadInput for a file of another kind.
    """
    box = read(path)
    fig = style.figure(style.PAGE, 0.3 + style.PAGE / max(3, len(box.kept)) + 2.3)
    above, below = fig.subfigures(2, 1, height_ratios=[style.PAGE / max(3, len(box.kept)), 2.3])
    for ax, time, field in zip(
        above.subplots(1, len(box.kept), squeeze=False)[0], box.kept, box.slices, strict=True
    ):
        ax.imshow(
            field.T, origin="lower", interpolation="nearest", cmap=style.PHASES, vmin=0, vmax=1
        )
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
        ax.set_title(f"$t$ = {time:g}", fontsize=7)
    fall, local = below.subplots(1, 2)
    decay(fall, box)
    exponents(local, box)
    folder = out or path.parent
    folder.mkdir(parents=True, exist_ok=True)
    return [folder / style.save(fig, folder, path.stem)]


def decay(ax, box: LargeBox) -> None:
    density, taken = box.free_energy / box.volume, np.isfinite(box.area) & (box.time > 0)
    ax.plot(box.time, density, color=style.BLUE, label="free energy" + fitted(box.exponent))
    ax.plot(
        box.time[taken],
        box.area[taken] / box.volume,
        "o",
        color=style.VERMILION,
        mfc="none",
        label=r"area of $\phi$ = 1/2",
    )
    law(ax, box.window, box.time, density)
    axes_of_decay(ax, box.time, density)
    ax.set(ylabel="per volume (1 / length)")
    ax.legend(loc="lower left")


def exponents(ax, box: LargeBox) -> None:
    ax.plot(*box.local_exponents(), color=style.BLUE)
    ax.axhline(energy.LAW, color=style.GREY, lw=0.9, ls="--")
    ax.set(xscale="log", xlabel="time", ylabel=r"$d \log F \,/\, d \log t$", ylim=(-0.5, 0.05))
