"""Mean lifetimes against plain random-site Metropolis, at the size that settles 1%.

Up to RANDOM_SITE_RANGE the kernel keeps random-site order, beyond it updates sublattices
(kernels/ising_sublattice.h).

    python -m tests.lifetime_study [CASE ...] --out analysis/results/nucleation/lifetimes.json

The reference is tests/reference/metropolis.cpp. Errors of ours come from the scatter between units,
since the replicas of a group share the order of the sites; those of the reference from the scatter
of its independent runs.
"""

import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kernels import ising_bits
from kernels.device import available_cores, cpu_model, select
from kernels.ising import Ising
from kernels.ising_bits import RANDOM_SITE_RANGE
from tests.reference import metropolis

# name: interaction, range, size, field, our units of `events`, events, reference runs
CASES = {
    "nearest-1": ("nearest", 1, 10, 0.95, 100, 2048, 200_000),
    "square-1": ("square", 1, 10, 0.46, 100, 2048, 200_000),
    "square-2": ("square", 2, 20, 0.77, 100, 2048, 200_000),
    "square-3": ("square", 3, 30, 1.0, 100, 2048, 200_000),
    "sublattice-2": (
        "square",
        2,
        20,
        0.77,
        100,
        2048,
        200_000,
    ),  # as square-2 and 3, but sublattices all the same
    "sublattice-3": ("square", 3, 30, 1.0, 100, 2048, 200_000),
    "square-5": ("square", 5, 50, 1.15, 60, 2048, 60_000),
    "square-6": ("square", 6, 60, 1.18, 60, 2048, 60_000),
    "square-10": ("square", 10, 100, 1.229, 16, 1536, 16_000),
}


def study(name: str, before: dict) -> dict:
    """before: results by name, from which the reference of the same system is taken where it is
    there.
    """
    interaction, range_, size, field, units, events, runs = CASES[name]
    temperature = 4 / 9 * (2.269185314213022 if interaction == "nearest" else 4)
    ising_bits.RANDOM_SITE_RANGE = 1 if name.startswith("sublattice") else RANDOM_SITE_RANGE
    model = Ising(
        interaction=interaction,
        range=range_,
        size=size,
        temperature=temperature,
        field=field,
        device=select("cpu"),
    )
    start = time.time()
    ours = np.array(
        [
            e.lifetime
            for first in range(0, units, 4)
            for e in model.nucleate(
                seed=20, units=range(first, min(first + 4, units)), events=events
            )
        ]
    )
    ours_seconds = time.time() - start
    known = next(
        (
            c["random_site_order"]
            for c in before.values()
            if (c["interaction"], c["size"], c["field"]) == (interaction, size, field)
            and c["random_site_order"]["lifetimes"] == runs
        ),
        None,
    )
    theirs = known or reference(interaction, range_, size, field, temperature, runs)
    means = ours.mean(1)
    error = means.std(ddof=1) / np.sqrt(units)
    ratio = ours.mean() / theirs["mean"]
    ratio_error = ratio * np.hypot(error / ours.mean(), theirs["standard_error"] / theirs["mean"])
    return {
        "interaction": interaction,
        "range": range_,
        "size": size,
        "field": field,
        "temperature": temperature,
        "ours": {
            "lifetimes": ours.size,
            "mean": ours.mean(),
            "standard_error": error,
            "standard_deviation": ours.std(ddof=1),
            "scatter_between_units_over_independent": error
            / (ours.std(ddof=1) / np.sqrt(ours.size)),
            "seconds": ours_seconds,
        },
        "random_site_order": theirs,
        "ratio": ratio,
        "ratio_error": ratio_error,
        "z": (ratio - 1) / ratio_error,
    }


def reference(
    interaction: str, range_: int, size: int, field: float, temperature: float, runs: int
) -> dict:
    start, chunk = time.time(), runs // 20
    with ThreadPoolExecutor(available_cores()) as pool:
        parts = pool.map(
            lambda k: metropolis.lifetimes(
                size, range_, temperature, field, interaction, chunk, seed=1000 + k
            ),
            range(20),
        )
        found = np.concatenate(list(parts))
    return {
        "lifetimes": len(found),
        "mean": found.mean(),
        "standard_error": found.std(ddof=1) / np.sqrt(len(found)),
        "standard_deviation": found.std(ddof=1),
        "seconds": time.time() - start,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default all"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("lifetimes.json"),
        help="JSON file; cases already in it are kept",
    )
    options = parser.parse_args()
    results = (
        json.loads(options.out.read_text())
        if options.out.exists()
        else {"machine": cpu_model(), "cases": {}}
    )
    for name in options.cases or CASES:
        results["cases"][name] = case = study(name, results["cases"])
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1, default=float) + "\n")
        ratio = f"{case['ratio']:.4f} +- {case['ratio_error']:.4f}"
        print(
            f"{name}: ratio of mean lifetimes {ratio} ({case['z']:+.1f} standard errors)",
            flush=True,
        )


if __name__ == "__main__":
    main()
