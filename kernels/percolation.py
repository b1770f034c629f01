"""Droplets as percolation clusters of the stable spins: the largest cluster, its centre and its
radius of gyration.

Bonds    between stable (down, s = -1) spins a displacement apart at which J(r) > 0, drawn at random
         with probability
         coniglio_klein      p = 1 - exp(-2 J / T)              Coniglio and Klein, J. Phys. A 13,
                             2775 (1980)
         density_corrected   p = 1 - exp(-4 J (1 - rho) / T)    rho: the configuration's density of
                             stable spins
Symbols  coupling J(r) (energy), temperature T (energy / k_B), radius_of_gyration R_g (lattice
         constants)

Coniglio-Klein bonds are right for nearest neighbours. At long range they find no droplet until just
before m = 0; the density-corrected ones percolate exactly at the mean-field spinodal, 4 J q rho (1
- rho) / T = 1, and are the same at rho = 1/2.
"""

from dataclasses import dataclass

import numpy as np

from kernels.arguments import brief, number, one_of, seed_of, wholes
from kernels.device import device_of
from kernels.ising_bits import fixed_point
from kernels.names import named
from kernels.streams import STREAMS, seed_words

__all__ = ["BONDS", "Clusters", "bond_probability", "clusters"]

BONDS = ("coniglio_klein", "density_corrected")
LARGEST_INDEX = 2**56 - 1
BATCH_SITES = 1 << 24  # sites labelled at once: 128 MiB of labels and sizes


@dataclass(frozen=True)
class Clusters:
    """The largest cluster of each of n configurations (of two equally large the one with the
    smaller label).

    size: int32 (n,), sites. label: int32 (n,), its smallest site index x L + y. centre: float64 (n,
    2), centre of mass on the torus, in [0, L). radius_of_gyration: float64 (n,), lattice constants.
    labels: int32 (n, L, L), the cluster's smallest site index, -1 on metastable spins, or None. A
    configuration without stable spins has size 0, label -1, nan centre and radius.
    """

    size: np.ndarray
    label: np.ndarray
    centre: np.ndarray
    radius_of_gyration: np.ndarray
    labels: np.ndarray | None
    __repr__ = brief


def bond_probability(coupling, temperature: float, density, bonds: str) -> np.ndarray:
    """Probability of a bond of coupling J (energy) at temperature T and stable-spin density rho;
    arrays broadcast.
    """
    one_of("bonds", bonds, BONDS)
    metastable = 0.5 if bonds == "coniglio_klein" else 1 - np.asarray(density)
    return -np.expm1(-4 * np.asarray(coupling) * metastable / temperature)


@named
def clusters(
    spins: np.ndarray,
    *,
    coupling_table: np.ndarray,
    temperature: float,
    bonds: str,
    seed: int,
    index: np.ndarray,
    device=None,
    labels: bool = False,
    centres: bool = True,
    progress=None,
) -> Clusters:
    """Clusters of the stable spins of packed configurations, uint8 (n, ceil(N / 8)), bit 1 up.

    coupling_table: float64 (L, L), J by displacement. temperature: T. bonds: see BONDS. index:
    uint64 (n,), the identity of each configuration, below 2^56: its bonds are a function of (seed,
    index, configuration) alone. centres: whether centre and radius are wanted, which take longer
    than the labels of a short range; nan without. progress: called with the number of
    configurations done. Raises ValueError on shapes that do not fit.
    """
    device = device_of(device)
    size_1d = coupling_table.shape[0]
    sites, count = size_1d**2, len(spins)
    spins = np.asarray(spins)
    index = wholes("index", index, 0, LARGEST_INDEX).astype(np.uint64)
    if (
        spins.dtype != np.uint8
        or spins.ndim != 2
        or spins.shape[1] != (sites + 7) // 8
        or index.shape != (count,)
    ):
        raise ValueError(
            f"spins {spins.shape} and index {index.shape} do not fit packed configurations of L = {size_1d}"
        )
    temperature, seed = (
        number("temperature", temperature, above=0, units="energy / k_B"),
        seed_of(seed),
    )
    one_of("bonds", bonds, BONDS)
    displacement, paired = half_of_displacements(coupling_table)
    couplings, class_of = np.unique(coupling_table[tuple(displacement.T)], return_inverse=True)
    density = 1 - np.unpackbits(spins, axis=1, count=sites).mean(1)

    module = module_of(size_1d, device)
    displacement_array, class_array = (
        device.asarray(displacement, np.int32),
        device.asarray(class_of, np.int32),
    )
    result = Clusters(
        np.zeros(count, np.int32),
        np.full(count, -1, np.int32),
        np.full((count, 2), np.nan),
        np.full(count, np.nan),
        np.empty((count, size_1d, size_1d), np.int32) if labels else None,
    )
    batch = max(1, BATCH_SITES // sites)
    for first in range(0, count, batch):
        part = slice(first, min(first + batch, count))
        n = part.stop - first
        threshold = fixed_point(
            bond_probability(couplings[None, :], temperature, density[part, None], bonds)
            + np.zeros((n, 1))
        )
        identity = np.stack([index[part] & 0xFFFFFFFF, index[part] >> np.uint64(32)], 1).astype(
            np.uint32
        )
        label, size = device.zeros((n, sites), np.int32), device.zeros((n, sites), np.int32)
        module.launch(
            "label_clusters",
            n,
            threads=256,
            packed=device.asarray(spins[part]),
            displacement=displacement_array,
            class_of=class_array,
            displacements=len(displacement),
            paired=paired,
            threshold=device.asarray(threshold),
            classes=len(couplings),
            identity=device.asarray(identity),
            label=label,
            size=size,
            **seed_words(seed),
            stream_id=STREAMS["bonds"],
        )
        label, size = device.to_host(label), device.to_host(size)
        largest = size.argmax(1)  # the first, that is the smallest label, of equals
        result.size[part] = size[np.arange(n), largest]
        result.label[part] = np.where(result.size[part], largest, -1)
        for k in np.flatnonzero(result.size[part]) if centres else ():
            members = np.divmod(np.flatnonzero(label[k] == largest[k]), size_1d)
            result.centre[first + k], result.radius_of_gyration[first + k] = centre_and_radius(
                np.stack(members, 1), size_1d
            )
        if labels:
            result.labels[part] = label.reshape(n, size_1d, size_1d)
        if progress:
            progress(part.stop)
    return result


def module_of(size: int, device):
    """The kernels, for lattices of size^2 sites."""
    return device.module("percolation.cu", dict(SIZE=size, THREADS=256))


def centre_and_radius(positions: np.ndarray, size: int) -> tuple[np.ndarray, float]:
    """Centre of mass on the torus of side L, (2,), and radius of gyration about it, from positions
    int (n, 2).

    Each coordinate's centre is the direction of the mean of exp(2 pi i x / L) (Bai and Breen, J.
    Graphics Tools 13, 53 (2008)); R_g^2 is the mean square of the minimum-image distance to it.
    """
    angle = 2 * np.pi / size * positions
    centre = np.arctan2(np.sin(angle).mean(0), np.cos(angle).mean(0)) * size / (2 * np.pi) % size
    distance = (positions - centre + size / 2) % size - size / 2
    return centre, float(np.sqrt((distance**2).sum(1).mean()))


def half_of_displacements(coupling_table: np.ndarray) -> tuple[np.ndarray, int]:
    """One of each pair d, -d of displacements with J(d) > 0, int (n, 2), components in 0..L-1, and
    how many of them are of such a pair: the rest, d = -d on an even lattice, come last; their bonds
    are met from both ends and drawn from one.
    """
    size = coupling_table.shape[0]
    x, y = np.nonzero(coupling_table > 0)
    this, opposite = x * size + y, (-x % size) * size + (-y % size)
    paired, own = np.flatnonzero(this < opposite), np.flatnonzero(this == opposite)
    return np.stack([x, y], 1)[np.concatenate([paired, own])], len(paired)
