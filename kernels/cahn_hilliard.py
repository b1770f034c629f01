"""Cahn-Hilliard equation in two and three dimensions: a mixture that separates, and what it looks
like afterwards.

Equation     dc/dt = M lap mu,  mu = dF/dc = f'(c) - epsilon^2 lap c,
             F = integral of f(c) + epsilon^2/2 |grad c|^2, periodic
Free energy  form `unit`       f = a c^2 (1 - c)^2     wells at c = 0 and 1
             form `symmetric`  f = a (c^2 - 1)^2 / 4   wells at c = -1 and 1
             a FreeEnergy      any polynomial (free_energy.py); `double_well` takes PFHub's names
Reaction     `reaction_rate` B, 1 / time, adds - B (c - c_r) to dc/dt: components that turn into one
             another (A -> B at rate B (1 - c_r), B -> A at B c_r), or, with c_r the mean, blocks of
             one chain, which cannot part (Oono; Ohta and Kawasaki). c_r is `reaction_mean`, by
             default each field's own mean, which is then conserved; else the mean relaxes to c_r by
             exp(-B t), exactly in every scheme. F has a part of long range, B / (2 M) times the sum
             over waves of volume |c_k|^2 / k^2. Waves grow by -M k^2 (f'' + epsilon^2 k^2) - B: the
             first at k = (B / (M epsilon^2))^(1/4), when B < M f''^2 / (4 epsilon^2)
Symbols      concentration c, well_depth a (energy / volume), epsilon (sqrt(energy / length)),
             mobility M (length^5 / energy / time in 3D), spacing dx (length); chemical potential mu
             (energy / volume)
All forms    u = -1 and 1 in the wells: du/dtau = lap(f'(u) - e^2 lap u), f(u) = (u^2 - 1)^2 / 4,
             tau = M a t, e^2 = epsilon^2 / a (unit, symmetric). Flat interface u = tanh(x /
             (sqrt(2) e)): 90% of the step within 4.2 e. Unstable where u^2 < 1/3: 0.211 < c < 0.789
             (unit).
Update rules, Fourier space, k^2 the Laplacian's symbol (`spectral`: exact; `finite_difference`: 2d
             + 1 points), for v = u - mean, N = (f'(mean + v) - f'(mean))^ expanded in v:
             first_order   v' = (v - dtau k^2 (N - S v)) / (1 + dtau k^2 (e^2 k^2 + S)), S = 2,
                           or f'' over all that a start holds whose mean lies beyond the wells
             second_order  the same with SBDF2: backward differences of second order, N - S v
                           extrapolated
             third_order   the same with SBDF3, from the first step on; up to dtau = e^2
             adaptive      SBDF3 with steps of varying length, and in long ones a share of second
                           order that keeps them stable (cahn_hilliard_clock.h): keeps the error of
                           a step, an rms over the field relative to the field's own fluctuation, at
                           `tolerance`; never repeats a step; the default. At its default tolerance
                           mixtures end as at tighter ones, but for a few that sit near a saddle
             explicit      forward Euler with finite differences in real space, dt below its limit
                           of stability
             A reaction is implicit: k^2 (e^2 k^2 + S) + B / (M a); explicit has none
At rest      F falls by less than `steady_state` over a span of at least 10 growth times of the
             fastest wave and a tenth of the time; never while waves still grow out of the noise
Sources      Cahn and Hilliard, J. Chem. Phys. 28, 258 (1958); stabilised steps: Eyre, MRS Proc.
             529, 39 (1998); He, Liu and Tang, Appl. Numer. Math. 57, 616 (2007); SBDF: Ascher,
             Ruuth and Wetton, SIAM J. Numer. Anal. 32, 797 (1995); of varying steps: Wang and
             Ruuth, J. Comput. Math. 26, 838 (2008); double wells: A. M. Jokisaari et al., Comput.
             Mater. Sci. 126, 139 (2017); reactions and blocks: T. Ohta and K. Kawasaki,
             Macromolecules 19, 2621 (1986); Y. Oono and S. Puri, Phys. Rev. Lett. 58, 836 (1987);
             S. C. Glotzer, E. A. Di Marzio and M. Muthukumar, Phys. Rev. Lett. 74, 2034 (1995)

    from kernels.cahn_hilliard import CahnHilliard, mixtures
    model = CahnHilliard(shape=(64, 64), epsilon=1.0)
    start = mixtures(mean=[0.3, 0.5], noise=0.1, shape=(64, 64), seed=1)
    run = model.run(start, times=[0, 10, 100, float("inf")])  # inf: until it is at rest
    print(run.fields.shape, run.free_energy, run.steady_time)  # (2, 4, 64, 64), (2, 4), (2,)
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kernels import interface, structure
from kernels.arguments import brief, number, one_of, reals, seed_of, several
from kernels.cahn_hilliard_looks import DeviceLooks
from kernels.cahn_hilliard_paths import choose, compile_path
from kernels.cahn_hilliard_plan import batch, noise_of
from kernels.cahn_hilliard_plan import plan as planned
from kernels.cahn_hilliard_record import record
from kernels.cahn_hilliard_system import FORMS, LAPLACIANS, SCHEMES, System, grid, mirrored
from kernels.names import named
from kernels.progress import Report, shown
from kernels.streams import STREAMS

__all__ = [
    "FORMS",
    "LAPLACIANS",
    "SCHEMES",
    "BlownUpError",
    "CahnHilliard",
    "Trajectory",
    "coarsening",
    "mixtures",
]

REVISION = 2  # of the solver: data of another revision are not the same to the last bit
TOLERANCE = 1e-5  # 176 mixtures ended with the energy, 175 with the field, of another integrator
# at the asked times; the first three by default
OBSERVABLES = ("energy", "area", "perimeter", "structure_factor", "length", "euler_characteristic")
RISE = 1e-4  # of F from one look to the next that round-off does not explain


class BlownUpError(RuntimeError):
    """A trajectory left every physical range; the message names field, time and step, `trajectory`
    holds what was good.
    """

    def __init__(self, text: str, trajectory: "Trajectory"):
        super().__init__(text)
        self.trajectory = trajectory


@dataclass(frozen=True)
class Trajectory:
    """n fields at t asked times; energies are totals over the box.

    times: float64 (t,), as asked. fields: (n, kept, *shape) at `kept_times`. chemical_energy,
    surface_energy: float64 (n, t), energy; long_range_energy: the same, where there is a reaction.
    mean: float64 (n, t). area: float64 (n, t), length^d, of the phase above the middle of the two
    wells. perimeter: float64 (n, t), length^(d-1), of the level line (surface) through the middle.
    steady_time: float64 (n,), time at which the field was found at rest, nan: it was not; later
    times hold the field as it was then. uniform: bool (n,), at rest as a uniform mixture.
    steps: int64 (n,). diverged: bool (n,), blown up: from then on fields and numbers are those of
    the last look before (or of the start), and `end_time` is that look's. end_time: float64
    (n,), the time reached. Where asked for: structure_factor, (n, t, shells), length^d, and length,
    (n, t), as structure.py has them; euler_characteristic, int (n, t), of the same phase as area.
    asked: what CahnHilliard.run was asked for, by its arguments' names; go_on asks it again.
    """

    times: np.ndarray
    kept_times: np.ndarray
    fields: np.ndarray
    chemical_energy: np.ndarray
    surface_energy: np.ndarray
    mean: np.ndarray
    area: np.ndarray
    perimeter: np.ndarray
    steady_time: np.ndarray
    uniform: np.ndarray
    steps: np.ndarray
    diverged: np.ndarray
    end_time: np.ndarray
    long_range_energy: np.ndarray | None = None
    structure_factor: np.ndarray | None = None
    length: np.ndarray | None = None
    euler_characteristic: np.ndarray | None = None
    asked: dict = field(default_factory=dict)

    __repr__ = brief

    @property
    def free_energy(self) -> np.ndarray:
        """F, all its parts together, float64 (n, t)."""
        local = self.chemical_energy + self.surface_energy
        return local if self.long_range_energy is None else local + self.long_range_energy


@named
@dataclass(frozen=True)
class CahnHilliard(System):
    """One system, ready to run batches of fields on `device` ("cpu", "gpu", or one of select();
    default: auto).

    shape: cells a side, 2 or 3 even numbers from 8 on. epsilon, well_depth, mobility, spacing: > 0,
    see above; mobility may be an expression of c too ("c*(1-c)"). form: unit, symmetric, an
    expression of c ("c**2*(1-c)**2") or what kernels.free_energy makes; well_depth multiplies it.
    laplacian: spectral or finite_difference. precision: float32 or float64. boundary: periodic, or
    no_flux (walls half a cell beyond the last cells, by mirror images: 2^d times the cells, by
    plain FFTs). reaction_rate: at least 0, 1 / time; reaction_mean: concentration, None: each
    field's own mean. Raises ValueError with one line on a value out of range; warns if an interface
    is less than 2.5 cells wide.
    """

    def compile(self, scheme: str = "adaptive") -> None:
        """Compile what run(scheme=) launches, of a constant mobility and without noise."""
        compile_path(self, one_of("scheme", scheme, SCHEMES))

    def run(
        self,
        fields: np.ndarray,
        times: Sequence[float],
        *,
        scheme: str = "adaptive",
        step: float | None = None,
        tolerance: float = TOLERANCE,
        steady_state: float | None = 1e-11,
        keep: Sequence[int] | None = None,
        max_steps: int = 10_000_000,
        on_blow_up: str = "raise",
        observe: bool | Sequence[str] = True,
        temperature: float = 0.0,
        seed: int | None = None,
        index: Sequence[int] | None = None,
        progress: Report = None,
    ) -> Trajectory:
        """Run fields (n, *shape) and look at them at `times`; one field (*shape) is a batch of one.

        times: increasing, from 0 on, time; the last may be inf: until at rest. Times that differ by
        less than 1e-9 of themselves are one. step: time, for all schemes but `adaptive`. tolerance:
        error of a step, rms over the field, relative to the rms of its fluctuation about the mean,
        `adaptive`; at least 3e-6 in float32. At the default mixtures end as at tighter ones, but
        for a few near a saddle. steady_state: a trajectory ends at rest, when its free energy falls
        by less than this per volume and tau, units of energy_scale (None: never). keep: which of
        `times` keep their field (default: all). on_blow_up: raise, or keep (see
        Trajectory.diverged). observe: some of energy, area, perimeter, structure_factor, length and
        euler_characteristic; True: the first three, False: none; those not asked for are nan or
        None. In three dimensions the perimeter takes as long as some hundred steps. temperature: of
        conserved thermal noise, energy (k_B = 1), with scheme first_order, a step and
        steady_state=None; seed: of the noise, which is a function of seed, index (n,) (default 0,
        1, ...) and step alone, the same on every device. progress: called with the number of
        trajectories done. All that is observed is measured where the fields are, on a GPU there
        (cahn_hilliard_looks.py), from where numbers and the kept fields alone come to the host. A
        field's numbers are a function of itself, the times and this model alone, not of the batch.
        Raises ValueError on arguments out of range, BlownUpError if a trajectory leaves every
        physical range; warns where F rises from one look to the next. go_on goes on from the end.
        """
        asked = dict(
            scheme=scheme,
            step=step,
            tolerance=tolerance,
            steady_state=steady_state,
            max_steps=max_steps,
            on_blow_up=on_blow_up,
            observe=observe,
            temperature=temperature,
            seed=seed,
            index=index,
        )
        return self._run(fields, times, keep, progress, asked, after=0.0, steps=0)

    def go_on(
        self,
        run: Trajectory,
        times: Sequence[float],
        *,
        keep: Sequence[int] | None = None,
        progress: Report = None,
    ) -> Trajectory:
        """The fields of a run at later `times`, counted from their start; the rest as that run was
        asked for, max_steps from its end on, and noise as if it had not ended.  The model may be
        another one of the same shape: a quench.  ValueError if the first time is not after the
        run's last, if a field blew up or ended before that by max_steps, or if the run kept no
        field of its last time.
        """
        after = float(run.times[-1])
        later = np.atleast_1d(reals("times", times, "time", endless=True))
        if math.isinf(after):
            raise ValueError("the run's last time is inf: its fields are at rest; run others")
        short = np.isnan(run.steady_time) & (run.end_time < after * (1 - 1e-9))
        if short.any():
            i = int(np.flatnonzero(short)[0])
            raise ValueError(
                f"field {i} of the run ended at t = {run.end_time[i]:g}, before its last time, {after:g}: "
                + ("it blew up" if run.diverged[i] else "run it again with more max_steps")
            )
        (last,) = np.nonzero(run.kept_times == after)
        if not len(last):
            raise ValueError(
                f"the run kept no field of its last time, {after:g}; keep it: keep=[-1]"
            )
        if later.ndim != 1 or not (np.diff(later, prepend=after) > 0).all() or not later.size:
            raise ValueError(
                f"times must be one or more increasing numbers beyond {after:g}, the run's last (time)"
            )
        start, steps = run.fields[:, last[0]], int(run.steps.max())
        found = self._run(start, later - after, keep, progress, run.asked, after, steps)
        return replace(found, steps=run.steps + found.steps)

    def _run(self, fields, times, keep, progress, asked, after, steps) -> Trajectory:
        scheme, step, tolerance, max_steps, on_blow_up = (
            asked[name] for name in ("scheme", "step", "tolerance", "max_steps", "on_blow_up")
        )
        one_of("on_blow_up", on_blow_up, ("raise", "keep"))
        fields, walls = batch(self, fields), self.boundary == "no_flux"
        model = self.extended if walls else self
        temperature, seed, index = asked["temperature"], asked["seed"], asked["index"]
        noise = noise_of(self, len(fields), temperature, seed, index, steps)
        seen = observables(asked["observe"])
        plan = planned(
            model,
            mirrored(fields, len(self.shape)) if walls else fields,
            times,
            scheme,
            step,
            tolerance,
            asked["steady_state"],
            keep,
            max_steps,
            noise,
        )
        there = DeviceLooks(self, seen) if self.device.kind == "gpu" else None
        plan = replace(plan, mirrored=walls, measure=there)
        path = choose(model, scheme, walls or noise is not None)
        with shown(progress, len(plan.v), "fields") as report:
            recorded = record(model, plan, path, report or (lambda done: None))
        if walls:  # the box itself
            part = tuple(slice(n) for n in self.shape)
            recorded.fields = np.ascontiguousarray(recorded.fields[:, :, *part])
        trajectory = replace(self._trajectory(plan, recorded, seen, after), asked=asked)
        if on_blow_up == "raise" and trajectory.diverged.any():
            i = int(np.flatnonzero(trajectory.diverged)[0])
            taken = int(trajectory.steps[i])
            when = after + taken * step if step else trajectory.end_time[i]
            cure = f" with step {step:g}; take a shorter one" if step else "; lower the tolerance"
            if noise is not None and self.free_energy.logarithmic:
                cure += ", or, where c comes near the end of a logarithm, a larger `cut` of it"
            raise BlownUpError(
                f"field {i} blew up at t = {when:.6g} after {taken} steps of scheme {scheme}{cure}",
                trajectory,
            )
        short = (
            ~trajectory.diverged
            & np.isnan(trajectory.steady_time)
            & (trajectory.end_time < trajectory.times[-1] * (1 - 1e-9))
        )
        if short.any():
            warnings.warn(
                f"{short.sum()} of {len(short)} fields did not reach the last time within {max_steps} "
                "steps: what stands there is the field at Trajectory.end_time",
                stacklevel=4,
            )
        energy = trajectory.free_energy
        with np.errstate(invalid="ignore"):
            rises = (np.diff(energy, axis=1) > RISE * np.abs(energy[:, :-1])).any(1)
        rises &= ~trajectory.diverged
        if self.reaction_rate:  # of a mean that moves, or a mobility of c, F may rise
            rises &= plan.media[:, 3] == 0
            rises &= self.variable_mobility is None
        if rises.any() and noise is None:
            warnings.warn(
                f"the free energy of {rises.sum()} of {len(rises)} fields rises from one look to the "
                "next, which no mixture's does: "
                + (f"step = {step:g} is too long" if step else f"lower tolerance = {tolerance:g}"),
                stacklevel=4,
            )
        return trajectory

    def _observed(self, name: str, c: np.ndarray) -> np.ndarray:
        """One of OBSERVABLES but the energy, of fields (n, *shape)."""
        middle, dimensions = self.free_energy.middle, len(self.shape)
        walls = self.boundary == "no_flux"
        if name == "area":
            return interface.area(c, middle, self.spacing, dimensions)
        if name == "euler_characteristic":
            return interface.euler_characteristic(c, middle, dimensions, periodic=not walls)
        if walls:
            c = mirrored(c, dimensions)
        if name == "perimeter":
            share = 2**-dimensions if walls else 1
            return share * interface.perimeter(c, middle, self.spacing, dimensions)
        measure = {"structure_factor": structure.structure_factor, "length": structure.length}[name]
        return measure(c, self.spacing, dimensions)

    def _measured(self, c: np.ndarray, seen: Sequence[str]) -> dict[str, np.ndarray]:
        """Numbers of fields c (n, *shape), as DeviceLooks has them on a GPU."""
        axes = tuple(range(1, 1 + len(self.shape)))
        found = {name: self._observed(name, c) for name in seen if name != "energy"}
        found["mean"] = c.mean(axes, dtype=np.float64)
        if "energy" in seen:
            found["chemical_energy"], found["surface_energy"] = self.energies(c)
            if self.reaction_rate:
                found["long_range_energy"] = self.long_range_energy(c)
        return found

    def _trajectory(self, plan, recorded, seen: Sequence[str], after: float) -> Trajectory:
        count, looks = recorded.fields.shape[:2]
        names = ["chemical_energy", "surface_energy", "area", "perimeter"]
        names += ["long_range_energy"] * (self.reaction_rate > 0)
        numbers = {name: np.full((count, looks), np.nan) for name in names} | recorded.numbers
        if not recorded.numbers:
            each = [self._measured(recorded.fields[:, i], seen) for i in range(looks)]
            numbers |= {name: np.stack([one[name] for one in each], 1) for name in each[0]}
        return Trajectory(
            times=plan.times + after,
            kept_times=plan.times[plan.keep] + after,
            fields=recorded.fields[:, plan.keep],
            **numbers,
            steady_time=recorded.steady_time / self.rate + after,
            uniform=recorded.uniform,
            steps=recorded.steps,
            diverged=recorded.diverged,
            end_time=recorded.time / self.rate + after,
        )


def observables(observe) -> list[str]:
    """Names in OBSERVABLES that are asked for."""
    if isinstance(observe, bool):
        return list(OBSERVABLES[:3]) if observe else []
    names = [observe] if isinstance(observe, str) else several("observe", observe, "names")
    for name in names:
        one_of("observe", name, OBSERVABLES)
    return list(dict.fromkeys(names))


def coarsening(
    shape: tuple[int, ...], interface_width: float = 3.0, mobility: float = 1.0, **more
) -> CahnHilliard:
    """F = integral of epsilon/2 |grad phi|^2 + 18/epsilon phi^2 (1 - phi)^2, epsilon =
    interface_width: surface tension 1.
    """
    interface_width = number("interface_width", interface_width, 1e-9, 1e9, units="length")
    return CahnHilliard(
        shape,
        epsilon=math.sqrt(interface_width),
        well_depth=18 / interface_width,
        mobility=mobility,
        **more,
    )


@named
def mixtures(
    mean: float | Sequence[float],
    noise: float,
    shape: tuple[int, ...],
    seed: int,
    index: Sequence[int] | None = None,
    stream: str = "mixture",
) -> np.ndarray:
    """Uniform mixtures with noise, float32 (n, *shape): mean + uniform in [-noise, noise], its own
    mean taken off.

    mean: one number is one field. index: (n,), identity of each below 2^64 (default 0, 1, ...): a
    field is a function of (seed, stream, index) alone. Raises ValueError, one line, on values that
    are no concentrations, and on a seed or an index that is not a whole number in [0, 2^64).
    """
    mean, noise, shape = (
        np.atleast_1d(reals("mean", mean)),
        number("noise", number("noise", noise, 0), high=1e12),
        grid(shape),
    )
    if mean.ndim != 1:
        raise ValueError(f"mean has shape {mean.shape}; it must be one number for each field")
    index = range(len(mean)) if index is None else several("index", index, "whole numbers")
    index = [seed_of(n, "index") for n in index]
    if len(index) != len(mean):
        raise ValueError(f"index names {len(index)} fields; mean has {len(mean)}")
    seed, _ = seed_of(seed), one_of("stream", stream, STREAMS)
    fields = np.empty((len(mean), *shape), np.float32)
    for i, (average, identity) in enumerate(zip(mean, index, strict=True)):
        key, counter = (
            np.array([seed, STREAMS[stream]], np.uint64),
            np.array([0, 0, 0, identity], np.uint64),
        )
        generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
        wave = generator.uniform(-noise, noise, shape)
        fields[i] = average + (wave - wave.mean())
    return fields
