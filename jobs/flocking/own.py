"""The phases of configurations from elsewhere, as the networks of a run see them, and how far they
agree.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jobs import UserError, provenance, shards, squares
from jobs.config import digest
from jobs.flocking.epochs import packed, parsed
from jobs.flocking.phases import PHASES
from jobs.flocking.trained import network_of, probabilities, trained
from jobs.progress import Progress
from jobs.rundir import System
from jobs.shards import Data
from kernels.estimate import written

DEFAULT = "reference/lambda-0.01"
LARGEST = 2**15 - 1  # particles on a site


def read_configurations(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Magnetization and density, int16 (n, L, L), of an HDF5 or .npz file.  UserError for what no
    configuration can be.
    """
    if path.suffix == ".npy":
        raise UserError(
            f"--input {path}: a .npy file holds one array; expected `magnetization` and `density`, in HDF5 or .npz"
        )
    m, rho = (squares.read(path, name, size, name) for name in ("magnetization", "density"))
    if m.shape != rho.shape:
        raise UserError(
            f"--input {path}: {len(m)} maps of magnetization and {len(rho)} of density; expected as many"
        )
    for name, found in (("magnetization", m), ("density", rho)):
        if not (np.isfinite(found).all() and (found == np.rint(found)).all()):
            raise UserError(
                f"--input {path}: {name} must be whole numbers, of the particles on a site"
            )
    m, rho = (np.rint(found).astype(np.int64) for found in (m, rho))
    wrong = (
        (rho < 0, "a negative density"),
        (rho > LARGEST, f"more than {LARGEST} particles"),
        (np.abs(m) > rho, "|magnetization| > density"),
        (
            (m + rho) % 2 != 0,
            "magnetization and density of different parity (n+ - n- and n+ + n- are both even or both odd)",
        ),
    )
    for where, what in wrong:
        if where.any():
            i, x, y = np.argwhere(where)[0]
            raise UserError(
                f"--input {path}: {what}: configuration {i}, site ({x}, {y}) has m = {m[i, x, y]}, density {rho[i, x, y]}"
            )
    return m.astype(np.int16), rho.astype(np.int16)


def answer(system: System, request, device, device_kind: str, progress: Progress) -> None:
    """Write the phases of the configurations in request.input to request.output, MINE-phases.h5."""
    config = system.config
    m, rho = read_configurations(request.input, config.system.size)
    model, names = chosen(system, request.model, progress.say)
    output = squares.answer_path(request, "phases", is_prediction)
    maps = packed(m, rho)
    each = np.stack(
        [probabilities(network_of(system, one, device_kind, progress.say), maps) for one in names]
    )
    p = each.mean(0)
    ours = "configuration"
    data = {
        "probabilities": Data(
            p, "", f"{ours}, phase", f"of G, L+G, L, mean over {len(names)} networks"
        ),
        "spread": Data(each.std(0), "", f"{ours}, phase", "standard deviation over the networks"),
        "phase": Data(p.argmax(1).astype(np.int8), "", ours, "0 G, 1 L+G, 2 L: the most probable"),
        "mean_density": Data(rho.mean((1, 2)), "particles / site", ours, "rho0"),
        "magnetization": Data(m, "", f"{ours}, x, y", "as given", True),
        "density": Data(rho, "particles", f"{ours}, x, y", "as given", True),
    }
    attributes = {
        **provenance.block(config, device.name),
        "config_digest": digest(config),
        "study": "flocking",
        "model": model,
        "input": request.input.name,
    }
    squares.write_answer(output, data, attributes)
    for row in range(min(len(p), 5)):
        said = zip(PHASES, p[row], each.std(0)[row], strict=True)
        progress.say(
            f"configuration {row}: {', '.join(f'{phase} {written(value, error)}' for phase, value, error in said)}"
        )
    counts = zip(np.bincount(p.argmax(1), minlength=len(PHASES)), PHASES, strict=True)
    progress.say(
        f"{output}: {len(p)} configurations, {', '.join(f'{n} {phase}' for n, phase in counts)}, by {model}"
    )


def chosen(system: System, asked: str | None, say: Callable[[str], None]) -> tuple[str, list[str]]:
    """The set and lambda that answer, and the names of their networks.  UserError where none is
    trained.
    """
    there: dict[str, list[str]] = {}
    for each in trained(system, None, say):
        which, strength, _ = parsed(each)
        there.setdefault(f"{which}/lambda-{strength:g}", []).append(each)
    if not there:
        raise UserError(f"{system.folder}: no network is trained: run train first")
    model = asked or (DEFAULT if DEFAULT in there else next(iter(there)))
    if model not in there:
        raise UserError(
            f"--model {model}: not trained in {system.folder}; there are {', '.join(there)}"
        )
    return model, there[model]


def is_prediction(path: Path) -> bool:
    """Whether a file was written by `answer`: only such a one is overwritten."""
    try:
        arrays, attributes = shards.read(path, study="flocking")
    except (shards.BadFileError, OSError):
        return False
    return "spread" in arrays and "input" in attributes
