"""Flocking: figures 1 to 8, how long the runs remember, a movie, and the report beside the paper's
claims.
"""

from pathlib import Path

from analysis.flocking import (
    architecture,
    claims,
    component_figures,
    components,
    diagram,
    extrapolation,
    filters,
    maps,
    movie,
    physical,
    relaxation,
    relaxation_figure,
    report,
    saliency_figure,
)
from analysis.flocking.claims import Numbers
from analysis.flocking.dataset import Run, load
from analysis.runs import named


def numbers_of(run: Run) -> Numbers:
    truth, settled = physical.all_boundaries(run), physical.settled(run, run.reference)
    return Numbers(
        components.components(run, settled),
        truth,
        extrapolation.places(run, truth),
        relaxation.relaxation(run),
    )


def pictures(run: Run, numbers: Numbers, folder: Path, prefix: str):
    """Draw one by one all figures that this run has data for: (file name, caption), None for one it
    has none for.
    """
    if numbers.components is not None:
        yield component_figures.explained(run, numbers.components, folder, prefix)
        yield component_figures.projections(run, numbers.components, folder, prefix)
    yield diagram.diagram(run, numbers.truth, numbers.places, folder, prefix)
    yield saliency_figure.saliency(run, folder, prefix)
    yield maps.maps(run, folder, prefix)
    if numbers.components is not None:
        yield component_figures.taken_apart(run, numbers.components, folder, prefix)
    yield architecture.architecture(run, folder, prefix)
    yield filters.filters(run, folder, prefix)
    yield relaxation_figure.relaxation(run, numbers.relaxation, folder, prefix)
    yield movie.band(run, folder, prefix)
    yield movie.sweep(run, folder, prefix)


def analyse(paths: list[Path], out: Path, progress) -> Path:
    """Draw all figures of these runs into out/figures and write out/report.md and .json; return
    report.md's path.

    progress(text) is called with each file's name.  Raises BadInput for a run that cannot be read.
    """
    runs = named([load(path) for path in paths])
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    drawn, rows, found = [], [], []
    for run in runs:
        numbers = numbers_of(run)
        found.append(numbers)
        for picture in pictures(run, numbers, folder, f"{run.name}-" if len(runs) > 1 else ""):
            if picture is not None:
                drawn.append(picture)
                progress(f"figures/{picture[0]}")
        for line in run.left_out:
            progress(f"left out: {run.name}: {line}")
        rows += claims.all_claims(run, numbers)
    return report.write(out, report.Content(runs, found, rows, drawn))
