"""A sweep on a page: runs whose configs differ in one key, and their main numbers against it.

Which key that is the configs themselves say; keys whose values follow from it by the config's own
defaults, such as a temperature that depends on the interaction, are no others.  Run by run: another
one that is added later just appears.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydantic

from analysis import style
from analysis.estimates import Estimate, together
from analysis.record import Record
from jobs import config as configs
from jobs import revision, yaml12
from jobs import study as studies
from jobs.config import Section

IGNORED = ("study", "seed", "generate.units", "train.threads")  # of which no number is a function
WIDE = 20.0  # largest over smallest value, from which the axis of the key is logarithmic
LONGEST_SYMBOL = 8  # characters: what stands before the colon of a key's meaning, "h: strength of"
PANELS = 9
NAMED = 4  # keys, at most
ENDS = 2  # values, up to which a sweep draws every system's own pictures
FILE = "sweep.png"


@dataclass(frozen=True)
class MainNumber:
    """One of the numbers that a run is for, which is drawn against what was swept.

    title: in words; symbol: of an axis, "" for none; curve: where one title has several, such as of
    a network; log: whether its axis is logarithmic by nature.
    """

    title: str
    estimate: Estimate
    symbol: str = ""
    unit: str = ""
    curve: str = ""
    log: bool = False

    @property
    def axis(self) -> str:
        words = ", ".join(filter(None, (self.title, self.symbol)))
        return f"{words} ({self.unit})" if self.unit else words


@dataclass(frozen=True)
class Sweep:
    """key: in which the runs' configs differ; values: of each run; label: of an axis."""

    key: str
    values: list
    label: str

    @property
    def order(self) -> list:
        """The values, each once: numbers by size, others as they come."""
        once = list(dict.fromkeys(self.values))
        return sorted(once) if self.numeric else once

    @property
    def numeric(self) -> bool:
        return all(type(value) in (int, float) for value in self.values)


def find(study: str, records: list[Record]) -> tuple[Sweep | None, str]:
    """The sweep that these runs are, and what is said of it: the key, or why they are none; "" of
    runs that differ in nothing.
    """
    model = studies.of(study).config
    try:
        found = [resolved(model, record) for record in records]
    except pydantic.ValidationError:
        return None, "No number is drawn against a key: a run is of a version with another config."
    flats = [told(each, studies.of(study).free) for each in found]
    differing = [
        key
        for key in dict.fromkeys(key for flat in flats for key in flat)
        if len({json.dumps(flat.get(key)) for flat in flats}) > 1
    ]
    if not differing:
        return None, ""
    leading = [key for key in differing if all(leads(key, differing, found[0], x) for x in found)]
    if len(leading) != 1:
        first, rest = differing[:NAMED], len(differing) - NAMED
        named = ", ".join(first) + (f" and {rest} more" if rest > 0 else "")
        return (
            None,
            f"The runs differ in more keys than one ({named}), so there is no figure of all main numbers against one.",
        )
    (key,) = leading
    values = [flat.get(key) for flat in flats]
    values = [x if type(x) in (int, float) else yaml12.dump(x).strip("\n. ") for x in values]
    sweep = Sweep(key, values, label(model, key))
    rest = [other for other in differing if other != key]
    follows = f", and in what follows from it ({', '.join(rest)})" if rest else ""
    return sweep, f"The runs differ in {key} alone{follows}: a sweep."


def ends(records: list[Record]) -> list[Record]:
    """Of which systems pictures of one alone are drawn: all, but of a sweep the first and the last,
    lest its page take longer the more values there are; each system's own page has its own.
    """
    found, _ = find(records[0].origin.study, records) if records else (None, "")
    if found is None or len(found.order) <= ENDS:
        return records
    chosen = (found.order[0], found.order[-1])
    return [r for r, value in zip(records, found.values, strict=True) if value in chosen]


def resolved(model: type[Section], record: Record) -> Section:
    raw = yaml12.load(record.origin.config) or {}
    if record.origin.solver:
        raw.setdefault("generate", {}).setdefault(revision.KEY, record.origin.solver)
    return model.model_validate(raw)


def told(config: Section, free: tuple[str, ...]) -> dict:
    """Keys and values, without those that decide no number, or only what is asked for next."""
    return {
        key: value
        for key, value in configs.flat(config).items()
        if key not in IGNORED and not key.startswith(free)
    }


def leads(key: str, differing: list[str], first: Section, other: Section) -> bool:
    """Whether the first config with the other's value of a key is the other, once what else differs
    is left to the defaults that depend on it.
    """
    theirs, raw = configs.flat(other), first.model_dump(mode="json")
    for each in differing:
        *blocks, name = each.split(".")
        block = raw
        for part in blocks:
            block = block.get(part) if isinstance(block, dict) else None
        if not isinstance(block, dict) or name not in block:
            return False
        if each == key:
            block[name] = theirs.get(each)
        elif optional(type(first), each):
            block[name] = None
    try:
        found = configs.flat(type(first).model_validate(raw))
    except pydantic.ValidationError:
        return False
    return all(found.get(each) == theirs.get(each) for each in differing)


def optional(model: type[Section], key: str) -> bool:
    field = configs.field_of(model, key.split("."))
    return field is not None and "or null" in configs.expected(field)


def label(model: type[Section], key: str) -> str:
    """Symbol, key and unit: h, system.field (energy)."""
    field = configs.field_of(model, key.split("."))
    symbol, colon, _ = (field.description or "").partition(":") if field is not None else ("",) * 3
    unit = ((field.json_schema_extra or {}).get("unit") if field is not None else "") or ""
    known = f"${symbol}$, " if len(symbol) == 1 else f"{symbol}, "
    parts = known if colon and symbol and len(symbol) <= LONGEST_SYMBOL else ""
    return f"{parts}{key}" + (f" ({unit})" if unit else "")


# ---- the figure


def numbers(sweep: Sweep, found: list[list[MainNumber]]) -> dict[str, dict[str, dict]]:
    """{title: {curve: {value of the key: [number of each run that has it]}}}, of those that are
    known at two values or more.
    """
    table: dict[str, dict[str, dict]] = {}
    for value, mine in zip(sweep.values, found, strict=True):
        for number in mine:
            if np.isfinite(number.estimate.value):
                curves = table.setdefault(number.title, {})
                curves.setdefault(number.curve, {}).setdefault(value, []).append(number)
    several = {
        t: c for t, c in table.items() if len({v for curve in c.values() for v in curve}) > 1
    }
    return dict(list(several.items())[:PANELS])


def mean(of: list[MainNumber]) -> Estimate:
    return together([number.estimate for number in of])


def rows(sweep: Sweep, found: list[list[MainNumber]]) -> list[dict]:
    """For report.json."""
    return [
        {
            "key": sweep.key,
            "value": value,
            "number": title,
            "of": curve,
            "ours": mean(of).value,
            "error": mean(of).error,
            "unit": of[0].unit,
            "runs": len(of),
        }
        for title, curves in numbers(sweep, found).items()
        for curve, points in curves.items()
        for value, of in points.items()
    ]


def draw(sweep: Sweep, found: list[list[MainNumber]], folder: Path) -> tuple[str, str] | None:
    """Each main number against the key, with its standard errors: FILE, and its caption."""
    table = numbers(sweep, found)
    if not table:
        return None
    order = sweep.order
    place = {value: value if sweep.numeric else i for i, value in enumerate(order)}
    legends = any(any(curves) for curves in table.values())
    fig, axes = style.grid(len(table), 2.6)
    for ax, curves in zip(axes, table.values(), strict=True):
        first = next(iter(next(iter(curves.values())).values()))[0]
        for i, (curve, points) in enumerate(curves.items()):
            values = sorted(points, key=order.index)
            known = [mean(points[value]) for value in values]
            ax.errorbar(
                [place[value] for value in values],
                [each.value for each in known],
                [np.nan_to_num(each.error) for each in known],
                color=style.colour(i),
                marker=style.marker(i),
                ls=style.line(i),
                label=curve or None,
            )
        ax.set(xlabel=sweep.label, ylabel=first.axis)
        if first.log and all(
            m.estimate.value > 0 for c in curves.values() for p in c.values() for m in p
        ):
            ax.set_yscale("log")
        if not sweep.numeric:
            ax.set_xticks(range(len(order)), order)
        elif min(order) > 0 and max(order) > WIDE * min(order):
            ax.set_xscale("log")
        if legends and any(curves):
            ax.legend()
    names = "; ".join(title for title in table)
    caption = (
        f"Against {sweep.key}, the only key in which the runs differ: {names}. Errors are standard "
        "errors; runs of one value are taken together."
    )
    return style.save(fig, folder, FILE.removesuffix(".png")), caption
