"""Typed configs: YAML and --set in, validated models out, and one line a mistake.

A config is a pydantic model per study whose fields carry their range and, in `json_schema_extra`,
their unit. Any value given as a list where one value is expected makes a sweep: one system a value,
the product of several lists.
"""

import difflib
import hashlib
import itertools
import json
import math
import re
import types
import typing
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

import annotated_types
import pydantic
import yaml
from pydantic_core import PydanticUndefined

from jobs import UserError, one_line, yaml12
from kernels import arguments

MOST_SYSTEMS = 10_000  # of a sweep
LONGEST_NAME = 200  # bytes, of a folder
MOST_UNITS = 100_000  # of a system: the number of a unit has five digits in the names of files
MOST_MISTAKES = 20  # that are said at once


class Section(pydantic.BaseModel):
    """One block of a config: no unknown keys, no silent conversions ("10" is not 10), no NaN."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    def untrainable(self) -> str | None:
        """Why the study's networks cannot be trained on such systems, in a line; asked before hours
        of simulation. None: nothing is known against it.
        """
        return None

    def unfit(self, stage: str) -> str | None:
        """Why an optional stage that is asked for by its name cannot be done, in a line; asked
        before there is a run directory. None: nothing is known against it.
        """
        return None

    @pydantic.model_validator(mode="before")
    @classmethod
    def whole_numbers(cls, given):
        """1e4 is a whole number, where one is expected."""
        if not isinstance(given, dict):
            return given
        found = dict(given)
        for name, field in cls.model_fields.items():
            kinds = _options(field.annotation)
            if name in found and int in kinds and float not in kinds:
                found[name] = _whole(found[name])
            elif name in found and list[int] in kinds and isinstance(found[name], list):
                found[name] = [_whole(item) for item in found[name]]
        return found


def _whole(item):
    return int(item) if type(item) is float and item.is_integer() else item


def value(default=PydanticUndefined, *, unit, about, neutral=PydanticUndefined, **limits):
    """A config field with its physical unit and a sentence, which error messages quote; limits as
    in pydantic.Field.

    neutral: of a key that came later, the value with which all is as it was before that key: it
    leaves all digests alone (`telling`), so that what an earlier version made goes on.
    """
    extra = {"unit": unit} | ({} if neutral is PydanticUndefined else {"neutral": neutral})
    return pydantic.Field(default, description=about, json_schema_extra=extra, **limits)


def threads() -> int:
    """The key train.threads, the same in every study."""
    return value(
        1,
        unit="threads",
        ge=1,
        le=1024,
        about="that one network trains on, on a CPU; part of the result's last bits",
    )


def precision(
    about: str = "in which the networks train; bfloat16 (autocast) is faster where a device has units for it",
):
    """The key train.precision."""
    return value("float32", unit="", about=about)


def each_once(key: str, values: Sequence, unit: str = "") -> None:
    """ValueError where a list names something twice."""
    if len({f"{item:g}" if isinstance(item, float) else item for item in values}) < len(values):
        raise ValueError(f"{key} = {values}: expected each once{f' [{unit}]' if unit else ''}")


class Ladder(Sequence):
    """Numbers from `first` to `last` in steps of `step`, to six places, a unit each; made when they
    are asked for.  ValueError that names `key` where they are more than units can be.
    """

    def __init__(self, first: float, last: float, step: float, key: str):
        self.first, self.step = first, step
        self.count = int((last - first) / step + 1e-6) + 1
        if self.count > MOST_UNITS:
            raise ValueError(
                f"{key} = {step}: {self.count} values from {first} to {last}; at most {MOST_UNITS} are one run"
            )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> float:
        return round(self.first + range(self.count)[index] * self.step, 6)


# ---- reading


def refusal(lines: Iterable[str]) -> UserError:
    """What is said of mistakes: the first of them, each a line that can be shown on any screen,
    whatever the config holds.
    """
    lines = list(lines)
    more = [f"... and {len(lines) - MOST_MISTAKES} more"] if len(lines) > MOST_MISTAKES else []
    return UserError("\n".join(map(one_line, [*lines[:MOST_MISTAKES], *more])))


def found(path: Path) -> Path:
    """The file, or the one that comes with Quench: jobs/STUDY/demo.yaml from anywhere."""
    ours = Path(__file__).parent.parent / path
    return ours if path.parts[:1] == ("jobs",) and not path.exists() and ours.is_file() else path


def read(path: Path, settings: list[str], study: str) -> dict:
    """The plain mapping of a YAML file with the `key.path=value` settings of the command line put
    in.
    """
    try:
        raw = yaml12.load(Path(path).read_text(encoding="utf-8-sig"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise refusal([f"{path}{where}: not valid YAML: {problem}"]) from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot read the config: {error.strerror}") from None
    raw = {} if raw is None else raw
    if not isinstance(raw, dict):
        raise UserError(f"{path}: expected `key: value` lines, found a {type(raw).__name__}")
    for setting in settings:
        override(raw, setting)
    return {"study": study, **raw}


def override(raw: dict, setting: str) -> None:
    """Put one `key.path=value` into the mapping; the value is read as YAML, so [1, 3] is a list."""
    key, equals, text = setting.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise refusal(
            [f"--set {setting}: expected key.path=value, such as --set system.field=0.57"]
        )
    try:
        parsed = yaml12.load(text)
    except yaml.YAMLError as error:
        why = getattr(error, "problem", None) or "not valid YAML"
        raise refusal([f"--set {arguments.shown(setting)[1:-1]}: {why}"]) from None
    block = raw
    for depth, name in enumerate(path[:-1], start=1):
        if block.get(name) is None:
            block[name] = {}
        block = block[name]
        if not isinstance(block, dict):
            raise refusal([f"--set {setting}: {'.'.join(path[:depth])} is a value, not a block"])
    block[path[-1]] = parsed


def systems(raw: dict, model: type[Section], source: str) -> dict[str, Section]:
    """Every system of a config by its directory name: {"": config} alone, or {"system.range=1":
    ..., ...} for a sweep.
    """
    swept = _lists(raw, model)
    mistakes, found, folders, refused = {}, {}, {}, 0
    for path, values in swept.items():
        texts = [str(float(item)) if type(item) is int else str(item) for item in values]
        if not values or len(set(texts)) < len(texts):
            name, shown = ".".join(path), arguments.shown(values)
            raise refusal(
                [f"{source}: {name} = {shown}: a sweep needs one or more values, each once"]
            )
    count = math.prod(map(len, swept.values()))
    if count > MOST_SYSTEMS:
        keys = ", ".join(".".join(path) for path in swept)
        raise refusal(
            [f"{source}: a sweep of {count} systems ({keys}); at most {MOST_SYSTEMS} are one run"]
        )
    alone = json.dumps(
        _without(raw, swept)
    )  # not every system needs a copy of what all of them have
    for combination in itertools.product(*swept.values()):
        plain = json.loads(alone)
        for path, item in zip(swept, combination, strict=True):
            block = plain
            for name in path[:-1]:
                block = block[name]
            block[path[-1]] = item
        name = ",".join(
            f"{'.'.join(path)}={item}" for path, item in zip(swept, combination, strict=True)
        )
        name = re.sub(r"[/\0-\x1f]", "_", name)  # it is a folder's
        if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
            raise UserError(
                f"{source}: a sweep's values name folders, and {name[:60]}... is longer than {LONGEST_NAME} bytes"
            )
        if name.casefold() in folders:
            raise UserError(
                f"{source}: a sweep's values name folders, and {folders[name.casefold()]} and {name} would be one where "
                "a disk ignores case"
            )
        folders[name.casefold()] = name
        try:
            found[name] = model.model_validate(plain)
        except pydantic.ValidationError as error:
            mistakes |= dict.fromkeys(explain(error, model))
            refused += 1
            if refused == MOST_MISTAKES:  # the others have the same ones, and many
                break
    if mistakes:
        raise refusal(f"{source}: {line}" for line in mistakes)
    return found


def _without(raw: dict, swept: Container[tuple], path: tuple = ()) -> dict:
    """The mapping with null in the place of its sweeps."""
    return {
        key: None
        if (*path, key) in swept
        else _without(item, swept, (*path, key))
        if isinstance(item, dict)
        else item
        for key, item in raw.items()
    }


def _lists(raw: dict, model: type[Section], path: tuple = ()) -> dict[tuple, list]:
    """The key paths whose value is a list although the model wants one value."""
    found = {}
    for key, item in raw.items():
        here = (*path, key)
        if isinstance(item, dict):
            found |= _lists(item, model, here)
        elif isinstance(item, list):
            field = field_of(model, here)
            wants_list = field is not None and any(
                typing.get_origin(option) in (list, tuple) for option in _options(field.annotation)
            )
            if not wants_list or (item and all(isinstance(each, list) for each in item)):
                found[here] = item
    return found


# ---- explaining


def block_of(annotation) -> type[Section] | None:
    """The block that a field holds, by itself or by name."""
    options = [annotation, *typing.get_args(annotation)]
    return next((o for o in options if isinstance(o, type) and issubclass(o, Section)), None)


def field_of(model: type[Section], path):
    """The field at a key path, or None; what follows a field (pydantic adds the members of a union)
    is ignored.
    """
    field, named = None, False
    for name in path:
        if model is None:
            break
        if named:  # the name of a block, as in rollout.cases.NAME.size
            named = False
            continue
        field = model.model_fields.get(str(name))
        if field is None:
            return None
        model, named = block_of(field.annotation), typing.get_origin(field.annotation) is dict
    return field


def expected(field) -> str:
    """What a field takes, in words: type, range, unit."""
    kinds, optional = [], False
    for option in _options(field.annotation):
        if option is type(None):
            optional = True
        elif typing.get_origin(option) is typing.Literal:
            kinds.append("one of " + ", ".join(map(str, typing.get_args(option))))
        elif typing.get_origin(option) is list:
            (item,) = typing.get_args(option)
            choices = typing.get_args(item)
            kinds.append("a list of " + (", ".join(map(str, choices)) if choices else "numbers"))
        elif typing.get_origin(option) is dict:
            kinds.append(
                "blocks by name, each with keys: " + ", ".join(block_of(option).model_fields)
            )
        elif block_of(option):
            kinds.append("a block of keys: " + ", ".join(block_of(option).model_fields))
        else:
            kinds.append(
                {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[
                    option
                ]
            )
    kinds = [kind for kind in kinds if kind != "a whole number" or "a number" not in kinds]
    limits = []
    for rule in field.metadata:
        for kind, name, words in (
            (annotated_types.Gt, "gt", "above"),
            (annotated_types.Ge, "ge", "at least"),
            (annotated_types.Lt, "lt", "below"),
            (annotated_types.Le, "le", "at most"),
        ):
            if isinstance(rule, kind):
                limits.append(f"{words} {getattr(rule, name)}")
    text = (
        " or ".join(kinds)
        + (" " + " and ".join(limits) if limits else "")
        + (", or null" if optional else "")
    )
    unit = (field.json_schema_extra or {}).get("unit")
    return f"{text} [{unit}]" if unit else text


def _options(annotation) -> list:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [each for option in typing.get_args(annotation) for each in _options(option)]
    return [annotation]


def explain(error: pydantic.ValidationError, model: type[Section]) -> list[str]:
    """One line a mistake: key path, value, what is allowed, unit."""
    lines = {}
    for mistake in error.errors():
        names, block, named = [], model, False
        for name in mistake["loc"]:
            if block is None:
                break
            names.append(str(name))
            if named:
                named = False
                continue
            annotation = block.model_fields[name].annotation if name in block.model_fields else None
            block, named = block_of(annotation), typing.get_origin(annotation) is dict
        path, field = ".".join(names), field_of(model, names)
        if mistake["type"] == "extra_forbidden":
            parent = model if len(names) == 1 else block_of(field_of(model, names[:-1]).annotation)
            said = (
                len(lines) < MOST_MISTAKES
            )  # of many that are not, what was meant is not looked for
            near = said and difflib.get_close_matches(names[-1], parent.model_fields, n=1)
            hint = (
                f"did you mean {near[0]}?"
                if near
                else "known here: " + ", ".join(parent.model_fields)
            )
            line = f"{path} = {arguments.shown(mistake['input'])}: unknown key; {hint}"
        elif mistake["type"] == "missing":
            line = f"{path}: missing; {field.description}, {expected(field)}"
        elif (
            mistake["type"] == "value_error"
        ):  # a rule across several keys: its text names them itself
            line = str(mistake["ctx"]["error"])
        elif field is None:  # of no field: a key that is half a character of UTF-16, "\\ud800"
            line = f"{arguments.shown(mistake['input'])}: {mistake['msg']}"
        else:
            line = f"{path} = {arguments.shown(mistake['input'])}: expected {expected(field)}"
            if isinstance(mistake["input"], str) and _is_number(mistake["input"]):
                line += " (this is text: write it without quotes)"
        lines.setdefault(path if mistake["type"] != "value_error" else line, line)
    return list(lines.values())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# ---- comparing


def to_yaml(config: Section | dict) -> str:
    plain = config.model_dump(mode="json") if isinstance(config, Section) else config
    return yaml12.dump(plain)


def flat(config: Section, prefix: str = "") -> dict[str, object]:
    """{"system.range": 10, ...}"""
    found, plain = {}, config.model_dump(mode="json") if isinstance(config, Section) else config
    for key, item in plain.items():
        found |= (
            flat(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item}
        )
    return found


def telling(config: Section, sections: Container[str]) -> dict[str, object]:
    """`flat` of these sections, without keys at their neutral values (`value`): all digests are of
    it, so that what an earlier version made goes on.
    """
    keys = {k: v for k, v in flat(config).items() if k.split(".")[0] in sections}
    for path, item in list(keys.items()):
        field = field_of(type(config), path.split("."))
        if field is not None and (field.json_schema_extra or {}).get("neutral", ...) == item:
            del keys[path]
    return keys


def digest(config: Section) -> str:
    """What a unit's content depends on: everything but the number of units and what later stages do
    with them.
    """
    keys = telling(config, ("study", "seed", "system", "generate"))
    keys.pop("generate.units", None)
    return hashlib.sha256(json.dumps(keys, sort_keys=True).encode()).hexdigest()
