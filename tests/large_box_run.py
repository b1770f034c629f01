"""What tests/test_large_box.py asks of the slabs on several ranks: mpiexec -n P python -m mpi4py -m
tests.large_box_run FILE.npz.

Also what is asked of them, so that the test can ask the solver on one device for the same.
"""

import os
import sys
import types
from pathlib import Path

import numpy as np
import scipy.fft

from jobs.large_box import LargeBox
from jobs.slabs import Slabs
from kernels.cahn_hilliard import BlownUpError, CahnHilliard, coarsening, mixtures
from kernels.device import select

SHAPE = (24, 16, 20)
TIMES = [0.0, 2.0, 10.0]
LINES = (32, 64, 32)  # a box whose lines are transformed over lanes
RUNS = {  # scheme, precision, step, tolerance, shape
    "adaptive": ("adaptive", "float64", None, 1e-4, SHAPE),
    "second_order": ("second_order", "float64", 0.05, 1e-4, SHAPE),
    "first_order": ("first_order", "float64", 0.05, 1e-4, SHAPE),
    "adaptive, float32": ("adaptive", "float32", None, 1e-4, SHAPE),
    "lines": ("second_order", "float64", 0.1, 1e-4, LINES),
    "lines, float32": ("adaptive", "float32", None, 1e-3, LINES),
}
# QUENCH_SHARED_RANKS; None: the system has no memory to share
SHARED = ("1", "2", None)

WAVE = dict(turns=(3, 1, 2), amplitude=1e-6, mean=0.45, time=0.5, tolerance=1e-12)
REST = dict(shape=(8, 8, 8), tolerance=1e-3, steady_state=1e-8)


def model_of(precision: str, shape=SHAPE, device=None) -> CahnHilliard:
    device = device or select("cpu", workers=1)
    return coarsening(
        shape,
        3.2,
        0.7,
        spacing=1.1,
        laplacian="finite_difference",
        precision=precision,
        device=device,
    )


def noise(shape=SHAPE) -> np.ndarray:
    return mixtures([0.45], 0.2, shape, seed=3)


def wave() -> np.ndarray:
    """cos(k . x) about a mean, (1, *SHAPE), float64."""
    x = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    phase = (
        2 * np.pi * sum(n * a / size for n, a, size in zip(WAVE["turns"], x, SHAPE, strict=True))
    )
    return WAVE["mean"] + WAVE["amplitude"] * np.cos(phase + 0.3)[None]


class FakeGpuArray(np.ndarray):
    """As much of cupy's array as the slabs use beside NumPy's."""

    def set(self, values):
        self[...] = values


def fake_gpu(device):
    """A device that says it is a GPU whose memory MPI cannot read, so that every block is staged
    through the host.
    """

    def asnumpy(array, out=None):
        if out is None:
            return np.array(array)
        out[...] = array
        return out

    def zeros(*how):
        return np.zeros(*how).view(FakeGpuArray)

    cupyx = types.SimpleNamespace(empty_pinned=np.empty, scipy=types.SimpleNamespace(fft=scipy.fft))
    sys.modules |= {"cupyx": cupyx, "cupyx.scipy": cupyx.scipy, "cupyx.scipy.fft": scipy.fft}
    cupy = types.SimpleNamespace(
        asarray=np.asarray, float64=np.float64, multiply=np.multiply, asnumpy=asnumpy
    )
    return types.SimpleNamespace(
        kind="gpu",
        cupy=cupy,
        workers=1,
        module=device.module,
        asarray=device.asarray,
        zeros=zeros,
        to_host=np.array,
        synchronize=lambda: None,
    )


def box_of(
    model, communicator, start, scheme="adaptive", step=None, tolerance=1e-4, steady_state=None
) -> LargeBox:
    """A box that holds this rank's planes of start (1, *shape)."""
    slabs = Slabs(model.shape, model.precision, model.device, communicator)
    box = LargeBox(model, slabs, scheme, step, tolerance, steady_state)
    box.put(
        slice(None),
        model.to_symmetric(start[0, slabs.planes.start : slabs.planes.stop].astype(np.float64)),
    )
    box.start()
    return box


def until(box: LargeBox, time: float) -> None:
    while box.time < time * box.model.rate and not box.steady:
        box.advance(time * box.model.rate)


def whole(box: LargeBox) -> np.ndarray:
    return np.concatenate(box.slabs.shared(box.phi(slice(None))))


SOON = 0.5  # some steps of lines()


def lines(communicator, workers: int = 1) -> LargeBox:
    model = model_of("float32", LINES, select("cpu", workers=workers))
    return box_of(model, communicator, noise(LINES), tolerance=1e-2)


def otherwise_shared(communicator, most: str | None) -> np.ndarray:
    """The field of lines() SOON, so many ranks at most sharing memory."""
    create = os.memfd_create
    if most is None:
        del os.memfd_create
    else:
        os.environ["QUENCH_SHARED_RANKS"] = most
    try:
        box = lines(communicator)
    finally:
        os.memfd_create = create
        os.environ.pop("QUENCH_SHARED_RANKS", None)
    until(box, SOON)
    return whole(box)


def gone_on(communicator) -> np.ndarray:
    """The field of lines() SOON, looked at halfway and from there on by another box."""
    one, other = lines(communicator), lines(communicator)
    until(one, SOON / 2)
    whole(one)
    position = one.position()
    arrays = one.arrays()
    for name, array in other.arrays(one.clock).items():
        array[:] = arrays[name][:]
    other.resume(position)
    until(other, SOON)
    return whole(other)


def ask(communicator) -> dict[str, np.ndarray]:
    """All answers, the same on every rank."""
    found = {}
    for name, (scheme, precision, step, tolerance, shape) in RUNS.items():
        model = model_of(precision, shape)
        box = box_of(model, communicator, noise(shape), scheme, step, tolerance)
        found[f"{name} path"] = np.array(type(box.spectrum).__name__)
        for i, time in enumerate(TIMES):
            until(box, time)
            numbers = box.numbers(area=True)
            found[f"{name} fields {i}"], found[f"{name} steps"] = (
                whole(box),
                np.array(box.steps),
            )
            found[f"{name} numbers {i}"] = np.array([numbers[key] for key in sorted(numbers)])
        clocks = box.slabs.shared((box.time, box.next_step, box.steps))
        found[f"{name} ranks agree"] = np.array(len(set(clocks)) == 1)
    found["gone on"] = gone_on(communicator)
    box = lines(communicator)
    until(box, SOON / 2)
    whole(box)
    until(box, SOON)
    found["not interrupted"] = whole(box)
    if communicator is not None:
        for most in ("all", *SHARED):
            found[f"shared by {most}"] = otherwise_shared(communicator, most)
        box = lines(communicator, workers=3)
        until(box, SOON)
        found["by 3 threads"] = whole(box)
    box = box_of(model_of("float64"), communicator, wave(), tolerance=WAVE["tolerance"])
    until(box, WAVE["time"])
    found["wave"] = whole(box)
    box = box_of(
        model_of("float64", REST["shape"]),
        communicator,
        noise(REST["shape"]),
        tolerance=REST["tolerance"],
        steady_state=REST["steady_state"],
    )
    until(box, np.inf)
    found["rest"], found["rest time"] = whole(box), np.array(box.time / box.model.rate)
    box = box_of(
        model_of("float32", device=fake_gpu(select("cpu", workers=1))), communicator, noise()
    )
    until(box, TIMES[1])
    found["staged"], found["is staged"] = whole(box), np.array(box.slabs.staged)
    try:
        until(
            box_of(
                model_of("float64"), communicator, 0.5 + 200 * (noise() - 0.5), "first_order", 0.1
            ),
            100.0,
        )
    except BlownUpError as error:
        found["blown up"] = np.array(str(error))
    return found


if __name__ == "__main__":
    from mpi4py import MPI

    answers = ask(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.Get_rank() == 0:
        np.savez(Path(sys.argv[1]), **answers)
