"""Every claim of the paper as one row, system by system, then those that compare systems."""

from analysis.nucleation import droplet_claims, estimates, model_claims, paper
from analysis.nucleation.paper import PaperSystem
from analysis.nucleation.study import Study
from analysis.nucleation.verdicts import Claim, claim
from analysis.verdicts import about, between

LIFETIME = 1e4  # MCS
VERY_WEAK = 0.2  # |r| below this is commonly called very weak


def all_claims(studies: list[Study]) -> list[Claim]:
    """All rows; a system of the paper that two runs share is taken from the one with more results
    and data.
    """
    chosen: dict[PaperSystem, Study] = {}
    for study in sorted(studies, key=lambda s: (bool(s.training.folds), len(s.run.p_nuc))):
        if study.paper is not None:
            chosen[study.paper] = study
    rows = []
    for system in paper.SYSTEMS:
        study = chosen.get(system)
        name = study.name if study else system.name
        models = model_claims.near_spinodal if system.size == 200 else model_claims.generic
        rows += (
            of_data(system, study, name)
            + models(system, study, name)
            + droplet_claims.of_system(system, study, name)
        )
    used = list(chosen.values())
    return rows + model_claims.across(used) + droplet_claims.across(used)


def of_data(system: PaperSystem, study: Study | None, name: str) -> list[Claim]:
    """Section II: lifetime, growth, and how little m tells."""
    run = study.run if study else None
    size = {"configurations": len(run.p_nuc)} if run else {}
    lifetime = estimates.mean_lifetime(run.lifetime) if run else None
    rule = about(LIFETIME) if system.lifetime == paper.ABOUT else between(LIFETIME, float("inf"))
    rows = [claim(name, "mean lifetime", system.lifetime, rule, lifetime, unit="MCS", **size)]
    if system.growth is not None:
        ages = (
            estimates.crossing_ages(run.raw.event, run.raw.time, run.raw.p_nuc, 0.5)[1]
            if run
            else None
        )
        grown = estimates.median(ages) if run else None
        text = "growth time of the droplet to half the system, from p_nuc = 1/2"
        # Never comparable: the paper does not say when the droplet's growth begins.
        rows.append(
            claim(
                name,
                text,
                f"about {system.growth:g}",
                about(system.growth),
                grown,
                False,
                unit="MCS",
                **size,
            )
        )
    if system.correlation is not None:
        r = estimates.correlation(run.event, run.magnetization, run.p_nuc) if run else None
        rows.append(
            claim(
                name,
                "correlation of p_nuc with m",
                system.correlation,
                between(-VERY_WEAK, VERY_WEAK),
                r,
                **size,
            )
        )
    return rows
