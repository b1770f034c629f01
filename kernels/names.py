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

# letters and words of the field, and what they are called here: the first that the call takes
CALLED = {
    "T": ("temperature",),
    "temp": ("temperature",),
    "kT": ("temperature",),
    "beta": ("temperature",),  # its inverse
    "h": ("field", "spacing"),
    "H": ("field",),
    "B": ("field",),
    "magnetic_field": ("field",),
    "L": ("size", "shape"),
    "N": ("size", "shape", "count"),
    "n": ("count", "events", "copies"),
    "size": ("shape",),
    "shape": ("size",),
    "R": ("range",),
    "radius": ("range",),
    "dim": ("dimensions",),
    "d": ("dimensions",),
    "D": ("diffusion",),
    "v": ("self_propulsion",),
    "eps": ("self_propulsion", "epsilon", "interface_width"),
    "epsilon": ("self_propulsion", "interface_width"),
    "rho": ("density",),
    "rho0": ("density",),
    "kappa": ("epsilon",),
    "M": ("mobility",),
    "a": ("well_depth",),
    "W": ("well_depth",),
    "f": ("form",),
    "free_energy": ("form",),
    "dx": ("spacing",),
    "dt": ("step", "time_step"),
    "tol": ("tolerance",),
    "c": ("mean", "fields"),
    "c0": ("mean", "fields"),
    "phi": ("fields", "mean"),
    "phi0": ("mean", "phi"),
    "amplitude": ("noise",),
    "t": ("times", "steps"),
    "time": ("times", "steps"),
    "mcs": ("times", "steps"),
    "tau": ("lifetime",),
    "random_state": ("seed",),
    "rng": ("seed",),
}
UNITS = {
    "temperature": "energy / k_B",
    "field": "energy",
    "size": "sites a side",
    "shape": "cells a side",
    "range": "sites",
    "diffusion": "hops a time unit",
    "self_propulsion": "0 to 1",
    "density": "particles a site",
    "epsilon": "sqrt(energy / length)",
    "interface_width": "length",
    "mobility": "length^2 / time at energies of 1",
    "well_depth": "energy / volume",
    "spacing": "length",
    "step": "time",
    "time_step": "time units",
    "mean": "concentration",
    "lifetime": "MCS",
}
NONE_HERE = {
    (
        "Ising",
        "J",
    ): "couplings are 1 to the nearest neighbours, else add up to 4, and temperature and "
    "field are in units of them",
    ("ActiveIsing", "J"): "the coupling is 1, and temperature in units of it",
}
SUBJECT = TypeVar("SUBJECT", bound=Callable)


def named(subject: SUBJECT) -> SUBJECT:
    """A function, or a class with its public methods, that refuses a name which it does not take,
    and too many arguments without one, by TypeError, one line.
    """
    if not isinstance(subject, type):
        return checked(subject, subject.__name__, {})
    takes = {
        name: function
        for name, function in vars(subject).items()
        if inspect.isfunction(getattr(function, "__func__", function))
        and (name == "__init__" or not name.startswith("_"))
    }
    others = {
        subject.__name__ if name == "__init__" else f"{subject.__name__}.{name}": parameters(
            getattr(function, "__func__", function)
        )
        for name, function in takes.items()
    }
    for title, (name, function) in zip(others, takes.items(), strict=True):
        if isinstance(function, classmethod | staticmethod):
            setattr(subject, name, type(function)(checked(function.__func__, title, others)))
        else:
            setattr(subject, name, checked(function, title, others))
    return subject


def parameters(function: Callable) -> dict[str, inspect.Parameter]:
    found = dict(inspect.signature(function).parameters)
    for first in ("self", "cls"):
        found.pop(first, None)
    return found


def checked(function, title: str, others: dict[str, dict]):
    """The function, its names checked; others: what else of its class takes, by title."""
    takes = parameters(function)
    kinds = {each.kind for each in takes.values()}
    whole = inspect.signature(function).parameters.values()
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    most = sum(each.kind in positional for each in whole)
    any_name = inspect.Parameter.VAR_KEYWORD in kinds
    any_number = inspect.Parameter.VAR_POSITIONAL in kinds
    bound = most - sum(takes[name].kind in positional for name in takes)  # self

    @functools.wraps(function)
    def call(*arguments, **words):
        if not (any_name or words.keys() <= takes.keys()):
            unknown = next(name for name in words if name not in takes)
            raise TypeError(f"{unknown}: {instead(unknown, title, takes, others)}") from None
        if len(arguments) > most and not any_number:
            rest = ", ".join(f"{name}=" for name in list(takes)[most - bound :])
            raise TypeError(
                f"{title} takes {most - bound or 'no'} argument{'s' * (most - bound != 1)} without a "
                f"name, here are {len(arguments) - bound}; write {rest or 'fewer'}"
            )
        return function(*arguments, **words)

    return call


def instead(unknown: str, title: str, takes: dict, others: dict[str, dict]) -> str:
    """What is said of a name that is not one of `takes`."""
    if (title, unknown) in NONE_HERE:
        return f"no argument of {title}: {NONE_HERE[title, unknown]}"
    meant = CALLED.get(unknown, ())
    for name in meant:
        if name in takes:
            unit = f" [{UNITS[name]}]" if name in UNITS else ""
            inverse = f", which is 1 / {unknown}" if unknown == "beta" else ""
            return f"the argument of {title} is called {name}{unit}{inverse}"
    close = difflib.get_close_matches(unknown, takes, 1, 0.75)
    if close:
        return f"no argument of {title}; is {close[0]} meant?"
    for other, names in sorted(others.items(), key=lambda each: not each[0].endswith(".run")):
        for name in (unknown, *meant):
            if name in names and other != title:
                called = "" if name == unknown else f", called {name}"
                return f"no argument of {title}, but of {other}{called}"
    return f"no argument of {title}, which takes {', '.join(takes) or 'none'}"
