"""Training curves, and what the generator's layers make of a field."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.segregation.dataset import Run
from analysis.segregation.quantities import MODELS
from jobs import shards

MAPS = 4  # channels shown of a layer, those that vary most
FINE = 64  # pixels a side at least, so that gaps look the same for all layers


def learning(run: Run, folder: Path, prefix: str) -> tuple[str, str] | None:
    """L1 of training and validation set, above; the adversarial losses, below; a column a model."""
    if not run.histories:
        return None
    count = len(run.histories)
    gan = [
        model
        for model, h in run.histories.items()
        if (h.get("discriminator", np.zeros(1)) > 0).any()
    ]
    fig = style.figure(style.PAGE if count > 1 else style.COLUMN, 3.4 if gan else 2.0)
    axes = fig.subplots(2 if gan else 1, count, squeeze=False, sharex="col", sharey="row")
    for column, (model, history) in zip(axes.T, run.histories.items(), strict=True):
        upper = column[0]
        for name, colour, text in (
            ("l1", style.BLUE, "L1, training"),
            ("validation_l1", style.VERMILION, "L1, validation"),
        ):
            if name in history:
                upper.plot(history["epoch"], history[name], color=colour, lw=1, label=text)
        upper.set_title(MODELS[model].title.replace(", ", ",\n"), fontsize=7)
        if gan and model in gan:
            game = (
                ("adversarial", style.PURPLE, "generator, adversarial"),
                ("discriminator", style.GREEN, "discriminator"),
            )
            for name, colour, text in game:
                if name in history:
                    column[1].plot(history["epoch"], history[name], color=colour, lw=1, label=text)
            column[1].axhline(np.log(2), color=style.GREY, lw=0.7, ls=":")
        elif gan:
            column[1].text(
                0.5,
                0.5,
                "no GAN",
                transform=column[1].transAxes,
                ha="center",
                va="center",
                color=style.GREY,
                fontsize=7,
            )
        column[-1].set_xlabel("epoch")
        column[-1].xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes[0, 0].set_ylim(bottom=0)  # shared, so once all curves are there
    axes[0, 0].set_ylabel(r"mean $|c - c_\mathrm{truth}|$")
    if gan:
        axes[1, 0].set_ylabel("cross entropy (nat)")
    handles = dict(
        pair[::-1]
        for ax in axes.ravel()
        for pair in zip(*ax.get_legend_handles_labels(), strict=True)
    )
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    return (
        style.save(fig, folder, f"{prefix}learning"),
        f"{run.name}: losses by epoch. Above: L1 of training and validation set; below: cross entropies of the adversarial game, dotted "
        "ln 2, where the discriminator cannot tell. With a GAN the L1 need not fall, nor a loss say how good a picture is.",
    )


def activations(run: Run, folder: Path, prefix: str) -> Iterator[tuple[str, str]]:
    """One figure for each model that has RUN/predict/MODEL-activations.h5."""
    for model in MODELS:
        file = run.path / "predict" / f"{model}-activations.h5"
        try:
            arrays, _ = shards.read(file)
            layers = [arrays[name] for name in sorted(arrays) if name.startswith("layer_")]
            if not layers or not {"input", "prediction"} <= set(arrays):
                raise shards.BadFileError("lacks layers, input or prediction")
        except FileNotFoundError:
            continue
        except shards.BadFileError as error:
            run.left_out.append(f"{file.relative_to(run.path.parent)}: {error}")
            continue
        yield draw_layers(arrays["input"], layers, arrays["prediction"], model, folder, prefix)


def draw_layers(
    start: np.ndarray,
    layers: list[np.ndarray],
    answer: np.ndarray,
    model: str,
    folder: Path,
    prefix: str,
) -> tuple[str, str]:
    """Input (L, L), encoder; decoder, answer (L, L): a row each, layers (channels, h, w) in the
    network's order.
    """
    half = len(layers) // 2
    upper = [
        ("input", [start]),
        *((f"down {i + 1}", layer) for i, layer in enumerate(layers[:half])),
    ]
    lower = [
        *((f"up {i + 1}", layer) for i, layer in enumerate(layers[half:])),
        ("output", [answer]),
    ]
    fig = style.figure(style.PAGE, 2.7)
    axes = fig.subplots(2, max(len(upper), len(lower)), squeeze=False)
    for line, tiles in zip(axes, (upper, lower), strict=True):
        for ax, (name, maps) in zip(line, tiles, strict=False):
            side = len(maps[0])
            if side == 1:
                maps = [mosaic(np.ravel(maps))]
            order = np.argsort(-np.array([np.var(m) for m in maps]), kind="stable")[:MAPS]
            ax.imshow(
                montage([np.asarray(maps[i], float).T for i in order]),
                origin="lower",
                cmap="gray",
                vmin=0,
                vmax=1,
                interpolation="nearest",
            )
            ax.set_title(f"{name}\n{side} x {side}", fontsize=7)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        for ax in line[len(tiles) :]:
            ax.remove()
    return (
        style.save(fig, folder, f"{prefix}activations-{model}"),
        f"{MODELS[model].title}: activation maps of the generator, layer by layer, for a test sample of mean concentration "
        f"{start.mean(dtype=float):.2f}: input and encoder above, decoder and output below. Of each layer the "
        f"{MAPS} channels that vary most over the field, each from its smallest (black) to its largest value (white); "
        "of a layer of a single cell the values of its channels.",
    )


def montage(maps: list[np.ndarray]) -> np.ndarray:
    """Up to MAPS maps (h, w) in a square of two by two (one alone: as it is), each scaled to 0 to
    1, nan between.
    """
    scaled = [
        np.kron(
            (m - np.nanmin(m)) / (np.nanmax(m) - np.nanmin(m) or 1.0),
            np.ones((max(1, FINE // len(m)),) * 2),
        )
        for m in maps
    ]
    if len(scaled) == 1:
        return scaled[0]
    h, w = scaled[0].shape
    room = h // 16
    whole = np.full((2 * h + room, 2 * w + room), np.nan)
    for i, m in enumerate(scaled):
        top, left = (1 - i // 2) * (h + room), (i % 2) * (w + room)
        whole[top : top + h, left : left + w] = m
    return whole


def mosaic(values: np.ndarray) -> np.ndarray:
    """Values (channels,) of a layer of one cell as a square, row by row, nan where there are none
    left.
    """
    side = int(np.ceil(np.sqrt(len(values))))
    return np.append(values, np.full(side * side - len(values), np.nan)).reshape(side, side)
