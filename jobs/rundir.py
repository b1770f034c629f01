"""Run directories: one config each, and the same one for ever.

RUN/config.yaml holds the config a directory belongs to, resolved (a sweep: as given; each of its
systems then has a run directory of its own below it, with its resolved config).  Another config is
refused, but for what changes no result that is there: `generate.units` may grow, since a unit is a
function of the config and its number alone; which networks are trained and what they are asked for
may change; the keys of a stage, until it has made something.
"""

import itertools
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import UserError, config, notes, revision, shards
from jobs import study as studies
from jobs.config import Section
from jobs.study import Study

FOLDER = 1000  # shards in a folder, at most


@dataclass
class System:
    """One system of a run: its directory name below the run ("" when it is alone), its folder, its
    config.
    """

    name: str
    folder: Path
    config: Any  # of the study's own class

    def shard(self, unit: int) -> Path:
        """generate/unit-00042.h5; from the thousandth on generate/01000-01999/unit-01042.h5, since
        file systems are slow in large folders.
        """
        first = unit - unit % FOLDER
        folder = f"{first:05d}-{first + FOLDER - 1:05d}" if first else ""
        return self.folder / "generate" / folder / f"unit-{unit:05d}.h5"

    def shards(self, units: Iterable[int]) -> set[int]:
        """Those of `units` that have a shard, by names alone: a listing for each folder."""
        units = [*units]
        one_of_each = {unit // FOLDER: unit for unit in units}
        names = {n: notes.listing(self.shard(unit).parent) for n, unit in one_of_each.items()}
        return {unit for unit in units if f"unit-{unit:05d}.h5" in names[unit // FOLDER]}

    def tidy(self) -> None:
        """Remove what killed processes left half written beside the results; generate does so for
        its shards, large for its frames.
        """
        for folder, below, _ in os.walk(self.folder):
            shards.tidy(Path(folder))
            if Path(folder) == self.folder:
                below[:] = [name for name in below if name not in ("generate", "large", "log")]

    def failure(self, unit: int) -> Path:
        """Where a failed unit leaves its reason and the name of its log, until it succeeds."""
        return self.folder / "log" / f"unit-{unit:05d}.failed"

    def training(self, network_name: str) -> Path:
        """The folder of one network, named as event/torus/fold-3 or gan_forward."""
        return self.folder / "train" / network_name

    def training_failure(self, network_name: str) -> Path:
        return self.folder / "log" / f"train-{network_name.replace('/', '-')}.failed"


def claim(run: Path, raw: dict, wanted: dict[str, config.Section], study: Study) -> list[System]:
    """Create RUN, or find it made for the same config; the systems in it.  UserError if it cannot
    be used.

    raw: the plain config, its revision resolved; wanted: the systems that it says.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        if not (run / "config.yaml").exists():
            # hidden: another rank is writing its config just now; log: Slurm may have written there
            # first; the rest: linked from another run, checked against the config when they are
            # read
            known = ("log", "generate", "dataset.h5", "data", "stats.yaml")
            strangers = sorted(
                p.name for p in run.iterdir() if not p.name.startswith(".") and p.name not in known
            )
            if strangers and not (run / "config.yaml").exists():
                raise UserError(
                    f"{run}: not a run directory: it holds {strangers[0]} but no config.yaml; "
                    "choose another --run"
                )
        _claim(run, wanted, config.to_yaml(wanted.get("", raw)), study, run / "log")
        for name, system in wanted.items():
            if name:
                (run / name).mkdir(exist_ok=True)
                _claim(run / name, {"": system}, config.to_yaml(system), study, run / "log")
            for folder in ("generate", "log"):
                (run / name / folder).mkdir(exist_ok=True)
        (run / "log").mkdir(exist_ok=True)
        _writable(run / "log")
    except OSError as error:
        raise UserError(
            f"{run}: cannot be used as run directory: {error.strerror or error}"
        ) from None
    return [System(name, run / name, system) for name, system in wanted.items()]


def load(run: Path) -> tuple[str, list[System]]:
    """The study and the systems of an existing run directory."""
    path = run / "config.yaml"
    if not path.is_file():
        raise UserError(f"{run}: not a run directory: it has no config.yaml")
    raw = config.read(path, [], "")
    if raw.get("study") not in studies.NAMES:
        raise UserError(
            f"{path}: not a run directory of this program: study = {raw.get('study')!r}"
        )
    model = studies.of(raw["study"]).config
    found = config.systems(revision.resolved(raw, model, run), model, str(path))
    return raw["study"], [System(name, run / name, system) for name, system in found.items()]


def _writable(folder: Path) -> None:
    probe = folder / f".probe-{platform.node()}-{os.getpid()}"
    probe.touch()
    probe.unlink(missing_ok=True)


def _claim(folder: Path, wanted: dict[str, Section], text: str, study: Study, log: Path) -> None:
    """Write folder/config.yaml, or compare with the one that is there.  Many ranks may do this at
    once.  log: of the run, where processes at work are seen: those of a sweep have one for all.
    """
    path = folder / "config.yaml"
    temporary = folder / f".config.yaml.{platform.node()}-{os.getpid()}.tmp"
    if not path.exists():
        _write(temporary, text)
        try:
            os.link(temporary, path)  # unlike rename, fails if another rank was first
            return
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            os.replace(temporary, path)
            return
        finally:
            temporary.unlink(missing_ok=True)
    try:
        present = revision.resolved(config.read(path, [], ""), study.config, folder)
        present = config.systems(present, study.config, str(path))
    except UserError as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{folder}: belongs to something else ({first}); choose another --run"
        ) from None
    lacking = sorted(set(present) - set(wanted))
    if lacking or "" in set(present) ^ set(wanted):
        differing = lacking or sorted(set(wanted) - set(present))
        raise UserError(
            f"{folder}: holds another sweep: {', '.join(n or 'a single system' for n in differing)} "
            "only in one of the two; a sweep may grow, by values beside those that are there; choose another --run"
        )
    changes, renewed = {}, len(wanted) > len(present)
    made: list[Path] = []
    for name, system in wanted.items():
        if name not in present:
            continue
        old, new = config.flat(present[name]), config.flat(system)
        for key in sorted(set(old) | set(new)):
            if old.get(key) == new.get(key):
                continue
            at = made_with(key, folder / name, study, log)
            if (key == "generate.units" and old[key] < new[key]) or at is None:
                renewed = True
            else:
                made.append(at)
                changes[key] = f"{key} is {old.get(key)} there and {new.get(key)} here"
    if changes:
        there = ", ".join(str(path) for path in dict.fromkeys(made))
        hint = f"made with it: {there}; choose another --run"
        stages = {key.split(".")[0] for key in changes}
        if stages == {"collect"}:
            hint += ", or remove that (to collect the same units twice, link this run's generate folder into another)"
        elif all(key.startswith(study.begins.get("train", ())) for key in changes):
            hint += " (to train otherwise on the same data, link this run's generate folder, or dataset.h5 and data, into it)"
        elif any(all(k.startswith(keys) for k in changes) for keys in study.begins.values()):
            hint += f", or remove {there}"
        elif list(changes) == ["generate.units"]:
            hint = "the number of units may grow, not shrink"
        elif all(path.parent == log for path in made):
            hint = f"a process is at work there by {there}; wait for it, or remove that if none is"
        raise UserError(
            f"{folder}: made with another config: {', '.join(changes.values())}; {hint}"
        )
    if renewed:
        _write(temporary, text)
        os.replace(temporary, path)


def made_with(key: str, folder: Path, study: Study, log: Path) -> Path | None:
    """What a run directory holds that a config value decided; None: it may change, as it names what
    to do next, or nothing was made with it yet.
    """
    if key.startswith(study.free):
        return None
    for made, keys in study.begins.items():
        if key.startswith(keys):
            return folder / made if (folder / made).exists() else None
    data = [folder / name for name in ("dataset.h5", "data") if (folder / name).exists()]
    if key.startswith("collect."):
        return next(iter(data), None)
    # all is made with the rest; a process that is at work has yet to write its first unit
    later = [folder / name for name in (*study.begins, *study.stages) if name != "generate"]
    begun = [path for path in later if path.is_dir() and any(path.iterdir())]
    units, at_work = (folder / "generate").rglob("*.h5"), log.glob("*.json")
    return next(itertools.chain(units, data, begun, at_work), None)


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
