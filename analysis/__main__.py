"""python -m analysis STUDY RUN [RUN ...] [--out DIR]"""

if __name__ == "__main__":  # the imports take seconds
    from jobs import signals

    signals.begin()

import argparse
import sys
from pathlib import Path

from analysis import coarsening, flocking, nucleation, page, record, segregation
from analysis.coarsening import large_box
from analysis.flocking import prediction as flocking_prediction
from analysis.nucleation import prediction as nucleation_prediction
from analysis.runs import BadInput, expand, is_prediction
from analysis.segregation import prediction as segregation_prediction
from jobs import signals

STUDIES = {
    "coarsening": coarsening,
    "flocking": flocking,
    "nucleation": nucleation,
    "segregation": segregation,
}
PICTURES = {
    "coarsening": large_box,
    "flocking": flocking_prediction,
    "nucleation": nucleation_prediction,
    "segregation": segregation_prediction,
}
INTERRUPTED = "analysis: interrupted; what is written is whole"

EPILOG = """\
A RUN is a directory that `python -m jobs STUDY ...` filled (config.yaml and dataset.h5), a sweep (all its
systems are taken), or a folder that holds several of them.

  python -m analysis nucleation runs/demo-nucleation
      writes runs/demo-nucleation/report.md, report.json and figures/
  python -m analysis nucleation runs/R1 runs/R10 --out results
      figure 1 with both systems on one axis, one report for both, under results/
  python -m analysis nucleation mine-p_nuc.h5
      a picture of what `python -m jobs nucleation predict --input mine.npy` predicted, beside it
  python -m analysis segregation runs/demo-segregation
      the same for the networks that learn phase segregation
  python -m analysis flocking runs/demo-flocking
      the same for the phases of the Active Ising Model
  python -m analysis coarsening runs/demo-coarsening
      the same for the networks that follow coarsening in three dimensions
  python -m analysis coarsening runs/large/large/box.h5
      a picture of what `python -m jobs coarsening large` followed, beside it

Written: report.md (each quantity beside the paper's, "not run" where there is no data), report.json (the same
numbers for programs), figures/*.png and *.pdf, one GIF for each run. No simulation is run and no run file
is changed.
"""


def records(study, sources: list[Path]) -> list[record.Record]:
    """Records of the files given, and of runs, each measured into its RUN/record.h5."""
    found = []
    for source in sources:
        path = source
        if source.is_dir():
            path = record.write(source / record.NAME, study.measure(source))
            print(path)
        found.append(record.read(path, {study.NAME: study.Numbers}))
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Draw a study's figures from finished runs and set its numbers beside the paper's.",
    )
    parser.add_argument(
        "study", metavar="STUDY", choices=sorted(STUDIES), help=" | ".join(sorted(STUDIES))
    )
    parser.add_argument(
        "runs", metavar="RUN", nargs="+", type=Path, help="run directory, sweep, or folder of runs"
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="where report.md, report.json and figures/ go (default: RUN, when only one is given)",
    )
    parser.add_argument(
        "--earlier",
        metavar="REPORT.json",
        type=Path,
        help="nucleation: an earlier report.json, whose systems that have no run here are taken over, and its figures copied",
    )
    options = parser.parse_args(arguments)
    try:
        signals.begun(INTERRUPTED)
        if options.study in PICTURES and all(
            is_prediction(path) and not record.is_record(path) for path in options.runs
        ):
            for path in options.runs:
                drawn = PICTURES[options.study].draw(path, options.out)
                print(*(drawn if isinstance(drawn, list) else [drawn]), sep="\n")
            return 0
        if options.out is None and len(options.runs) > 1:
            raise BadInput("several runs need --out DIR, the folder for their common report")
        ready, missing = [], []
        for run in options.runs:
            if record.is_record(run):
                ready.append(run)
                continue
            with_data, without = expand(run)
            ready += [path for path in with_data if path not in ready]
            missing += without
        for path in missing:
            print(f"{path}: no dataset.h5 yet, left out", file=sys.stderr)
        if options.earlier is not None and options.study != "nucleation":
            raise BadInput(f"--earlier: not for {options.study}")
        more = {} if options.earlier is None else {"earlier_report": options.earlier}
        study, out = STUDIES[options.study], options.out or options.runs[0]
        if hasattr(study, "measure"):
            report = page.make(study, records(study, ready), out, print)
        else:
            report = study.analyse(ready, out, progress=print, **more)
    except BadInput as error:
        print(f"analysis: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"analysis: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return signals.interrupted(INTERRUPTED)
    print(report)
    return 0


if __name__ == "__main__":
    signals.leave(main())
