"""How far a long call of a model is: a bar by default, one way for all models.

with shown(progress, total=512, unit="events") as report:
    ...
    if report:
        report(done)
"""

import contextlib
import multiprocessing
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal

from kernels.arguments import shown as quoted

__all__ = ["shown"]

Report = Callable[[float], None] | Literal[False] | None  # what a model's `progress` may be
PATIENCE = 2.0  # seconds of a call before its bar appears


@contextlib.contextmanager
def shown(progress: Report, total: float, unit: str) -> Iterator[Callable[[float], None] | None]:
    """What a call reports to, with how much of `total` is done, or None: nobody asks.

    progress: None: a bar where somebody looks on, from PATIENCE seconds on, that leaves nothing
    behind; a callable: itself, and no bar; False: silence. ValueError on anything else.
    """
    if progress is not None and progress is not False:
        if not callable(progress):
            raise ValueError(
                f"progress is {quoted(progress)}; it must be a callable, None (a bar) or False (silence)"
            )
        yield progress
    elif progress is False or not watched():
        yield None
    else:
        bar = Bar(total, unit)
        try:
            yield bar.reach
        finally:
            bar.close()


def watched() -> bool:
    """Whether somebody looks on: stderr is a terminal, or this is a Jupyter kernel. A process that
    another one started for a share of its work is silent.
    """
    if multiprocessing.parent_process() is not None:
        return False
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None and "IPKernelApp" in shell.config:
        return True
    with contextlib.suppress(AttributeError, ValueError):  # there is none, or it is closed
        return sys.stderr.isatty()
    return False


class Bar:
    """A bar of tqdm, made only when a call has taken PATIENCE seconds: a short one costs nothing,
    and leaves no empty widget in a notebook, as tqdm's own `delay` would.
    """

    def __init__(self, total: float, unit: str):
        self.total, self.unit, self.begun = total, unit, time.monotonic()
        self.bar: Any = None

    def reach(self, done: float) -> None:
        if self.bar is None:
            waited = time.monotonic() - self.begun
            if waited < PATIENCE:
                return
            self.bar = bar_of_tqdm(self.total, self.unit)
            self.bar.start_t -= waited
            self.bar.n = min(done, self.total)
            self.bar.refresh()
        else:
            self.bar.update(min(done, self.total) - self.bar.n)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.total = self.bar.n  # else one that was interrupted stays, red, in a notebook
            self.bar.close()


def bar_of_tqdm(total: float, unit: str):
    with warnings.catch_warnings():  # of a notebook without ipywidgets, where it is plain text
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm(
        total=total,
        leave=False,
        file=sys.stderr,
        smoothing=0,
        bar_format="{percentage:3.0f}%|{bar}| of {total_fmt} " + unit + " [{elapsed}<{remaining}]",
    )
