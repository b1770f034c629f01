"""Cahn-Hilliard equation in two and three dimensions: a mixture that separates, and what it looks
like afterwards.

Equation     dc/dt = M lap mu,  mu = dF/dc = f'(c) - epsilon^2 lap c,  F = integral of f(c) +
             epsilon^2/2 |grad c|^2, periodic
Free energy  form `unit`       f = a c^2 (1 - c)^2     wells at c = 0 and 1
             form `symmetric`  f = a (c^2 - 1)^2 / 4   wells at c = -1 and 1
Symbols      concentration c, well_depth a (energy / volume), epsilon (sqrt(energy / length)),
             mobility M (length^5 / energy / time in 3D), spacing dx (length); chemical potential mu
             (energy / volume)
Both forms   u = 2c - 1 or c: du/dtau = lap(u^3 - u - e^2 lap u), tau = M a t, e^2 = epsilon^2 / a.
             Flat interface u = tanh(x / (sqrt(2) e)): 90% of the step within 4.2 e. Unstable where
             u^2 < 1/3: 0.211 < c < 0.789 (unit).
Update rules, Fourier space, k^2 the Laplacian's symbol (`spectral`: exact; `finite_difference`: 2d
+ 1 points)
             first_order   u' = (u - dtau k^2 (N - S u)) / (1 + dtau k^2 (e^2 k^2 + S)),  N = (u^3 -
                           u)^, S = 2
             second_order  the same with SBDF2: backward differences of second order, N extrapolated
             adaptive      SBDF2 with steps of varying length: keeps the stabilisation's own error
                           per step, an rms over the field, at `tolerance`; never repeats a step;
                           the default
             explicit      forward Euler with finite differences in real space, dt below its limit
                           of stability
Sources      Cahn and Hilliard, J. Chem. Phys. 28, 258 (1958); stabilised steps: Eyre, MRS Proc.
             529, 39 (1998); He, Liu and Tang, Appl. Numer. Math. 57, 616 (2007); variable-step
             SBDF2: Wang and Ruuth, J. Comput. Math. 26, 838 (2008)

    from kernels.cahn_hilliard import CahnHilliard, mixtures
    model = CahnHilliard(shape=(64, 64), epsilon=1.0)
    start = mixtures(mean=[0.3, 0.5], noise=0.1, shape=(64, 64), seed=1)
    run = model.run(start, times=[0, 10, 100, float("inf")])         # inf: the steady state
    print(run.fields.shape, run.free_energy, run.steady_time)        # (2, 4, 64, 64), (2, 4), (2,)
"""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from kernels import interface
from kernels.device import select
from kernels.streams import STREAMS

FORMS = ("unit", "symmetric")
LAPLACIANS = ("spectral", "finite_difference")
SCHEMES = ("adaptive", "first_order", "second_order", "explicit")
# S: the largest f'' between the wells; half of it is enough for F to fall at any first-order step
STABILISATION = 2.0
DIVERGED = 10.0  # rms of u beyond which a trajectory has blown up: the wells are at 1
SMALLEST_GRID = 8
COARSEST_INTERFACE = 2.5  # cells; below it the lattice pins interfaces


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
    surface_energy: float64 (n, t), energy. mean: float64 (n, t). area: float64 (n, t), length^d, of
    the phase above the middle of the two wells.
    perimeter: float64 (n, t), length^(d-1), of the level line (surface) through the middle.
    steady_time: float64 (n,), time at which the free energy stood still, nan: it did not; later
    times hold the field as it was then. steps: int64 (n,).
    diverged: bool (n,), blown up: from then on fields and numbers are those of the last look before
    (or of the start), and `time` is that look's. time: float64 (n,), the time reached.
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
    steps: np.ndarray
    diverged: np.ndarray
    time: np.ndarray

    @property
    def free_energy(self) -> np.ndarray:
        """F, chemical and surface part together, float64 (n, t)."""
        return self.chemical_energy + self.surface_energy


@dataclass(frozen=True)
class Control:
    """How long a step is, in units of tau: the same rule in every implementation (scheme
    `adaptive`; others: fixed).

    A step of rms error E is followed by one of clip(0.8 (tolerance / E)^(1/3), 0.4, 1.3) times its
    length, at most `longest`. So as to land on an asked time, the step before it is cut, and the
    one before that halved; after a cut step the next may be as long as was meant, but no more than
    twice the cut one (SBDF2 is stable below 2.41).
    """

    fixed: float | None
    tolerance: float
    first: float
    longest: float
    order: int

    SAFETY, SHRINK, GROW, REGROW = 0.8, 0.4, 1.3, 2.0

    def next(self, used, error, meant):
        """Length of the next step after one of length `used`; meant: its length before it was cut.
        Arrays.
        """
        if self.fixed is not None:
            return np.full_like(used, self.fixed)
        factor = np.clip(
            self.SAFETY * np.cbrt(self.tolerance / np.maximum(error, 1e-30)), self.SHRINK, self.GROW
        )
        wanted = np.where(
            meant > used,
            np.maximum(used * factor, np.minimum(meant, used * self.REGROW)),
            used * factor,
        )
        return np.minimum(wanted, self.longest)

    def land(self, step, remaining):
        """`step` cut so as to land on a time that is `remaining` away. Arrays."""
        halved = remaining / 2 if self.fixed is None else step
        return np.where(
            step >= remaining * (1 - 1e-9),
            remaining,
            np.where(2 * step > remaining, np.minimum(step, halved), step),
        )


@dataclass(frozen=True)
class CahnHilliard:
    """One system, ready to run batches of fields on `device` (kernels.device.select; default:
    auto).

    shape: cells a side, 2 or 3 even numbers from 8 on. epsilon, well_depth, mobility, spacing: > 0,
    see above. form: FORMS.
    laplacian: LAPLACIANS. precision: float32 or float64. Raises ValueError with one line on a value
    out of range; warns if an interface is less than 2.5 cells wide.
    """

    shape: tuple[int, ...]
    epsilon: float = 1.0
    well_depth: float = 1.0
    mobility: float = 1.0
    form: str = "unit"
    spacing: float = 1.0
    laplacian: str = "spectral"
    precision: str = "float32"
    device: object = field(default=None, compare=False)

    def __post_init__(self):
        check(self)
        if self.device is None:
            object.__setattr__(self, "device", select())
        if self.interface_cells < COARSEST_INTERFACE:
            warnings.warn(
                f"epsilon = {self.epsilon:g}: an interface is {self.interface_cells:.1f} cells wide (90% of the step), fewer "
                f"than {COARSEST_INTERFACE:g}: the grid pins it",
                stacklevel=3,
            )

    @property
    def squared_width(self) -> float:
        """e^2 = epsilon^2 / a, length^2."""
        return self.epsilon**2 / self.well_depth

    @property
    def interface_cells(self) -> float:
        """Cells from 5% to 95% of a flat interface's step: 2 artanh(0.9) sqrt(2) e / dx."""
        return 2 * math.atanh(0.9) * math.sqrt(2 * self.squared_width) / self.spacing

    @property
    def surface_tension(self) -> float:
        """Energy of a flat interface, energy / length^(d-1): a e sqrt(8)/3, a quarter of it in the
        form `unit`.
        """
        return self.energy_scale * math.sqrt(8 * self.squared_width) / 3

    @property
    def rate(self) -> float:
        """tau / t = M a."""
        return self.mobility * self.well_depth

    @property
    def energy_scale(self) -> float:
        """F over the integral of (u^2 - 1)^2/4 + e^2/2 |grad u|^2."""
        return self.well_depth * (0.25 if self.form == "unit" else 1.0)

    @property
    def cell(self) -> float:
        """Volume of a cell, length^d."""
        return self.spacing ** len(self.shape)

    def wave_numbers(self) -> list[np.ndarray]:
        """k^2 along each axis, float64, in the order of an FFT, 1 / length^2."""
        axes = []
        for n in self.shape:
            k = 2 * np.pi * np.fft.fftfreq(n)
            axes.append(
                (k**2 if self.laplacian == "spectral" else 2 - 2 * np.cos(k)) / self.spacing**2
            )
        return axes

    def growth_rate(self, wave_number, mean):
        """Of a small wave about a uniform mean: -M k^2 (f''(mean) + epsilon^2 k^2), 1 / time; k in
        1 / length.
        """
        u = self.to_symmetric(np.asarray(mean))
        k2 = np.asarray(wave_number) ** 2
        return -self.rate * k2 * (3 * u**2 - 1 + self.squared_width * k2)

    def to_symmetric(self, fields):
        """u of concentrations in this system's form."""
        return 2 * fields - 1 if self.form == "unit" else fields

    def from_symmetric(self, u):
        return (u + 1) / 2 if self.form == "unit" else u

    def energies(self, fields: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Chemical and surface part of F of fields (..., *shape), float64 (...), energy."""
        u = self.to_symmetric(np.asarray(fields, np.float64))
        axes = tuple(range(-len(self.shape), 0))
        chemical = ((u**2 - 1) ** 2).mean(axes) / 4
        k2 = sum(np.ix_(*self.wave_numbers()))
        power = np.abs(np.fft.fftn(u, axes=axes)) ** 2
        surface = self.squared_width / 2 * (power * k2).sum(axes) / math.prod(self.shape) ** 2
        whole = self.energy_scale * self.cell * math.prod(self.shape)
        return chemical * whole, surface * whole

    def run(
        self,
        fields: np.ndarray,
        times: Sequence[float],
        *,
        scheme: str = "adaptive",
        step: float | None = None,
        tolerance: float = 1e-4,
        steady_state: float | None = 1e-10,
        keep: Sequence[int] | None = None,
        max_steps: int = 10_000_000,
        on_blow_up: str = "raise",
        observe: bool = True,
        progress: Callable[[float], None] | None = None,
    ) -> Trajectory:
        """Run fields (n, *shape) and look at them at `times`.

        times: increasing, from 0 on, time; the last may be inf: until steady. step: time, for all
        schemes but `adaptive`.
        tolerance: rms error of a step in u, `adaptive`. steady_state: a trajectory ends when its
        free energy falls by less than this per volume and tau, units of energy_scale (None: never).
        keep: which of `times` keep their field (default: all). on_blow_up: raise, or keep (see
        Trajectory.diverged). observe: False leaves energies, area and perimeter nan, which in three
        dimensions take as long as some hundred steps. progress: called with the number of
        trajectories done. Two neighbours in the batch, 2i and 2i + 1, share their steps on the
        fused path. Noise below about 1e-4 looks steady from the start even where it would grow:
        give steady_state = None for it. Raises ValueError on arguments out of range, BlownUpError
        if a trajectory leaves every physical range.
        """
        from kernels.cahn_hilliard_paths import choose
        from kernels.cahn_hilliard_plan import plan as planned

        if on_blow_up not in ("raise", "keep"):
            raise ValueError(f"on_blow_up is {on_blow_up!r}; it must be raise or keep")
        plan = planned(self, fields, times, scheme, step, tolerance, steady_state, keep, max_steps)
        recorded = choose(self, scheme)(self, plan, progress or (lambda done: None))
        trajectory = self._trajectory(plan, recorded, observe)
        if on_blow_up == "raise" and trajectory.diverged.any():
            i = int(np.flatnonzero(trajectory.diverged)[0])
            raise BlownUpError(
                f"field {i} blew up at t = {trajectory.time[i]:.6g} after {trajectory.steps[i]} steps of scheme {scheme}"
                + (f" with step {step:g}; take a shorter one" if step else "; lower the tolerance"),
                trajectory,
            )
        short = (
            ~trajectory.diverged
            & np.isnan(trajectory.steady_time)
            & (trajectory.time < trajectory.times[-1] * (1 - 1e-9))
        )
        if short.any():
            warnings.warn(
                f"{short.sum()} of {len(short)} fields did not reach the last time within {max_steps} steps: what stands there "
                f"is the field at Trajectory.time",
                stacklevel=2,
            )
        return trajectory

    def _trajectory(self, plan, recorded, observe: bool) -> Trajectory:
        count, looks = recorded.fields.shape[:2]
        numbers = {
            name: np.full((count, looks), np.nan)
            for name in ("chemical_energy", "surface_energy", "mean", "area", "perimeter")
        }
        middle = 0.5 if self.form == "unit" else 0.0
        axes = tuple(range(1, 1 + len(self.shape)))
        for i in range(looks):
            c = recorded.fields[:, i]
            numbers["mean"][:, i] = c.mean(axes, dtype=np.float64)
            if not observe:
                continue
            numbers["chemical_energy"][:, i], numbers["surface_energy"][:, i] = self.energies(c)
            numbers["area"][:, i] = interface.area(c, middle, self.spacing, len(self.shape))
            numbers["perimeter"][:, i] = interface.perimeter(
                c, middle, self.spacing, len(self.shape)
            )
        kept = np.asarray(plan.keep)
        return Trajectory(
            times=plan.times,
            kept_times=plan.times[kept],
            fields=recorded.fields[:, kept],
            **numbers,
            steady_time=recorded.steady_time / self.rate,
            steps=recorded.steps,
            diverged=recorded.diverged,
            time=recorded.time / self.rate,
        )


def coarsening(
    shape: tuple[int, ...], interface_width: float = 3.0, mobility: float = 1.0, **more
) -> CahnHilliard:
    """F = integral of epsilon/2 |grad phi|^2 + 18/epsilon phi^2 (1 - phi)^2, epsilon =
    interface_width: surface tension 1.
    """
    return CahnHilliard(
        shape,
        epsilon=math.sqrt(interface_width),
        well_depth=18 / interface_width,
        mobility=mobility,
        **more,
    )


def check(model: CahnHilliard) -> None:
    """ValueError, one line, on a value out of range."""
    shape = model.shape
    if not isinstance(shape, tuple) or len(shape) not in (2, 3):
        raise ValueError(f"shape is {shape!r}; it must be a tuple of 2 or 3 cells a side")
    for n in shape:
        if not isinstance(n, int | np.integer) or n % 2 or n < SMALLEST_GRID:
            raise ValueError(
                f"shape is {shape}; each side must be an even number of cells, at least {SMALLEST_GRID}"
            )
    for name in ("epsilon", "well_depth", "mobility", "spacing"):
        number = getattr(model, name)
        if not (number > 0 and math.isfinite(number)):
            raise ValueError(f"{name} is {number}; it must be a positive number")
    for name, allowed in (
        ("form", FORMS),
        ("laplacian", LAPLACIANS),
        ("precision", ("float32", "float64")),
    ):
        if getattr(model, name) not in allowed:
            raise ValueError(
                f"{name} is {getattr(model, name)!r}; it must be one of {', '.join(allowed)}"
            )


def mixtures(
    mean: Sequence[float],
    noise: float,
    shape: tuple[int, ...],
    seed: int,
    index: Sequence[int] | None = None,
    stream: str = "mixture",
) -> np.ndarray:
    """Uniform mixtures with noise, float32 (n, *shape): mean + uniform in [-noise, noise], its own
    mean taken off.

    index: (n,), identity of each below 2^64 (default 0, 1, ...): a field is a function of (seed,
    stream, index) alone. Raises ValueError on a seed or an index that is not a whole number in [0,
    2^64).
    """
    index = range(len(mean)) if index is None else index
    if not all(isinstance(n, int | np.integer) and 0 <= n < 1 << 64 for n in (seed, *index)):
        raise ValueError("seed and index must be whole numbers from 0 and below 2^64")
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
