"""How a large box begins: how it is cut, what it will take, and Perlin noise of which every rank
makes its own planes.
"""

import numpy as np

from jobs import UserError
from jobs.coarsening import starts
from jobs.coarsening.config import Coarsening
from jobs.coarsening.frames import kept_frames
from jobs.coarsening.large_files import Files
from jobs.large_box import LargeBox
from jobs.progress import in_bytes
from jobs.slabs import CHUNK_BYTES, Slabs
from jobs.units import Rank
from kernels.cahn_hilliard_clock import ORDERS
from kernels.cahn_hilliard_part import serves
from kernels.perlin import perlin_noise

NAME = "large"  # whose noise this is, beside that of the rollout's cases
CHUNKS = 12  # that a step has in memory at a time


def cut(config: Coarsening, rank: Rank, device) -> Slabs:
    """The slabs of the box.  UserError, on all ranks, if they cannot share it evenly."""
    cells, ranks = config.large.size, rank.count
    if cells % ranks:
        fewer = next(n for n in range(ranks, 0, -1) if cells % n == 0)
        raise UserError(
            f"large.size = {cells}: {ranks} ranks cannot share it in equal slabs, {fewer} can; expected a multiple "
            f"of the ranks [cells]"
        )
    return Slabs((cells,) * 3, config.large.precision, device, rank.communicator)


def memory(config: Coarsening, slabs: Slabs) -> float:
    """Bytes that a rank takes for its slab, and for the whole lattice of the noise."""
    field, lattice = (
        float(np.prod(slabs.space)),
        12 * (config.large.size / config.large.feature_size) ** 3,
    )
    lines = serves(slabs.shape, slabs.device, slabs.ranks)  # which have nothing between two passes
    spectra = (arrays(config) + (not lines) + (slabs.ranks > 1)) * spectrum(slabs)
    return slabs.real.itemsize * field + spectra + CHUNKS * CHUNK_BYTES[slabs.device.kind] + lattice


def arrays(config: Coarsening) -> int:
    """Spectra from which a run goes on."""
    return 2 * ORDERS[config.large.scheme] - 1


def spectrum(slabs: Slabs) -> float:
    """Bytes of this rank's part of one."""
    return slabs.complex.itemsize * float(np.prod(slabs.spectrum))


def fits(config: Coarsening, slabs: Slabs) -> None:
    """UserError if this rank has too little memory for its slab."""
    needed, there = memory(config, slabs), slabs.memory()
    if needed > there:
        raise UserError(
            f"large.size = {config.large.size}: a rank of {slabs.ranks} needs {in_bytes(needed)} of memory and has {in_bytes(there)}; "
            f"start more ranks, on more {'GPUs' if slabs.gpu else 'nodes'}"
        )


def announce(config: Coarsening, slabs: Slabs) -> str:
    """What the box will take: memory, disk, and the way that blocks go."""
    asked, cells = config.large, float(np.prod(slabs.shape))
    frames = len(kept_frames(asked.frames, asked.kept, asked.spacing))
    state = arrays(config) * spectrum(slabs) * slabs.ranks
    way = "one rank"
    if slabs.ranks > 1:
        across = (
            ", blocks by way of the hosts' memory"
            if slabs.staged
            else ", blocks straight from GPU to GPU"
        )
        way = f"{slabs.ranks} ranks{across * slabs.gpu}"
    return (
        f"{asked.size}^3 cells on {way}: {in_bytes(memory(config, slabs))} of memory each; {frames} frames of "
        f"{in_bytes(slabs.real.itemsize * cells)} on disk, and twice {in_bytes(state)} for the states to go on from"
    )


def noise(config: Coarsening, slabs: Slabs) -> np.ndarray:
    """This rank's planes of the noise, float32, on the host."""
    asked, index = config.large, starts.identity(starts.CASE, 0, NAME)
    lattice = [asked.size // asked.feature_size]
    return perlin_noise(
        slabs.shape, lattice, config.seed, [index], device=slabs.device, planes=slabs.planes
    )[0]


def start(box: LargeBox, config: Coarsening, files: Files) -> None:
    """Put the noise into the box, its own mean taken off and scaled as starts.perlin does."""
    slabs, asked = box.slabs, config.large
    wave = files.together(lambda: noise(config, slabs))
    mean = (
        slabs.sums([sum(float(wave[part].sum(dtype=np.float64)) for part in slabs.space_chunks())])[
            0
        ]
        / box.cells
    )
    square = sum(
        float(((wave[part].astype(np.float64) - mean) ** 2).sum()) for part in slabs.space_chunks()
    )
    scale = (asked.noise or config.generate.noise) / np.sqrt(slabs.sums([square])[0] / box.cells)
    for part in slabs.space_chunks():
        phi = (asked.mean + (wave[part].astype(np.float64) - mean) * scale).astype(np.float32)
        box.put(
            part,
            slabs.xp.asarray(box.model.to_symmetric(phi.astype(np.float64)).astype(slabs.real)),
        )
    box.start()
