"""Records: all that the pages need to know of a run, small enough to keep for ever.

A record is one HDF5 file of at most 2 MB.  `measure` makes it where the data are; figures, claims
and pages are made from records alone, anywhere, at any time, without the run.  Records of one
system add up: over seeds, folds, networks and machines.

A study says what it measures as dataclasses (analysis/STUDY/measure.py); they are written as they
are: a dataclass or a mapping as a group, an array as a dataset, anything else as an attribute, also
a dataclass without arrays, such as an Estimate (a group takes a kilobyte).  Each group names its
class; /about has the classes' docstrings, which give the shapes and units of what is in them.
"""

import dataclasses
import io
import json
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from analysis.runs import BadInput
from jobs import hdf5, shards, whole_file, yaml12

LARGEST = 2_000_000  # bytes
KIND = "quench record"
NAME = "record.h5"  # in a run directory
SMALL = 256  # bytes: an array of fewer is not compressed
LINE = 250  # characters: a dataclass that takes more is a group


@dataclass(frozen=True)
class Origin:
    """Where a record comes from.

    study; run: the run's name; system: what the run is of, in the words of the pages, such as "R =
    10, L = 100, h = 1.215": records of the same system add up; size: how much there is of it, for
    the largest to win; data: digest of the data set: networks of the same one are side by side.
    config: the run's, as YAML; seed; revision: of the code that made the data; solver: revision of
    the solver, 0 where the study has none; device, date (UTC), packages: of the data set.
    """

    study: str
    run: str
    system: str
    size: int
    data: str
    config: str
    seed: int
    revision: str
    solver: int
    device: str
    date: str
    packages: str


def origin(
    study: str, run: Path, system: str, size: int, attributes: dict, data: str | None = None
) -> Origin:
    """Of a run directory, by the attributes of its dataset.h5, or of what it has instead; data:
    where these have no digest.
    """
    config = yaml12.load(attributes.get("config", "")) or {}
    told = {
        name: str(attributes.get(name, "not recorded")) for name in ("device", "date", "packages")
    }
    return Origin(
        study=study,
        run=run.resolve().name,
        system=system,
        size=size,
        data=str(data or attributes.get("content_digest") or attributes.get("made_from", "")),
        config=str(attributes.get("config", "")),
        seed=int(attributes.get("seed", config.get("seed", 0))),
        revision=str(attributes.get("git_revision", "unknown")),
        solver=int((config.get("generate") or {}).get("solver_revision", 0)),
        **told,
    )


@dataclass(frozen=True)
class Record:
    """origin, and numbers: the study's own dataclass.  others: further runs of the same system, of
    other data, which `gathered` puts beside it; not in the file.
    """

    origin: Origin
    numbers: object
    others: tuple["Record", ...] = ()

    @property
    def runs(self) -> tuple["Record", ...]:
        """All runs of the system."""
        return (self, *self.others)


def write(path: Path, record: Record) -> Path:
    """Write a record, or nothing.  Raises BadInput if it would pass LARGEST."""
    drawn = io.BytesIO()
    with h5py.File(drawn, "w", track_order=True, libver=hdf5.FORMAT) as file:
        file.attrs["kind"] = KIND
        _put(file, "origin", record.origin)
        _put(file, "numbers", record.numbers)
        file.attrs["content_digest"] = content(file)
        file.attrs["attributes_digest"] = shards.attributes_digest(file)
    size = len(drawn.getvalue())
    if size > LARGEST:
        raise BadInput(
            f"{path}: the record takes {size / 1e6:.1f} MB, and {LARGEST / 1e6:.0f} MB are allowed"
        )
    whole_file.write(path, drawn.getvalue())
    return path


def read(path: Path, kinds: dict[str, type]) -> Record:
    """A record of any of the studies `kinds` {study: its dataclass}.  Raises BadInput with one
    line.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            if file.attrs.get("kind") != KIND:
                raise BadInput(f"{path}: not a record (`python -m analysis measure` writes them)")
            if not whole(file):
                raise BadInput(f"{path}: damaged: it does not match its checksum")
            origin = _get(file, "origin", Origin)
            if origin.study not in kinds:
                raise BadInput(f"{path}: a record of the {origin.study} study")
            return Record(origin, _get(file, "numbers", kinds[origin.study]))
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist") from None
    except (KeyError, TypeError):
        raise BadInput(
            f"{path}: a record of another version of this program; measure the run again"
        ) from None
    except Exception:  # h5py answers damage with whatever it meets first
        raise BadInput(f"{path}: truncated or not HDF5") from None


def is_record(path: Path) -> bool:
    """Whether a file says that it is a record."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return file.attrs.get("kind") == KIND
    except Exception:  # h5py answers damage with whatever it meets first
        return False


def content(file: h5py.File) -> str:
    """Digest of all arrays, as of any other file of a run."""
    arrays = {}
    file.visititems(
        lambda name, item: (
            arrays.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None
        )
    )
    return shards.content_digest(arrays)


def whole(file: h5py.File) -> bool:
    """Whether arrays and attributes are as they were written."""
    return file.attrs.get("content_digest") == content(file) and file.attrs.get(
        "attributes_digest"
    ) == shards.attributes_digest(file)


# ---- adding up


def gathered(records: list[Record]) -> list[Record]:
    """One record a system, in the order of their first: the largest, of equals the newest, beside
    it the others.  What records of the same data set have besides (folds, networks, cases) is one.
    """
    found = []
    for group in by_system(records):
        runs: dict[str, Record] = {}
        for each in group:
            mine = runs.setdefault(each.origin.data, each)
            if mine is not each:
                numbers = united(mine.numbers, each.numbers)
                runs[each.origin.data] = dataclasses.replace(mine, numbers=numbers)
        first, *others = runs.values()
        found.append(dataclasses.replace(first, others=tuple(others)))
    return found


def by_system(records: list[Record]) -> list[list[Record]]:
    """Records by system, each group from the largest and newest on; the same one twice is one."""
    groups = {}
    for record in records:
        groups.setdefault(record.origin.system, []).append(record)
    for system, group in groups.items():
        group = sorted(group, key=lambda r: (r.origin.size, r.origin.date), reverse=True)
        groups[system] = [r for i, r in enumerate(group) if not _twice(r, group[:i])]
    return list(groups.values())


def _twice(record: Record, before: list[Record]) -> bool:
    return any(r.origin == record.origin and same(r.numbers, record.numbers) for r in before)


def told_apart(systems: Iterable[str]) -> dict[str, str]:
    """{system: what tells it from the others}: without the parts that all of them have."""
    parts = {system: system.split(", ") for system in systems}
    common = set.intersection(*map(set, parts.values())) if len(parts) > 1 else set()
    short = {s: ", ".join(p for p in own if p not in common) for s, own in parts.items()}
    return short if all(short.values()) else {system: system for system in parts}


def united(first, second):
    """`first`, a dataclass or mapping, with the entries of mappings that only `second` has."""
    if isinstance(first, dict) and isinstance(second, dict):
        both = {k: united(v, second[k]) if k in second else v for k, v in first.items()}
        return both | {k: v for k, v in second.items() if k not in first}
    if dataclasses.is_dataclass(first) and type(first) is type(second):
        return dataclasses.replace(
            first,
            **{
                f.name: united(getattr(first, f.name), getattr(second, f.name))
                for f in dataclasses.fields(first)
            },
        )
    return second if first is None else first


def same(first, second) -> bool:
    """Whether two values of a record are equal, arrays and NaN included."""
    if type(first) is not type(second):
        return False
    if dataclasses.is_dataclass(first):
        names = [f.name for f in dataclasses.fields(first)]
        return all(same(getattr(first, n), getattr(second, n)) for n in names)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(v, second[k]) for k, v in first.items())
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray):
        return (
            first.dtype == second.dtype
            and first.shape == second.shape
            and bool(np.array_equal(first, second, equal_nan=first.dtype.kind == "f"))
        )
    return first == second or (first != first and second != second)


# ---- dataclasses as groups


def _put(group: h5py.Group, name: str, value) -> None:
    if dataclasses.is_dataclass(value) and _deep(value):
        below = group.create_group(name, track_order=True)
        _explain(below, type(value))
        for field in dataclasses.fields(value):
            _put(below, field.name, getattr(value, field.name))
    elif isinstance(value, dict):
        below = group.create_group(name, track_order=True)
        below.attrs["keys"] = json.dumps([_plain(key) for key in value])
        for number, item in enumerate(value.values()):
            _put(below, str(number), item)
    elif isinstance(value, list | tuple) and any(map(_deep, value)):
        below = group.create_group(name, track_order=True)
        below.attrs["length"] = len(value)
        for number, item in enumerate(value):
            _put(below, str(number), item)
    elif isinstance(value, np.ndarray):
        compression = {"compression": "gzip", "shuffle": True} if value.nbytes > SMALL else {}
        group.create_dataset(name, data=value, **compression)
    else:
        group.attrs[name] = json.dumps(_named(value))


def _explain(group: h5py.Group, kind: type) -> None:
    """Name a group's class; the class's docstring stands once, as an attribute of /about."""
    group.attrs["kind"] = kind.__name__
    about = group.file.require_group("about")
    if kind.__name__ not in about.attrs:
        about.attrs[kind.__name__] = kind.__doc__ or ""


def _deep(value) -> bool:
    """Whether there is an array or a mapping in it, or more than an attribute should hold."""
    if dataclasses.is_dataclass(value):
        inner = [getattr(value, f.name) for f in dataclasses.fields(value)]
        return any(map(_deep, inner)) or len(json.dumps(_named(value))) > LINE
    if isinstance(value, list | tuple):
        return any(map(_deep, value))
    return isinstance(value, dict | np.ndarray)


def _plain(value):
    """As JSON knows it."""
    if dataclasses.is_dataclass(value):
        return [_plain(getattr(value, f.name)) for f in dataclasses.fields(value)]
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _named(value):
    """The same; a dataclass with the names of its fields."""
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return _plain(value)


def _get(group: h5py.Group, name: str, kind):
    """The value of a type, as _put wrote it."""
    if kind in (typing.Any, object):
        raise TypeError(f"{name}: a record's fields have types")
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if name in group.attrs and json.loads(group.attrs[name]) is None:
            return None
        (kind,) = [option for option in options if option is not type(None)]
        return _get(group, name, kind)
    if dataclasses.is_dataclass(kind):
        if name in group.attrs:
            return _shaped(json.loads(group.attrs[name]), kind)
        hints = typing.get_type_hints(kind)
        below = group[name]
        names = [
            f.name  # a field that came later has a default, else it is missed
            for f in dataclasses.fields(kind)
            if f.name in below or f.name in below.attrs or not _has_default(f)
        ]
        return kind(**{n: _get(below, n, hints[n]) for n in names})
    if origin is dict:
        keys = [_shaped(key, options[0]) for key in json.loads(group[name].attrs["keys"])]
        return {key: _get(group[name], str(i), options[1]) for i, key in enumerate(keys)}
    if kind is np.ndarray:
        return group[name][()] if group[name].ndim else np.array(group[name][()])
    if name in group and origin in (list, tuple):
        count = int(group[name].attrs["length"])
        items = options if origin is tuple and Ellipsis not in options else options[:1] * count
        return origin(_get(group[name], str(i), item) for i, item in enumerate(items))
    return _shaped(json.loads(group.attrs[name]), kind)


def _has_default(field: dataclasses.Field) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _shaped(value, kind):
    """A JSON value as a type: dataclasses and tuples come back from lists."""
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        (kind,) = [option for option in options if option is not type(None)]
        return _shaped(value, kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        names = [f.name for f in dataclasses.fields(kind)]
        if isinstance(value, dict):  # a field that came later has a default, else it is missed
            return kind(**{n: _shaped(value[n], hints[n]) for n in names if n in value})
        return kind(*(_shaped(v, hints[n]) for n, v in zip(names, value, strict=True)))
    if origin is tuple:
        items = options[:1] * len(value) if Ellipsis in options else options
        return tuple(map(_shaped, value, items))
    if origin is list:
        return [_shaped(item, options[0]) for item in value]
    if origin is dict:
        return value
    return float(value) if kind is float and isinstance(value, int) else value
