"""The claims of a page as a table: a row a claim and whose number it is, or, where a few networks
are judged by the same claims, a row a claim, so that their numbers stand side by side.
"""

from analysis import record
from analysis.claim import Claim
from analysis.tables import table
from analysis.verdicts import NOT_COMPARABLE, NOT_RUN

SIDE_BY_SIDE = 3  # networks that have a column each, at most
SHARED = 0.75  # rows of that table over the claims, up to which it is the shorter one
SEVERAL = (
    "*3 runs*: the mean of so many runs with other seeds, data and trainings, with its error. *1 run*: its error does not know what "
    "another seed gives."
)
ALSO = "\N{DEGREE SIGN}"  # after a verdict
IT_ALSO = f"{ALSO}: so does what needs no network."
IN_LAST = "The last column belongs to the runs of the first network in each row; other networks' runs may have slightly other values there."


def lines(claims: list[Claim], by_network: bool) -> list[str]:
    """Markdown; by_network: whether a network that one system alone has says enough of the
    system.
    """
    found = ["## Claims", ""]
    there = [c for c in claims if c.agrees != NOT_RUN]
    judged = {c.text for c in there}
    several = len({c.system for c in claims}) > 1
    whose = owners(there, several=several, by_network=by_network)
    found += [SEVERAL, ""] if any(c.runs > 1 for c in there) else []
    if there:
        together = side_by_side(there, whose) if by_network or not several else []
        found += together or one_by_one(there, whose, several)
    absent = dict.fromkeys(c.text for c in claims if c.text not in judged)
    return [*found, *([f"Not run: {'; '.join(absent)}.", ""] if absent else [])]


def owners(claims: list[Claim], *, several: bool, by_network: bool) -> list[str]:
    """Of each claim: the system where a page has several, the network, and of how many runs."""
    name = record.told_apart(c.system for c in claims)
    at: dict[str, set[str]] = {}
    for c in claims:
        at.setdefault(c.network, set()).add(c.system)

    def system(c: Claim) -> str:
        known = by_network and c.network and len(at[c.network]) == 1
        return "" if not several or known else name[c.system]

    return [", ".join(filter(None, (system(c), c.network, runs(c, claims)))) for c in claims]


def one_by_one(claims: list[Claim], whose: list[str], several: bool) -> list[str]:
    head = ["fig.", "system, network" if several else "network", "claim"]
    rows = [
        [c.figure, who, c.text, c.paper, number(c) + beside(c), c.rule.text, verdict(c)]
        for c, who in zip(claims, whose, strict=True)
    ]
    return table([*head, "paper", "ours", "agrees if", "agrees"], rows)


def side_by_side(claims: list[Claim], whose: list[str]) -> list[str]:
    """A column a network; [] where that is no shorter, or too wide."""
    columns = list(dict.fromkeys(whose))
    asked: dict[tuple, dict[str, Claim]] = {}
    for c, who in zip(claims, whose, strict=True):
        asked.setdefault((c.text, c.paper, c.rule.text), {})[who] = c
    if not 1 < len(columns) <= SIDE_BY_SIDE or len(asked) > SHARED * len(claims):
        return []
    if sum(map(len, asked.values())) < len(claims):
        return []  # one network's number twice: of two systems, say
    rows = []
    for (text, paper, rule), cells in asked.items():
        mine = [cells.get(who) for who in columns]
        told = next(iter(cells.values()))
        figure = next((c.figure for c in cells.values() if c.figure), "")
        idle = "; ".join(
            f"{what} {found}{ALSO if what in told.also else ''}"
            for what, found in no_network(told).items()
        )
        rows.append([figure, text, f"{paper}: {rule}", *(cell(c) for c in mine), idle])
    head = ["fig.", "claim", "paper: agrees if", *columns, "without a network"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    legend = [IN_LAST] if len(head) > 3 + len(columns) else []
    legend += [IT_ALSO] if any(c.also for c in claims) else []
    return [*table(head, rows), *([" ".join(legend), ""] if legend else [])]


def cell(claim: Claim | None) -> str:
    """A number of a network, and its verdict."""
    if claim is None:
        return ""
    measured = in_brackets(claim.known(claim.beside))
    return f"{number(claim)}{measured} {judged(claim)}{ALSO if claim.also else ''}{unlike(claim)}"


def number(claim: Claim) -> str:
    return " ".join(filter(None, (claim.ours, claim.unit)))


def no_network(claim: Claim) -> dict:
    """What needs no network, and what no network can beat."""
    return claim.known({**claim.baselines, **claim.limits})


def in_brackets(numbers: dict) -> str:
    """What stands beside a number."""
    known = [f"{what} {found}" for what, found in numbers.items()]
    return f" ({'; '.join(known)})" if known else ""


def beside(claim: Claim) -> str:
    """All of it, where there is no column for what needs no network."""
    return in_brackets(no_network(claim) | claim.known(claim.beside))


def judged(claim: Claim) -> str:
    """In brackets by the rule alone."""
    return f"({claim.by_rule})" if claim.agrees == NOT_COMPARABLE else f"**{claim.agrees}**"


def verdict(claim: Claim) -> str:
    """With what is said of the numbers beside it."""
    also = f"; so does: {', '.join(claim.also)}" if claim.also else ""
    return judged(claim) + also + unlike(claim)


def unlike(claim: Claim) -> str:
    """What the rule says of the numbers beside it, where it is something else."""
    return "".join(f"; {said} {what}" for what, said in claim.unlike.items())


def runs(claim: Claim, claims: list[Claim]) -> str:
    """Whose number it is, where a page has some of several runs."""
    if all(c.runs == 1 for c in claims):
        return ""
    return f"{claim.runs} runs" if claim.runs > 1 else "1 run"
