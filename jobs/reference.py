"""The reference of all configs, jobs/CONFIGS.md: every key with its meaning, default, range and
unit, from the typed configs themselves.
"""

from typing import get_origin

from pydantic_core import PydanticUndefined

from jobs import study as studies
from jobs import yaml12
from jobs.config import Section, block_of, expected

HEAD = """# Configs

Every key of a study's config: what it means, its default, and what it takes, with its unit. Made from the typed configs by
`python -m jobs configs > jobs/CONFIGS.md`; a test compares the two. A config file needs only what differs from the defaults; `--set
KEY.PATH=VALUE` on the command line overrides it, and a list where one value is expected makes a sweep. Block names are written before
their keys: `generate.units` is `units` in the block `generate`.
"""


def text() -> str:
    """All of it."""
    parts = [HEAD]
    for name in studies.NAMES:
        study = studies.of(name)
        parts.append(f"## {name}\n\n{' '.join(study.about.split())}\n")
        parts.append(table(study.config))
    return "\n".join(parts).rstrip()


def table(model: type[Section]) -> str:
    lines = ["| key | meaning | default | expected |", "|---|---|---|---|"]
    lines += [
        f"| `{key}` | {about} | {default} | {takes} |" for key, about, default, takes in rows(model)
    ]
    return "\n".join(line.replace(" |  |", " | |") for line in lines) + "\n"


def rows(model: type[Section], prefix: str = "") -> list[tuple[str, str, str, str]]:
    """(key path, meaning, default, what it takes) of each key, those of blocks in their places."""
    found = []
    for name, field in model.model_fields.items():
        block = block_of(field.annotation)
        named = get_origin(field.annotation) is dict
        key = f"{prefix}{name}"
        if block is not None and not named:
            found += rows(block, f"{key}.")
            continue
        about = " ".join((field.description or "").split())
        found.append((key, escaped(about), default_of(field), escaped(expected(field))))
        if block is not None:
            found += rows(block, f"{key}.NAME.")
    return found


def default_of(field) -> str:
    """As it is written in YAML."""
    if field.default is PydanticUndefined:
        if field.default_factory is None:
            return "none: to be given"
        return "see there"
    if isinstance(field.default, list):
        return f"`[{', '.join(map(str, field.default))}]`"
    return f"`{yaml12.dump(field.default).strip().removesuffix('...').strip()}`"


def escaped(words: str) -> str:
    return words.replace("|", "\\|")
