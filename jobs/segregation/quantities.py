"""The six quantities that predictions and own fields are judged by, as data of a file."""

import numpy as np

from jobs.segregation import fields
from jobs.shards import Data
from kernels.cahn_hilliard import CahnHilliard

QUANTITIES = {
    "mean_concentration": "",
    "area": "length^2",
    "perimeter": "length",
    "chemical_energy": "energy",
    "surface_energy": "energy",
    "free_energy": "energy",
}


def physics(config, device) -> CahnHilliard:
    """The system whose energies, areas and perimeters are measured."""
    s = config.system
    return CahnHilliard(
        (s.size, s.size), s.epsilon, s.well_depth, s.mobility, spacing=s.spacing, device=device
    )


def measured(config, device, **of: np.ndarray) -> dict[str, Data]:
    """The six quantities of each of the fields (n, L, L), {"truth_area": ...}."""
    model = physics(config, device)
    data = {}
    for whose, each in of.items():
        found = fields.measure(model, each)
        for quantity, unit in QUANTITIES.items():
            data[f"{whose}_{quantity}"] = Data(
                np.asarray(found[quantity], np.float64), unit, "sample", quantity.replace("_", " ")
            )
    return data
