"""The GPU branch of the ConvGRU kernels, run thread by thread on a CPU, gives what the CPU's wide
thread gives, there and back.

Tiles of 32 cells, one cell a thread, a task of a parameter's gradient a block, sums over its
threads through shared memory: as on a GPU.
"""

import numpy as np
import pytest

from kernels import conv_gru, conv_gru_training
from kernels.conv_gru import ConvGRU, random_parameters
from kernels.conv_gru_training import Backpropagation
from kernels.device import select
from tests.reference.emulation import EmulatedGpu


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
        network.advance(7)  # the first two by themselves, pairs as a graph, one more
        training = Backpropagation(network, frames)
        training.load(np.concatenate([value.ravel() for value in parameters.values()]))
        found.append((network.fields(), network.hidden_states(), *training.gradient(truth, 1, 0.5)))
    (phi, states, loss, gradient), (gpu_phi, gpu_states, gpu_loss, gpu_gradient) = found
    assert np.abs(phi - gpu_phi).max() < 4e-6
    assert np.abs(states - gpu_states).max() < 1e-6
    assert loss == pytest.approx(gpu_loss, rel=1e-6)
    assert (
        np.abs(gradient - gpu_gradient).max() < 1e-4 * np.abs(gradient).max()
    )  # sums over cells, in another order
