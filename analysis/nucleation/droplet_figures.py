"""Figures of the droplet: occlusion maps (7, 8), its density and the sensitivity against the radius
(9).

Every function takes the studies, writes PNG and PDF into `folder` and returns (file name, caption),
or None where no run has what it shows.
"""

from pathlib import Path

import numpy as np
from matplotlib.patches import Circle

from analysis import style
from analysis.nucleation import occlusion
from analysis.nucleation.occlusion import Occlusion
from analysis.nucleation.study import Study
from analysis.nucleation.training import SPLITS, label

COLOURS = "cividis"
SENSITIVITY = r"mean $|\Delta \hat{p}_\mathrm{nuc}|$"
CIRCLE = "circle: mean radius of gyration of the largest cluster in the same configurations; white rim: no patch is centred there"


def _panel(ax, maps: Occlusion, title: str, largest: float | None = None):
    """One map with its circle; returns the image, for a colour bar."""
    image = maps.mean(maps.sensitivity)
    half = maps.stride / 2
    drawn = ax.imshow(
        image.T,
        origin="lower",
        cmap=COLOURS,
        vmin=0,
        vmax=largest,
        interpolation="nearest",
        extent=(maps.x[0] - half, maps.x[-1] + half, maps.y[0] - half, maps.y[-1] + half),
    )
    centre = (maps.size // 2, maps.size // 2)
    ax.add_patch(
        Circle(centre, occlusion.gyration(maps).value, fill=False, color=style.VERMILION, lw=1.2)
    )
    ticks, box = (0, maps.size // 2, maps.size - 1), (-0.5, maps.size - 0.5)
    ax.set(xlabel="x (sites)", ylabel="y (sites)", xticks=ticks, yticks=ticks, xlim=box, ylim=box)
    ax.set_title(title, fontsize=7)
    return drawn


def _how(chosen: list[Occlusion]) -> str:
    """Patches, filling and split of the maps, each said once."""
    patches = sorted(
        {f"{m.patch} x {m.patch} sites every {m.stride}, filled with {m.fill}" for m in chosen}
    )
    splits = sorted({SPLITS.get(m.split, m.split) for m in chosen})
    return f"hidden patch of {' or '.join(patches)}; split {' or '.join(splits)}"


def _beyond_ten(study: Study) -> bool:
    """Whether figure 8 shows this system: L = 200 and R > 10."""
    return study.near_spinodal and (study.run.system.range or 0) > 10


def occlusion_maps(studies: list[Study], folder: Path) -> tuple[str, str] | None:
    """Figure 7: the paper's network and ours side by side, a row a run but for those of
    figure 8.
    """
    rows = []
    for study in studies:
        if _beyond_ten(study):
            continue
        first, ours = occlusion.preferred(study.maps), study.maps.get("torus")
        pair = [m for m in (first, ours if ours is not first else None) if m is not None]
        rows += [(study, pair)] if pair else []
    if not rows:
        return None
    columns = max(len(pair) for _, pair in rows)
    fig = style.figure(style.COLUMN if columns == 1 else style.PAGE, 2.75 * len(rows))
    axes = fig.subplots(len(rows), columns, squeeze=False)
    for row, (study, pair) in zip(axes, rows, strict=True):
        for ax in row[len(pair) :]:
            ax.set_axis_off()
        for ax, maps in zip(row, pair, strict=False):
            drawn = _panel(
                ax, maps, f"{study.name}\n{label(maps.model)}, $R_g$ = {occlusion.gyration(maps)}"
            )
            fig.colorbar(drawn, ax=ax, label=SENSITIVITY)
    return (
        style.save(fig, folder, "figure-7-occlusion"),
        "Figure 7 of the paper: how much the prediction changes when a patch centred at (x, y) is hidden, averaged over "
        f"the test sets ({_how([m for _, pair in rows for m in pair])}); {CIRCLE}. The paper shows R = 10, L = 200, "
        "with Rg = 19.42.",
    )


def near_spinodal_maps(studies: list[Study], folder: Path) -> tuple[str, str] | None:
    """Figure 8: the L = 200 systems beyond R = 10, on one colour scale."""
    chosen = [(s, occlusion.preferred(s.maps)) for s in studies if s.maps and _beyond_ten(s)]
    if not chosen:
        return None
    fig, axes = style.grid(len(chosen), 2.6, per_row=2)
    largest = max(np.nanmax(maps.mean(maps.sensitivity)) for _, maps in chosen)
    for ax, (study, maps) in zip(axes, chosen, strict=True):
        title = (
            rf"{study.name}, $\Delta h$ = {study.distance_to_spinodal:.3f}"
            + f"\n$R_g$ = {occlusion.gyration(maps)}"
        )
        drawn = _panel(ax, maps, title, largest)
    fig.colorbar(drawn, ax=axes, label=SENSITIVITY, shrink=0.7)
    models = " or ".join(sorted({label(maps.model) for _, maps in chosen}))
    return (
        style.save(fig, folder, "figure-8-occlusion-near-the-spinodal"),
        f"Figure 8 of the paper: occlusion maps towards the spinodal ({models}; {_how([m for _, m in chosen])}), all on "
        f"one colour scale; {CIRCLE}.",
    )


def density_profiles(studies: list[Study], folder: Path) -> tuple[str, str] | None:
    """Figure 9 (a): density of stable spins against the distance from the droplet's centre."""
    with_data = [s for s in studies if s.density is not None]
    groups = [
        g
        for g in (
            [s for s in with_data if s.near_spinodal],
            [s for s in with_data if not s.near_spinodal],
        )
        if g
    ]
    if not groups:
        return None
    fig, axes = style.grid(len(groups), 2.9, per_row=2)
    for ax, group in zip(axes, groups, strict=True):
        near = group[0].near_spinodal
        for i, study in enumerate(group):
            d, scale = study.density, 1 if near else study.run.system.range or 1
            color = style.colour(i)
            marker = style.marker(i) if len(d.radius) < 20 else None  # few rings: where they lie
            ax.plot(
                d.radius / scale,
                d.profile,
                color=color,
                ls=style.line(i),
                marker=marker,
                label=study.name,
            )
            ax.fill_between(
                d.radius / scale,
                d.profile - d.error,
                d.profile + d.error,
                color=color,
                alpha=0.25,
                lw=0,
            )
        ax.set(
            xlabel="r (sites)" if near else "r / R",
            ylabel=r"density of stable spins, $\rho(r)$",
            xlim=(0, None),
        )
        ax.legend(loc="upper right")
    return (
        style.save(fig, folder, "figure-9a-droplet-density"),
        "Figure 9 (a) of the paper: share of stable spins at distance r (on the torus) from the centre of the largest cluster, "
        "balanced configurations; bands: one standard error, bootstrap over events (narrower than the lines in large data "
        "sets). What remains at large r is the metastable background"
        + (
            "; systems with L = 10 R against r in units of R."
            if any(not g[0].near_spinodal for g in groups)
            else "."
        ),
    )


def sensitivity_against_density(studies: list[Study], folder: Path) -> tuple[str, str] | None:
    """Figure 9 (b): both profiles against r, and their correlation."""
    chosen = [(s, maps) for s in studies if (maps := occlusion.preferred(s.maps)) is not None]
    if not chosen:
        return None
    fig, axes = style.grid(len(chosen), 2.3, per_row=2)
    for ax, (study, maps) in zip(axes, chosen, strict=True):
        p = occlusion.profiles(maps)
        ax.plot(p.radius, p.density, color=style.BLUE, marker="s", ms=2.5)
        ax.set_ylabel(r"density of stable spins, $\rho(r)$", color=style.BLUE)
        ax.set(xlabel="r (sites)", xlim=(0, None), ylim=(0, None))
        ax.axvline(occlusion.gyration(maps).value, color=style.GREY, lw=0.8, ls="--")
        ax.set_title(
            f"{study.name}, {label(maps.model)}\ncorrelation {occlusion.correlation(maps)}",
            fontsize=7,
        )
        other = ax.twinx()
        other.spines["right"].set_visible(True)
        error = occlusion.ring_errors(maps)
        other.errorbar(
            p.radius,
            p.sensitivity,
            error,
            color=style.VERMILION,
            marker="o",
            ms=2.5,
            elinewidth=0.7,
        )
        other.set_ylabel(f"sensitivity, {SENSITIVITY}", color=style.VERMILION)
        other.set_ylim(0, None)
    return (
        style.save(fig, folder, "figure-9b-sensitivity-and-density"),
        "Figure 9 (b) of the paper: density of stable spins (blue, left) and occlusion sensitivity (red, right) against the "
        f"distance from the droplet's centre, ring averages one stride wide ({_how([m for _, m in chosen])}); dashed: "
        "mean radius of gyration. Correlation: Pearson's, over rings weighted by their number of patch positions; errors: "
        "jackknife over blocks of events and spread of the folds, the larger. A patch averages over its own width, so the "
        "sensitivity is the smoother.",
    )
