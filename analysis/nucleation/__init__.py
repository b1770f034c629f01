"""Nucleation: figures 1 to 9, pictures of one event, lifetimes, and the report beside the paper's
claims.
"""

from collections import Counter
from pathlib import Path

from analysis.nucleation import (
    claims,
    droplet_figures,
    earlier,
    event,
    figures,
    model_figures,
    model_tables,
    quantities,
    report,
    study,
    training_figures,
)
from analysis.nucleation.dataset import Run, load

OF_RUNS = (figures.evolution, figures.against_magnetization, figures.lifetimes, figures.balance)
OF_STUDIES = (
    model_figures.confusion,
    model_figures.confusion_near_spinodal,
    model_figures.towards_spinodal,
    training_figures.weights,
    droplet_figures.occlusion_maps,
    droplet_figures.near_spinodal_maps,
    droplet_figures.density_profiles,
    droplet_figures.sensitivity_against_density,
)


def _names(runs: list[Run]) -> tuple[list[str], list[str]]:
    """(names, parts of file names), made unique by the run's folder, then a number, where systems
    repeat.
    """
    twins = Counter(run.system.name for run in runs)
    names, slugs = [], []
    for run in runs:
        extra = f" ({run.path.name})" if twins[run.system.name] > 1 else ""
        name, slug = (
            run.system.name + extra,
            run.system.slug + (f"-{run.path.name}" if extra else ""),
        )
        repeats = names.count(name)
        names.append(f"{name} #{repeats + 1}" if repeats else name)
        slugs.append(f"{slug}-{repeats + 1}" if repeats else slug)
    return names, slugs


def analyse(paths: list[Path], out: Path, progress, earlier_report: Path | None = None) -> Path:
    """Draw all figures of these runs into out/figures and write out/report.md and .json; return
    report.md's path.

    progress(text) is called with each file's name. earlier_report: a report.json whose systems
    without a run here are taken over. Raises BadInput for a run or a report that cannot be read.
    """
    before = earlier.read(earlier_report) if earlier_report else None
    runs = sorted(
        (load(path) for path in paths),
        key=lambda run: (run.system.size, run.system.range or 0, run.system.field),
    )
    names, slugs = _names(runs)
    studies = [
        study.read(run, name, slug) for run, name, slug in zip(runs, names, slugs, strict=True)
    ]
    left_out = [line for s in studies for line in s.left_out]
    for line in left_out:
        progress(f"left out: {line}")
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []

    def add(picture: tuple[str, str] | None) -> None:
        if picture is None:  # no run has what it shows
            return
        pictures.append(picture)
        progress(f"figures/{picture[0]}")

    for draw in OF_RUNS:
        add(draw(runs, folder))
    more = earlier.skills(before, set(names), study.NEAR_SPINODAL - 1) if before else []
    add(model_figures.errors(studies, folder, more))
    for draw in OF_STUDIES:
        add(draw(studies, folder))
    for s in studies:
        add(training_figures.learning(s, folder))
    for run, slug in zip(runs, slugs, strict=True):
        if len(run.history_event):
            chosen = event.Event(run, figures.typical_event(run))
            add(event.strip(run, chosen, folder, slug))
            add(event.movie(run, chosen, folder, slug))
    content = report.Content(
        rows=quantities.all_rows(runs, names),
        systems=[quantities.summary(run, name) for run, name in zip(runs, names, strict=True)],
        pictures=pictures,
        claims=claims.all_claims(studies),
        models=model_tables.models(studies),
        differences=model_tables.differences(studies),
        left_out=left_out,
    )
    return report.write(out, earlier.complete(content, before, out) if before else content)
