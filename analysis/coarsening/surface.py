"""The surface phi = 1/2 of a periodic field, seen from outside its box: rays are cast through the
volume, nothing is meshed.

Parallel projection. A ray ends where phi first exceeds 1/2: on a face of the box (the phase is cut
there) or on the surface, which is shaded by the gradient of phi.
"""

import functools
import itertools

import numpy as np
from scipy.ndimage import map_coordinates, zoom

AZIMUTH, ELEVATION = np.radians(-62), np.radians(24)  # of the eye, seen from the middle of the box
FINE = 64  # cells a side at least, so that a coarse field gives a smooth surface
SKIN, CUT = (
    np.array([0.40, 0.71, 0.94]),
    np.array([0.05, 0.36, 0.58]),
)  # colours of the surface and of the phase's cut
EDGE = {"color": "#444444", "lw": 0.6}
REFINEMENTS = 5  # halvings of a ray's last stretch
PIXELS = 180  # a side of a picture
SAMPLES = 2  # rays a pixel, in each direction


def axes_of_view() -> np.ndarray:
    """Unit vectors to the right, upwards and into the picture, in x, y, z: (3, 3)."""
    towards_eye = np.array(
        [
            np.cos(ELEVATION) * np.cos(AZIMUTH),
            np.cos(ELEVATION) * np.sin(AZIMUTH),
            np.sin(ELEVATION),
        ]
    )
    right = np.array([-np.sin(AZIMUTH), np.cos(AZIMUTH), 0])
    return np.stack([right, np.cross(towards_eye, right), -towards_eye])


def half_width() -> float:
    """Half of a picture's width, in sides of the box."""
    right, up, _ = axes_of_view()
    corners = np.array(list(itertools.product((-0.5, 0.5), repeat=3)))
    return 1.02 * max(np.abs(corners @ right).max(), np.abs(corners @ up).max())


@functools.lru_cache(maxsize=4)
def rays(pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rays that meet the unit box: (pixel (m,), first point (m, 3), length (m,))."""
    right, up, into = axes_of_view()
    half = half_width()
    across = (np.arange(pixels) + 0.5) / pixels * 2 * half - half
    origin = across[None, :, None] * right + across[::-1, None, None] * up - 2 * into
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(side - origin) / into for side in (-0.5, 0.5)])
    enter, leave = ends.min(0).max(-1).ravel(), ends.max(0).min(-1).ravel()
    hit = np.flatnonzero(leave > enter)
    start = origin.reshape(-1, 3)[hit] + enter[hit, None] * into + 0.5
    return hit, np.clip(start, 0, 1), (leave - enter)[hit]


def image(phi: np.ndarray, pixels: int) -> np.ndarray:
    """Picture of the phase phi > 1/2 of a field (X, Y, Z), float (pixels, pixels, 4), transparent
    where there is nothing to see.
    """
    whole = _cast(phi, SAMPLES * pixels)
    whole[..., :3] *= whole[..., 3:]
    found = whole.reshape(pixels, SAMPLES, pixels, SAMPLES, 4).mean((1, 3))
    found[..., :3] /= np.maximum(found[..., 3:], 1e-12)
    return np.clip(found, 0, 1)


def _cast(phi: np.ndarray, pixels: int) -> np.ndarray:
    phi = np.asarray(phi, np.float32)
    factor = max(1, -(-FINE // max(phi.shape)))
    field = zoom(phi, factor, order=3, mode="grid-wrap", grid_mode=True) if factor > 1 else phi
    shape = np.array(field.shape)
    into = axes_of_view()[2]

    def at(values: np.ndarray, points: np.ndarray) -> np.ndarray:
        return map_coordinates(values, (points * shape - 0.5).T, order=1, mode="grid-wrap")

    pixel, first, length = rays(pixels)
    cut = at(field, first) > 0.5
    reached = np.where(cut, 0.0, np.nan)
    step = 1 / shape.max()
    alive = np.flatnonzero(~cut)
    phase, place, way = (
        (field > 0.5).ravel(),
        (first * shape).astype(np.float32),
        (into * shape).astype(np.float32),
    )
    for distance in np.arange(
        step, length.max(), step, np.float32
    ):  # by the nearest cell, refined below
        alive = alive[length[alive] > distance]
        x, y, z = np.clip((place[alive] + distance * way).astype(np.int32), 0, shape - 1).T
        inside = phase[(x * shape[1] + y) * shape[2] + z]
        reached[alive[inside]] = distance
        alive = alive[~inside]
    seen = np.isfinite(reached)
    on_skin = np.flatnonzero(seen & ~cut)
    low, high = np.maximum(reached[on_skin] - 1.5 * step, 0), reached[on_skin] + step
    for _ in range(REFINEMENTS):
        middle = (low + high) / 2
        inside = at(field, first[on_skin] + middle[:, None] * into) > 0.5
        low, high = np.where(inside, low, middle), np.where(inside, middle, high)
    reached[on_skin] = high
    points = first + np.nan_to_num(reached)[:, None] * into
    slope = np.stack(
        [(np.roll(field, -1, a) - np.roll(field, 1, a)) * n for a, n in enumerate(shape)]
    )
    normal = np.zeros_like(first)
    normal[on_skin] = -np.stack([at(s, points[on_skin]) for s in slope], axis=1)
    face = np.minimum(first, 1 - first).argmin(axis=1)
    normal[cut, face[cut]] = np.sign(first[cut, face[cut]] - 0.5)
    colour = _shaded(normal, np.where(cut[:, None], CUT, SKIN), cut, np.nan_to_num(reached))
    picture = np.zeros((pixels * pixels, 4))
    picture[pixel[seen], :3], picture[pixel[seen], 3] = colour[seen], 1
    return picture.reshape(pixels, pixels, 4)


def _shaded(normal: np.ndarray, base: np.ndarray, cut: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Lambert's law with a lamp over the eye's left shoulder, a highlight on the surface, and
    darkness with depth.
    """
    right, up, into = axes_of_view()
    normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    lamp = -0.45 * right + 0.65 * up - into
    lamp /= np.linalg.norm(lamp)
    half_way = (lamp - into) / np.linalg.norm(lamp - into)
    light = 0.38 + 0.62 * np.clip(normal @ lamp, 0, 1)
    shine = np.where(cut, 0, 0.25 * np.clip(normal @ half_way, 0, 1) ** 30)
    return np.clip(base * (light * np.exp(-0.6 * depth))[:, None] + shine[:, None], 0, 1)


def draw(ax, picture: np.ndarray):
    """A picture of the phase in its box, RGBA (pixels, pixels, 4), on an axis without ticks; what
    matplotlib made of it.
    """
    right, up, into = axes_of_view()
    half = half_width()
    for a, b in itertools.combinations(itertools.product((-0.5, 0.5), repeat=3), 2):
        a, b = np.array(a), np.array(b)
        if np.count_nonzero(a != b) == 1:
            hidden = (np.sign(a) == np.sign(into))[a == b].all()
            ax.plot(
                [a @ right, b @ right],
                [a @ up, b @ up],
                zorder=0 if hidden else 2,
                solid_capstyle="round",
                **({**EDGE, "color": "#BBBBBB"} if hidden else EDGE),
            )
    extent = (-half, half, -half, half)
    drawn = ax.imshow(picture, extent=extent, zorder=1, interpolation="antialiased")
    ax.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
    ax.axis("off")
    return drawn
