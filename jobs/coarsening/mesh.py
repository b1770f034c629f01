"""Closed triangle surfaces from .obj and .stl files, and which points of a grid they hold."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jobs import UserError

PAIRS = 1 << 20  # of a triangle and a column, at a time: memory stays small


def read(path: Path) -> np.ndarray:
    """The triangles of a closed surface, float64 (n, 3 corners, 3), x, y, z.

    Raises UserError, one line, on a file that cannot be read, is neither OBJ nor STL, or does not
    close.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read the surface: {error.strerror}") from None
    reader = {".obj": _obj, ".stl": _stl}.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path}: expected a surface in a file .obj or .stl")
    try:
        triangles = reader(raw)
    except (ValueError, IndexError):
        raise UserError(
            f"{path}: not a {path.suffix[1:].upper()} file of triangles or polygons"
        ) from None
    if not len(triangles) or not np.isfinite(triangles).all():
        raise UserError(
            f"{path}: holds no triangles"
            if not len(triangles)
            else f"{path}: holds corners that are not finite"
        )
    open_edges = edges_left_open(triangles)
    if open_edges:
        raise UserError(
            f"{path}: not a closed surface: {open_edges} of its edges do not belong to two triangles each"
        )
    return triangles


def _obj(raw: bytes) -> np.ndarray:
    corners, faces = [], []
    for line in raw.decode("utf-8", "replace").splitlines():
        kind, *words = line.split() or [""]
        if kind == "v":
            corners.append([float(word) for word in words[:3]])
        elif kind == "f":  # 1 is the first corner so far, -1 the last; polygons are fans
            face = [int(word.split("/")[0]) for word in words]
            if not all(0 < i <= len(corners) or -len(corners) <= i < 0 for i in face):
                raise ValueError("a corner that is not there")
            face = [i - 1 if i > 0 else len(corners) + i for i in face]
            faces += [(face[0], a, b) for a, b in itertools.pairwise(face[1:])]
    return np.array(corners, np.float64).reshape(-1, 3)[np.array(faces, int).reshape(-1, 3)]


def _stl(raw: bytes) -> np.ndarray:
    if len(raw) >= 84 and len(raw) == 84 + 50 * int(np.frombuffer(raw, "<u4", 1, 80)[0]):
        record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
        return np.frombuffer(raw, record, offset=84)["corners"].astype(np.float64)
    if not raw.lstrip().startswith(b"solid"):
        raise ValueError("neither kind of STL")
    words = [line.split() for line in raw.decode("utf-8", "replace").splitlines()]
    return np.array(
        [[float(x) for x in w[1:4]] for w in words if w and w[0] == "vertex"], np.float64
    ).reshape(-1, 3, 3)


def edges_left_open(triangles: np.ndarray) -> int:
    """How many edges do not belong to an even number of triangles; corners are the same where their
    coordinates are.
    """
    _, corner = np.unique(triangles.reshape(-1, 3), axis=0, return_inverse=True)
    corner = corner.reshape(-1, 3)
    edges = np.sort(
        np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]], corner[:, [2, 0]]]), axis=1
    )
    edges = edges[edges[:, 0] != edges[:, 1]]  # of a triangle that is a line
    return int((np.unique(edges, axis=0, return_counts=True)[1] % 2).sum())


def fitted(triangles: np.ndarray, extent: float) -> np.ndarray:
    """Scaled and moved: its longest side is `extent`, its middle that of the unit cube."""
    low, high = triangles.min((0, 1)), triangles.max((0, 1))
    return (triangles - (low + high) / 2) * (extent / max((high - low).max(), 1e-300)) + 0.5


def inside(triangles: np.ndarray, size: int) -> np.ndarray:
    """Which cell centres of a grid of size^3 over the unit cube a closed surface holds, bool (size,
    size, size).

    Along each column of cells the surface is crossed an odd number of times below a centre inside
    (ray parity).
    """
    nudge = np.array([np.sqrt(2), np.sqrt(3)]) * 1e-6  # of a cell: no column meets an edge
    corners = triangles * size - 0.5  # now a cell's centre has whole numbers
    corners = corners - np.array([*nudge, 0.0])
    low = np.maximum(np.ceil(corners[:, :, :2].min(1)).astype(int), 0)
    high = np.minimum(np.floor(corners[:, :, :2].max(1)).astype(int), size - 1)
    width = np.maximum(high - low + 1, 0)
    crossed = np.zeros(size * size * (size + 1), np.int32)
    for part in parts(width.prod(1), PAIRS):
        crossed += crossings(corners[part], low[part], width[part], size)
    return np.cumsum(crossed.reshape(size, size, -1), axis=2)[:, :, :size] % 2 == 1


def parts(count: np.ndarray, most: int) -> Iterator[slice]:
    """Slices of consecutive entries whose counts add up to about `most`."""
    border = np.flatnonzero(np.diff(np.cumsum(count) // most)) + 1
    for first, last in itertools.pairwise([0, *border.tolist(), len(count)]):
        yield slice(first, last)


def crossings(corners: np.ndarray, low: np.ndarray, width: np.ndarray, size: int) -> np.ndarray:
    """In each column of cells, how often triangles (n, 3, 3) cross it, below which cell: int (size
    * size * (size + 1),).  low, width: int (n, 2), the columns under each triangle's box.
    """
    count = width.prod(1)
    which = np.repeat(
        np.arange(len(corners)), count
    )  # a row for each triangle and each column below or above its box
    place = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    x, y = (
        low[which, 0] + place // np.maximum(width[which, 1], 1),
        low[which, 1] + place % np.maximum(width[which, 1], 1),
    )
    a, b, c = corners[which].transpose(1, 0, 2)

    def side(p, q):
        return (q[:, 0] - p[:, 0]) * (y - p[:, 1]) - (q[:, 1] - p[:, 1]) * (x - p[:, 0])

    u, v, w = side(b, c), side(c, a), side(a, b)
    whole = u + v + w
    hit = (((u > 0) & (v > 0) & (w > 0)) | ((u < 0) & (v < 0) & (w < 0))) & (whole != 0)
    z = (u * a[:, 2] + v * b[:, 2] + w * c[:, 2])[hit] / whole[hit]
    first = np.clip(np.ceil(z), 0, size).astype(int)  # cells from here on lie above the crossing
    cell = (x[hit] * size + y[hit]) * (size + 1) + first
    return np.bincount(cell, minlength=size * size * (size + 1)).astype(np.int32)
