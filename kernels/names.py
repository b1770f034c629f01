"""What arguments are called: a call with another name, such as a paper's letter, ends in one line
that says the right one.  For every public class and function of the models.

    @named
    class Ising: ...

    Ising(size=8, T=2.0)  # T: the argument of Ising is called temperature [energy / k_B]
"""

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import TypeVar

__all__ = ["named"]

# of an argument: its unit, and what else the field calls it; a word that stands at several means
# the first of them that the call takes
ARGUMENTS = {
    "temperature": ("energy / k_B", "T temp kT beta"),
    "field": ("energy", "h H B magnetic_field"),
    "size": ("sites a side", "L N shape"),
    "shape": ("cells a side", "L N size"),
    "range": ("sites", "R radius"),
    "dimensions": ("", "d dim"),
    "diffusion": ("hops a time unit", "D"),
    "self_propulsion": ("0 to 1", "v eps epsilon"),
    "density": ("particles a site", "rho rho0"),
    "epsilon": ("sqrt(energy / length)", "eps kappa"),
    "interface_width": ("length", "eps epsilon"),
    "mobility": ("length^5 / energy / time in 3D", "M"),
    "well_depth": ("energy / volume", "a W"),
    "form": ("", "f free_energy"),
    "reaction_rate": ("1 / time", "B"),
    "reaction_mean": ("concentration", "c_r"),
    "spacing": ("length", "h dx"),
    "step": ("time", "dt"),
    "time_step": ("time units", "dt"),
    "tolerance": ("", "tol"),
    "mean": ("concentration", "c c0 phi phi0"),
    "fields": ("", "c c0 phi"),
    "phi": ("", "phi0"),
    "noise": ("", "amplitude"),
    "times": ("", "t time mcs"),
    "steps": ("", "t time mcs"),
    "lifetime": ("MCS", "tau"),
    "count": ("", "N n"),
    "events": ("", "n"),
    "copies": ("", "n"),
    "seed": ("", "random_state rng"),
}
GIVEN_BY = {"beta": "1 / beta", "kappa": "sqrt(kappa)"}  # words that are not the argument itself
COUPLINGS = (
    "couplings are 1 to the nearest neighbours, else add up to 4, and temperature and field are in "
    "units of them"
)
NONE_HERE = {
    ("Ising", "J"): COUPLINGS,
    ("ActiveIsing", "J"): "the coupling is 1, and temperature in units of it",
}
SUBJECT = TypeVar("SUBJECT", bound=Callable)


def named(subject: SUBJECT) -> SUBJECT:
    """A function, or a class with its public methods, that refuses a name which it does not take,
    and too many arguments without one, by TypeError, one line.
    """
    if not isinstance(subject, type):
        return checked(subject, subject.__name__, {})
    found = {}  # by title: the attribute, and its function
    for name, attribute in vars(subject).items():
        function = getattr(attribute, "__func__", attribute)
        if inspect.isfunction(function) and (name == "__init__" or not name.startswith("_")):
            of = "" if name == "__init__" else f".{name}"
            found[subject.__name__ + of] = name, attribute, function
    others = {title: parameters(function) for title, (_, _, function) in found.items()}
    for title, (name, attribute, function) in found.items():
        wrapped = checked(function, title, others)
        kind = type(attribute)  # a classmethod stays one
        setattr(subject, name, wrapped if attribute is function else kind(wrapped))
    return subject


def parameters(function: Callable) -> dict[str, inspect.Parameter]:
    """Without self and cls."""
    found = inspect.signature(function).parameters
    return {name: each for name, each in found.items() if name not in ("self", "cls")}


def checked(function, title: str, others: dict[str, dict]):
    """The function, its names checked; others: what else of its class takes, by title."""
    takes = parameters(function)
    kinds = [each.kind for each in takes.values()]
    any_name = inspect.Parameter.VAR_KEYWORD in kinds
    any_number = inspect.Parameter.VAR_POSITIONAL in kinds
    most = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    bound = len(inspect.signature(function).parameters) - len(takes)  # self

    @functools.wraps(function)
    def call(*arguments, **words):
        if not (any_name or words.keys() <= takes.keys()):
            unknown = next(name for name in words if name not in takes)
            raise TypeError(f"{unknown}: {instead(unknown, title, takes, others)}")
        if len(arguments) - bound > most and not any_number:
            rest = ", ".join(f"{name}=" for name in list(takes)[most:])
            raise TypeError(
                f"{title} takes {most or 'no'} argument{'s' * (most != 1)} without a name, here are "
                f"{len(arguments) - bound}; write {rest or 'fewer'}"
            )
        return function(*arguments, **words)

    return call


def instead(unknown: str, title: str, takes: dict, others: dict[str, dict]) -> str:
    """What is said of a name that is not one of `takes`."""
    if (title, unknown) in NONE_HERE:
        return f"no argument of {title}: {NONE_HERE[title, unknown]}"
    meant = [name for name, (_, words) in ARGUMENTS.items() if unknown in words.split()]
    for name in meant:
        if name in takes:
            unit = f" [{ARGUMENTS[name][0]}]" if ARGUMENTS[name][0] else ""
            by = f", which is {GIVEN_BY[unknown]}" if unknown in GIVEN_BY else ""
            return f"the argument of {title} is called {name}{unit}{by}"
    close = difflib.get_close_matches(unknown, takes, 1, 0.75)
    if close:
        return f"no argument of {title}; is {close[0]} meant?"
    for other, names in sorted(others.items(), key=lambda each: not each[0].endswith(".run")):
        for name in (unknown, *meant):
            if name in names and other != title:
                called = "" if name == unknown else f", called {name}"
                return f"no argument of {title}, but of {other}{called}"
    return f"no argument of {title}, which takes {', '.join(takes) or 'none'}"
