"""The paper's claims on the data set: lifetime, growth, m, the droplet's size and density; and all
of a record together.
"""

from collections.abc import Callable

from analysis.claim import Claim
from analysis.estimates import Estimate
from analysis.nucleation import claims_maps, claims_models, labels, paper
from analysis.nucleation.measure import Numbers
from analysis.nucleation.paper import PaperSystem
from analysis.nucleation.trends import PAPER, RULE, Trend, ends, towards
from analysis.record import Record
from analysis.verdicts import Rule, about, above, between, close_to

LIFETIME = 1e4  # MCS
OF_LIFETIME = "mean lifetime"
CHOSEN = {
    "system.field": {
        OF_LIFETIME: "the fields of a sweep were chosen, and the mean lifetime follows from the field"
    }
}
# |r|; what the authors call very weak has R^2 = 0.18 in their program, |r| = 0.42
VERY_WEAK = 0.45
NO_START = "the paper does not say when the droplet's growth begins"


def of_record(record: Record) -> list[Claim]:
    """All claims on one system; none where the paper has no such system."""
    system = paper.find(record.numbers.system)
    if system is None:
        return []
    return (
        of_data(record, system)
        + claims_models.of_system(record, system)
        + claims_maps.of_system(record, system)
    )


def between_systems(records: list[Record]) -> list[Claim]:
    """Claims that compare the paper's systems."""
    known = [r for r in records if paper.find(r.numbers.system) is not None]
    return claims_models.across(known) + across(known) + claims_maps.across(known)


def of_data(record: Record, system: PaperSystem) -> list[Claim]:
    """Section II, and the mean radius of gyration of section V."""
    made = record.numbers.generated
    size, events = f"{made.configurations} configurations", f"{made.events} events"

    def row(figure: str, text: str, stated: str, rule: Rule, quantity: str, **more) -> Claim:
        found = record.numbers.quantities[quantity]
        return Claim(figure, record.origin.system, text, stated, rule, found, **more)

    rule = about(LIFETIME) if system.lifetime == paper.ABOUT else above(LIFETIME)
    in_time = {"unit": "MCS", "data": events}
    rows = [row("", OF_LIFETIME, system.lifetime, rule, labels.LIFETIME, **in_time)]
    if system.growth is not None:
        text = "growth time of the droplet to half the system, from p_nuc = 1/2"
        stated, rule = f"about {system.growth:g}", about(system.growth)
        rows.append(row("1", text, stated, rule, labels.GROWTH, smaller=NO_START, **in_time))
    if system.correlation is not None:
        text, rule = "correlation of p_nuc with m", between(-VERY_WEAK, VERY_WEAK)
        ranks = record.numbers.quantities.get(labels.RANKS)
        beside = {} if ranks is None else {"by ranks": ranks}
        more = {"data": size, "beside": beside}
        rows.append(row("2", text, system.correlation, rule, labels.CORRELATION, **more))
    if system.radius is not None:
        figure, rule = "7" if system.range == 10 else "8", close_to(system.radius)
        text, stated = "mean radius of gyration of the largest cluster", f"{system.radius:.2f}"
        rows.append(row(figure, text, stated, rule, labels.RADIUS, unit="sites", data=size))
    return rows


def across(records: list[Record]) -> list[Claim]:
    """Section V.C: the droplet's density, from the farthest to the nearest L = 200 system run."""
    found = ends(records, lambda numbers: numbers.density is not None)
    core = Trend("9", "droplet core thins: fall of its density above background", -1)
    halo = Trend("9", "halo expands: rise of the density's half-width", 1, "sites")
    return [
        trend(found, core, lambda numbers: numbers.density.core),
        trend(found, halo, lambda numbers: numbers.density.half_radius),
    ]


def trend(records: list[Record], says: Trend, number: Callable[[Numbers], Estimate]) -> Claim:
    """A claim on the ends of a series of systems; not run with fewer than two."""
    series = [(r, number(r.numbers)) for r in records] if len(records) > 1 else []
    return Claim(
        says.figure,
        towards(records),
        says.text,
        PAPER,
        RULE,
        says.change(series[0][1], series[-1][1]) if series else None,
        unit=says.unit,
        note="; ".join(f"R = {r.numbers.system.range:g}: {found}" for r, found in series),
    )
