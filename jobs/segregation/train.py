"""Train the networks of a run on its data set: one unit is one network, trained by one process or
by all ranks together.

An epoch's order, noise and augmentation are a function of (seed, network, epoch), so a training
that was killed goes on, from the last epoch's checkpoint, exactly as if it had not been.  The
network that is kept is the last epoch's: the learning rate has fallen to 0 by then, the
augmentation leaves little to learn by heart, and the smallest L1 on the validation set, which
metrics.csv has for every epoch, would prefer blurred answers to the GAN's sharp ones.
"""

import hashlib
import json
from collections.abc import Callable

import numpy as np
import torch

from jobs import UserError, checkpoint, distributed, provenance, shards, signals
from jobs.config import digest, flat
from jobs.rundir import System
from jobs.segregation import fields, networks
from jobs.segregation.epochs import HISTORY, Training, course, epoch_seed, partners, predict
from jobs.segregation.steps import Steps
from jobs.shards import Data
from jobs.training import Report, check_dataset, sound, write_metrics
from kernels.device import cpu_model

# to be raised when an architecture or the way of training changes: what was trained before is then
# set aside
RECIPE = 2  # spectral norm in the discriminator; upsampling and convolution in the generator


def train_digest(config) -> str:
    """What a trained network depends on beside the data set and its own name."""
    keys = {k: v for k, v in flat(config).items() if k.startswith("train.") and k != "train.models"}
    if RECIPE:
        keys["recipe"] = RECIPE
    return hashlib.sha256((digest(config) + json.dumps(keys, sort_keys=True)).encode()).hexdigest()


def check(system: System) -> None:
    """UserError unless the system's data set is there, sound, of this very system, and its fields
    can be halved.
    """
    if problem := system.config.untrainable():
        raise UserError(problem)
    check_dataset(system)


def belonging(system: System) -> dict[str, str]:
    """What the files of a trained network must say that they were made from."""
    return {
        "train_digest": train_digest(system.config),
        "dataset_digest": shards.check(system.folder / "dataset.h5"),
    }


def finished(system: System, network_name: str, say: Callable[[str], None]) -> bool:
    """Whether test.h5 of a network is there, sound, and of the present data set and settings.
    Another one is moved aside.
    """
    return sound(system.training(network_name) / "test.h5", belonging(system), say)


def spread(mean: np.ndarray, count: int | None) -> np.ndarray:
    """Sorted rows of `count` samples (None: all), as evenly over the mean concentrations (n,) as
    can be.
    """
    order = np.argsort(mean, kind="stable")
    return np.sort(
        order
        if count is None
        else order[np.arange(min(count, len(mean))) * len(mean) // min(count, len(mean))]
    )


def build(config, network_name: str) -> networks.Generator | Steps:
    """The generator of a network's name, untrained.  Its range holds the steady states' overshoot
    and the first fields' noise.
    """
    g, t = config.generate, config.train
    margin = 0.05 + max(0.0, g.noise - g.first_mean, g.last_mean + g.noise - 1)
    limits = (-margin, 1 + margin)
    if network_name.endswith("steps"):
        return Steps(t.width, limits, config.system, config.times)
    return networks.Generator(
        t.width, config.system.size, limits, network_name.endswith("conserving"), t.dropout
    )


def fit(system: System, network_name: str, device: str, report: Report) -> str:
    """Train one network to its end, from its checkpoint if there is one, and try it on the test
    set; a line about the result.

    Where several ranks train it, all call this; the first one reads and writes the files.
    """
    config, folder, belongs = system.config, system.training(network_name), belonging(system)
    writes = distributed.rank() == 0
    found = fields.read(system.folder, "train")
    chosen = spread(found.mean_concentration, config.train.samples)
    torch.manual_seed(epoch_seed(config, network_name, 0))
    generator = build(config, network_name)
    run = Training(
        config,
        network_name,
        generator,
        course(generator, found, chosen)
        if isinstance(generator, Steps)
        else partners(network_name, found, chosen),
        partners(network_name, fields.read(system.folder, "valid")),
        device,
    )
    state = distributed.of_the_first(
        lambda: checkpoint.load(
            folder / "checkpoint.pt", lambda line: report("say", line), **belongs
        )
    )
    if state is not None:
        run.restore(state)
    while not run.ended:
        if distributed.of_the_first(
            lambda: (
                (folder / "test.h5").exists()
                and finished(system, network_name, lambda line: report("say", line))
            )
        ):
            return "trained by another process meanwhile"
        run.epoch(report)
        if writes:
            checkpoint.save(folder / "checkpoint.pt", {**run.state(), **belongs})
            write_metrics(folder / "metrics.csv", HISTORY, run.history)
            report("epoch", (run.share, run.line))
        if not run.ended and distributed.asked_to_stop():
            raise signals.Stopped(f"{network_name} after epoch {run.epochs}")
    if not writes:
        return ""
    checkpoint.save(
        folder / "checkpoint.pt",
        {
            "epoch": run.epochs,
            "finished": True,
            "generator": generator.state_dict(),
            "history": run.history,
            **belongs,
        },
    )
    given, wanted = partners(network_name, fields.read(system.folder, "test"))
    error = (predict(generator, given.to(device)) - wanted).abs().mean((1, 2)).numpy()
    columns = {
        "index": Data(
            np.arange(len(error), dtype=np.int32), "", "tested", "rows of the test split"
        ),
        "l1": Data(error, "", "tested", "mean |prediction - truth| over the field, without noise"),
        "training": Data(chosen.astype(np.int32), "", "trained", "rows of the train split"),
    }
    for i, what in enumerate(HISTORY):
        if what != "seconds":  # no result; metrics.csv has them
            columns[f"history/{what}"] = Data(
                np.array([line[i] for line in run.history]), "", "epoch", what.replace("_", " ")
            )
    attributes = {
        **provenance.block(
            config, torch.cuda.get_device_name(device) if device != "cpu" else cpu_model()
        ),
        **belongs,
        "config_digest": digest(config),
        "study": "segregation",
        "model": network_name,
        "ranks": distributed.ranks(),
        "parameters": networks.parameters(generator),
        "epochs": run.epochs,
        "seconds": sum(line[1] for line in run.history),
    }
    shards.write(folder / "test.h5", columns, attributes)
    checkpoint.previous(folder / "checkpoint.pt").unlink(missing_ok=True)
    return f"test L1 {error.mean():.5f} after {run.epochs} epochs, {networks.parameters(generator)} parameters"
