"""The console scripts: `quench` is python -m jobs, `quench-report` is python -m analysis."""

from jobs import signals


def quench() -> None:
    signals.begin()
    from jobs.__main__ import main  # its imports take a second, in which Ctrl-C ends it

    signals.leave(main())


def quench_report() -> None:
    signals.begin()
    from analysis.__main__ import main

    signals.leave(main())
