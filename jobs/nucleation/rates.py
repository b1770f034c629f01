"""The rates stage: the rate of nucleation by forward flux sampling (kernels.forward_flux), also
where no event would be waited for.

    python -m jobs nucleation rates CONFIG --run RUN

It needs no other stage. RUN/rates/pilot.h5 is what all samplings begin with, a sampling is a
function of it and of its own number, RUN/rates/repeat-00000.h5 and so on, and RUN/rates.h5 is their
mean. Processes share the samplings as they do units; the task that sees the last one puts them
together.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

from jobs import UserError, claims, provenance, shards
from jobs.config import telling
from jobs.nucleation.generate import build
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from jobs.units import Rank
from kernels import forward_flux
from kernels.forward_flux import ForwardFlux, Pilot, Sampling, States
from kernels.ising import Ising

PACKED = "interface's configurations: a bit a spin, 1 is up, big-endian, site x L + y"


def pilot_file(system: System) -> Path:
    return system.folder / "rates" / "pilot.h5"


def repeat_file(system: System, repeat: int) -> Path:
    return system.folder / "rates" / f"repeat-{repeat:05d}.h5"


def mean_file(system: System) -> Path:
    return system.folder / "rates.h5"


def made_from(config) -> str:
    """What a sampling depends on, besides its number."""
    keys = telling(config, ("seed", "system", "rates"))
    keys.pop("rates.repeats", None)
    return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()


def run(systems: list[System], rank: Rank, request, device, progress: Progress) -> int:
    """This process's share of the samplings of all systems; how many failed (none: they raise).
    UserError, a line for each system that cannot be sampled.
    """
    everything = [
        (k, repeat) for k, s in enumerate(systems) for repeat in range(s.config.rates.samplings)
    ]
    mine = rank.job.share(everything)
    todo = rank.of_the_first(lambda: missing(systems, mine, progress))
    if rank.index == 0:
        progress.say(
            f"{len(mine)} of {len(everything)} samplings are mine, {len(mine) - len(todo)} of them "
            "finished before" + (f"; {rank.count} ranks share them" if rank.count > 1 else "")
        )
    prepared: dict[str, tuple[Ising, Pilot]] = {}
    problems: dict[str, str] = {}
    with claims.shared(rank, todo, [1.0] * len(todo) if len(systems) == 1 else None) as shared:
        progress.begin(len(shared.foreseen([])), "samplings")
        expect = lambda pieces: progress.expect(len(pieces))  # noqa: E731
        left = lambda pieces: f"{len(pieces)} samplings left"  # noqa: E731
        for done, (number, repeat) in enumerate(shared.each(left, expect)):
            system = systems[number]
            if system.name in problems:
                continue
            try:
                if system.name not in prepared:
                    model = build(system.config, device)
                    prepared[system.name] = model, pilot_of(system, model, device, progress)
                model, pilot = prepared[system.name]
                write_sampling(system, repeat, forward_flux.sample(model, pilot, repeat), device)
            except (RuntimeError, ValueError) as error:  # what the kernels say of such a system
                problems[system.name] = f"{system.folder}: rates: {error}"
            progress.reach(done + 1)
    progress.end()
    for system in systems if rank.index == 0 else []:  # the ranks are through together
        if system.name not in problems:
            put_together(system, device, progress)
    if problems:
        raise UserError("\n".join(problems.values()))
    return 0


def missing(systems: list[System], mine: list[tuple[int, int]], progress: Progress) -> list:
    """Those of `mine`, (number of a system, sampling), that are not there."""
    return [
        (k, repeat)
        for k, repeat in mine
        if present(repeat_file(systems[k], repeat), systems[k], progress, unit_index=repeat) is None
    ]


def present(path: Path, system: System, progress: Progress, **more) -> dict | None:
    """The arrays of a file of this system's rates, if it is there; a bad one is moved aside."""
    try:
        return shards.read(path, made_from=made_from(system.config), **more)[0]
    except FileNotFoundError:
        return None
    except shards.BadFileError as error:
        progress.say(f"{path}: {error}; moved aside to {shards.set_aside(path).name}")
        return None


def attributes(system: System, device, **more) -> dict:
    return {
        **provenance.block(system.config, device.name),
        "study": "nucleation",
        "made_from": made_from(system.config),
        **more,
    }


# ---- the pilot


def pilot_of(system: System, model: Ising, device, progress: Progress) -> Pilot:
    """Of a system, read where it is there, else made and written: the same either way."""
    asked, seed = system.config.rates, system.config.seed
    path = pilot_file(system)
    found = present(path, system, progress)
    if found is not None:
        numbers = {name: found[name].tolist() for name in ("back", "interfaces", "counts", "mcs")}
        start = States(found["start"], found["start_value"])
        return Pilot(
            seed=seed, coordinate=asked.coordinate, every=asked.every, start=start, **numbers
        )
    pilot = forward_flux.pilot(
        model, seed=seed, trials=asked.trials, coordinate=asked.coordinate, every=asked.every
    )
    places = forward_flux.given(model, asked.coordinate, pilot.interfaces)
    progress.say(f"{system.name or 'pilot'}: interfaces at {', '.join(map(str, places))}")
    falling = "falling along the coordinate: up spins, or sites outside the largest cluster"
    data = {
        "start": Data(pilot.start.spins, "", "walker, byte", "of the metastable state, packed"),
        "start_value": Data(pilot.start.value, "", "walker", falling),
        "back": Data(np.array(pilot.back), "", "", "from here on it is the metastable state"),
        "interfaces": Data(np.array(pilot.interfaces), "", "interface", falling),
        "counts": Data(np.array(pilot.counts), "", "interface", "trials from each but the last"),
        "mcs": Data(np.array(pilot.mcs), "MCS", "", "that the pilot took"),
    }
    shards.write(path, data, attributes(system, device))
    return pilot


# ---- one sampling


def write_sampling(system: System, repeat: int, found: Sampling, device) -> None:
    """Of the first one the configurations too."""
    data = {
        "flux": Data(np.array(found.flux), "1 / MCS", "", "through the first interface"),
        "shares": Data(np.array(found.shares), "", "interface", "of the trials that reached it"),
        "mcs": Data(np.array(found.mcs), "MCS", "", "that were run"),
    }
    if repeat == 0:
        data |= way(found)
    shards.write(repeat_file(system, repeat), data, attributes(system, device, unit_index=repeat))


def way(found: Sampling | ForwardFlux) -> dict[str, Data]:
    """The configurations at each interface, and where they came from."""
    data = {}
    for number, pair in enumerate(zip(found.configurations, found.origin, strict=True)):
        data[f"configurations/{number:03d}"] = Data(pair[0], "", "configuration, byte", PACKED)
        data[f"origin/{number:03d}"] = Data(
            pair[1], "", "configuration", "its number among those of the interface before"
        )
    return data


def read_way(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    return [arrays[key] for key in sorted(arrays) if key.startswith(f"{name}/")]


# ---- their mean


def put_together(system: System, device, progress: Progress) -> None:
    """Write rates.h5, if all samplings are there."""
    config, path = system.config, mean_file(system)
    repeats = config.rates.samplings
    if not all(repeat_file(system, repeat).exists() for repeat in range(repeats)):
        progress.say(f"{path}: not all samplings are done; the last process puts them together")
        return
    of = hashlib.sha256(f"{made_from(config)} {repeats}".encode()).hexdigest()
    if shards.finished(path, of, progress):
        progress.say(f"{path}: finished before")
        return
    arrays = []
    for repeat in range(repeats):
        found = present(repeat_file(system, repeat), system, progress, unit_index=repeat)
        if found is None:
            raise UserError(f"{path}: sampling {repeat} was damaged; run rates again")
        arrays.append(found)
    model = build(config, device)
    first = Sampling(
        float(arrays[0]["flux"]),
        arrays[0]["shares"].tolist(),
        int(arrays[0]["mcs"]),
        read_way(arrays[0], "configurations"),
        read_way(arrays[0], "origin"),
    )
    samplings = [first] + [
        Sampling(float(a["flux"]), a["shares"].tolist(), int(a["mcs"]), [], []) for a in arrays[1:]
    ]
    mean = forward_flux.combined(model, pilot_of(system, model, device, progress), samplings)
    shards.write(path, tables(mean, samplings), attributes(system, device) | {"made_from": of})
    progress.say(f"{path}: lifetime {mean.lifetime} MCS, rate {mean.rate} a MCS")


def tables(mean: ForwardFlux, samplings: list[Sampling]) -> dict[str, Data]:
    """Of rates.h5."""
    data = {}
    for name, unit, about in (
        ("lifetime", "MCS", "1 / rate"),
        ("rate", "1 / MCS", "of a lattice"),
        ("flux", "1 / MCS", "through the first interface"),
    ):
        found = getattr(mean, name)
        data[name] = Data(np.array(found.value), unit, "", about)
        data[f"{name}_error"] = Data(
            np.array(found.error), unit, "", "standard error, of the scatter between samplings"
        )
    size = "numbers of up spins" if mean.coordinate == "magnetization" else "sites of the cluster"
    values, errors = np.transpose(mean.probabilities)
    return {
        **data,
        "interfaces": Data(np.array(mean.interfaces), "", "interface", f"{size}; last: m <= 0"),
        "back": Data(np.array(mean.back), "", "", "where the metastable state begins"),
        "probability": Data(values, "", "interface", "to reach each after the first"),
        "probability_error": Data(errors, "", "interface", "standard error"),
        "mcs": Data(np.array(mean.mcs), "MCS", "", "that were run, all replicas together"),
        "samplings/rate": Data(np.array([s.rate for s in samplings]), "1 / MCS", "sampling"),
        "samplings/flux": Data(np.array([s.flux for s in samplings]), "1 / MCS", "sampling"),
        "samplings/probability": Data(
            np.array([s.shares for s in samplings]), "", "sampling, interface"
        ),
        **way(mean),
    }
