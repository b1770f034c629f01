"""The Perlin kernel's GPU branch, run thread by thread on a CPU and built for no CPU in particular,
gives the same bytes.
"""

import ctypes

import numpy as np
import pytest

from kernels.device import select, source_of
from kernels.perlin import fade, perlin_noise
from kernels.streams import STREAMS
from tests.reference import emulation

ENTRY = """
extern "C" void emulate(int threads, const unsigned* identity, float* gradient, const float* offset, const float* fade, float* noise,
                        int planes, int blocks, unsigned low, unsigned high, unsigned stream) {
  for (int field = 0; field < planes / SIZE; ++field) {
    emulate_block(field);
    run_block(threads, [=] { draw_gradients(identity, gradient, low, high, stream); });
  }
  for (int block = 0; block < blocks; ++block) {
    emulate_block(block);
    run_block(threads, [=] { interpolate(gradient, offset, fade, noise, planes, blocks, 0, SIZE); });
  }
}
"""


@pytest.mark.parametrize(("size", "points", "threads"), [(12, 3, 64), (8, 8, 32), (16, 2, 128)])
def test_same_bytes(tmp_path, size, points, threads):
    source = source_of("perlin.cu") + ENTRY
    library = emulation.built(tmp_path, source, {"SIZE": size, "POINTS": points})
    seed, index = 2**33 + 1, [5, 2**40 + 3]
    expected = perlin_noise((size,) * 3, [points] * 2, seed, index, device=select("cpu", workers=1))
    offset = np.arange(size // points) / (size // points)
    noise = np.zeros_like(expected)
    arrays = [
        np.array([[5, 0], [3, 2**8]], np.uint32),
        np.zeros((2, points**3, 3), np.float32),
        offset.astype(np.float32),
        fade(offset).astype(np.float32),
        noise,
    ]
    library.emulate(
        threads,
        *(ctypes.c_void_p(a.ctypes.data) for a in arrays),
        2 * size,
        5,
        1,
        2,
        STREAMS["perlin"],
    )
    assert np.array_equal(noise, expected)
