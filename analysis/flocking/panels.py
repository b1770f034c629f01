"""How maps and profiles are drawn in every figure: x, the direction of self-propulsion, to the
right.
"""

import numpy as np

from analysis import style

MAGNETIZATION, DENSITY, SALIENCY, TEMPERATURE = "RdBu_r", "viridis", "magma", "viridis"
TOP = (
    0.995  # quantile of |values| at the ends of a colour scale: single sites beyond it are clipped
)


def bare(ax) -> None:
    """A frame without ticks."""
    ax.set(xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set_visible(True)
        spine.set_linewidth(0.4)


def reach(values: np.ndarray) -> float:
    """Where a scale for these values ends."""
    return float(np.quantile(np.abs(values), TOP)) or 1.0


def field(ax, values: np.ndarray, cmap: str, ends: tuple[float, float]):
    """A map (x, y), x to the right."""
    bare(ax)
    low, high = ends
    return ax.imshow(
        values.T, origin="lower", cmap=cmap, vmin=low, vmax=high, interpolation="nearest"
    )


def magnetization(ax, values: np.ndarray, end: float):
    return field(ax, values, MAGNETIZATION, (-end, end))


def density(ax, values: np.ndarray, end: float):
    return field(ax, values, DENSITY, (0, end))


def whole(value: float) -> str:
    """A number without decimals and without a sign for 0, for mathtext beside it."""
    return str(round(float(value))).replace("-", "\N{MINUS SIGN}")


def bar(fig, image, axes, label: str, **options):
    """A colour bar beside these axes."""
    found = fig.colorbar(image, ax=axes, pad=0.02, **options)
    found.set_label(label, fontsize=7)
    found.ax.tick_params(labelsize=6)
    return found


def letter(ax, text: str, place=(-0.02, 1.03)) -> None:
    """(a), (b), ... above the upper left corner."""
    ax.text(
        *place,
        f"({text})",
        transform=ax.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
        color=style.GREY,
    )
