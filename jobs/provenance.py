"""What every file says about where it comes from."""

import datetime
import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

from jobs.config import to_yaml

PACKAGES = (
    "numpy",
    "scipy",
    "h5py",
    "pydantic",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "mpi4py",
    "torch",
    "scikit-learn",
    "umap-learn",
)


@functools.cache
def git_revision() -> str:
    """Commit of this code, with -dirty when it has been changed since; "unknown" outside a git
    checkout.
    """
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip() or "unknown"


@functools.cache
def packages() -> str:
    """name==version of Python and of the packages that are installed, one a line."""
    lines = [f"python=={platform.python_version()}"]
    for name in PACKAGES:
        try:
            lines.append(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "\n".join(lines)


def block(config: Any, device: str) -> dict[str, str | int]:
    """Attributes for a file: config, seed, git_revision, packages, device, host, date (UTC)."""
    return {
        "config": to_yaml(config),
        "seed": config.seed,
        "git_revision": git_revision(),
        "packages": packages(),
        "device": device,
        "host": platform.node(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
