"""What the collect stages share: which shards a data set is made from, whether the one there was
made from the same, its units one after another, so that memory holds one of them, and reading it.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np

from jobs import UserError, provenance, shards
from jobs.config import digest, telling
from jobs.progress import Progress
from jobs.rundir import System

SECTIONS = ("study", "seed", "system", "generate")  # of a config, that decide a data set


def survey(
    system: System,
    progress: Progress,
    sections: tuple[str, ...] = SECTIONS,
    look: Callable[[int, h5py.File], None] = lambda unit, file: None,
) -> tuple[str, set[str]]:
    """A digest of all shards and of the `sections` of a config that decide the data set, and the
    revisions of the code that made the shards.

    look(unit, file): for what else a study has to know of all units before it reads them.
    """
    made_from, revisions = hashlib.sha256(), set()
    for unit in range(system.config.generate.units):
        with h5py.File(system.shard(unit), "r", locking=False) as file:  # checked when it is used
            made_from.update(f"{file.attrs['content_digest']} ".encode())
            revisions.add(str(file.attrs["git_revision"]))
            look(unit, file)
    if len(revisions) > 1:
        progress.say(
            f"warning: {system.folder}: units come from different revisions of the code: {', '.join(sorted(revisions))}"
        )
    wanted = sorted(telling(system.config, sections).items())
    made_from.update(str(wanted).encode())
    return made_from.hexdigest(), revisions


def attributes(system: System, device, made_from: str, revisions: set[str]) -> dict[str, str | int]:
    """What each file of a data set says about where it comes from."""
    return {
        **provenance.block(system.config, device.name),
        "config_digest": digest(system.config),
        "made_from": made_from,
        "study": system.config.study,
        "generate_revisions": " ".join(sorted(revisions)),
    }


def units(system: System, progress: Progress) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """(unit, its arrays) of all shards in turn, each checked.  Memory holds those of one shard, if
    the caller lets go of what it was given.
    """
    progress.begin(system.config.generate.units, "units")
    wanted = digest(system.config)
    for unit in range(system.config.generate.units):
        yield unit, shards.read(system.shard(unit), config_digest=wanted, unit_index=unit)[0]
        progress.reach(unit + 1)


def present(files: Iterable[Path], made_from: str, study: str, progress: Progress) -> bool:
    """Whether all files are there, sound, and made from these units.

    A damaged one, or one of another study, is moved aside.
    """
    whole = True
    for path in files:
        try:
            shards.check_large(path, made_from=made_from)
        except FileNotFoundError:
            whole = False
        except shards.BadFileError as error:
            whole = False
            if "made from another" not in str(error) or study_of(path) != study:
                progress.say(f"{path}: {error}; moved aside to {shards.set_aside(path).name}")
    return whole


def study_of(path: Path) -> str | None:
    """What a sound file says."""
    with h5py.File(path, "r", locking=False) as file:
        return file.attrs.get("study")


def read(
    folder: Path, study: str, split: int, path: Path, field: str, names: Iterable[str]
) -> tuple[np.ndarray, list, np.ndarray]:
    """(rows of dataset.h5 that a split has, these columns of them, times), of a data set whose
    fields are in The Well's layout.

    path: the split's file; field: its dataset.  Raises UserError if dataset.h5 or the file is not
    there, cannot be read, or they do not belong together.
    """
    index = Path(folder) / "dataset.h5"
    try:
        with h5py.File(index, "r", locking=False) as file:
            made_from = file.attrs.get("made_from")
            mine = np.flatnonzero(file["split"][...] == split)
            columns, times = [file[name][mine] for name in names], file["times"][...]
        with h5py.File(path, "r", locking=False) as file:
            found, shape = file.attrs.get("made_from"), file[field].shape
    except FileNotFoundError as error:
        missing = path if index.exists() else index
        raise UserError(f"{missing} is not there: run generate and collect first") from error
    except (OSError, KeyError, RuntimeError):
        raise UserError(
            f"{index} or {path}: truncated, or not a {study} data set; run collect again"
        ) from None
    if found != made_from or shape[:2] != (len(mine), len(times)):
        raise UserError(f"{path}: not made from the same units as {index}; run collect again")
    return mine, columns, times
