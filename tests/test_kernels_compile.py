"""Every .cu compiles for the GPUs in use, without a GPU: NVRTC needs no driver."""

from types import SimpleNamespace

import pytest

from kernels.active_ising_batch import Layout
from kernels.device import FOLDER, source_of

H200 = SimpleNamespace(kind="gpu", shared_bytes=232448)

SYSTEMS = {
    "ising.cu": [
        dict(
            SIZE=10,
            RANGE=1,
            NEAREST=1,
            RANDOM_SITE=1,
            TILED=0,
            SLOTS=2,
            THREADS=32,
            SHARED_LATTICE=0,
        ),
        dict(
            SIZE=30,
            RANGE=3,
            NEAREST=0,
            RANDOM_SITE=1,
            TILED=0,
            SLOTS=2,
            THREADS=32,
            SHARED_LATTICE=0,
        ),
        dict(
            SIZE=100,
            RANGE=10,
            NEAREST=0,
            RANDOM_SITE=0,
            TILED=0,
            SLOTS=96,
            THREADS=96,
            SHARED_LATTICE=1,
        ),
        dict(
            SIZE=200,
            RANGE=20,
            NEAREST=0,
            RANDOM_SITE=0,
            TILED=0,
            SLOTS=96,
            THREADS=96,
            SHARED_LATTICE=1,
        ),
        dict(
            SIZE=400,
            RANGE=32,
            NEAREST=0,
            RANDOM_SITE=0,
            TILED=1,
            SLOTS=128,
            THREADS=128,
            SHARED_LATTICE=0,
        ),
    ],
    "ising_fft.cu": [dict(SIZE=100, THREADS=128)],
    "percolation.cu": [dict(SIZE=100, THREADS=256)],
    "perlin.cu": [dict(SIZE=64, POINTS=4)],
    "cahn_hilliard.cu": [
        dict(SIZE=64, REAL="float", ORDER=3, ADAPTIVE=1, DEGREE=4),
        dict(SIZE=32, REAL="double", ORDER=1, ADAPTIVE=0, DEGREE=4),
    ],
    "active_ising.cu": [
        Layout(size, particles, counter_bits, continuous, H200).defines
        for size, particles, counter_bits, continuous in [
            (81, 19683, 6, False),
            (81, 19683, 6, True),
            (81, 52488, 8, True),
            (300, 270000, 6, True),
        ]
    ],
    **{
        file: [
            dict(SIZE=hidden, HIDDEN=hidden, ROWS=1, OUTPUT=output)
            for hidden, output in [(10, 0), (4, 2)]
        ]
        for file in ("conv_gru.cu", "conv_gru_backward.cu")
    },
    "cahn_hilliard_spectrum.cu": [
        dict(SIZE=64, REAL="float", ORDER=3, ADAPTIVE=1, DEGREE=4),
        dict(SIZE=32, REAL="double", ORDER=1, ADAPTIVE=0, DEGREE=6),
    ],
    "cahn_hilliard_explicit.cu": [
        dict(SIZE=64, DIMENSIONS=3, NX=64, NY=64, NZ=64, REAL="float", DEGREE=4)
    ],
}
ARCHITECTURES = {
    "sm_90": [],
    "sm_80": [pytest.mark.slow, pytest.mark.long],
    "sm_86": [pytest.mark.slow, pytest.mark.long],
    "sm_100": [pytest.mark.slow, pytest.mark.long],
}
CASES = [
    pytest.param(file, system, arch, marks=marks)
    for file, systems in SYSTEMS.items()
    for system in systems
    for arch, marks in ARCHITECTURES.items()
]


def test_every_source_is_listed():
    assert {path.name for path in FOLDER.glob("*.cu")} == set(SYSTEMS)


@pytest.mark.parametrize(
    ("file", "system", "arch"), CASES, ids=lambda v: v if isinstance(v, str) else f"L{v['SIZE']}"
)
def test_compiles(file, system, arch):
    from cuda.core import Program, ProgramOptions

    options = ProgramOptions(
        arch=arch, std="c++17", define_macro=[(k, str(v)) for k, v in system.items()]
    )
    cubin = Program(source_of(file), "c++", options).compile("cubin")
    assert len(cubin.code) > 1000


def test_a_broken_source_is_reported():
    from cuda.core import Program, ProgramOptions

    broken = source_of("percolation.cu").replace(
        "atomicMin(parent + a, b)", "atomicMin(parent + a)"
    )
    with pytest.raises(Exception, match="atomicMin"):
        Program(
            broken,
            "c++",
            ProgramOptions(
                arch="sm_90", std="c++17", define_macro=[("SIZE", "10"), ("THREADS", "32")]
            ),
        ).compile("cubin")
