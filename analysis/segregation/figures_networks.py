"""Training curves, and what the generator's layers make of a field (figure 1)."""

from collections.abc import Iterator

import numpy as np
from matplotlib import colormaps

from analysis import style
from analysis.page import Picture
from analysis.segregation.examples import Layers
from analysis.segregation.labels import STEPS, file_name, look, model_of, ordered
from analysis.sheet import Sheet

STEPPING = (
    " The training L1 of the stepping network is that of one step, later of two and four in a row and, in the last epochs, of all steps: "
    "it jumps where they become more. Its validation L1 is that of the whole way."
)
FIRST_STEP = " Those of its first step, on its coarse grid: what leaves the last layer is not yet the answer, to which further steps lead."
GAP = style.STABLE  # between maps, whose own shades are grey
FINE = 64  # pixels a side at least, so that gaps look the same for all layers
ABOVE = (("l1", style.BLUE, "L1, training"), ("validation_l1", style.VERMILION, "L1, validation"))
BELOW = (
    ("adversarial", style.PURPLE, "generator, adversarial"),
    ("discriminator", style.GREEN, "discriminator"),
)


def draw(sheet: Sheet) -> Iterator[Picture | None]:
    yield learning(sheet)
    for network, found in ordered(sheet.numbers.layers).items():
        yield layers(sheet, network, found)


def learning(sheet: Sheet) -> Picture | None:
    """L1 of training and validation set, above; the adversarial losses, below; a column a
    network.
    """
    histories = ordered(sheet.numbers.histories)
    if not histories:
        return None
    gan = any(look(network).gan for network in histories)
    fig = style.figure(style.PAGE if len(histories) > 1 else style.COLUMN, 3.4 if gan else 2.0)
    axes = fig.subplots(2 if gan else 1, len(histories), squeeze=False, sharex="col", sharey="row")
    for column, (network, history) in zip(axes.T, histories.items(), strict=True):
        curves(column[0], history, ABOVE)
        column[0].set_title(look(network).title.replace(", ", ",\n"), fontsize=7)
        if gan and look(network).gan:
            curves(column[1], history, BELOW)
            column[1].axhline(np.log(2), color=style.GREY, lw=0.7, ls=":")
        elif gan:
            where = {"transform": column[1].transAxes, "ha": "center", "va": "center"}
            column[1].text(0.5, 0.5, "no GAN", color=style.GREY, fontsize=7, **where)
        column[-1].set_xlabel("epoch")
        style.whole_numbers(column[-1].xaxis)
    axes[0, 0].set_ylim(bottom=0)  # shared, so once all curves are there
    axes[0, 0].set_ylabel(r"mean $|c - c_\mathrm{truth}|$")
    if gan:
        axes[1, 0].set_ylabel("cross entropy (nat)")
    handles = dict(
        pair[::-1]
        for ax in axes.ravel()
        for pair in zip(*ax.get_legend_handles_labels(), strict=True)
    )
    fig.legend(
        handles.values(),
        handles.keys(),
        loc="outside upper center",
        ncols=style.legend_columns(fig),
    )
    return sheet.save(
        fig,
        "learning",
        "Losses by epoch"
        + (
            ". Above: L1 of training and validation set; below: cross entropies of the game between generator and "
            "discriminator, dotted ln 2, where the discriminator cannot tell. With a GAN the L1 need not fall, nor a loss say how "
            "good a picture is."
            if gan
            else ": L1 of training and validation set."
        )
        + STEPPING * any(model_of(name) == STEPS for name in sheet.numbers.histories),
    )


def curves(ax, history: dict[str, np.ndarray], shown) -> None:
    marker = "o" if len(history["epoch"]) == 1 else ""
    for name, colour, text in shown:
        if name in history:
            ax.plot(history["epoch"], history[name], color=colour, lw=1, marker=marker, label=text)


def layers(sheet: Sheet, network: str, stack: Layers) -> Picture:
    """Input, encoder; decoder, answer: a row each, layers in the network's order."""
    half = len(stack.layers) // 2
    down = [(f"down {i + 1}", layer) for i, layer in enumerate(stack.layers[:half])]
    up = [(f"up {i + 1}", layer) for i, layer in enumerate(stack.layers[half:])]
    upper = [("input", stack.given[None]), *down]
    lower = [*up, ("output", stack.answer[None])]
    fig = style.figure(style.PAGE, 2.7)
    axes = fig.subplots(2, max(len(upper), len(lower)), squeeze=False)
    for line, tiles in zip(axes, (upper, lower), strict=True):
        for ax, (name, maps) in zip(line, tiles, strict=False):
            tile(ax, name, maps)
        for ax in line[len(tiles) :]:
            ax.remove()
    return sheet.save(
        fig,
        f"figure-1-layers-{file_name(network)}",
        f"{look(network).title}: what the generator's layers make of a test sample of mean concentration {stack.mean:.2f}, each map from "
        f"its smallest (black) to its largest value (white).{FIRST_STEP * (model_of(network) == STEPS)}",
        "1",
    )


def tile(ax, name: str, maps: np.ndarray) -> None:
    """The channels (channels, h, w) of a layer."""
    side = maps.shape[-1]
    shown = [mosaic(maps.ravel())] if side == 1 else [m.T for m in maps]
    ax.imshow(
        montage([np.asarray(m, float) / 255 for m in shown]),
        origin="lower",
        cmap=colormaps["gray"].with_extremes(bad=GAP),
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    ax.set_title(f"{name}\n{side} x {side}", fontsize=7)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, color=GAP)


def montage(maps: list[np.ndarray]) -> np.ndarray:
    """Up to four maps (h, w) in a square of two by two (one alone: as it is), nan between."""
    fine = [np.kron(m, np.ones((max(1, FINE // len(m)),) * 2)) for m in maps]
    if len(fine) == 1:
        return fine[0]
    h, w = fine[0].shape
    room = h // 16
    whole = np.full((2 * h + room, 2 * w + room), np.nan)
    for i, m in enumerate(fine):
        top, left = (1 - i // 2) * (h + room), (i % 2) * (w + room)
        whole[top : top + h, left : left + w] = m
    return whole


def mosaic(values: np.ndarray) -> np.ndarray:
    """Values (channels,) of a layer of one cell as a square, row by row, nan where there are none
    left.
    """
    side = int(np.ceil(np.sqrt(len(values))))
    return np.append(values.astype(float), np.full(side * side - len(values), np.nan)).reshape(
        side, side
    )
