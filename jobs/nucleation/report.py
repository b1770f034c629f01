"""What `status` says of the rates."""

import h5py

from jobs.nucleation.rates import mean_file, pilot_file, repeat_file
from jobs.rundir import System
from jobs.status import complete
from kernels.estimate import Estimate


def lines(system: System) -> list[str]:
    """How many samplings are done, and the lifetime that all of them found."""
    if not pilot_file(system).parent.exists():
        return []
    repeats = system.config.rates.samplings
    done = sum(complete(repeat_file(system, repeat)) for repeat in range(repeats))
    text = f"    rates: {done} of {repeats} samplings done"
    if complete(mean_file(system)):
        with h5py.File(mean_file(system), "r", locking=False) as file:
            found = Estimate(float(file["lifetime"][()]), float(file["lifetime_error"][()]))
        text += f", lifetime {found} MCS"
    return [text]
