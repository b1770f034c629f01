"""Coarsening: figures 1 to 8 and S1, the honest table, a movie, and the report beside the paper's
claims.
"""

from pathlib import Path

from analysis.coarsening import (
    ablation,
    claims,
    cost_figures,
    energy_figure,
    error_figures,
    learning,
    movie,
    numbers,
    report,
    sequence,
)
from analysis.coarsening.dataset import Run, load
from analysis.coarsening.numbers import Numbers
from analysis.runs import named


def pictures(run: Run, found: Numbers, folder: Path, prefix: str):
    """Draw one by one all figures that this run has data for: (file name, caption), None for one it
    has none for.
    """
    network = run.main() or next(iter(run.networks), None)
    yield learning.learning(run, folder, prefix)
    if network is not None:
        yield from sequence.figures(run, network, found.errors, folder, prefix)
        yield error_figures.errors_in_time(run, network, found.errors, folder, prefix)
        yield error_figures.by_frame(run, folder, prefix)
        yield energy_figure.free_energy(run, network, found, folder, prefix)
        yield cost_figures.against_size(run, folder, prefix)
        yield error_figures.against_grids(run, network, found.errors, folder, prefix)
        yield ablation.models(run, found.errors, folder, prefix)
    yield cost_figures.time_and_error(run, folder, prefix)
    if network is not None:
        yield movie.movie(run, network, found.errors, folder, prefix)


def analyse(paths: list[Path], out: Path, progress) -> Path:
    """Draw all figures of these runs into out/figures and write out/report.md and .json; return
    report.md's path.

    progress(text) is called with each file's name.  Raises BadInput for a run that cannot be read.
    """
    runs = named([load(path) for path in paths])
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    drawn, rows, all_numbers = [], [], []
    for run in runs:
        found = numbers.of_run(run)
        all_numbers.append(found)
        for picture in pictures(run, found, folder, f"{run.name}-" if len(runs) > 1 else ""):
            if picture is not None:
                drawn.append(picture)
                progress(f"figures/{picture[0]}")
        for line in run.left_out:
            progress(f"left out: {run.name}: {line}")
        rows += claims.all_claims(run, found)
    return report.write(out, report.Content(runs, all_numbers, rows, drawn))
