"""The paper's claims on the droplet (section V.B and C): its size, its density, what the network
looks at.
"""

from collections.abc import Callable

from analysis.estimates import Estimate
from analysis.nucleation import estimates, model_claims, occlusion, skill
from analysis.nucleation.occlusion import Occlusion
from analysis.nucleation.paper import PaperSystem
from analysis.nucleation.study import Study
from analysis.nucleation.training import label
from analysis.nucleation.verdicts import Claim, claim
from analysis.verdicts import Rule, above, between, close_to

STRONG = 0.7
ELSEWHERE = " (shown for L = 200)"


def of_system(system: PaperSystem, study: Study | None, name: str) -> list[Claim]:
    """Rows of one system: those of L = 200, and of the others where there are occlusion maps."""
    rows = []
    if system.radius is not None:
        radius = estimates.mean(study.run.event, study.run.radius_of_gyration) if study else None
        rows.append(
            claim(
                name,
                "mean radius of gyration of the largest cluster",
                f"{system.radius:.2f}",
                close_to(system.radius),
                radius,
                unit="sites",
                configurations=len(study.run.p_nuc) if study else None,
            )
        )
    maps = occlusion.preferred(study.maps) if study else None
    if system.radius is None and maps is None:
        return rows
    extra = "" if system.radius is not None else ELSEWHERE
    return [
        *rows,
        of_maps(
            study,
            maps,
            name,
            "important region: half-width of the sensitivity / Rg",
            "comparable" + extra,
            between(0.5, 2),
            occlusion.width_over_gyration,
        ),
        of_maps(
            study,
            maps,
            name,
            "important region overlaps the droplet: sensitivity within Rg / beyond",
            "> 1" + extra,
            above(1),
            occlusion.inside_over_outside,
        ),
        of_maps(
            study,
            maps,
            name,
            "correlation of sensitivity with droplet density, by rings",
            "strong" + extra,
            above(STRONG),
            occlusion.correlation,
        ),
    ]


def of_maps(
    study: Study | None,
    maps: Occlusion | None,
    name: str,
    text: str,
    paper: str,
    rule: Rule,
    measure: Callable,
) -> Claim:
    """A row from one occlusion map; not run without one."""
    if study is None or maps is None:
        return claim(name, text, paper, rule, None)
    folds = study.folds(maps.split, maps.model)
    cases = [(study, (maps.model,))]
    return claim(
        name,
        text,
        paper,
        rule,
        measure(maps),
        model_claims.comparable(cases, maps.split, []),
        split=maps.split,
        training=min((len(fold.training) for fold in folds), default=None),
        test=int(maps.configurations.sum()),
        configurations=len(study.run.p_nuc),
        note=f"{label(maps.model)}, patch {maps.patch}, {len(maps.sensitivity)} fold{'s' * (len(maps.sensitivity) > 1)}",
    )


def across(studies: list[Study]) -> list[Claim]:
    """Section V.C: what changes towards the spinodal, from the farthest to the nearest L = 200
    system run.
    """
    near = sorted((s for s in studies if s.near_spinodal), key=lambda s: -s.distance_to_spinodal)
    with_density = [s for s in near if s.density is not None]
    with_maps = [s for s in near if s.maps]
    return [
        _droplet(
            with_density,
            "droplet core thins: fall of its density above background",
            -1,
            lambda s: s.density.core,
            "",
        ),
        _droplet(
            with_density,
            "halo expands: rise of the density's half-width",
            1,
            lambda s: s.density.half_radius,
            "sites",
        ),
        _maps(
            with_maps,
            "region of importance expands: rise of the sensitivity's half-width",
            1,
            occlusion.half_width,
            "sites",
        ),
        _maps(with_maps, "sensitivity decreases: fall of its maximum", -1, occlusion.peak, ""),
    ]


def _ends(found: list[Study]) -> str:
    return f"{found[0].name} to {found[-1].name}" if len(found) > 1 else "R = 10 to 20, L = 200"


def _change(first: Estimate, last: Estimate, sign: int) -> Estimate:
    return skill.independent(last, first) if sign > 0 else skill.independent(first, last)


def _droplet(
    found: list[Study], text: str, sign: int, number: Callable[[Study], Estimate], unit: str
) -> Claim:
    if len(found) < 2:
        return claim(_ends(found), text, "> 0", above(0), None, unit=unit)
    series = "; ".join(f"R = {s.run.system.range:g}: {number(s)}" for s in found)
    change = _change(number(found[0]), number(found[-1]), sign)
    fewest = min(len(s.run.p_nuc) for s in found)
    return claim(
        _ends(found), text, "> 0", above(0), change, unit=unit, configurations=fewest, note=series
    )


def _maps(
    found: list[Study], text: str, sign: int, number: Callable[[Occlusion], Estimate], unit: str
) -> Claim:
    if len(found) < 2:
        return claim(_ends(found), text, "> 0", above(0), None, unit=unit)
    maps = [occlusion.preferred(s.maps) for s in found]
    first, last = maps[0], maps[-1]
    alike = (first.model, first.patch, first.fill, first.split) == (
        last.model,
        last.patch,
        last.fill,
        last.split,
    )
    cases = [[(s, (m.model,))] for s, m in ((found[0], first), (found[-1], last))]
    enough = all(
        model_claims.comparable(case, m.split, [])
        for case, m in zip(cases, (first, last), strict=True)
    )
    return claim(
        _ends(found),
        text,
        "> 0",
        above(0),
        _change(number(first), number(last), sign),
        alike and enough,
        unit=unit,
        split=first.split,
        test=int(min(m.configurations.sum() for m in maps)),
        configurations=min(len(s.run.p_nuc) for s in found),
        note="; ".join(
            f"R = {s.run.system.range:g}: {number(m)}" for s, m in zip(found, maps, strict=True)
        ),
    )
