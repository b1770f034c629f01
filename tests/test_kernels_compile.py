"""Every kernel compiles for the GPUs in use, without a GPU, and is as lean as it was: registers,
stack, shared memory and cycles of gpu_resources.json.
"""

import pytest

from kernels.device import FOLDER, source_of
from kernels.signatures import kernels
from tests import gpu_resources

LONG = [pytest.mark.slow, pytest.mark.long]
ARCHITECTURES = [
    pytest.param(arch, marks=[] if arch == "sm_90" else LONG) for arch in gpu_resources.CARDS
]
# kernels that may keep something in local memory, and why
SPILLS = {
    "ising.cu, nucleate: R = 1, L = 10": "events of short ranges are the CPU's",
    "ising.cu, evolve: R = 10, L = 100, heat bath": "one in 256 attempts draws on, by the replica",
    "cahn_hilliard.cu, separate: 64^2, float64": "two registers a number: the demo of float64",
    "ising_fft.cu, evolve: kac, L = 100": "the loop over rows does not touch it",
    "ising_fft.cu, nucleate: kac, L = 100": "the loop over rows does not touch it",
    "percolation.cu, label_clusters: L = 200": "four random numbers, of which one is chosen",
    "active_ising.cu, populate: L = 81, rho0 = 3, continuous_time": "runs once a replica",
}


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_as_lean_as_before(arch):
    now, before = gpu_resources.table(arch), gpu_resources.kept()[arch]
    assert sorted(now) == sorted(before), "python -m tests.gpu_resources --keep"
    found = [text for name in now for text in gpu_resources.worse(name, before[name], now[name])]
    assert not found, "\n".join(found)
    assert {name for name, row in now.items() if row["stack"]} <= set(SPILLS)
    card = gpu_resources.CARDS[arch]
    assert all(row["blocks"] >= 1 and row["shared"] <= card.shared_bytes for row in now.values())


def test_every_kernel_is_in_the_table():
    there = {name.split(":")[0] for name in gpu_resources.kept()["sm_90"]}
    assert there == {
        f"{path.name}, {kernel}"
        for path in FOLDER.glob("*.cu")
        for kernel in kernels(source_of(path.name))
    }


def test_a_kernel_that_gets_worse_is_seen():
    row = {
        "registers": 40,
        "stack": 0,
        "shared": 1000,
        "cycles": 10.0,
        "blocks": 12,
        "loop": {"float": 30},
    }
    assert not gpu_resources.worse("k", row, row | {"registers": 43, "shared": 900})
    for change in ({"registers": 45}, {"stack": 8}, {"cycles": 11.5}, {"blocks": 10}):
        assert len(gpu_resources.worse("k", row, row | change)) == 1


def test_a_broken_source_is_reported():
    from cuda.core import Program, ProgramOptions

    broken = source_of("percolation.cu").replace(
        "atomicMin(parent + a, b)", "atomicMin(parent + a)"
    )
    options = ProgramOptions(
        arch="sm_90", std="c++17", define_macro=[("SIZE", "10"), ("THREADS", "32")]
    )
    with pytest.raises(Exception, match="atomicMin"):
        Program(broken, "c++", options).compile("cubin")
