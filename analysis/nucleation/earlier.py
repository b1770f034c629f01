"""A report made before, of runs whose data are no longer at hand: what it says of systems without a
run now is taken over.
"""

import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.estimates import Estimate
from analysis.nucleation.model_tables import Difference, ModelRow
from analysis.nucleation.quantities import NOT_RUN, Row
from analysis.nucleation.report import Content
from analysis.nucleation.verdicts import Claim
from analysis.runs import BadInput

PARTS = ("systems", "rows", "claims", "models", "differences", "figures")
TAKEN = " (earlier)"  # behind the name of a run that a report took over
WITH_EARLIER = "figure-3-mse.png"  # shows earlier systems (skills) beside the new
OF_ONE_SYSTEM = re.compile(r"-R[\d.]+-L\d+")  # in the file name of a figure
FOLDS = re.compile(
    r" \([^()]*folds?\)$"
)  # the models and folds behind a claim, which differ from report to report


@dataclass(frozen=True)
class Skill:
    """What figure 3 needs of a system: label, mse {(split, model): Estimate}, label-noise floor,
    variance of p_nuc.
    """

    range: float
    label: str
    mse: dict[tuple[str, str], Estimate]
    floor: float
    variance: float


def read(path: Path) -> dict:
    """report.json as it was written. Raises BadInput for anything else."""
    try:
        numbers = json.loads(path.read_text())
        if numbers["study"] == "nucleation" and all(key in numbers for key in PARTS):
            return {**numbers, "folder": path.parent}
    except OSError as error:
        raise BadInput(f"{path}: cannot read the earlier report: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        pass
    raise BadInput(f"{path}: not the report.json of a nucleation analysis")


def missing_systems(numbers: dict, present: set[str]) -> set[str]:
    return {s["system"] for s in numbers["systems"]} - present


def skills(numbers: dict, present: set[str], largest: int) -> list[Skill]:
    """Of the systems that have no run now, no larger than `largest`."""
    found = []
    for system in numbers["systems"]:
        rows = [ModelRow(**r) for r in numbers["models"] if r["system"] == system["system"]]
        if system["system"] in present or not rows or system["size"] > largest:
            continue
        first = next(r for r in rows if r.floor is not None)
        excess = first.mse["value"] - first.floor
        mse = {(r.split, r.model): Estimate(r.mse["value"], r.mse["error"]) for r in rows}
        found.append(
            Skill(
                system["range"],
                f"R = {system['range']:g}\nL = {system['size']}",
                mse,
                first.floor,
                first.floor + excess / (1 - first.explained["value"]),
            )
        )
    return found


def _what(claim: Claim) -> tuple[str, str]:
    """A claim's identity, whatever the number of folds; those that compare systems are known by
    their text alone.
    """
    return "" if " to " in claim.system else claim.system, FOLDS.sub("", claim.claim)


def complete(content: Content, numbers: dict, out: Path) -> Content:
    """`content` with the earlier report's systems, rows, claims and figures where there is no run
    now; its figures are copied.
    """
    present = {s["system"] for s in content.systems}
    taken = missing_systems(numbers, present)
    if not taken:
        return content
    claims = {_what(c): c for c in (Claim(**c) for c in numbers["claims"]) if c.agrees != NOT_RUN}
    across = {
        what: c
        for what, c in claims.items()
        if not what[0] and any(system in c.system for system in taken)
    }
    asked = {_what(c) for c in content.claims}
    whole = [
        across.get(_what(c)) or (claims.get(_what(c), c) if c.agrees == NOT_RUN else c)
        for c in content.claims
    ]
    whole += [
        c
        for what, c in claims.items()
        if what not in asked and (what[0] in taken or what in across)
    ]
    order = list(dict.fromkeys(c.system for c in whole))
    rows = [Row(**r) for r in numbers["rows"] if r["system"] in taken and r["status"] != NOT_RUN]
    return replace(
        content,
        systems=content.systems
        + [
            {**s, "run": s["run"].removesuffix(TAKEN) + TAKEN}
            for s in numbers["systems"]
            if s["system"] in taken
        ],
        rows=[r for r in content.rows if r.status != NOT_RUN or r.system not in taken] + rows,
        claims=sorted(whole, key=lambda c: order.index(c.system)),
        models=content.models + [ModelRow(**r) for r in numbers["models"] if r["system"] in taken],
        differences=content.differences
        + [Difference(**d) for d in numbers["differences"] if d["system"] in taken],
        pictures=content.pictures + _figures(content, numbers, present, out),
    )


def _figures(
    content: Content, numbers: dict, present: set[str], out: Path
) -> list[tuple[str, str]]:
    """Figures of one system that has no run now, and the earlier ones of several systems beside the
    new, as earlier-NAME.
    """
    new = {name for name, _ in content.pictures}
    slugs = {s["system"].replace(" = ", "").replace(", ", "-") for s in content.systems}
    drawn = {
        s["system"] for s in numbers["systems"] if not s["run"].endswith(TAKEN)
    }  # in the figures of that report's own
    kept = []
    for figure in numbers["figures"]:
        name = Path(figure["file"]).name
        source = numbers["folder"] / "figures" / name
        of_several = not OF_ONE_SYSTEM.search(name)
        superseded = (
            of_several
            and not name.startswith("earlier-")
            and (drawn <= present or name in new & {WITH_EARLIER})
        )
        if not source.exists() or superseded or any(slug in name for slug in slugs):
            continue
        target = name
        while of_several and target in new | {kept_name for kept_name, _ in kept}:
            target = f"earlier-{target}"
        if target in new:
            continue
        if (out / "figures" / target).resolve() != source.resolve():
            shutil.copyfile(source, out / "figures" / target)
        kept.append(
            (target, f"Earlier report: {figure['caption'].removeprefix('Earlier report: ')}")
        )
    return kept
