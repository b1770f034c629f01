"""python -m analysis STUDY RUN|RECORD [...] [--out DIR]; python -m analysis measure STUDY RUN
[...]
"""

if __name__ == "__main__":  # the imports take seconds
    from jobs import signals

    signals.begin()

import argparse
import importlib.metadata
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from analysis import page, record
from analysis.runs import BadInput, expand, is_prediction
from jobs import signals
from jobs import study as studies

INTERRUPTED = "analysis: interrupted; what is written is whole"

EPILOG = """\
A RUN is a directory that `python -m jobs STUDY ...` filled (config.yaml and dataset.h5; of nucleation rates.h5 is
enough), a sweep (all its systems are taken), or a folder that holds several of them.  It is measured once, into
RUN/record.h5: one file below 2 MB with all numbers and curves.  Everything else is made from records, also where the
run is not.

  python -m analysis nucleation runs/demo-nucleation
      writes runs/demo-nucleation/record.h5, report.md, report.json and figures/
  python -m analysis nucleation runs/R1 runs/R10 --out page
      one page for both systems; runs of the same system (other seeds, folds, machines) add up
  python -m analysis nucleation runs/fields runs/another-field --out page
      runs that differ in one key, a sweep and what was added to it: the main numbers against that key
  python -m analysis measure nucleation runs/R10 --out records
      the record alone, records/R10.h5: small enough to copy home, to commit, to send
  python -m analysis nucleation records/*.h5 --out page
      the page again from records, in seconds, without the runs
  python -m analysis nucleation mine-p_nuc.h5
      a picture of what `python -m jobs nucleation predict --input mine.npy` predicted, beside it
  python -m analysis coarsening phi-rollout.h5
      a picture of what `python -m jobs coarsening rollout --input phi.h5` followed, network and solver, beside it
  python -m analysis coarsening runs/large/large/box.h5
      a picture of what `python -m jobs coarsening large` followed, beside it

Written: report.md (findings, a verdict for each figure of
the paper, claims, figures), report.json (all numbers, for programs), figures/*.png and *.pdf.  No simulation is run and
no network; nothing of a run is changed.
"""


def packages() -> dict[str, ModuleType]:
    """Those of all studies that have a page: analysis/STUDY."""
    return {
        name: importlib.import_module(f"analysis.{name}")
        for name in sorted(studies.NAMES)
        if importlib.util.find_spec(f"analysis.{name}")
    }


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else [*arguments]
    measures = arguments[:1] == ["measure"]
    options = parser(measures).parse_args(arguments[measures:])
    try:
        signals.begun(INTERRUPTED)
        return measured(options) if measures else drawn(options)
    except (BadInput, OSError) as error:
        print(f"analysis: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return signals.interrupted(INTERRUPTED)


def parser(measures: bool) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m analysis" + (" measure" if measures else ""),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measure finished runs into records."
        if measures
        else "Measure finished runs into records, and make a study's page of records: its numbers beside the paper's.",
    )
    version = f"Quench {importlib.metadata.version('quench')}"
    found.add_argument("--version", action="version", version=version)
    names = list(packages())
    found.add_argument("study", metavar="STUDY", choices=names, help=" | ".join(names))
    kinds = "run directory, sweep, or folder of runs" + ("" if measures else "; or a record")
    found.add_argument("runs", metavar="RUN", nargs="+", type=Path, help=kinds)
    where = (
        "folder for RUN's-name.h5 (default: RUN/record.h5)"
        if measures
        else "where report.md, report.json and figures/ go (default: RUN, when only one is given)"
    )
    found.add_argument("--out", metavar="DIR", type=Path, help=where)
    return found


def measured(options: argparse.Namespace) -> int:
    """The records alone."""
    for run in systems(options.runs):
        if not run.is_dir():
            raise BadInput(f"{run}: a record already; give a run directory")
        path = run / record.NAME if options.out is None else options.out / f"{run.name}.h5"
        print(measure(packages()[options.study], run, path))
    return 0


def drawn(options: argparse.Namespace) -> int:
    """Pictures of predictions, or a page."""
    study, found = packages()[options.study], []
    draw = page.part(study, "draw_file")
    if draw and all(is_prediction(path) and not record.is_record(path) for path in options.runs):
        for path in options.runs:
            print(*draw(path, options.out), sep="\n")
        return 0
    if options.out is None and (len(options.runs) > 1 or record.is_record(options.runs[0])):
        raise BadInput("several runs, or records, need --out DIR, the folder for their page")
    for source in systems(options.runs):
        path = measure(study, source, source / record.NAME) if source.is_dir() else source
        found.append(record.read(path, {study.NAME: study.Numbers}))
    print(page.make(study, found, options.out or options.runs[0], print))
    return 0


def systems(sources: list[Path]) -> list[Path]:
    """Records as they are, and of runs, sweeps and folders each run directory once."""
    found = []
    for source in sources:
        ready, missing = ([source], []) if record.is_record(source) else expand(source)
        found += [path for path in ready if path not in found]
        for path in missing:
            print(f"{path}: no dataset.h5 yet, left out", file=sys.stderr)
    return found


def measure(study: ModuleType, run: Path, path: Path) -> Path:
    """Measure a run into a record at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return record.write(path, study.measure(run))


if __name__ == "__main__":
    signals.leave(main())
