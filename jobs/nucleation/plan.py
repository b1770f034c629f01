"""What a nucleation config makes and takes: jobs/trials.py.

The lifetime, on which nearly all depends, is that of replicas which start as the events do and are
followed for two seconds: their time together over the number of those that nucleate, once a droplet
can have grown.
"""

import functools
import time
from dataclasses import dataclass, replace

import numpy as np

from jobs.nucleation.collect import KEPT_HISTORIES, bonds_of
from jobs.nucleation.config import Nucleation
from jobs.nucleation.generate import (
    FEW,
    batch,
    build,
    label_steps,
    label_times,
    lives,
    replicas_at_once,
)
from jobs.pace import expected_epochs
from jobs.trials import (
    LARGEST_NETWORK,
    Kind,
    Machine,
    Part,
    Timed,
    Untimed,
    seconds_of,
    training,
)
from kernels import forward_flux, percolation
from kernels.device import select
from kernels.ising import leaves_the_gpu
from kernels.ising_bits import GROUP

LARGEST = 1 << 20  # lattice sites of a trial
FOLLOWED = 2.0  # seconds
SHORT = 5  # MCS of equilibration, where they take long: of lattices with transforms
LATE = 100  # MCS: relaxation and growth of a droplet take as long, and say nothing of the rate
FEWEST = 10  # replicas that nucleate in a trial, below which their lifetime is hardly known
LABEL_BYTES = 16  # of a label, beside its configuration
MANY = 32  # copies of a group of replicas that are labelled together on a GPU
SPIN_BYTES = 0.2  # of a balanced configuration's spins, which are compressed
TRIED, MAPPED = 32, 8  # configurations of a trial: of clusters; of maps, at least
PAIRS = 3e8  # of sites with a bond, in all configurations of a trial
BATCH, SITES = 16, 200_000  # of networks: configurations at least; sites at most, also of maps
FEW_TRIALS, LONGEST_PILOT = (512, 2048), 10.0  # of samplings, from each interface; seconds
BLOCKS = 5  # of a fold's maps (predict.BLOCKS; that module needs torch)


@dataclass(frozen=True)
class Decay:
    """seconds: of an MCS of one replica, all workers at work.  lifetime: MCS.  ended: replicas that
    nucleated, but for the first ones, of `replicas` that were followed for `steps` MCS.
    """

    seconds: float
    lifetime: float
    ended: int
    replicas: int
    steps: int

    @property
    def how(self) -> str:
        least = "at least " if self.ended < FEWEST else ""
        lifetime = f"a mean lifetime of {least}{self.lifetime:.2g} MCS"
        followed = f"{self.replicas} replicas followed for {self.steps} MCS"
        return f"{followed}, {self.ended} of which nucleated: {lifetime}"


def decay(config: Nucleation, device, copies: int | None = None) -> Decay:
    """A trial of the model, on so many copies of a group of replicas; by default one a worker."""
    model, g = build(config, device), config.generate
    if model.sites > LARGEST:
        raise Untimed(f"system.size = {config.system.size} is too large")
    bits = replicas_at_once(config) == GROUP
    count = GROUP if bits else FEW * device.workers
    up = model.pack(np.ones((1, config.system.size, config.system.size), np.int8))
    start = model.evolve(
        np.repeat(up, count, 0),
        g.equilibration if bits else min(g.equilibration, SHORT),
        seed=config.seed,
        field=abs(model.field),
        progress=False,
    )
    copies = copies or (device.workers if bits else 1)
    steps, seconds = 4, 0.0
    while True:
        began = time.perf_counter()
        passage = model.intervene(
            seed=config.seed, unit=0, spins=start, duration=steps, copies=copies, progress=False
        )
        seconds = time.perf_counter() - began
        if seconds > FOLLOWED / 2 or (passage >= 0).all():
            break
        steps *= int(np.clip(FOLLOWED / max(seconds, 1e-3), 2, 8))
    followed = np.where(passage < 0, steps, passage)
    # lattices of bits go on together until the last of a group is through
    ran = followed.max(1).sum() * count if bits else followed.sum()
    from_then = 0 if (passage >= 0).all() else min(steps // 2, LATE)
    ended = int((passage >= from_then).sum())
    # of none in a time, 95% of lifetimes would be longer than a third of it
    lifetime = np.maximum(followed - from_then, 0).sum() / (ended or 3)
    return Decay(seconds / max(float(ran), 1.0), float(lifetime), ended, passage.size, steps)


def kernels(config: Nucleation, device) -> None:
    """Compile those of all stages."""
    build(config, device).compile(paths=config.rates.repeats > 0)
    percolation.module_of(config.system.size, device).compile()


def generate(config: Nucleation, machine: Machine) -> list[Part]:
    g, device = config.generate, machine.device
    events, labels = g.units * g.events, g.units * g.events * label_times(g)

    def timed() -> Timed:
        at_once = replicas_at_once(config)
        if device.kind == "cpu":
            found = decay(config, device)
            labelling = found.seconds
        else:  # as many units at a time as there are, or the cores beside it; then labels in plenty
            beside = leaves_the_gpu(config.system.interaction, config.system.range, device)
            place = select("cpu", device.host_workers) if beside else device
            found = decay(config, place, None if beside else g.units)
            labelling = decay(config, device, MANY).seconds
        steps = lives(g.events, g.events, at_once) * found.lifetime + g.equilibration
        if at_once == GROUP:  # a group goes on as long as one of it is left, on one worker each
            together = batch(config, device) if device.kind == "cpu" else 1
            nucleating = -(-g.units // together) * together * GROUP * steps
        else:
            nucleating = events * (found.lifetime + g.equilibration)
        seconds = found.seconds * nucleating + labelling * events * label_steps(g)
        open_ended = found.ended < FEWEST or g.adaptive.standard_error is not None
        return Timed(seconds, found.how, open_ended)

    return [
        Part(
            "generate",
            {"units": g.units, "events": events, "labelled configurations": labels},
            events * ((g.history + 1) * packed_bytes(config) + 4) + labels * LABEL_BYTES,
            timed,
        )
    ]


def collect(config: Nucleation, machine: Machine) -> list[Part]:
    g, size, device = config.generate, config.system.size, machine.device
    labels, packed = g.units * g.events * label_times(g), packed_bytes(config)
    expected = min(config.expected, labels)
    frames = min(KEPT_HISTORIES, g.units * g.events) * (g.history + 1)

    def timed() -> Timed:
        if size**2 > LARGEST:
            raise Untimed(f"system.size = {size} is too large")
        model = build(config, device)
        bonds = bonds_of(config, model)
        pairs = np.count_nonzero(bonds["coupling_table"]) * model.sites
        if pairs > PAIRS:
            raise Untimed(f"clusters with bonds of {pairs / model.sites:.0f} sites each")
        few = int(np.clip(PAIRS / pairs, 1, TRIED))
        clusters = functools.partial(
            percolation.clusters,
            np.random.default_rng(0).integers(0, 256, (few, packed), np.uint8),
            **bonds,
            seed=config.seed,
            index=np.arange(few, dtype=np.uint64),
            device=device,
        )
        each = seconds_of(clusters, clusters) / few
        return Timed(each * (expected + frames), f"the clusters of {few} configurations")

    return [
        Part(
            "collect",
            {"balanced configurations": expected},
            labels * (packed + LABEL_BYTES)
            + expected * (size**2 * SPIN_BYTES + 2 * LABEL_BYTES)
            + 2 * frames * packed,
            timed,
            "how many are left by balancing is by what the paper's systems left",
        )
    ]


def packed_bytes(config: Nucleation) -> int:
    return (config.system.size**2 + 7) // 8


def train(config: Nucleation, machine: Machine) -> list[Part]:
    return [training(config, machine, [kind(config, machine, m) for m in config.train.models])]


def predict(config: Nucleation, machine: Machine) -> list[Part]:
    p, size = config.predict, config.system.size
    models = mapped(config)
    if not models:
        return []
    folds = min(p.folds or config.train.folds, config.train.folds)
    configurations = folds * min(p.occlusion.configurations, config.train.test)
    places = (size - p.occlusion.patch) // p.occlusion.stride + 1

    def timed() -> Timed:
        key = ("map", size, config.train.kernel, p.occlusion.model_dump_json())
        seconds, missing = 0.0, []
        for model in models:
            try:
                seconds += machine.once(
                    (*key, model), lambda model=model: map_seconds(config, machine, model)
                )
            except Untimed as reason:
                missing.append(str(reason))
        if len(missing) == len(models):
            raise Untimed("; ".join(missing))
        how = "; ".join(["some places of each network's map", *missing])
        return Timed(seconds * configurations, how, bool(missing))

    return [
        Part(
            "predict",
            {"occlusion maps": len(models), "configurations covered": configurations * len(models)},
            len(models) * folds * BLOCKS * 4.0 * (2 * places**2 + size**2),
            timed,
            leave_out="predict.occlusion.configurations=0",
            files=tuple(f"predict/occlusion-{model}.h5" for model in models),
        )
    ]


def rates(config: Nucleation, machine: Machine) -> list[Part]:
    asked = config.rates
    if not asked.repeats:
        return []

    def timed() -> Timed:
        if config.system.size**2 > LARGEST:
            raise Untimed(f"system.size = {config.system.size} is too large")
        try:
            pilot, each, how, at_least = sampling_seconds(config, machine.device)
        except (RuntimeError, ValueError) as error:  # what the kernels say of such a system
            raise Untimed(str(error)) from None
        return Timed(pilot + asked.repeats * each, how, at_least)

    return [
        Part(
            "rates",
            {"samplings": asked.repeats},
            # a share of the trials of the first sampling is kept, at some ten interfaces
            10.0 * asked.trials * packed_bytes(config),
            timed,
            leave_out="rates.repeats=0",
            files=("rates.h5",),
        )
    ]


class Late(Exception):
    """A trial took longer than it may."""


def sampling_seconds(config: Nucleation, device) -> tuple[float, float, str, bool]:
    """Of the pilot and of one sampling; from which trial; whether it may take many times as long.

    Where the pilot is quick, samplings with few trials tell; else it does, by how many more trials
    and crossings a sampling has.
    """
    asked, model = config.rates, build(config, device)
    model.compile(paths=True)
    more = min(asked.trials / (2 * forward_flux.PILOT), forward_flux.CYCLES / 3)
    began, shoot = time.perf_counter(), model.shoot

    def in_time(*states, **how):
        if time.perf_counter() - began > LONGEST_PILOT:
            raise Late
        return shoot(*states, **how)

    vars(model)["shoot"] = in_time
    try:
        by = forward_flux.pilot(
            model,
            seed=config.seed,
            trials=asked.trials,
            coordinate=asked.coordinate,
            every=asked.every,
        )
    except Late:
        text = f"a pilot that was not through after {LONGEST_PILOT:.0f} s"
        return LONGEST_PILOT, LONGEST_PILOT * more, text, True
    finally:
        vars(model).pop("shoot")
    pilot = time.perf_counter() - began
    if pilot > FOLLOWED:
        return pilot, pilot * more, "the pilot of the sampling", False

    def seconds(share: float) -> float:
        few = [max(1, round(count * share)) for count in by.counts]
        return seconds_of(lambda: forward_flux.sample(model, replace(by, counts=few), 0))

    tried = [*dict.fromkeys(min(asked.trials, few) for few in FEW_TRIALS)]
    each = [seconds(trials / asked.trials) for trials in tried]
    if len(each) > 1:  # a part does not depend on the trials: the flux
        slope = max(0.0, each[1] - each[0]) / (tried[1] - tried[0])
        each.append(each[1] + slope * (asked.trials - tried[1]))
    return pilot, each[-1], f"samplings with {' and '.join(map(str, tried))} trials", False


# ---- networks


def kind(config: Nucleation, machine: Machine, model: str) -> Kind:
    import torch

    from jobs.nucleation import epochs, networks

    t = config.train
    with torch.device("meta"):
        network = networks.build(model, config.system.size, t.kernel)
    most, patience = epochs.limits(model, t)
    return Kind(
        model,
        len(t.splits) * t.folds,
        expected_epochs(most, patience),
        most,
        networks.parameters(network),
        lambda: machine.once(
            ("epoch", model, config.system.size, t.model_dump_json(), config.expected),
            lambda: epoch_seconds(config, machine, model),
        ),
    )


def epoch_seconds(config: Nucleation, machine: Machine, model: str) -> float:
    """Of an epoch of one network, from one of a single batch of random configurations."""
    import torch

    from jobs.nucleation import networks
    from jobs.nucleation.epochs import Inputs, Training

    t, draw = config.train, np.random.default_rng(0)
    device = machine.use(t.threads)
    training = t.training or max(1, config.expected - t.test - t.validation)
    rows = min(t.batch, training, max(BATCH, SITES // config.system.size**2))
    more = max(1, round(rows * t.validation / training))
    spins = random_spins(draw, rows + more, config.system.size)
    inputs = Inputs(model, spins, draw.uniform(10, 60, len(spins)), device)
    labels = torch.from_numpy(draw.random(len(spins), np.float32)).to(device)
    network = networks.build(model, config.system.size, t.kernel)
    if hasattr(network, "standardise"):
        network.standardise(inputs.rows[:rows].cpu())
    run = Training(
        config,
        f"event/{model}/fold-0",
        network.to(device),
        inputs,
        labels,
        np.arange(rows),
        np.arange(rows, len(spins)),
    )
    return seconds_of(lambda: run.epoch(lambda *_: None)) * training / rows


def random_spins(draw: np.random.Generator, count: int, size: int) -> np.ndarray:
    return (2 * draw.integers(0, 2, (count, size, size)) - 1).astype(np.int8)


def mapped(config: Nucleation) -> list[str]:
    """Models whose occlusion maps are made, if all of the config is trained."""
    from jobs.nucleation.predict import asked_for

    trained = config.train.models if config.predict.split in config.train.splits else []
    return [model for model in asked_for(config) if model in trained]


def map_seconds(config: Nucleation, machine: Machine, model: str) -> float:
    """Of a configuration's occlusion map, from some places of one."""
    import torch

    from jobs.nucleation import networks, occlusion

    asked, size = config.predict.occlusion, config.system.size
    if kind(config, machine, model).parameters > LARGEST_NETWORK:
        raise Untimed(f"{model} is too large")
    device = machine.use(machine.device.workers)
    count = int(np.clip(SITES // size**2, MAPPED, min(asked.configurations, occlusion.AT_ONCE)))
    spins = torch.from_numpy(random_spins(np.random.default_rng(0), count, size)).to(device)
    windows = torch.full((count,), 30.0, device=device)
    network = networks.build(model, size, config.train.kernel).to(device)

    def seconds(stride: int) -> float:
        """Of the places that are so far apart."""
        options = {"patch": asked.patch, "stride": stride, "fill": asked.fill}
        return seconds_of(
            lambda: occlusion.changes(network, spins, windows, report=lambda done: None, **options)
        )

    once, apart = seconds(size), max(1, (size - asked.patch) // 2)
    more = len(occlusion.corners(size, asked.patch, apart)) ** 2 - 1
    each = (seconds(apart) - once) / more if more else once
    places = asked.places or len(occlusion.corners(size, asked.patch, asked.stride)) ** 2
    # `once` holds what all places share, the whole network, of which a place takes a hundredth
    return max(each, once / 100) / count * places
