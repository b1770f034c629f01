"""The predict stage: what every network says of every configuration of a run, at densities it never
saw too, and why.

With --input: of a user's own configurations.
"""

import hashlib
import sys
from collections.abc import Callable

import numpy as np
import torch

from jobs import predicting, provenance, shards
from jobs.config import digest
from jobs.flocking import own, train
from jobs.flocking.config_train import MARGIN
from jobs.flocking.trained import network_of, probabilities, saliency, trained
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from jobs.units import Rank

MIXED = 1  # the phase whose saliency is mapped, L+G


WHAT, NOTHING = "networks", "none of the networks asked for is trained: run train first"
check, answer = train.check, own.answer


def run(systems: list[System], rank: Rank, request, device, progress: Progress) -> int:
    """This process's share of the predictions of all systems, or the answer to --input; how many
    failed (none: they raise).
    """
    return predicting.share(sys.modules[__name__], systems, rank, request, device, progress)


def units(system: System, say: Callable[[str], None]) -> list[list[str]]:
    """The trained networks that are asked for, together: they answer into one file."""
    names = trained(system, system.config.predict.sets, say)
    return [names] if names else []


def work(
    system: System, names: list[str], device, device_kind: str, progress: Progress, report
) -> None:
    """Write predict/probabilities.h5 and predict/saliency.h5, unless they are there, made by the
    same networks.
    """
    config, folder, data = system.config, system.folder / "predict", train.dataset_of(system)
    asked = config.predict.saliency
    marks = [
        *train.belonging(system).values(),
        *(shards.check(system.training(each) / "test.h5") for each in names),
        str(asked),
        MARGIN,
    ]
    made_from = hashlib.sha256(" ".join(marks).encode()).hexdigest()
    try:
        for kind in ("probabilities", "saliency"):
            shards.check(folder / f"{kind}.h5", made_from=made_from)
        progress.say(f"{folder / 'probabilities.h5'}: made by the same networks before, kept")
        return
    except (FileNotFoundError, shards.BadFileError):
        pass
    rows = telling(data, config.system.density, asked.temperature, asked.configurations)
    if not (data.phase[rows] == MIXED).any():
        progress.say(
            f"{system.folder}: no configuration of density {config.system.density:g} is in the phase L+G: no bands to map"
        )
    said, maps = {}, {}
    for order, each in enumerate(names):
        network = network_of(system, each, device_kind, progress.say)
        said[each] = Data(
            probabilities(network, data.maps), "", "configuration, phase", "of G, L+G, L"
        )
        chosen, axes = data.maps[torch.from_numpy(rows)], "mapped, channel, x, y"
        about = "|dS_c / dI|, c the phase with the largest score; magnetization, density"
        maps[each] = Data(saliency(network, chosen), "", axes, about, True)
        about = "|d(S_c - S_d) / dI|, c and d the phases with the largest scores"
        maps[f"{MARGIN}/{each}"] = Data(saliency(network, chosen, True), "", axes, about, True)
        report((order + 1) / len(names))
    columns = {
        "temperature": Data(data.temperature, "", "configuration", "T"),
        "mean_density": Data(data.mean_density, "particles / site", "configuration", "rho0"),
        "replica": Data(data.replica, "", "configuration", "the independent run it comes from"),
    }
    attributes = {
        **provenance.block(config, device.name),
        **train.belonging(system),
        "config_digest": digest(config),
        "made_from": made_from,
        "study": "flocking",
    }
    shards.write(folder / "probabilities.h5", {**said, **columns}, attributes)
    index = Data(rows.astype(np.int32), "", "mapped", "rows of dataset.h5")
    shards.write(
        folder / "saliency.h5",
        {**maps, "index": index},
        {**attributes, "temperature": asked.temperature},
    )
    progress.say(
        f"{folder / 'probabilities.h5'}: {len(data.phase)} configurations by {len(names)} networks"
    )


def telling(data: train.Dataset, density: float, temperature: float, count: int) -> np.ndarray:
    """Sorted rows of at most `count` configurations of each phase at a density, each replica's
    first ones first.

    Liquid-gas of the T nearest to the one asked; liquid and gas of the middle of their T, to
    compare with.
    """
    rows = []
    for phase in np.unique(data.phase[data.phase >= 0]):
        here = np.flatnonzero((data.phase == phase) & (data.mean_density == np.float32(density)))
        if not len(here):
            continue
        gap = np.abs(
            data.temperature[here]
            - (temperature if phase == MIXED else np.median(data.temperature[here]))
        )
        here = here[gap == gap.min()]
        turn = [np.sum(data.replica[here[:i]] == data.replica[row]) for i, row in enumerate(here)]
        rows.append(here[np.argsort(turn, kind="stable")[:count]])
    return np.sort(np.concatenate(rows)) if rows else np.empty(0, int)
