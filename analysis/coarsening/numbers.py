"""All that is worked out of a run once, for figures, claims and tables alike."""

from dataclasses import dataclass

from analysis.coarsening import costs, energy, errors, layers
from analysis.coarsening.costs import Cost
from analysis.coarsening.dataset import Run
from analysis.coarsening.energy import Bands, Gap
from analysis.coarsening.errors import Errors
from analysis.coarsening.layers import End
from analysis.coarsening.names import Network
from analysis.coarsening.rollouts import Case
from analysis.estimates import Estimate

Key = tuple[str, Network]  # case, network


@dataclass(frozen=True)
class Numbers:
    """By (case, network): errors, gaps of F, bands, exponents, last states; of the truth by case:
    exponents, last states.
    """

    errors: dict[Key, Errors]
    gaps: dict[Key, Gap]
    bands: dict[Key, Bands]
    exponents: dict[Key, Estimate]
    ends: dict[Key, End]
    exponents_truth: dict[str, Estimate]
    ends_truth: dict[str, End]
    windows: dict[str, tuple[float, float] | None]
    costs: list[Cost]


def window(run: Run, case: Case) -> tuple[float, float] | None:
    """Where exponents are fitted: by the truth, or where there is none by the network that the
    claims are judged by.
    """
    by = case.truth or case.networks.get(run.main(case.networks)) or case.first
    return energy.window(
        by.series_time, by.series["free_energy"].mean(axis=0), run.volume(case), run.side(case)
    )


def of_run(run: Run) -> Numbers:
    spacing, width = run.network_spacing, run.interface_width
    windows = {name: window(run, case) for name, case in run.cases.items()}
    pairs = {
        (name, network): (case, rollout)
        for name, case in run.cases.items()
        for network, rollout in case.networks.items()
    }
    compared = {
        key: errors.compare(case, key[1], spacing, width, run.system("downscaling"))
        for key, (case, _) in pairs.items()
    }
    gaps = {key: energy.gap(case, rollout) for key, (case, rollout) in pairs.items()}
    bands = {
        key: energy.bands(case, rollout, run.volume(case)) for key, (case, rollout) in pairs.items()
    }
    truths = {name: case.truth for name, case in run.cases.items() if case.truth is not None}

    def slope(name: str, rollout) -> Estimate:
        return energy.exponent(rollout.series_time, rollout.series["free_energy"], windows[name])

    return Numbers(
        {key: found for key, found in compared.items() if found is not None},
        {key: found for key, found in gaps.items() if found is not None},
        {key: found for key, found in bands.items() if found is not None},
        {key: slope(key[0], rollout) for key, (_, rollout) in pairs.items()},
        {key: layers.end(rollout, spacing, width) for key, (_, rollout) in pairs.items()},
        {name: slope(name, truth) for name, truth in truths.items()},
        {name: layers.end(truth, spacing, width) for name, truth in truths.items()},
        windows,
        costs.table(run),
    )
