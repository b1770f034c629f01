"""Names, colours and words that figures, tables and claims share."""

import numpy as np
from matplotlib.colors import ListedColormap

from analysis import style

MODELS = {
    "spins": "spins LR",
    "features": "features LR",
    "cnn_2layer": "CNN, 2 layers",
    "cnn_4layer": "CNN, 4 layers",
    "notebook": "CNN, authors' program",
    "torus": "torus network",
    "torus_window": "torus network, window",
    "features_converged": "features LR, converged",  # last, so that it shares the colour of the features
}
EVENT, CONFIGURATION = "event", "configuration"
SPLITS = {EVENT: "by event", CONFIGURATION: "by configuration"}

# quantities of the data set, as report.json calls them
LIFETIME = "mean lifetime"
FLUX_LIFETIME = "mean lifetime, forward flux sampling"
VARIATION = "lifetime: standard deviation / mean"
RADIUS = "mean radius of gyration of the largest cluster"
GROWTH = "growth time, p_nuc = 1/2 to m = 0 (median)"
EARLY_GROWTH = "growth time, p_nuc = 0.1 to m = 0 (median)"
CORRELATION = "correlation of p_nuc with m, balanced data"
RANKS = "rank correlation of p_nuc with m, balanced data"
RAW_CORRELATION = "correlation of p_nuc with m, all labels"
EXPLAINED = "share of the variance of p_nuc that m explains, balanced data"
SIZE = "balanced configurations"
NOISE = "label noise floor, mean p(1-p)/(n-1)"

QUANTITIES = (
    LIFETIME,
    VARIATION,
    RADIUS,
    GROWTH,
    EARLY_GROWTH,
    CORRELATION,
    RANKS,
    RAW_CORRELATION,
    EXPLAINED,
    SIZE,
    NOISE,
)

PHASES = ListedColormap([style.METASTABLE, style.STABLE, style.BLUE])  # the last: the droplet
P_NUC, MEASURED, PREDICTED = (
    r"nucleation probability, $p_\mathrm{nuc}$",
    r"measured $p_\mathrm{nuc}$",
    r"predicted $p_\mathrm{nuc}$",
)
DENSITY = r"density of stable spins, $\rho(r)$"
SENSITIVITY = r"mean $|\Delta \hat{p}_\mathrm{nuc}|$"
FLOOR = {"color": style.GREY, "lw": 2.5, "alpha": 0.6}
PAPER = {"color": "black", "ls": "", "marker": "x"}
MEAN = {"color": "black", "ls": ":", "lw": 1}


def label(model: str) -> str:
    return MODELS.get(model, model)


def in_order(models) -> list[str]:
    """Models, each once, in the order of MODELS, unknown ones last."""
    found = set(models)
    return [*(m for m in MODELS if m in found), *sorted(found - set(MODELS))]


def look(model: str) -> dict:
    """Colour and marker of a model, the same in every figure."""
    index = list(MODELS).index(model) if model in MODELS else len(MODELS)
    return {
        "color": "black" if index == len(style.COLOURS) else style.colour(index),
        "marker": style.marker(index),
    }


def slug(system: str) -> str:
    """A system's name as part of a file name."""
    return system.replace(" = ", "").replace(", ", "-").replace(" ", "_").replace("/", "_")


def two_lines(system: str) -> str:
    """A system's name with its field on a line of its own."""
    return system.replace(", h", "\nh", 1)


def minus(text: str) -> str:
    """Typographic signs for a figure's text."""
    return text.replace("-", "\N{MINUS SIGN}")


def kinds(count: int, one: str, many: str | None = None) -> str:
    """3 folds, 1 fold."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def rounded(value: float, digits: int = 3) -> str:
    """A number in a sentence: 0.00169."""
    return f"{value:.{digits}g}" if np.isfinite(value) else "undetermined"
