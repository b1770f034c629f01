"""Revisions of the Cahn-Hilliard solver: data that an earlier one made stay what they are.

A config says which one made, or is to make, its data: `generate.solver_revision`. A run directory
from before that key holds data of revision 1. Every stage after generate uses data of any revision,
and says so; new units are made by the present solver alone, so that no data set mixes two.
"""

import copy
from pathlib import Path
from typing import Any

import yaml

from jobs import UserError, yaml12
from jobs.config import Section
from kernels.cahn_hilliard import REVISION

KEY = "solver_revision"


def of(config: Any) -> int | None:
    """Of a config's data; None where no Cahn-Hilliard solver made them."""
    return getattr(config.generate, KEY, None)


def resolved(raw: dict, model: type[Section], run: Path | None = None) -> dict:
    """A raw config that says its revision: as it does, as the run directory that is there does, or
    the present one.
    """
    if KEY not in model.model_fields["generate"].annotation.model_fields:
        return raw
    raw = copy.deepcopy(raw)
    block = raw.setdefault("generate", None) or {}
    if isinstance(block, dict) and KEY not in block:
        raw["generate"] = {**block, KEY: REVISION if run is None else there(run)}
    return raw


def there(run: Path) -> int:
    """Of a run directory's data; the present one if there is no run directory yet."""
    path = run / "config.yaml"
    if not path.is_file():
        return REVISION
    try:
        block = (yaml12.load(path.read_text(encoding="utf-8")) or {}).get("generate") or {}
        return block.get(KEY, 1)
    except (yaml.YAMLError, AttributeError, OSError):
        return REVISION  # whoever reads the file for its config says what is wrong


def note(config: Section) -> list[str]:
    """A line where data are another solver's."""
    if of(config) in (None, REVISION):
        return []
    return [
        f"these data are of revision {of(config)} of the Cahn-Hilliard solver, the present one is "
        f"{REVISION}: they are used as what they are"
    ]


def check(config: Section) -> None:
    """UserError if the present solver cannot make units that belong to these."""
    if of(config) not in (None, REVISION):
        raise UserError(
            f"generate.solver_revision = {of(config)}: the present solver is revision {REVISION}, and "
            "one data set is not made by two; the units that are there can be collected and trained "
            "on; for new ones choose another --run"
        )
