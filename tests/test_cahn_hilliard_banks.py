"""The places of the fused kernel's numbers in a GPU's shared memory."""

import pytest

from kernels.cahn_hilliard import CahnHilliard
from kernels.cahn_hilliard_lines import compiled_for
from kernels.device import select, source_of
from tests.reference.emulation import built, with_entries


@pytest.mark.parametrize("size", [32, 64])
def test_half_a_warp_hits_each_bank_of_shared_memory_once(tmp_path, size):
    """Two lines of eight threads, in rows and columns, in both halves of their transforms; 16 banks
    of eight bytes.
    """
    model = CahnHilliard((size, size), device=select("cpu", workers=1))
    source = (
        source_of("cahn_hilliard.cu") + 'extern "C" int address(int y, int i) { return at(y, i); }'
    )
    constants = compiled_for(model, 1, False) | {"SIZE": size}
    library = built(tmp_path, with_entries(source, tuple(sorted(constants.items()))), constants)
    half, (a, b) = size // 2, {32: (4, 8), 64: (8, 8)}[size]
    place = {wave: wave % a * b + wave // a for wave in range(size)}  # line_fft.h

    def row(y, i):
        return library.address(y, i)

    def column(x, i):
        mirror = size - x if x else half
        return library.address(i % half, place[x if i < half else mirror])

    assert sorted(row(y, i) for y in range(half) for i in range(size)) == [*range(half * size)]
    for line in (row, column):
        for first in range(0, half, 2):
            firsts = [[b * j + member for member in range(8)] for j in range(a)]
            seconds = [[b * member + j for member in range(min(a, 8))] for j in range(b)]
            for places in firsts + seconds:
                banks = [line(first + n, i) % 16 for n in (0, 1) for i in places]
                assert len(set(banks)) == len(banks)
