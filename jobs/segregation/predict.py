"""The predict stage: what the networks make of a run's test set, or with --input of a user's own
fields.
"""

import sys
from collections.abc import Callable

import numpy as np

from jobs import predicting, provenance, shards
from jobs.config import digest
from jobs.progress import Progress
from jobs.rundir import System
from jobs.segregation import fields, own, predictability, train
from jobs.segregation.quantities import measured
from jobs.segregation.trained import activations, answers, network_of, trained
from jobs.shards import Data
from jobs.units import Rank

CHANNELS = 16  # activation maps kept of a layer


WHAT, NOTHING = "networks", "none of the networks asked for is trained: run train first"
check, answer = train.check, own.answer


def run(systems: list[System], rank: Rank, request, device, progress: Progress) -> int:
    """This process's share of the predictions of all systems, or the answer to --input; how many
    failed (none: they raise).
    """
    return predicting.share(sys.modules[__name__], systems, rank, request, device, progress)


def units(system: System, say: Callable[[str], None]) -> list[str]:
    """The trained networks that are asked for."""
    return trained(system, system.config.predict.models, say)


def work(system: System, model: str, device, device_kind: str, progress: Progress, report) -> None:
    """Write predict/MODEL.h5, MODEL-activations.h5 and, of a forward network, MODEL-ages.h5, unless
    they are there, made by the same network.
    """
    answer_test_set(system, model, device, device_kind, progress)
    report(0.5)
    if not model.endswith("reverse"):
        answer_ages(system, model, device, device_kind, progress)


def answer_ages(system: System, model: str, device, device_kind: str, progress: Progress) -> None:
    """What the network makes of the inputs of every age in predictability.h5, if that is there."""
    target = system.folder / "predict" / f"{model}-ages.h5"
    try:
        inputs, about = shards.read(system.folder / predictability.NAME)
    except FileNotFoundError:
        return
    except shards.BadFileError as error:
        progress.say(f"{system.folder / predictability.NAME}: {error}; collect makes it anew")
        return
    trained_as = shards.check(system.training(model) / "test.h5")
    made_from = f"{about['content_digest']} {trained_as} by age"
    try:
        shards.check(target, made_from=made_from)
        return
    except (FileNotFoundError, shards.BadFileError):
        pass
    network = network_of(system, model, device_kind, progress.say)
    found = np.stack([answers(network, given, k) for k, given in enumerate(inputs["input"])])
    attributes = {
        **provenance.block(system.config, device.name),
        "config_digest": digest(system.config),
        "made_from": made_from,
        "study": "segregation",
        "model": model,
    }
    about_it = "answers to the inputs of predictability.h5, which says how old they are"
    shards.write(
        target, {"prediction": Data(found, "", "age, sample, x, y", about_it, True)}, attributes
    )


def answer_test_set(
    system: System, model: str, device, device_kind: str, progress: Progress
) -> None:
    """What the network makes of the test set, with the six quantities, and its activations."""
    config, folder = system.config, system.folder / "predict"
    belongs = train.belonging(system)
    made_from = f"{' '.join(belongs.values())} {shards.check(system.training(model) / 'test.h5')} {config.predict.samples}"
    try:
        for kind in ("", "-activations"):
            shards.check(folder / f"{model}{kind}.h5", made_from=made_from)
        progress.say(f"{folder / model}.h5: made by the same network before, kept")
        return
    except (FileNotFoundError, shards.BadFileError):
        pass
    network = network_of(system, model, device_kind, progress.say)
    test = fields.read(system.folder, "test")
    mean = np.asarray(test.mean_concentration, np.float64)
    rows = train.spread(mean, config.predict.samples)
    given, truth = (each.numpy() for each in train.partners(model, test, rows))
    predicted = answers(network, given)
    data = {
        "input": Data(given, "", "sample, x, y", "concentration given to the network", True),
        "prediction": Data(predicted, "", "sample, x, y", "its answer, without noise", True),
        "truth": Data(truth, "", "sample, x, y", "concentration that was simulated", True),
        "mean_concentration": Data(mean[rows], "", "sample", "of the trajectory"),
        "index": Data(rows.astype(np.int32), "", "sample", "rows of the test split"),
        **measured(config, device, truth=truth, predicted=predicted),
    }
    attributes = {
        **provenance.block(config, device.name),
        **belongs,
        "config_digest": digest(config),
        "made_from": made_from,
        "study": "segregation",
        "model": model,
    }
    shards.write(folder / f"{model}.h5", data, attributes)
    middle = int(np.argmin(np.abs(mean[rows] - 0.5)))  # where domains of both phases are large
    maps = {
        "input": Data(given[middle], "", "x, y", "concentration"),
        "prediction": Data(predicted[middle], "", "x, y", "the answer"),
    }
    for number, layer in enumerate(activations(network, given[middle])):
        maps[f"layer_{number:02d}"] = Data(telling(layer), "", "channel, x, y", "activations", True)
    shards.write(
        folder / f"{model}-activations.h5", maps, {**attributes, "index": int(rows[middle])}
    )
    error = np.abs(predicted - truth).mean(dtype=np.float64)
    progress.say(f"{folder / model}.h5: {len(rows)} samples, L1 {error:.5f}")


def telling(maps: np.ndarray) -> np.ndarray:
    """At most CHANNELS of the maps (channels, h, w), those that vary most over the field, in their
    order.
    """
    return maps[np.sort(np.argsort(-maps.var((1, 2)), kind="stable")[:CHANNELS])]
