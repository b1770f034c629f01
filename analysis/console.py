"""The console script `quench-report`: python -m analysis."""

from jobs import signals


def quench_report() -> None:
    signals.begin()
    from analysis.__main__ import main  # its imports take seconds, in which Ctrl-C ends it

    signals.leave(main())
