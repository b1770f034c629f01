"""Checkpoints of a training: complete or not there, the one before kept, and what is damaged never
used.

Only tensors, numbers, strings and containers of them go in (torch.load with weights_only), so that
a run directory from elsewhere cannot run code.
"""

import contextlib
import os
import platform
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from jobs import one_line, shards


def previous(path: Path) -> Path:
    """Where the checkpoint before the one at `path` is kept."""
    return path.with_name(f"{path.stem}-previous{path.suffix}")


def save(path: Path, state: dict) -> None:
    """Write `state` to `path`, checked before it gets its name; what was there becomes
    previous(path).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:  # torch says nothing of a full disk, which it met first
                raise (
                    error.__context__ if isinstance(error.__context__, OSError) else error
                ) from None
        shards.sync(temporary)
        check(temporary)
        with contextlib.suppress(
            FileNotFoundError
        ):  # the first one, or another process was quicker
            os.replace(path, previous(path))
        os.replace(temporary, path)
        shards.sync(path.parent)
        shards.tidy(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def check(path: Path) -> None:
    """BadFileError unless every part of the file matches its checksum, which torch.load itself does
    not look at.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except PermissionError:
        raise shards.BadFileError("not readable") from None
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, OSError, NotImplementedError, EOFError):
        raise shards.BadFileError("truncated or not a checkpoint") from None
    if damaged is not None:
        raise shards.BadFileError(f"damaged: {damaged} does not match its checksum")


def load(path: Path, say: Callable[[str], None], **belongs) -> dict | None:
    """The newest sound checkpoint, `path` or the one before it; None if there is none.

    `belongs`: entries the state must have, else it was made for something else.  A bad file is
    moved aside and reported.
    """
    for candidate in (path, previous(path)):
        try:
            check(candidate)
            state = torch.load(candidate, map_location="cpu", weights_only=True)
            for name, wanted in belongs.items():
                if state.get(name) != wanted:
                    raise shards.BadFileError(f"made with another {name}")
        except FileNotFoundError:
            continue
        except (shards.BadFileError, RuntimeError, ValueError, AttributeError, EOFError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
        # weights_only raises pickle.UnpicklingError and more for what it does not allow
        except Exception as error:
            reason = f"not a checkpoint of this program ({type(error).__name__})"
        else:
            if candidate != path:
                say(f"{path}: continuing from the checkpoint before it, epoch {state['epoch']}")
            return state
        reason = one_line(reason)  # it may name a part of the file, whose name is damaged
        say(f"{candidate}: {reason}; moved aside to {shards.set_aside(candidate).name}")
    return None
