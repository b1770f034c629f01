"""A row of the report: the paper's statement, our number with error, what needs no network, and the
verdict of a fixed rule.
"""

from dataclasses import dataclass

import numpy as np

from analysis.coarsening.dataset import Run
from analysis.coarsening.names import Network
from analysis.estimates import Estimate
from analysis.verdicts import NOT_RUN, Rule, judged, number

SIZE, SEQUENCES, FRAMES, EPOCHS = (
    32,
    1295,
    50,
    1000,
)  # of the paper: network's cells a side, training sequences, their frames, epochs
SYSTEM = {"interface_width": 3.0, "spacing": 1.0, "downscale": 2}


@dataclass(frozen=True)
class Claim:
    """agrees: the verdict; by_rule: what the rule alone says, also where the run is not comparable
    with the paper.

    baselines: {what: its value} by the same measure.
    """

    run: str
    model: str
    claim: str
    paper: str
    rule: str
    agrees: str = NOT_RUN
    by_rule: str = NOT_RUN
    ours: float | None = None
    error: float | None = None
    data: str = ""
    baselines: dict[str, float | None] | None = None
    note: str = ""


def starts(count: int) -> str:
    return f"{count} start" + "s" * (count > 1)


def row(
    run: Run,
    network: Network | None,
    text: str,
    paper: str,
    rule: Rule,
    found: Estimate | None,
    *,
    data: str = "",
    baselines: dict | None = None,
    note: str = "",
) -> Claim:
    """A judged row; found None: not run."""
    title = network.title if network is not None else ""
    if found is None:
        return Claim(run.name, title, text, paper, rule.text)
    comparable = same_task(run, network)
    known = {what: number(value) for what, value in (baselines or {}).items()}
    return Claim(
        run.name,
        title,
        text,
        paper,
        rule.text,
        judged(rule, found, comparable),
        judged(rule, found, True),
        number(found.value),
        number(found.error),
        data,
        known or None,
        note,
    )


def same_task(run: Run, network: Network | None) -> bool:
    """Whether grid and equation are the paper's, and sequences, frames and epochs at least half of
    its.
    """
    system, trained = run.config["system"], run.trained.get(network)
    same = (
        all(np.isclose(float(system.get(name, value)), value) for name, value in SYSTEM.items())
        and run.network_size == SIZE
    )
    epochs = (
        0
        if trained is None
        else int(trained.attributes.get("epochs", len(trained.history.get("epoch", ()))))
    )
    return bool(
        same
        and run.sequences("training") >= SEQUENCES / 2
        and int(run.config["generate"]["frames"]) >= FRAMES / 2
        and epochs >= EPOCHS / 2
    )
