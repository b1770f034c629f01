"""The signal before a time limit or a preemption: a stage ends after the unit or epoch in progress,
and another life goes on.

slurm/body.sh passes SIGUSR1 on.  In a Slurm job SIGTERM, with which a preemption begins, counts as
well.
"""

import os
import signal
import sys

TO_BE_CONTINUED = (
    75  # exit status, EX_TEMPFAIL of sysexits.h: nothing failed, the same command goes on
)
INTERRUPTED = 130  # 128 + SIGINT, as shells say it

_asked = False


class Stopped(BaseException):
    """There is work left; the text says how much.  As KeyboardInterrupt, no handler of ordinary
    errors sees it.
    """


def listen() -> None:
    """Take the signals from now on, as a wish and no more."""
    global _asked
    _asked = False
    for number in (signal.SIGUSR1, *[signal.SIGTERM] * ("SLURM_JOB_ID" in os.environ)):
        signal.signal(number, _note)


def _note(*_) -> None:
    global _asked
    _asked = True


def asked() -> bool:
    """Whether this process is to come to an end."""
    return _asked


def stop_if_asked(left: str, done: int = 1) -> None:
    """Between two pieces of work: raise Stopped(left) if this process is to come to an end.

    Not before the first (done = 0): a life that is told to end as it begins does some of its work
    all the same.
    """
    if _asked and done:
        raise Stopped(left)


def leave(code: int) -> None:
    """End this process with a status.

    After Ctrl-C at once: CPython ends by the signal itself, not by a status, where the interrupt
    met code that was compiled from text (a dataclass, in the middle of an import), however well it
    was answered.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: no traceback of the end itself
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
