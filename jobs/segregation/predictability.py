"""How far ahead one can see: where the domains of a mixture end up, told by the solver from an
input that is known to a few digits only, and by linear theory.

collect takes a sample of the test mixtures that segregate, at each age at which fields are kept,
adds noise of a small rms to them and runs them to their steady states again: what the solver cannot
tell from such an input no network can.  Beside it stands what linear theory makes of the same
input: its waves, each grown by its own rate.  Written to predictability.h5 in the run directory.
"""

import numpy as np
import torch

from jobs import provenance, shards
from jobs.config import digest
from jobs.progress import Progress
from jobs.rundir import System
from jobs.segregation import fields
from jobs.segregation.config import FOLDINGS
from jobs.segregation.generate import build
from jobs.segregation.steps import LinearTheory
from jobs.shards import Data

NAME = "predictability.h5"
STREAM = 0x5EE  # of the choice of the sample, and of the noise


def run(system: System, device, progress: Progress) -> None:
    """Write predictability.h5 of a run that has its data set, unless it is there, of the same."""
    config, target = system.config, system.folder / NAME
    c, g = config.collect, config.generate
    if not c.foretold:
        return
    columns, about = shards.read(system.folder / "dataset.h5")
    made_from = f"{about['content_digest']} {c.foretold} {c.perturbations}"
    try:
        shards.check(target, made_from=made_from)
        return
    except FileNotFoundError:
        pass
    except shards.BadFileError as error:
        progress.say(f"{target}: {error}; made anew")
    test = columns["split"] == fields.SPLITS.index("test")
    candidates = np.flatnonzero(columns["perimeter"][test, -1] > 0)
    chosen = sample(config, candidates)
    if not len(chosen):
        return
    stored = fields.read(system.folder, "test")
    given = np.stack([stored.all[row, :-1] for row in chosen], 1)  # (age, sample, L, L)
    truth = np.stack([stored.all[row, -1] for row in chosen])
    model = build(config, device)
    ages = [*config.times]
    progress.begin(len(ages), "ages")
    ends = np.empty((len(ages), len(c.perturbations), *truth.shape), np.float32)
    for number in range(len(ages)):
        starts = perturbed(config, number, given[number])
        found = model.run(
            starts.reshape(-1, *model.shape),
            [np.inf],
            tolerance=g.tolerance,
            steady_state=g.steady_state,
            on_blow_up="keep",
            progress=False,
        )
        ends[number] = found.fields[:, -1].reshape(starts.shape)
        progress.reach(number + 1)
    progress.end()
    grown = np.stack([linear(config, each) for each in given])
    axes = "age, perturbation, sample, x, y"
    data = {
        "index": Data(chosen.astype(np.int32), "", "sample", "rows of the test split"),
        "mean_concentration": Data(stored.mean_concentration[chosen], "", "sample", "of each"),
        "age": Data(np.array(ages), "time", "age", "of the input: config.times"),
        "perturbation": Data(
            np.array(c.perturbations), "", "perturbation", "rms of the noise that was added"
        ),
        "input": Data(given, "", "age, sample, x, y", "concentration", True),
        "truth": Data(truth, "", "sample, x, y", "steady state that was simulated", True),
        "solver": Data(ends, "", axes, "steady state from the input with noise", True),
        "linear": Data(grown, "", "age, sample, x, y", "the input by linear theory", True),
    }
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "made_from": made_from,
        "study": "segregation",
    }
    shards.write(target, data, attributes)
    progress.say(f"{target}: {len(chosen)} mixtures at {len(ages)} ages, foretold")


def sample(config, candidates: np.ndarray) -> np.ndarray:
    """At most collect.foretold of the candidates, in order; a function of the seed."""
    count = min(config.collect.foretold, len(candidates))
    generator = np.random.default_rng([config.seed, STREAM])
    return np.sort(generator.choice(candidates, count, replace=False)) if count else candidates[:0]


def perturbed(config, number: int, given: np.ndarray) -> np.ndarray:
    """Fields (n, L, L) of times[number] with Gaussian noise of each of collect.perturbations' rms,
    (p, n, L, L); their means are kept.
    """
    noise = np.random.default_rng([config.seed, STREAM, number]).standard_normal(given.shape)
    noise -= noise.mean((1, 2), keepdims=True)
    noise /= noise.std((1, 2), keepdims=True)
    return np.stack(
        [(given + rms * noise).astype(np.float32) for rms in config.collect.perturbations]
    )


def linear(config, given: np.ndarray) -> np.ndarray:
    """What linear theory makes of fields (n, L, L), each after FOLDINGS growth times of its fastest
    wave: before that noise is left, later one wave alone.
    """
    s = config.system
    theory = LinearTheory(s.size, s.spacing, s.epsilon, s.well_depth, s.mobility)
    fields = torch.from_numpy(np.asarray(given, np.float32))
    return theory(fields, FOLDINGS * theory.growth_time(fields)).numpy()
