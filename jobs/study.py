"""What a study is: the one contract between a study and all that is shared, and the registry.

A study is a package jobs/NAME. Its __init__ holds STUDY, a Study, and imports nothing heavy; its
config is a module `config`, and each of its stages a module of the stage's name with the functions
of Generate, Collect, Train or Last below. A new study is such a package and a line in NAMES
(CONTRIBUTING.md says how to add one).
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from jobs.config import Section
from jobs.shards import Data

NAMES = ("nucleation", "segregation", "flocking", "coarsening")


@dataclass(frozen=True)
class OwnInput:
    """What the last stage takes with --input.

    what: in a word; file: what it holds; answer: name of the file that comes out; model: the
    network that answers, if none is named. options: {--option: keywords of argparse.add_argument},
    further ones of this study. alone: a module of the package whose function alone(request, device,
    progress) answers without a run, by a network that comes with Quench; None: there is none.
    """

    what: str
    file: str
    answer: str
    model: str
    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    alone: str | None = None


@dataclass(frozen=True)
class Study:
    """One study, as its package declares it.

    name: of the package; model: name of the config's class in its module `config`. setting: an
    example of --set. last: the stage after train, predict or rollout; None: a study without
    networks, which ends with collect. apart: stages that `all` leaves out. optional: {stage: key of
    the config}: stages that need no other, and that `all` runs at its end where that key is not
    0; by their own names they run whatever it is. Each fills RUN/STAGE, and writes RUN/STAGE.h5 at
    its end. together: whether the
    ranks that torchrun starts train one network (else it is refused). own_kernels: whether the
    networks' arithmetic is our own, and torch has the optimiser alone: torch then needs no GPU, and
    one network at a time takes all of one. begins: {folder of a run: prefixes of the keys that
    decide what it holds}: these may change until it is there. free: prefixes of keys that say what
    to do next, and decide no file that is there. examples: of --help, (comment, arguments of python
    -m jobs NAME). report: a module of the package whose function
    lines(system) `status` shows.
    """

    name: str
    model: str
    setting: str
    last: str | None = None
    own: OwnInput | None = None
    examples: tuple[tuple[str, str], ...] = ()
    apart: tuple[str, ...] = ()
    optional: dict[str, str] = field(default_factory=dict)
    together: bool = False
    own_kernels: bool = False
    begins: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"train": ("train.",)})
    free: tuple[str, ...] = ("train.models", "predict.")
    report: str | None = None

    @property
    def stages(self) -> tuple[str, ...]:
        """In the order of their work; `all` runs those that are not apart."""
        learns = ("train", *self.apart, self.last) if self.last else self.apart
        return ("generate", "collect", *learns, *self.optional)

    @property
    def config(self) -> type[Section]:
        """The class of its configs."""
        return getattr(importlib.import_module(f"jobs.{self.name}.config"), self.model)

    @property
    def about(self) -> str:
        """What it is, from the package's docstring."""
        return importlib.import_module(f"jobs.{self.name}").__doc__ or ""

    def stage(self, name: str) -> Any:
        """The module of a stage."""
        return importlib.import_module(f"jobs.{self.name}.{name}")


def of(name: str) -> Study:
    """A study by its name, one of NAMES."""
    return importlib.import_module(f"jobs.{name}").STUDY


def models() -> dict[str, type[Section]]:
    """{study: class of its configs}."""
    return {name: of(name).config for name in NAMES}


# ---- what a stage's module holds


class Generate(Protocol):
    """jobs/generating.py calls them, in one process: cores are those that the model's own kernels
    use, ranks and array tasks share the units.  simulate yields (unit, {name: Data}) one by one,
    and tells report(done) how many units' worth of work is done.  A study need not have announce,
    which says sizes, and work(model, config, unit), how long a unit takes beside others.
    """

    def build(self, config: Any, device: Any) -> Any: ...
    def warn(self, model: Any, config: Any) -> list[str]: ...
    def batch(self, config: Any, device: Any) -> int: ...
    def simulate(
        self, model: Any, config: Any, units: Sequence[int], report: Callable[[float], None]
    ) -> Iterator[tuple[int, dict[str, Data]]]: ...


class Collect(Protocol):
    """Put a system's units together to its data set.  Raises UserError."""

    def run(self, system: Any, device: Any, progress: Any) -> None: ...


class Train(Protocol):
    """jobs/training.py calls them: check raises UserError for data that cannot be used; belonging
    is what a trained network's files must say that they were made from (training.made_of); fit
    trains one and returns a line about it.  A study need not have work(system, network_name), by
    which several ranks take the longest first.
    """

    def check(self, system: Any) -> None: ...
    def belonging(self, system: Any) -> dict[str, str]: ...
    def fit(self, system: Any, network_name: str, device: str, report: Any) -> str: ...


class Plan(Protocol):
    """jobs/NAME/plan.py, which a study need not have: a function for each of its stages, by whose
    name it goes, (config, machine) -> parts of jobs/trials.py: what the stage makes, and trials
    that tell what it takes; and kernels, which compiles all that its stages launch.
    """

    def kernels(self, config: Any, device: Any) -> None: ...

    def generate(self, config: Any, machine: Any) -> list[Any]: ...
    def collect(self, config: Any, machine: Any) -> list[Any]: ...


class Last(Protocol):
    """This process's share of all systems, or the answer to request.input; how many failed. Stages
    that are apart or optional are such ones, too.
    """

    def run(
        self, systems: list[Any], rank: Any, request: Any, device: Any, progress: Any
    ) -> int: ...
