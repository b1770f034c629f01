"""Nucleation: figures 1 and 2, pictures of one event, lifetimes, and the report beside the paper's values."""

from collections import Counter
from pathlib import Path

from analysis.nucleation import event, figures, quantities, report
from analysis.nucleation.dataset import Run, load


def _names(runs: list[Run]) -> tuple[list[str], list[str]]:
    """(names, parts of file names), made unique by the run's folder, then a number, where systems repeat."""
    twins = Counter(run.system.name for run in runs)
    names, slugs = [], []
    for run in runs:
        extra = f" ({run.path.name})" if twins[run.system.name] > 1 else ""
        name, slug = run.system.name + extra, run.system.slug + (f"-{run.path.name}" if extra else "")
        repeats = names.count(name)
        names.append(f"{name} #{repeats + 1}" if repeats else name)
        slugs.append(f"{slug}-{repeats + 1}" if repeats else slug)
    return names, slugs


def analyse(paths: list[Path], out: Path, progress) -> Path:
    """Draw all figures of these runs into out/figures and write out/report.md and .json; return report.md's
    path.

    progress(text) is called with each file's name. Raises BadInput for a run that cannot be read.
    """
    runs = sorted(
        (load(path) for path in paths),
        key=lambda run: (run.system.size, run.system.range or 0, run.system.field),
    )
    names, slugs = _names(runs)
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []

    def add(picture: tuple[str, str]) -> None:
        pictures.append(picture)
        progress(f"figures/{picture[0]}")

    for draw in (figures.evolution, figures.against_magnetization, figures.lifetimes, figures.balance):
        add(draw(runs, folder))
    for run, slug in zip(runs, slugs, strict=True):
        if len(run.history_event):
            chosen = event.Event(run, figures.typical_event(run))
            add(event.strip(run, chosen, folder, slug))
            add(event.movie(run, chosen, folder, slug))
    systems = [quantities.summary(run, name) for run, name in zip(runs, names, strict=True)]
    return report.write(out, quantities.all_rows(runs, names), systems, pictures)
