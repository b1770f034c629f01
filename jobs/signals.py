"""The signal before a time limit or a preemption: a stage ends after the unit or epoch in progress,
and another life goes on.

slurm/body.sh passes SIGUSR1 on.  In a Slurm job SIGTERM, with which a preemption begins, counts as
well.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

TO_BE_CONTINUED = (
    75  # exit status, EX_TEMPFAIL of sysexits.h: nothing failed, the same command goes on
)
INTERRUPTED = 130  # 128 + SIGINT, as shells say it
BROKEN_PIPE = 141  # 128 + SIGPIPE
KEPT = "interrupted; finished units are kept, the same command continues"
PATIENCE = 1.5  # seconds for the exception to be heard
NO_EXCEPTION = (  # files in whose frames none may be raised
    "<frozen importlib._bootstrap>",  # any import: torch's aborts
    str(Path(__file__).with_name("hdf5.py")),  # called by HDF5, which goes on and loses it
)

_asked = False
_text = "interrupted before it began"


def begin() -> None:
    """First of all in a program: until `begun`, Ctrl-C ends this process at once, since nothing is
    lost while its modules are imported.

    From now on Ctrl-C also ends it where the exception comes to nothing: Python drops one that is
    raised in a callback (ctypes, weakref), a library may take any for an ordinary error, and a
    compiled one may take long to return.  Whatever it is at, what is under its final name is whole.
    Nothing happens where this process was started to ignore Ctrl-C.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, _end)
    heard, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(heard,), daemon=True).start()


def begun(text: str) -> None:
    """From now on the first Ctrl-C is an exception, as elsewhere in Python; what is said if it is
    not heard.
    """
    global _text
    if signal.getsignal(signal.SIGINT) is _end:
        _text = text
        signal.signal(signal.SIGINT, _raise)
        sys.unraisablehook = _unraisable


def _raise(number, frame) -> None:
    signal.signal(signal.SIGINT, _end)  # an impatient second one
    while frame is not None:
        if frame.f_code.co_filename in NO_EXCEPTION:
            _end()
        frame = frame.f_back
    raise KeyboardInterrupt


def _unraisable(what) -> None:
    """Of an exception in a callback, which Python would report and forget."""
    if what.exc_type is KeyboardInterrupt:
        _end()
    sys.__unraisablehook__(what)


def _end(*_) -> None:
    os.write(2, f"{_text}\n".encode())
    os._exit(INTERRUPTED)


def _watch(heard: int) -> None:
    """The thread that ends this process where the main one does not."""
    while signal.SIGINT not in os.read(heard, 64):  # each byte the number of a signal
        pass
    time.sleep(PATIENCE)
    _end()


class Stopped(BaseException):
    """There is work left; the text says how much.  As KeyboardInterrupt, no handler of ordinary
    errors sees it.
    """


def listen() -> None:
    """Take the signals from now on, as a wish and no more."""
    global _asked
    _asked = False
    begun(KEPT)
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


def interrupted(text: str) -> int:
    """Where KeyboardInterrupt is caught at last: say it, and end this process, if it is one that
    called `begin`; else the status.

    At once, while the exception still holds all that it was raised in: LLVM crashes when a
    half-compiled function is let go, and CPython ends by the signal itself, not by a status, where
    the interrupt met code that was compiled from text (a dataclass, in the middle of an import).
    """
    print(text, file=sys.stderr, flush=True)
    if signal.getsignal(signal.SIGINT) is _end:
        sys.stdout.flush()
        os._exit(INTERRUPTED)
    return INTERRUPTED


def leave(code: int) -> None:
    """End this process with a status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: no traceback of the end itself
    sys.exit(code)
