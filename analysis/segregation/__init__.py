"""Segregation: figures 2 and 3, what the networks keep of the physics, and the report beside the
paper's claims.
"""

from pathlib import Path

from analysis.runs import named
from analysis.segregation import (
    checks,
    claims,
    distributions,
    movie,
    networks,
    panels,
    physics,
    report,
    skill,
)
from analysis.segregation.dataset import Run, load


def pictures(run: Run, folder: Path, prefix: str):
    """Draw one by one all figures that this run has data for: (file name, caption), None for one it
    has none for.
    """
    yield panels.draw(run, folder, prefix, reverse=False)
    yield panels.draw(run, folder, prefix, reverse=True)
    yield distributions.cumulative(run, folder, prefix, segregated=True)
    yield distributions.cumulative(run, folder, prefix, segregated=False)
    for p in run.models(reverse=False):
        yield distributions.scatter(run, folder, prefix, p)
    yield physics.structure_factor(run, folder, prefix, reverse=False)
    yield physics.structure_factor(run, folder, prefix, reverse=True)
    yield physics.phase_transition(run, folder, prefix)
    yield physics.conservation(run, folder, prefix)
    yield from networks.activations(run, folder, prefix)
    yield networks.learning(run, folder, prefix)
    yield physics.free_energy(run, folder, prefix)
    yield movie.movie(run, folder, prefix)


def analyse(paths: list[Path], out: Path, progress) -> Path:
    """Draw all figures of these runs into out/figures and write out/report.md and .json; return
    report.md's path.

    progress(text) is called with each file's name. Raises BadInput for a run that cannot be read.
    """
    runs = named([load(path) for path in paths])
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    drawn, rows, skills, held = [], [], [], []
    for run in runs:
        for picture in pictures(run, folder, f"{run.name}-" if len(runs) > 1 else ""):
            if picture is not None:
                drawn.append(picture)
                progress(f"figures/{picture[0]}")
        for line in run.left_out:
            progress(f"left out: {line}")
        mine = skill.skills(run)
        skills += mine
        rows += claims.all_claims(run, mine)
        held += checks.checks(run)
    return report.write(out, report.Content(runs, rows, skills, held, drawn))
