"""The GPU branch of the ConvGRU kernels, run thread by thread on a CPU, gives what the CPU's wide
thread gives, there and back.

Tiles of 32 cells, one cell a thread, a task of a parameter's gradient a block, sums over its
threads through shared memory: as on a GPU.
"""

import ctypes
import re

import numpy as np
import pytest

from kernels import conv_gru, conv_gru_training
from kernels.conv_gru import ConvGRU, random_parameters
from kernels.conv_gru_training import Backpropagation
from kernels.device import as_ctypes, select, source_of
from kernels.signatures import Launches
from tests.reference import emulation


class EmulatedGpu:
    """kernels.device.Gpu's face, with real threads for CUDA's; arrays are NumPy's."""

    kind, lanes, float_lanes, workers = "gpu", 1, 1, 1

    def __init__(self, folder):
        self.folder = folder

    def module(self, file, defines):
        source = source_of(file)
        macro = re.search(r"#define WEIGHT_GRADIENT\(.*\n.*void name\(([^{]*?)\) \{", source, re.S)
        spelt_out = source.replace("BOX", "int samples, int nx, int ny, int nz, int blocks")
        kernels = re.findall(r'extern "C" __global__ void (\w+)\(([^)]*)\)', spelt_out)
        kernels = [(name, parameters) for name, parameters in kernels if name != "name"]
        if macro:
            kernels += [
                (name, macro[1].replace("\\", " "))
                for name in re.findall(r"^WEIGHT_GRADIENT\((\w+)", source, re.M)
            ]
        entries = []
        for name, parameters in kernels:
            names = ", ".join(re.findall(r"(\w+)\s*(?:,|$)", " ".join(parameters.split())))
            entries.append(
                f'extern "C" void emulate_{name}(int grid, int threads, {parameters}) {{ for (int b = 0; b < grid; ++b) {{ '
                f"emulate_block(b); run_block(threads, [=] {{ {name}({names}); }}); }} }}"
            )
        library = emulation.built(self.folder, "\n".join([source, *entries]), defines)
        return EmulatedModule(library, Launches(file, source, tuple(sorted(defines.items()))))

    def zeros(self, shape, dtype):
        return np.zeros(shape, dtype)

    def asarray(self, values, dtype=None):
        return np.ascontiguousarray(values, dtype)

    def to_host(self, array):
        return array


class EmulatedModule:
    def __init__(self, library, launches):
        self.library, self.launches = library, launches

    def launch(self, kernel, blocks, /, *, threads, **arguments):
        values = map(as_ctypes, self.launches.in_order(kernel, arguments))
        getattr(self.library, f"emulate_{kernel}")(
            ctypes.c_int(blocks), ctypes.c_int(threads), *values
        )


@pytest.mark.parametrize(("output", "hidden"), [("staggered", 4), ("sigmoid", 3)])
def test_same_rollout_and_gradient(tmp_path, monkeypatch, output, hidden):
    shape, count, frames = (3, 4, 5), 2, 3
    monkeypatch.setattr(conv_gru, "GPU_THREADS", 32)
    monkeypatch.setattr(conv_gru_training, "GPU_THREADS", 32)
    monkeypatch.setattr(conv_gru_training, "GPU_PORTIONS", 2)
    parameters, truth = (
        random_parameters(1, hidden, output),
        np.random.default_rng(1).random((count, frames, *shape), np.float32),
    )
    found = []
    for device in (select("cpu", 1), EmulatedGpu(tmp_path)):
        network = ConvGRU(parameters, shape, count, output, device)
        network.start(truth[:, 0])
        network.advance(3)
        training = Backpropagation(network, frames)
        training.load(np.concatenate([value.ravel() for value in parameters.values()]))
        found.append((network.fields(), network.hidden_states(), *training.gradient(truth, 1, 0.5)))
    (phi, states, loss, gradient), (gpu_phi, gpu_states, gpu_loss, gpu_gradient) = found
    assert np.abs(phi - gpu_phi).max() < 1e-6
    assert np.abs(states - gpu_states).max() < 1e-6
    assert loss == pytest.approx(gpu_loss, rel=1e-6)
    assert (
        np.abs(gradient - gpu_gradient).max() < 1e-4 * np.abs(gradient).max()
    )  # sums over cells, in another order
