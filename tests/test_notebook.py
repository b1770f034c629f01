"""A notebook's kernel that is interrupted in a long call answers the next cell, and rightly."""

import os
import re
import sys
import time
from pathlib import Path

import pytest

jupyter = pytest.importorskip("jupyter_client", reason="jupyter_client and ipykernel are not there")
pytest.importorskip("ipykernel", reason="jupyter_client and ipykernel are not there")

ROOT = Path(__file__).parent.parent
PATIENCE = 5.0  # seconds for an answer, of a machine that does other things as well

SETUP = """
import numpy as np
from kernels.active_ising import ActiveIsing
from kernels.cahn_hilliard import CahnHilliard, mixtures
from kernels.conv_gru import ConvGRU, parameter_shapes
from kernels.device import select
from kernels.ising import Ising

device = select("cpu", workers=2)

lasting = Ising(size=20, range=1, temperature=1.5, field=0.01, device=device)
brief = Ising(size=20, range=1, temperature=1.5, field=1.5, device=device)
ones = lasting.pack(np.ones((200, 20, 20), np.int8))
def nucleate(model, events):
    return float(model.nucleate(seed=1, units=[0], events=events)[0].lifetime.sum())
def evolve(steps):
    return int(lasting.evolve(ones, steps, seed=1).sum(dtype=int))

square, cube = CahnHilliard((64, 64), device=device), CahnHilliard((64, 64, 64), device=device)
many, one = (mixtures([0.5] * n, 0.1, shape, seed=1) for n, shape in ((50, (64,) * 2), (1, (64,) * 3)))
def separate(model, start, time):
    return float(model.run(start, [time]).fields.sum(dtype=float))

flock = ActiveIsing(30, device=device)
def move(time):
    profile = flock.run([0.5] * 4, [3.0] * 4, [0] * 4, [time]).magnetization_profile
    return int((profile.ravel() * np.arange(profile.size)).sum())

dice = np.random.default_rng(1)
weights = {name: 0.1 * dice.normal(size=shape).astype("f4") for name, shape in parameter_shapes().items()}
network, field = ConvGRU(weights, (16, 16, 16), device=device), dice.random((1, 16, 16, 16), "f4")
def coarsen(steps):
    network.start(field)
    network.advance(steps)
    return float(network.fields().sum(dtype=float))
"""
CALLS = {  # one that goes on for hours, one that ends at once
    "Ising.nucleate": ("nucleate(lasting, 64)", "nucleate(brief, 64)"),
    "Ising.evolve": ("evolve(10**8)", "evolve(5)"),
    "CahnHilliard.run, squares": ("separate(square, many, 1e7)", "separate(square, many, 0.01)"),
    "CahnHilliard.run, a cube": ("separate(cube, one, 1e7)", "separate(cube, one, 0.01)"),
    "ActiveIsing.run": ("move(1e7)", "move(1.0)"),
    "ConvGRU.advance": ("coarsen(10**7)", "coarsen(3)"),
}


class Notebook:
    """A kernel, and what it answers."""

    def __init__(self):
        self.manager = jupyter.KernelManager()
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.start_kernel(cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def begin(self, cell: str) -> str:
        """Until it runs."""
        asked = self.client.execute(cell)
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            mine = message["parent_header"].get("msg_id") == asked
            if mine and message["msg_type"] == "execute_input":
                return asked

    def answer(self, asked: str, timeout: float) -> tuple[str, str]:
        """("ok", result) or ("error", name of the exception)."""
        result = ""
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            if message["msg_type"] == "execute_result":
                result = content["data"]["text/plain"]
            if message["msg_type"] == "error":
                result = f"{content['ename']}: {content['evalue']}"
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                break
        while (reply := self.client.get_shell_msg(timeout=timeout))["parent_header"].get(
            "msg_id"
        ) != asked:
            continue
        return reply["content"]["status"], result

    def run(self, cell: str) -> str:
        status, result = self.answer(self.begin(cell), 120)
        assert status == "ok", result
        return result


@pytest.fixture(scope="module")
def notebook():
    notebook = Notebook()
    notebook.run(SETUP)
    yield notebook
    notebook.client.stop_channels()
    notebook.manager.shutdown_kernel(now=True)


@pytest.mark.slow
@pytest.mark.parametrize("model", CALLS)
def test_an_interrupted_kernel_answers_the_next_cell(notebook, model):
    long, short = CALLS[model]
    wanted = notebook.run(short)
    assert re.search(r"\d", wanted)
    for seconds in (0.1, 1.0):
        asked = notebook.begin(long)
        time.sleep(seconds)
        notebook.manager.interrupt_kernel()
        told = time.monotonic()
        status, result = notebook.answer(asked, 60)
        assert (status, result.split(":")[0]) == ("error", "KeyboardInterrupt")
        assert time.monotonic() - told < PATIENCE
        assert notebook.run("1 + 1") == "2"
        assert notebook.run(short) == wanted
    assert notebook.manager.is_alive()
