"""Figures 1c to 4: truth and prediction of one start side by side, as surfaces and as slices."""

from pathlib import Path

import numpy as np

from analysis import style
from analysis.coarsening import surface
from analysis.coarsening.dataset import Run
from analysis.coarsening.errors import Errors
from analysis.coarsening.names import Network
from analysis.coarsening.rollouts import Case, Rollout

COLUMNS = 5
WIDE = 1.27  # inch, of a picture
REACH = 0.5  # of the colours of prediction minus truth


def typical(errors: Errors | None) -> int:
    """The start of median error; the first without truth."""
    if errors is None:
        return 0
    return int(np.argsort(errors.mse.mean(axis=1), kind="stable")[len(errors.mse) // 2])


def chosen(rollout: Rollout, columns: int = COLUMNS) -> list[int]:
    """Kept frames to show: evenly among them, from the first to the last (a log series is even in
    log t).
    """
    return sorted({int(i) for i in np.linspace(0, len(rollout.time) - 1, columns).round()})


def frame_at(rollout: Rollout | None, time: float) -> int | None:
    """The kept frame at a time, None where there is none."""
    if rollout is None:
        return None
    k = rollout.nearest(time)
    return k if np.isclose(rollout.time[k], time, rtol=1e-6, atol=1e-9) else None


def rows_of(case: Case, network: Network, start: int, times: np.ndarray):
    """(truth, prediction) at each time, fields (x, y, z) or None."""
    for time in times:
        there, here = frame_at(case.truth, time), frame_at(case.networks[network], time)
        yield (
            None if there is None else case.truth.phi(there, start),
            case.networks[network].phi(here, start),
        )


def draw(
    run: Run,
    case: Case,
    network: Network,
    errors: Errors | None,
    folder: Path,
    name: str,
    *,
    slices: bool,
) -> str:
    """Write a figure: surfaces, and with `slices` their middle planes; its file name."""
    rollout, start = case.networks[network], typical(errors)
    times = rollout.time[chosen(rollout)]
    fields = list(rows_of(case, network, start, times))
    kinds = ["truth", "prediction"] + (
        ["truth, slice", "prediction, slice", "difference"] if slices else []
    )
    if case.truth is None:
        kinds = [kind for kind in kinds if kind.startswith("prediction")]
    fig = style.figure(max(style.COLUMN, WIDE * len(times) + 0.5), WIDE * len(kinds) + 0.3)
    axes = fig.subplots(len(kinds), len(times), squeeze=False)
    images = {}
    for column, time, (true, own) in zip(axes.T, times, fields, strict=True):
        column[0].set_title(f"$t$ = {time:g}", fontsize=7)
        for ax, kind in zip(column, kinds, strict=True):
            field = true if kind.startswith("truth") else own
            if field is None or (kind == "difference" and true is None):
                ax.text(
                    0.5,
                    0.5,
                    "not run",
                    transform=ax.transAxes,
                    ha="center",
                    va="center",
                    color=style.GREY,
                    fontsize=7,
                )
                ax.axis("off")
            elif kind in ("truth", "prediction"):
                surface.draw(ax, field)
            else:
                images[kind] = plane(
                    ax,
                    own - true if kind == "difference" else field,
                    difference=kind == "difference",
                )
    for line, kind in zip(axes, kinds, strict=True):
        line[0].text(
            -0.06,
            0.5,
            kind.replace(", ", ",\n"),
            transform=line[0].transAxes,
            rotation=90,
            ha="right",
            va="center",
            fontsize=7,
            linespacing=1.1,
        )
    if slices:
        bar(fig, images, axes, kinds)
    return style.save(fig, folder, name)


def plane(ax, field: np.ndarray, difference: bool):
    """The middle plane across y, x to the right, z upwards."""
    shown = field[:, field.shape[1] // 2].T
    colours = (
        {"cmap": "RdBu_r", "vmin": -REACH, "vmax": REACH}
        if difference
        else {"cmap": style.PHASES, "vmin": 0, "vmax": 1}
    )
    ax.set(xticks=[], yticks=[], aspect="equal")
    for spine in ax.spines.values():
        spine.set(visible=True, linewidth=0.4)
    return ax.imshow(shown, origin="lower", interpolation="nearest", **colours)


def bar(fig, images: dict, axes: np.ndarray, kinds: list[str]) -> None:
    """Scales of the slices beside their rows."""
    for kind, label, extend in (
        ("prediction, slice", r"$\phi$", "both"),
        ("difference", r"$\hat\phi - \phi$", "both"),
    ):
        if kind in images:
            line = axes[kinds.index(kind)]
            made = fig.colorbar(
                images[kind], ax=line.tolist(), aspect=9, shrink=0.85, pad=0.01, extend=extend
            )
            made.set_label(label, fontsize=7)
            made.ax.tick_params(labelsize=6)


def stated(run: Run, errors: Errors | None) -> str:
    """Mean squared error of a case, and what persistence has, for a caption."""
    if errors is None:
        return "No truth to compare with."
    after = errors.time > 0
    persistence = errors.persistence[:, after].mean() if after.any() else np.nan
    return f"Mean squared error over the kept frames {errors.mean_squared()} (persistence {persistence:.2g})."


def figures(
    run: Run, network: Network, errors: dict[tuple[str, Network], Errors], folder: Path, prefix: str
):
    """Figures 1c, 2a, 2b, 3 and 4, those that the run has; (file name, caption)."""
    wanted = (
        ("test", "figure-1-sequence", "figure 1c: a test sequence", True),
        ("larger", "figure-2-larger-box", "figure 2a: a larger box", False),
        (
            "shape",
            "figure-2-shape",
            "figure 2b: a closed shape, unlike anything in the training set",
            False,
        ),
        (
            "slice",
            "figure-3-slice",
            "figure 3: noise in a slice alone (beside it phi = 1/2 at first: a surface there means nothing)",
            True,
        ),
        ("long", "figure-4-stationary", "figure 4: to the stationary state", False),
    )
    for name, file, text, slices in wanted:
        case = run.case(name, truth=False)
        if case is None or network not in case.networks:
            yield None
            continue
        found = errors.get((name, network))
        drawn = draw(run, case, network, found, folder, f"{prefix}{file}", slices=slices)
        size = "x".join(map(str, (case.truth or case.networks[network]).shape))
        which = (
            ""
            if case.networks[network].count == 1
            else f" Shown is the start of median error of {case.networks[network].count}."
        )
        yield (
            drawn,
            f"{run.name}: {text}, {network.title}, {size} cells of the network's grid. Surfaces phi = 1/2, dark where the phase "
            f"meets the box. {stated(run, found)}{which}",
        )
