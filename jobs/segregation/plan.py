"""What a segregation config makes and takes: jobs/trials.py.

How many steps a mixture takes to its end nobody knows before: some are run there, at mean
concentrations spread over the config's, for a second or two at most.
"""

import time
import warnings
from dataclasses import dataclass, replace

import numpy as np

from jobs import fates
from jobs.segregation.config import SPINODAL, Segregation
from jobs.segregation.generate import build, work
from jobs.trials import Kind, Machine, Part, Timed, seconds_of, training
from kernels.cahn_hilliard import mixtures

TRIED, AGAIN = 6, 2  # mean concentrations of a trial, and of one as exact as that of fates
FEW = 200  # steps of the solver, after which the rest is foreseen
SECONDS = 2.0  # of a trial, at most
BATCH = 4  # samples of a network's trial
COLUMN_BYTES = 400  # of what is known of a sample beside its fields


@dataclass(frozen=True)
class Ends:
    """seconds: of a mixture on one of the device's workers, or on a GPU, by `work` of its unit;
    unfinished: of the `tried` mixtures, those that did not get to their ends.
    """

    seconds: float
    tried: int
    unfinished: int

    @property
    def how(self) -> str:
        if not self.unfinished:
            return f"{self.tried} mixtures run to their ends"
        return f"{self.tried} mixtures, {self.unfinished} of which did not get to their ends in {SECONDS:g} s"


def ends(config: Segregation, machine: Machine, exactly: bool = False) -> Ends:
    """A trial of the solver; exactly: as fates are checked, of mixtures in the middle."""
    key = ("ends", exactly, config.system.model_dump_json(), config.generate.model_dump_json())
    return machine.once(key, lambda: tried_ends(config, machine.device, exactly))


def tried_ends(config: Segregation, device, exactly: bool) -> Ends:
    g = config.generate
    model = replace(build(config, device), precision="float64" if exactly else "float32")
    tolerance = g.tolerance / (fates.TIGHTER if exactly else 1)
    first, last = (g.units // 3, 2 * g.units // 3) if exactly else (0, g.units - 1)
    units = np.unique(np.linspace(first, last, AGAIN if exactly else TRIED).round().astype(int))
    if device.kind == "cpu":  # all workers have something to do
        units = np.repeat(units, -(-device.workers // len(units)))
    start = mixtures([g.means[unit] for unit in units], g.noise, model.shape, config.seed)

    def run(most: int):
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that they do not get there
            found = model.run(
                start,
                [np.inf],
                tolerance=tolerance,
                steady_state=g.steady_state,
                max_steps=most,
                on_blow_up="keep",
                observe=False,
                progress=False,
            )
        return time.perf_counter() - began, found

    run(2)  # compiles
    seconds, found = run(FEW)
    if np.isnan(found.steady_time).any():
        seconds, found = run(max(FEW, int(FEW * SECONDS / max(seconds, 1e-3))))
    unfinished = int(np.isnan(found.steady_time).sum())
    weights = sum(work(model, config, int(unit)) for unit in units)
    return Ends(seconds / weights, len(units), unfinished)


def kernels(config: Segregation, device) -> None:
    """Compile those of all stages: the solver's, and as exact as fates are checked."""
    for precision in ("float32", "float64"):
        replace(build(config, device), precision=precision).compile()


def generate(config: Segregation, machine: Machine) -> list[Part]:
    g = config.generate
    each = sum(g.samples.values())
    samples, fields = g.units * each, len(config.times) + 1

    def timed() -> Timed:
        found = ends(config, machine)
        whole = sum(work(None, config, unit) for unit in range(g.units)) * each
        return Timed(found.seconds * whole, found.how, found.unfinished > 0)

    return [
        Part(
            "generate",
            {"units": g.units, "mixtures": samples, "fields": samples * fields},
            samples * (fields * 4.0 * config.system.size**2 + COLUMN_BYTES),
            timed,
        )
    ]


def segregate(config: Segregation) -> float:
    """Share of the mixtures that do."""
    means = config.generate.means
    return sum(SPINODAL[0] < mean < SPINODAL[1] for mean in means) / len(means)


def heaviest(config: Segregation) -> float:
    """Of the units, by `work`."""
    return max(work(None, config, unit) for unit in range(config.generate.units))


def collect(config: Segregation, machine: Machine) -> list[Part]:
    g, c = config.generate, config.collect
    samples, cells = g.units * sum(g.samples.values()), config.system.size**2
    ages, rms = len(config.times), len(c.perturbations)
    few = segregate(config) > 0
    again = min(c.fates, samples) * few
    foretold = min(c.foretold, g.units * g.test) * few

    def checked() -> Timed:
        found = ends(config, machine, exactly=True)
        seconds = found.seconds * again * heaviest(config)
        return Timed(seconds, f"{found.how}, as exactly", found.unfinished > 0)

    def perturbed() -> Timed:
        found = ends(config, machine)
        seconds = found.seconds * foretold * ages * rms * heaviest(config)
        return Timed(seconds, found.how, found.unfinished > 0)

    parts = [
        Part(
            "collect",
            {"samples in a data set": samples, "fates checked": again},
            samples * ((ages + 1) * 4.0 * cells + COLUMN_BYTES),
            checked,
        )
    ]
    if foretold:
        parts.append(
            Part(
                "collect",
                {
                    "mixtures foretold": foretold,
                    "runs of them, perturbed at each age": foretold * ages * rms,
                },
                foretold * 4.0 * cells * (ages * (rms + 2) + 1),
                perturbed,
                leave_out="collect.foretold=0",
                files=("predictability.h5",),
            )
        )
    return parts


# ---- networks


def kind(network_name: str) -> str:
    """Networks that take equally long: jumps forwards and back."""
    return network_name.replace("_forward", "").replace("_reverse", "")


def train(config: Segregation, machine: Machine) -> list[Part]:
    import torch

    from jobs.segregation import networks
    from jobs.segregation import train as stage

    of_kind: dict[str, list[str]] = {}
    for name in config.train.models:
        of_kind.setdefault(kind(name), []).append(name)
    kinds = []
    for each, names in of_kind.items():
        with torch.device("meta"):
            generator = stage.build(config, names[0])
        kinds.append(
            Kind(
                each,
                len(names),
                config.train.epochs,
                config.train.epochs,
                networks.parameters(generator),
                lambda name=names[0], generator=generator: machine.once(
                    ("epoch", kind(name), *grid(config, generator), config.train.model_dump_json()),
                    lambda: epoch_seconds(config, machine, name),
                ),
            )
        )
    return [training(config, machine, kinds)]


def grid(config: Segregation, generator) -> tuple[int, ...]:
    """What a network's time depends on: cells a side, of its own grid too, samples, ages."""
    g = config.generate
    return (
        config.system.size,
        getattr(generator, "side", 0),
        g.units * g.training,
        len(config.times),
    )


def epoch_seconds(config: Segregation, machine: Machine, network_name: str) -> float:
    """Of an epoch of one network, from one of a few random fields."""
    import torch

    from jobs.segregation import train as stage
    from jobs.segregation.epochs import UNIFORM, Training
    from jobs.segregation.steps import Steps

    g, t, size = config.generate, config.train, config.system.size
    device = machine.use(t.threads)
    rows = min(t.batch, BATCH)
    samples = t.samples or g.units * g.training
    more = max(1, round(rows * g.units * g.validation / samples))
    generator = stage.build(config, network_name)
    if isinstance(generator, Steps):
        share = segregate(config)
        samples *= share + (1 - share) / UNIFORM
        course = torch.rand(rows, len(config.times), generator.side, generator.side)
    else:
        course = (torch.rand(rows, size, size), torch.rand(rows, size, size))
    validation = (torch.rand(more, size, size), torch.rand(more, size, size))
    run = Training(config, network_name, generator, course, validation, device)
    return seconds_of(lambda: run.epoch(lambda *_: None)) * samples / rows


def predict(config: Segregation, machine: Machine) -> list[Part]:
    g, asked, size = config.generate, config.predict, config.system.size
    names = [n for n in config.train.models if asked.models is None or n in asked.models]
    if not names:
        return []
    samples = asked.samples or g.units * g.test
    foretold = min(config.collect.foretold, g.units * g.test) * len(config.times)

    def timed() -> Timed:
        import torch

        from jobs.segregation import fields
        from jobs.segregation import train as stage
        from jobs.segregation.epochs import predict as answers
        from jobs.segregation.quantities import physics

        device, seconds = machine.use(machine.device.workers), 0.0
        given = torch.rand(BATCH, size, size)
        model = physics(config, machine.device)
        measured = seconds_of(lambda: fields.measure(model, given.numpy()))
        for name in names:
            network = stage.build(config, name).to(device).eval()
            once = machine.once(
                ("answer", kind(name), *grid(config, network), config.train.width),
                lambda network=network: seconds_of(lambda: answers(network, given.to(device))),
            )
            ages = 0 if name.endswith("reverse") else foretold
            seconds += once / BATCH * (samples + ages) + 2 * measured / BATCH * samples
        return Timed(seconds, f"answers of each network to {BATCH} fields, and their quantities")

    return [
        Part(
            "predict",
            {"networks": len(names), "answers to the test set": samples * len(names)},
            samples * len(names) * (3 * 4.0 * size**2 + COLUMN_BYTES)
            + sum(foretold * 4.0 * size**2 for name in names if not name.endswith("reverse")),
            timed,
        )
    ]
