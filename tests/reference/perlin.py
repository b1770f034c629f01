"""Perlin noise the slow way: Philox and Marsaglia's directions in plain Python, corners one by one,
float64.
"""

import numpy as np

MASK = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., SC 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 & MASK, p0 >> 32 ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def direction(seed: int, stream: int, index: int, point: int) -> np.ndarray:
    """Unit vector of a lattice point."""
    attempt = 0
    while True:
        bits = philox(
            (point, attempt, index & MASK, stream << 24 | index >> 32), (seed & MASK, seed >> 32)
        )
        a, b = ((x - (x >> 31 << 32)) / 2**31 for x in bits[:2])
        square, attempt = a * a + b * b, attempt + 1
        if square < 1:
            root = 2 * np.sqrt(1 - square)
            return np.array([a * root, b * root, 1 - 2 * square])


def weight(distance: np.ndarray) -> np.ndarray:
    """1 at 0, 0 from 1 on."""
    t = np.minimum(np.abs(distance), 1.0)
    return 1 - (6 * t**5 - 15 * t**4 + 10 * t**3)


def perlin(size: int, points: int, seed: int, stream: int, index: int) -> np.ndarray:
    """Noise, float64 (size, size, size), on a lattice of points^3."""
    noise = np.zeros((size,) * 3)
    x = np.arange(size) * points / size
    for point in range(points**3):
        place = np.array([point // points**2, point // points % points, point % points])
        g = direction(seed, stream, index, point)
        for image in np.ndindex(3, 3, 3):  # periodic: all neighbouring images of the lattice point
            r = [x - place[a] - (image[a] - 1) * points for a in range(3)]
            w = np.einsum("i,j,k->ijk", *(weight(part) for part in r))
            noise += w * (g[0] * r[0][:, None, None] + g[1] * r[1][None, :, None] + g[2] * r[2])
    return noise


def spectrum(size: int, points: int) -> np.ndarray:
    """E|FFT|^2 of the noise, (size, size, size)."""
    r = (np.arange(size) + size // 2) % size - size // 2
    r = r * points / size
    w, total = weight(r), 0.0
    for axis in range(3):
        factors = [np.fft.fft(w * r if a == axis else w) for a in range(3)]
        total = total + np.abs(np.einsum("i,j,k->ijk", *factors)) ** 2
    return points**3 / 3 * total
