"""What a coarsening config makes and takes: jobs/trials.py.

Steps of the solver and frames of a network are tried in boxes of the config's own sizes, or, where
those are too large, in smaller ones, cell for cell.
"""

from pathlib import Path

import numpy as np

from jobs import fates
from jobs.coarsening import generate as solving
from jobs.coarsening import paths
from jobs.coarsening.cases import Unit, size
from jobs.coarsening.cases import plan as planned
from jobs.coarsening.config import Coarsening
from jobs.coarsening.costs import STEPS, TOLERANCES
from jobs.coarsening.frames import kept_frames
from jobs.coarsening.paths import SOLVERS, TRUTH
from jobs.coarsening.rollout import solvers
from jobs.rundir import System
from jobs.trials import Kind, Machine, Part, Timed, seconds_of, training
from kernels import cahn_hilliard_part, cahn_hilliard_spectrum, perlin
from kernels.cahn_hilliard import CahnHilliard
from kernels.cahn_hilliard_clock import ORDERS
from kernels.cahn_hilliard_plan import explicit_limit
from kernels.conv_gru import SMALLEST_SIDE

LARGEST = 128  # cells a side of the solver's trials, and
LARGEST_NETWORK_SIDE = 32  # of the networks'
FRAMES = 3  # of a sequence in a trial of a training
DOUBLE = 2.0  # times as long float64 takes as float32
EXACT = 6.0  # explicit runs of float64 for the table's reference, in steps of one


def step_seconds(config: Coarsening, machine: Machine, side: int, scheme: str) -> float:
    """Of a step of one field of side^3 cells, as machine and scheme give it."""
    tried = min(side, LARGEST)
    key = ("step", tried, scheme, config.system.model_dump_json(), config.generate.tolerance)

    def trial() -> float:
        model = solving.solver(config, tried, machine.device)
        changes = {
            "scheme": scheme,
            "step": min(config.generate.step, 0.9 * explicit_limit(model)),
            "feature_sizes": [next(size for size in (8, 4, 2) if tried % size == 0)],
        }
        small = config.model_copy(
            update={
                "generate": config.generate.model_copy(update=changes),
                "system": config.system.model_copy(update={"size": tried}),
            }
        )
        count = solving.together(small, machine.device)
        return solving.step_seconds(model, small, count) / count

    return machine.once(key, trial) * (side / tried) ** 3


def frame_seconds(config: Coarsening, machine: Machine, model: str, side: int) -> float:
    """Of a frame of a network on side^3 cells of its grid."""
    tried = min(side, LARGEST_NETWORK_SIDE)

    def trial() -> float:
        network = stepping(config, machine, model, tried)
        return seconds_of(lambda: (network.advance(1, progress=False), network.fields()))

    return machine.once(("frame", model, tried, config.train.hidden), trial) * (side / tried) ** 3


def stepping(config: Coarsening, machine: Machine, model: str, side: int):
    """A network with its first weights on one field at random."""
    from jobs.coarsening.networks import build

    network = build(config, f"{model}/seed-0").on((side,) * 3, 1, machine.device)
    network.start(np.random.default_rng(0).random((1, *(side,) * 3), np.float32))
    return network


def kernels(config: Coarsening, device) -> None:
    """Compile those of all stages, `large` too."""
    from jobs.coarsening.networks import build
    from kernels.conv_gru_training import Backpropagation

    s, g, large_box = config.system, config.generate, config.large
    schemes_of: dict[str, set[str]] = {"float32": {g.scheme, "adaptive"}, "float64": {"adaptive"}}
    if config.rollout.costs.repeats:
        schemes_of["float32"] |= {"explicit", "first_order", "second_order"}
        schemes_of["float64"] |= {"explicit"}
    for precision, schemes in schemes_of.items():
        for scheme in schemes:
            solving.solver(config, s.size, device, precision).compile(scheme)
    waves = {(s.size, feature) for feature in g.feature_sizes}
    for case in config.rollout.followed:
        asked = config.rollout.cases[case]
        side = asked.size or s.size
        solving.solver(config, side, device).compile()
        waves |= {(side, feature) for feature in [asked.feature_size or 0, *g.feature_sizes]}
    box = solving.solver(config, large_box.size, device, large_box.precision)
    box.compile(large_box.scheme)
    of_scheme = box, ORDERS[large_box.scheme], large_box.scheme == "adaptive"
    cahn_hilliard_spectrum.module_of(*of_scheme).compile()  # of several ranks
    if cahn_hilliard_part.serves(box.shape, device, 2):
        cahn_hilliard_part.module_of(*of_scheme, ranks=2).compile()
    waves.add((large_box.size, large_box.feature_size))
    for side, points in {(side, side // feature) for side, feature in waves if feature}:
        perlin.module_of(side, points, device).compile()
    for model in config.train.models:
        network = build(config, f"{model}/seed-0").on((SMALLEST_SIDE,) * 3, 1, device)
        network.module.compile()
        Backpropagation(network, FRAMES).module.compile()


def model_of(config: Coarsening, machine: Machine) -> CahnHilliard:
    return solving.build(config, machine.device)


def generate(config: Coarsening, machine: Machine) -> list[Part]:
    s, g = config.system, config.generate
    sequences = sum(g.sequences.values())

    def timed() -> Timed:
        model = model_of(config, machine)
        steps = sum(solving.work(model, config, unit) for unit in range(g.units))
        each = step_seconds(config, machine, s.size, g.scheme)
        return Timed(each * steps, how(s.size, "the solver"))

    return [
        Part(
            "generate",
            {"units": g.units, "sequences": sequences, "frames": sequences * g.frames},
            sequences * g.frames * 4.0 * s.network_size**3,
            timed,
        )
    ]


def how(side: int, whose: str, largest: int = LARGEST) -> str:
    cells = f"{min(side, largest)}^3 cells"
    return f"steps of {whose} on {cells}" + (
        ", and as long for each cell" if side > largest else ""
    )


def collect(config: Coarsening, machine: Machine) -> list[Part]:
    s, g = config.system, config.generate
    sequences = sum(g.sequences.values())
    again = min(config.collect.fates, sequences)

    def timed() -> Timed:
        model = model_of(config, machine)
        span = g.times[-1] + g.later * g.latest_start / 2
        steps = solving.adaptive_steps(model, span, g.tolerance / fates.TIGHTER)
        each = DOUBLE * step_seconds(config, machine, s.size, "adaptive")
        return Timed(again * steps * each, how(s.size, "the solver"))

    return [
        Part(
            "collect",
            {"sequences in a data set": sequences, "fates checked": again},
            sequences * g.frames * 4.0 * s.network_size**3,
            timed,
        )
    ]


# ---- networks


def train(config: Coarsening, machine: Machine) -> list[Part]:
    from jobs.coarsening.networks import build

    t, key = config.train, (config.system.network_size, config.train.model_dump_json())
    kinds = [
        Kind(
            model,
            t.seeds,
            t.epochs,
            t.epochs,
            build(config, f"{model}/seed-0").flat.numel(),
            lambda model=model: epoch_seconds(config, machine, model, key),
        )
        for model in t.models
    ]
    return [training(config, machine, kinds)]


def epoch_seconds(config: Coarsening, machine: Machine, model: str, key: tuple) -> float:
    """Of an epoch, from the gradient of a short sequence and a frame without one."""
    from jobs.coarsening.networks import build
    from kernels.conv_gru_training import Backpropagation
    from kernels.device import select

    g, t, side = config.generate, config.train, config.system.network_size
    tried, frames = min(side, LARGEST_NETWORK_SIDE), min(g.frames, FRAMES)

    def gradient() -> float:
        where = select(machine.device.kind, t.threads)
        network = build(config, f"{model}/seed-0")
        backpropagation = Backpropagation(network.on((tried,) * 3, 1, where), frames)
        backpropagation.load(network.flat.detach().numpy())
        sequence = np.random.default_rng(0).random((1, frames, *(tried,) * 3), np.float32)
        return seconds_of(lambda: backpropagation.gradient(sequence, 1, 0.0)) / (frames - 1)

    each = machine.once(("gradient", model, tried, *key), gradient) * (side / tried) ** 3
    sequences = g.training * (1 + t.duals)
    learnt = each * sequences * (g.frames - 1)
    watched = frame_seconds(config, machine, model, side) * machine.device.workers / t.threads
    return learnt + watched * g.validation * (g.frames - 1)


# ---- rollouts


def rollout(config: Coarsening, machine: Machine) -> list[Part]:
    asked = config.rollout.models
    models = [model for model in config.train.models if asked is None or model in asked]
    names = [f"{model}/seed-{seed}" for model in models for seed in range(config.train.seeds)]
    if not names:
        return []
    parts = [of_case(config, machine, case, names) for case in config.rollout.followed]
    return parts + [of_costs(config, machine, names)] * (config.rollout.costs.repeats > 0)


def of_case(config: Coarsening, machine: Machine, case: str, names: list[str]) -> Part:
    asked, downscale = config.rollout.cases[case], config.system.downscale
    followers = [*solvers(asked), *names]
    system = System("", Path(), config)
    plans = {who: planned(Unit(system, case, who)) for who in followers}

    def timed() -> Timed:
        model, seconds = model_of(config, machine), 0.0
        for who, plan in plans.items():
            side, last = plan.shape[0], float(plan.frames[-1])
            if who not in SOLVERS:
                each = frame_seconds(config, machine, who.split("/")[0], side)
                seconds += plan.count * last * each
            elif asked.start != "test":
                steps = solving.adaptive_steps(
                    model, last * plan.interval, config.generate.tolerance
                )
                each = step_seconds(config, machine, side * downscale, "adaptive")
                seconds += plan.count * steps * each
        truth = plans.get(TRUTH, next(iter(plans.values())))
        how_long = how(truth.shape[0], "each network", LARGEST_NETWORK_SIDE)
        return Timed(seconds, f"{how_long}, and of the solver")

    return Part(
        "rollout",
        {f"rollouts of case {case}": len(followers)},
        float(sum(size(plan) for plan in plans.values())),
        timed,
        leave_out=f"rollout.without=[{','.join([*config.rollout.without, case])}]",
        files=tuple(str(paths.rollout(system, case, who)) for who in followers),
    )


def of_costs(config: Coarsening, machine: Machine, names: list[str]) -> Part:
    """The table of time and error."""
    asked, g, s = config.rollout.costs, config.generate, config.system
    span = config.compared * g.interval

    def timed() -> Timed:
        model = model_of(config, machine)
        explicit = span / g.step * step_seconds(config, machine, s.size, "explicit")
        spectral = step_seconds(config, machine, s.size, "adaptive")
        steps = sum(2 * config.compared / share for share in STEPS)
        steps += sum(solving.adaptive_steps(model, span, t) for t in TOLERANCES)
        frames = sum(
            frame_seconds(config, machine, name.split("/")[0], s.network_size) for name in names
        )
        once = explicit + steps * spectral + config.compared * frames
        return Timed(
            asked.repeats * once + EXACT * DOUBLE * explicit,
            f"steps of both schemes on {min(s.size, LARGEST)}^3 cells",
        )

    return Part(
        "rollout",
        {"runs for the table of costs": asked.repeats * (len(names) + 1 + 2 * len(STEPS) + 5)},
        0.0,
        timed,
        leave_out="rollout.costs.repeats=0",
        files=("rollout/costs.h5",),
    )


def large(config: Coarsening, machine: Machine) -> list[Part]:
    asked, g = config.large, config.generate
    span = (asked.frames - 1) * g.interval
    kept = len(kept_frames(asked.frames, asked.kept, asked.spacing))
    width = (4.0 if asked.precision == "float32" else 8.0) * asked.size**3

    def timed() -> Timed:
        tolerance = asked.tolerance or g.tolerance
        steps = span / asked.step if asked.step else None
        if steps is None:
            steps = solving.adaptive_steps(model_of(config, machine), span, tolerance)
        each = step_seconds(config, machine, asked.size, "adaptive")
        seconds = steps * each * (1 if asked.precision == "float32" else DOUBLE)
        return Timed(seconds, f"{how(asked.size, 'the solver')}, on this machine alone")

    return [
        Part(
            "large",
            {"frames kept of one large box": kept},
            width * (kept + 2 * (2 * ORDERS[asked.scheme] - 1)),
            timed,
            apart=True,
        )
    ]
