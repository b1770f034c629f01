"""The console script `quench`: python -m jobs."""

from jobs import signals


def quench() -> None:
    signals.begin()
    from jobs.__main__ import main  # its imports take a second, in which Ctrl-C ends it

    signals.leave(main())
