"""Figures of the droplet: occlusion maps (7, 8), its density and the sensitivity against the radius
(9).

Every function takes the records, writes PNG and PDF into `folder` and returns the picture, or None
where no record has what it shows.
"""

from pathlib import Path

import numpy as np
from matplotlib.patches import Circle

from analysis import style
from analysis.nucleation import occlusion, paper
from analysis.nucleation.labels import DENSITY, SENSITIVITY, SPLITS, label
from analysis.nucleation.occlusion import Maps
from analysis.page import Picture
from analysis.record import Record

COLOURS = "cividis"
FILLS = {"up": "metastable spins", "zeros": "0"}
CIRCLE = "circle: mean radius of gyration Rg of the largest cluster in the same configurations"


def _marks(chosen: list[Maps]) -> str:
    """What is drawn beside the colours."""
    rim = any(maps.of.size > n * maps.of.pixel for maps in chosen for n in maps.picture().shape)
    return CIRCLE + ("; white rim: no patch is centred there" if rim else "")


def _panel(ax, maps: Maps, title: str, largest: float | None = None):
    """One map with its circle; returns the image, for a colour bar."""
    image, (x, y), size = maps.picture(), maps.of.low, maps.of.size
    wide, high = (n * maps.of.pixel for n in image.shape)
    drawn = ax.imshow(
        image.T,
        origin="lower",
        cmap=COLOURS,
        vmin=0,
        vmax=largest,
        interpolation="nearest",
        extent=(x, x + wide, y, y + high),
    )
    circle = {"fill": False, "color": style.VERMILION, "lw": 1.2}
    ax.add_patch(Circle((size // 2, size // 2), occlusion.gyration(maps).value, **circle))
    ticks, box = (0, size // 2, size - 1), (-0.5, size - 0.5)
    ax.set(xlabel="x (sites)", ylabel="y (sites)", xticks=ticks, yticks=ticks, xlim=box, ylim=box)
    ax.set_title(title, fontsize=7)
    return drawn


def _how(chosen: list[Maps]) -> str:
    """Patches, filling and split of the maps, each said once."""
    patches = sorted(
        {
            f"{m.of.patch} x {m.of.patch} sites every {m.of.stride}, filled with {FILLS.get(m.of.fill, m.of.fill)}"
            for m in chosen
        }
    )
    splits = sorted({SPLITS.get(m.of.split, m.of.split) for m in chosen})
    return f"hidden patch of {' or '.join(patches)}; split {' or '.join(splits)}"


def _beyond_ten(record: Record) -> bool:
    """Whether figure 8 shows this system: L = 200 and R > 10."""
    system = record.numbers.system
    return paper.near_spinodal(system) and (system.range or 0) > 10


def occlusion_maps(records: list[Record], folder: Path) -> Picture | None:
    """Figure 7: the paper's network and ours side by side, a row a system but for those of
    figure 8.
    """
    rows = []
    for record in records:
        first, ours = record.numbers.preferred_map(), record.numbers.map_of("torus")
        if first is not None and not _beyond_ten(record):
            both = ours is not None and ours.model != first.model
            rows.append((record, [first, ours] if both else [first]))
    if not rows:
        return None
    every = [maps for _, pair in rows for maps in pair]
    columns = max(len(pair) for _, pair in rows)
    fig = style.figure(style.COLUMN if columns == 1 else style.PAGE, 2.75 * len(rows))
    axes = fig.subplots(len(rows), columns, squeeze=False)
    for row, (record, pair) in zip(axes, rows, strict=True):
        for ax in row[len(pair) :]:
            ax.set_axis_off()
        for ax, maps in zip(row, pair, strict=False):
            title = f"{record.origin.system}\n{label(maps.model)}, "
            drawn = _panel(ax, maps, title + f"$R_g$ = {occlusion.gyration(maps)} sites")
            fig.colorbar(drawn, ax=ax, label=SENSITIVITY)
    return Picture(
        style.save(fig, folder, "figure-7-occlusion"),
        "How much the predicted p_nuc changes when a patch centred at (x, y) is hidden, averaged over "
        f"configurations of the test sets, shifted so that the droplet's centre is in the middle ({_how(every)}); {_marks(every)}. "
        "The paper shows R = 10, L = 200, with Rg = 19.42.",
        "7",
    )


def near_spinodal_maps(records: list[Record], folder: Path) -> Picture | None:
    """Figure 8: the L = 200 systems beyond R = 10, on one colour scale."""
    chosen = [
        (r, maps)
        for r in records
        if _beyond_ten(r) and (maps := r.numbers.preferred_map()) is not None
    ]
    if not chosen:
        return None
    fig, axes = style.grid(len(chosen), 2.6, per_row=2)
    largest = max(np.nanmax(maps.picture()) for _, maps in chosen)
    for ax, (record, maps) in zip(axes, chosen, strict=True):
        delta = paper.distance_to_spinodal(record.numbers.system)
        title = rf"{record.origin.system}, $\Delta h$ = {delta:.3f}"
        title += f"\n$R_g$ = {occlusion.gyration(maps)} sites"
        drawn = _panel(ax, maps, title, largest)
    fig.colorbar(drawn, ax=axes, label=SENSITIVITY, shrink=0.7)
    models = " or ".join(sorted({label(maps.model) for _, maps in chosen}))
    return Picture(
        style.save(fig, folder, "figure-8-occlusion-near-the-spinodal"),
        f"Occlusion maps towards the spinodal ({models}; {_how([m for _, m in chosen])})"
        f"{', all on one colour scale' if len(chosen) > 1 else ''}; {_marks([maps for _, maps in chosen])}.",
        "8",
    )


def density_profiles(records: list[Record], folder: Path) -> Picture | None:
    """Figure 9 (a): density of stable spins against the distance from the droplet's centre."""
    found = [r for r in records if r.numbers.density is not None]
    near = [r for r in found if paper.near_spinodal(r.numbers.system)]
    generic = [r for r in found if not paper.near_spinodal(r.numbers.system)]
    groups = [group for group in (near, generic) if group]
    if not groups:
        return None
    fig, axes = style.grid(len(groups), 2.9, per_row=2)
    for ax, group in zip(axes, groups, strict=True):
        for i, record in enumerate(group):
            scale = 1 if group is near else record.numbers.system.range or 1
            _profile(ax, record, i, scale)
        ax.set(
            xlabel="r (sites)" if group is near else "r / R",
            ylabel=DENSITY,
            xlim=(0, None),
            ylim=(0, None),
        )
        ax.legend(loc="upper right")
    return Picture(
        style.save(fig, folder, "figure-9a-droplet-density"),
        "(a) Share of stable spins at distance r (on the torus) from the centre of the largest cluster, "
        "balanced configurations; bands: one standard error, bootstrap over events (narrower than the lines in large data "
        "sets). What remains at large r is the metastable background"
        + ("; systems with L = 10 R against r in units of R." if generic else "."),
        "9",
    )


def _profile(ax, record: Record, index: int, scale: float) -> None:
    d, color = record.numbers.density, style.colour(index)
    few = len(d.radius) < 20  # rings: marked where they lie
    ax.plot(
        d.radius / scale,
        d.profile,
        color=color,
        ls=style.line(index),
        marker=style.marker(index) if few else None,
        label=record.origin.system,
    )
    low, high = d.profile - d.error, d.profile + d.error
    ax.fill_between(d.radius / scale, low, high, color=color, alpha=0.25, lw=0)


def sensitivity_against_density(records: list[Record], folder: Path) -> Picture | None:
    """Figure 9 (b): both profiles against r, and their correlation."""
    chosen = [(r, maps) for r in records if (maps := r.numbers.preferred_map()) is not None]
    if not chosen:
        return None
    fig, axes = style.grid(len(chosen), 2.3, per_row=2)
    for ax, (record, maps) in zip(axes, chosen, strict=True):
        p = occlusion.profiles(maps)
        ax.plot(p.radius, p.density, color=style.BLUE, marker="s", ms=2.5)
        ax.set_ylabel(DENSITY, color=style.BLUE)
        ax.set(xlabel="r (sites)", xlim=(0, None), ylim=(0, None))
        ax.axvline(occlusion.gyration(maps).value, color=style.GREY, lw=0.8, ls="--")
        title = f"{record.origin.system}, {label(maps.model)}"
        ax.set_title(f"{title}\ncorrelation {occlusion.correlation(maps)}", fontsize=7)
        other = ax.twinx()
        other.spines["right"].set_visible(True)
        red = {"color": style.VERMILION, "marker": "o", "ms": 2.5, "elinewidth": 0.7}
        other.errorbar(p.radius, p.sensitivity, occlusion.ring_errors(maps), **red)
        other.set_ylabel(f"sensitivity, {SENSITIVITY}", color=style.VERMILION)
        other.set_ylim(0, None)
    return Picture(
        style.save(fig, folder, "figure-9b-sensitivity-and-density"),
        "(b) Density of stable spins (blue, left) and occlusion sensitivity (orange, right) against the "
        "distance from the droplet's centre in the configurations of the maps, ring averages one stride wide "
        f"({_how([m for _, m in chosen])}); dashed: mean radius of gyration. Correlation: Pearson's, over rings "
        "weighted by their number of patch positions; errors: jackknife over blocks of events and spread of the folds, the larger. A "
        "patch averages over its own width, so the sensitivity is the smoother.",
        "9",
    )
