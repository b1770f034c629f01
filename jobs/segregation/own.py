"""What a network makes of fields from elsewhere, and the six quantities of its answers."""

from pathlib import Path

import numpy as np

from jobs import UserError, provenance, shards, squares
from jobs.config import digest
from jobs.progress import Progress
from jobs.rundir import System
from jobs.segregation.quantities import measured
from jobs.segregation.trained import answers, network_of, trained
from jobs.shards import Data

DEFAULT = "gan_forward"
FARTHEST = 0.5  # that a concentration may lie outside of [0, 1]


def read_fields(path: Path, size: int) -> np.ndarray:
    """Concentrations float32 (n, L, L), of a .npy file or of `concentration` in an HDF5 file.
    UserError for anything else.
    """
    found = squares.read(path, "concentration", size, "concentrations").astype(np.float32)
    low, high = float(found.min()), float(found.max())
    if not (-FARTHEST <= low and high <= 1 + FARTHEST):  # nan fails too
        raise UserError(
            f"--input {path}: concentrations from {low:g} to {high:g}; expected 0 to 1, where the two phases are"
        )
    mean = found.mean((1, 2), dtype=np.float64)
    if not (mean.min() > 0 and mean.max() < 1):
        raise UserError(
            f"--input {path}: mean concentrations from {mean.min():g} to {mean.max():g}; expected above 0 and below 1"
        )
    return found


def answer(system: System, request, device, device_kind: str, progress: Progress) -> None:
    """Write what a network makes of the fields in request.input to request.output,
    MINE-segregated.h5 (reverse: MINE-mixed.h5).
    """
    config = system.config
    found = read_fields(request.input, config.system.size)
    there = trained(system, None, progress.say)
    if not there:
        raise UserError(f"{system.folder}: no network is trained: run train first")
    model = request.model or (DEFAULT if DEFAULT in there else there[0])
    if model not in there:
        raise UserError(
            f"--model {model}: not trained in {system.folder}; there are {', '.join(there)}"
        )
    made = "mixed" if model.endswith("reverse") else "segregated"
    output = squares.answer_path(request, made, is_prediction)
    mean, g = found.mean((1, 2), dtype=np.float64), config.generate
    half = g.mean_step / 2
    outside = int(((mean < g.first_mean - half) | (mean > g.last_mean + half)).sum())
    if outside:
        progress.say(
            f"warning: {outside} of {len(found)} fields have a mean outside of {g.first_mean:g} to {g.last_mean:g}, "
            "which the networks never saw"
        )
    predicted = answers(network_of(system, model, device_kind, progress.say), found)
    data = {
        "input": Data(found, "", "sample, x, y", "concentration given to the network", True),
        "prediction": Data(predicted, "", "sample, x, y", "its answer, without noise", True),
        "mean_concentration": Data(mean, "", "sample", "of the input"),
        **measured(config, device, input=found, predicted=predicted),
    }
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "study": "segregation",
        "model": model,
        "input": request.input.name,
    }
    squares.write_answer(output, data, attributes)
    progress.say(f"{output}: {len(found)} fields, {made} by {model}")


def is_prediction(path: Path) -> bool:
    """Whether a file was written by `answer`: only such a one is overwritten."""
    try:
        arrays, attributes = shards.read(path, study="segregation")
    except (shards.BadFileError, OSError):
        return False
    return "prediction" in arrays and "input" in attributes
