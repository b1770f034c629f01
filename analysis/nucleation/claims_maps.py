"""The paper's claims on what the network looks at (section V.B and C): occlusion maps."""

from collections.abc import Callable
from dataclasses import dataclass

from analysis.claim import Claim
from analysis.estimates import Estimate
from analysis.nucleation import claims_models, occlusion
from analysis.nucleation.labels import kinds, label
from analysis.nucleation.occlusion import Maps
from analysis.nucleation.paper import PaperSystem
from analysis.nucleation.trends import PAPER, RULE, Trend, ends, towards
from analysis.record import Record
from analysis.verdicts import Rule, above, between

STRONG = 0.7


@dataclass(frozen=True)
class OfMap:
    """A claim on one map: figure, text, paper and rule as in a Claim, and our number."""

    figure: str
    text: str
    paper: str
    rule: Rule
    measure: Callable[[Maps], Estimate]


STATEMENTS = (
    OfMap(
        "7",
        "important region: half-width of the sensitivity / Rg",
        "comparable",
        between(0.5, 2),
        occlusion.width_over_gyration,
    ),
    OfMap(
        "7",
        "important region overlaps the droplet: sensitivity within Rg / beyond",
        "> 1",
        above(1),
        occlusion.inside_over_outside,
    ),
    OfMap(
        "9",
        "correlation of sensitivity with droplet density, by rings",
        "strong",
        above(STRONG),
        occlusion.correlation,
    ),
)


def of_system(record: Record, system: PaperSystem) -> list[Claim]:
    """The paper shows L = 200; other systems have rows where there are maps of them."""
    maps = record.numbers.preferred_map()
    if system.radius is None and maps is None:
        return []
    elsewhere = "" if system.radius is not None else " (shown for L = 200)"
    return [_of_map(record, says, maps, system.range > 10, elsewhere) for says in STATEMENTS]


def _of_map(record: Record, says: OfMap, maps: Maps | None, beyond: bool, elsewhere: str) -> Claim:
    """beyond: whether its map is in figure 8."""
    figure = "8" if beyond and says.figure == "7" else says.figure
    paper, name = says.paper + elsewhere, record.origin.system
    if maps is None:
        return Claim(figure, name, says.text, paper, says.rule, None)
    return Claim(
        figure,
        name,
        says.text,
        paper,
        says.rule,
        says.measure(maps),
        network=label(maps.model),
        smaller=_smaller(record, maps),
        data=f"{int(maps.configurations.sum())} test configurations",
        note=f"patch {maps.of.patch}, {kinds(len(maps.of.folds), 'fold')}",
    )


def _smaller(record: Record, maps: Maps) -> str:
    return claims_models.smaller([(record.numbers, maps.model)], maps.of.split, with_floor=False)


def across(records: list[Record]) -> list[Claim]:
    """Section V.C: the important region, from the farthest to the nearest L = 200 system run."""
    found = ends(records, lambda numbers: bool(numbers.maps))
    wider = Trend(
        "8", "region of importance expands: rise of the sensitivity's half-width", 1, "sites"
    )
    lower = Trend("8", "sensitivity decreases: fall of its maximum", -1)
    return [_trend(found, wider, occlusion.half_width), _trend(found, lower, occlusion.peak)]


def _trend(records: list[Record], says: Trend, number: Callable[[Maps], Estimate]) -> Claim:
    name = towards(records)
    if len(records) < 2:
        return Claim(says.figure, name, says.text, PAPER, RULE, None, unit=says.unit)
    maps = [r.numbers.preferred_map() for r in records]
    series = [number(m) for m in maps]
    return Claim(
        says.figure,
        name,
        says.text,
        PAPER,
        RULE,
        says.change(series[0], series[-1]),
        network=label(maps[0].model),
        unit=says.unit,
        smaller=_unlike(maps[0], maps[-1])
        or _smaller(records[0], maps[0])
        or _smaller(records[-1], maps[-1]),
        data=f"{int(min(m.configurations.sum() for m in maps))} test configurations",
        note="; ".join(
            f"R = {r.numbers.system.range:g}: {found}"
            for r, found in zip(records, series, strict=True)
        ),
    )


def _unlike(first: Maps, last: Maps) -> str:
    """Why two maps cannot be compared."""
    how = [(m.model, m.of.patch, m.of.fill, m.of.split) for m in (first, last)]
    return "" if how[0] == how[1] else "the maps were made with other networks or patches"
