"""Train the networks of a run on its data set: one unit is one network, trained by one process or
by all ranks together.

An epoch's order, noise and augmentation are a function of (seed, network, epoch), so a training
that was killed goes on, from the last epoch's checkpoint, exactly as if it had not been.  The
network that is kept is the last epoch's: the learning rate has fallen to 0 by then, the
augmentation leaves little to learn by heart, and the smallest L1 on the validation set, which
metrics.csv has for every epoch, would prefer blurred answers to the GAN's sharp ones.
"""

import functools
import sys

import numpy as np
import torch

from jobs import UserError, checkpoint, distributed, provenance, shards
from jobs.config import digest
from jobs.epochs import history_of, to_the_end
from jobs.rundir import System
from jobs.segregation import fields, networks
from jobs.segregation.epochs import Training, course, epoch_seed, partners, predict
from jobs.segregation.steps import Steps
from jobs.shards import Data
from jobs.training import Report, check_dataset, device_name, finished, made_of

# to be raised when an architecture or the way of training changes: what was trained before is then
# set aside
RECIPE = 2  # spectral norm in the discriminator; upsampling and convolution in the generator
LISTS = ("train.models",)  # which networks there are, not what one of them is


def check(system: System) -> None:
    """UserError unless the system's data set is there, sound, of this very system, and its fields
    can be halved.
    """
    if problem := system.config.untrainable():
        raise UserError(problem)
    check_dataset(system)


def belonging(system: System) -> dict[str, str]:
    """What the files of a trained network must say that they were made from."""
    data = {"dataset_digest": shards.check(system.folder / "dataset.h5")}
    return made_of(system, RECIPE, LISTS, data)


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
    ready = functools.partial(finished, sys.modules[__name__], system, network_name)
    if not to_the_end(run, folder, belongs, ready, report):
        return "trained by another process meanwhile"
    if distributed.rank():
        return ""
    given, wanted = partners(network_name, fields.read(system.folder, "test"))
    error = (predict(generator, given.to(device)) - wanted).abs().mean((1, 2)).numpy()
    columns = {
        "index": Data(
            np.arange(len(error), dtype=np.int32), "", "tested", "rows of the test split"
        ),
        "l1": Data(error, "", "tested", "mean |prediction - truth| over the field, without noise"),
        "training": Data(chosen.astype(np.int32), "", "trained", "rows of the train split"),
    }
    attributes = {
        **provenance.block(config, device_name(device)),
        **belongs,
        "config_digest": digest(config),
        "study": "segregation",
        "model": network_name,
        "ranks": distributed.ranks(),
        "parameters": networks.parameters(generator),
        "epochs": run.epochs,
        "seconds": sum(line[1] for line in run.history),
    }
    shards.write(folder / "test.h5", {**columns, **history_of(run)}, attributes)
    checkpoint.previous(folder / "checkpoint.pt").unlink(missing_ok=True)
    return f"test L1 {error.mean():.5f} after {run.epochs} epochs, {networks.parameters(generator)} parameters"
