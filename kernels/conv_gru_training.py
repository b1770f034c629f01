"""Loss and gradient of kernels.conv_gru's network over whole sequences: back through time, without
a framework.

Loss   L = mean over samples, predicted frames and cells of (phi - truth)^2; output sigmoid: +
       mass_penalty times the mean over samples and frames of (mean of phi - mean of truth)^2, the
       paper's weak constraint (S1)
Way    frames 0 .. given - 1 are read from the truth, the others are the network's own; only those
are in the loss Memory 26 h + 2 float32 a cell and step (262 for h = 10): what the way there keeps
for the way back, its states, phi and the truth

    from kernels.conv_gru_training import Backpropagation
    training = Backpropagation(network, frames=20)
    loss, gradient = training.gradient(truth, given=1)        # truth (count, 20, x, y, z);
    gradient: flat, on the device
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from kernels.conv_gru import GPU_THREADS, ConvGRU

# of each cell, tiled; x hidden channels
KEPT = {
    "update": 1,
    "input": 1,
    "reset": 1,
    "from_input": 3,
    "from_state": 2,
    "from_reset_state": 1,
    "candidate": 1,
}
KEPT_CONVOLVED = ("reset_state",)
# kernels of the parameters' gradients that are not named after the convolution
SPECIAL = {"cells.0.input.spatial": "phi_spatial", "head.flux": "flux_spatial"} | {
    f"head.{k}": f"{k}_mixing" for k in ("first", "second")
}
GPU_OUTPUTS, GPU_INPUTS, GPU_SHIFTS = 10, 6, 3  # of a task, as in conv_gru_backward.cu
GPU_PORTIONS = 16  # of the planes, for one parameter's gradient


def divisor(n: int, most: int) -> int:
    """The largest divisor of n that is at most `most`."""
    return next(k for k in range(most, 0, -1) if n % k == 0)


class Backpropagation:
    """The arrays for sequences of so many frames on the fields of `network`, whose parameters it
    leaves to their owner.
    """

    def __init__(self, network: ConvGRU, frames: int):
        if frames < 2:
            raise ValueError(f"frames is {frames}; a sequence has two or more")
        self.network, self.frames = network, frames
        h, device = network.hidden, network.device
        self.module = device.module("conv_gru_backward.cu", network.defines)
        self.packed = {
            name: device.asarray(index) for name, index in network.packing.backward().items()
        }
        self.weights = {
            name: device.zeros(len(index), np.float32) for name, index in self.packed.items()
        }
        self.graphs: dict = {}  # of launches, by what they do
        steps, new = frames - 1, network.empty
        self.phi, self.truth = [new(1) for _ in range(frames)], [new(1) for _ in range(frames)]
        self.states = [[new(h), new(h)] for _ in range(frames)]
        layout = [("head", network.size(h)), ("head_first", network.size(h, tiled=True))]
        for cell in (0, 1):
            layout += [
                (f"{name}.{cell}", network.size(h * blocks, tiled=True))
                for name, blocks in KEPT.items()
            ]
            layout += [(f"{name}.{cell}", network.size(h)) for name in KEPT_CONVOLVED]
        ends = np.cumsum([-(-size // 64) * 64 for _, size in layout])
        memory = device.zeros(
            (steps, int(ends[-1])), np.float32
        )  # in one piece, for the sake of huge pages
        starts = [0, *ends[:-1]]
        self.kept = [
            {
                name: row[start : start + size]
                for start, (name, size) in zip(starts, layout, strict=True)
            }
            for row in memory
        ]
        fluxes = 1 if network.output == "sigmoid" else 3
        tiled = network.tiled
        self.second, self.first, self.gates = tiled(h), tiled(h), tiled(3 * h)
        self.flux_gradient, self.z, self.z_input, self.z_state = (
            (new(c), tiled(c)) for c in (fluxes, h, 3 * h, 2 * h)
        )
        self.state_gradient, self.phi_gradient = [network.tiled(h), network.tiled(h)], new(1)
        self.portions = min(
            device.workers if device.kind == "cpu" else GPU_PORTIONS,
            network.count * network.shape[0],
        )
        self.sums = self._sums(h, fluxes)

    @property
    def memory(self) -> int:
        """Bytes that this takes on the device, nearly all of it for the way back."""
        states, kept = (
            (state for pair in self.states for state in pair),
            (part for step in self.kept for part in step.values()),
        )
        fields = [*self.phi, *self.truth, *states, *kept]
        return sum(field.nbytes for field in fields)

    def _sums(self, h: int, fluxes: int) -> dict[str, tuple]:
        """{convolution: (kernel, tasks, partial sums, indices of weights and biases in the flat
        vector)}.
        """
        found, index, lanes = {}, self.network.packing.index, self.network.device.float_lanes
        for name in [key.removesuffix(".weight") for key in index if key.endswith("weight")]:
            outputs, inputs, side = index[f"{name}.weight"].shape[:3]
            kernel = SPECIAL.get(name) or "_".join(name.split(".")[-2:])
            groups = (
                GPU_SHIFTS * inputs if side == 3 else inputs // divisor(inputs, GPU_INPUTS)
            )  # tasks of a GPU, as in conv_gru_backward.cu
            places = np.concatenate(
                [index[f"{name}.weight"].transpose(1, 2, 3, 4, 0).ravel(), index[f"{name}.bias"]]
            )
            sums = self.network.device.zeros((self.portions, len(places), lanes), np.float32)
            found[name] = (
                kernel,
                (groups + 1) * (outputs // divisor(outputs, GPU_OUTPUTS)),
                sums,
                self.network.device.asarray(places),
            )
        return found

    def gradient(self, truth, given: int = 1, mass_penalty: float = 0.0):
        """(loss, gradient): a float, and float32 (parameters,) on the device.

        truth: (count, frames, x, y, z), on the device or the host; given: 1 .. frames - 1.  Raises
        ValueError on another shape or number.
        """
        network, expected = self.network, (self.network.count, self.frames, *self.network.shape)
        if tuple(truth.shape) != expected or not 1 <= given < self.frames:
            raise ValueError(
                f"truth has the shape {tuple(truth.shape)}, given is {given}; expected {expected}, and 1 to {self.frames - 1}"
            )
        for name, index in self.packed.items():
            self.weights[name][...] = self.flat[index]
        truth = network.device.asarray(truth, np.float32)
        for t, field in enumerate(self.truth):
            network.put(field, truth[:, t][:, None])
        for state in self.states[0]:
            state[:] = 0
        self._run(("there", given), lambda: self._there(given))
        return self._back(given, mass_penalty)

    def _run(self, key: tuple, work: Callable[[], None]) -> None:
        """work(), whose launches are the same each time; on a GPU as one graph, from its second
        time on.
        """
        if key in self.graphs:
            self.network.device.replay(self.graphs[key])
            return
        work()
        if self.network.device.kind == "gpu":
            self.graphs[key] = self.network.device.graph(work)

    def _there(self, given: int) -> None:
        for t in range(self.frames - 1):
            predicted = self.phi[t + 1] if t + 1 >= given else None
            self.network.step(
                self.input(t, given), self.states[t], predicted, self.states[t + 1], self.kept[t]
            )

    def load(self, flat) -> None:
        """Take the network's parameters as one vector, for both ways."""
        self.flat = self.network.device.asarray(flat, np.float32)
        self.network.load(self.flat)

    def input(self, t: int, given: int):
        """What the network is shown at frame t."""
        return self.truth[t] if t < given else self.phi[t]

    def _back(self, given: int, mass_penalty: float):
        network = self.network
        cells, predicted = network.count * np.prod(network.shape), self.frames - given
        scale = np.float32(2 / (cells * predicted))
        loss = 0.0
        for _, _, sums, _ in self.sums.values():
            sums[...] = 0
        for field in (*self.state_gradient, self.phi_gradient):
            field[:] = 0
        for t in reversed(range(self.frames - 1)):
            if t + 1 >= given:
                error = self.phi[t + 1] - self.truth[t + 1]
                self.phi_gradient += scale * error
                inside = network.view(error)
                loss += (inside.astype(np.float64) ** 2).sum() / (cells * predicted)
                if mass_penalty:
                    mean = inside.mean((1, 2, 3, 4), keepdims=True, dtype=np.float64)
                    loss += mass_penalty * (mean**2).sum() / (network.count * predicted)
                    rows = network.rows_of(self.phi_gradient)
                    rows += (mass_penalty * float(scale) * mean).astype(np.float32)
                self._run(("head", t), partial(self._head, t))
            self._run(
                ("second", t),
                partial(self._cell, 1, t, self.states[t + 1][0], self.state_gradient[0]),
            )
            own = t >= given  # the network's own frame, through which the gradient goes on
            if not own or network.output == "sigmoid":
                self.phi_gradient[:] = 0
            gradient = self.phi_gradient if own else None
            self._run(("first", t, own), partial(self._cell, 0, t, self.input(t, given), gradient))
        return float(loss), self._collected()

    def _head(self, t: int) -> None:
        kept = self.kept[t]
        flux_gradient, flux_tiled = self.flux_gradient
        self.launch(
            "flux_backward",
            gradient=self.phi_gradient,
            next_phi=self.phi[t + 1],
            flux_gradient=flux_gradient,
            flux_tiled=flux_tiled,
        )
        self.add("head.flux", flux_tiled, kept["head"])
        self.launch(
            "head_backward",
            flux_gradient=flux_gradient,
            head=kept["head"],
            head_first=kept["head_first"],
            weights=self.weights["head"],
            second_gradient=self.second,
            first_gradient=self.first,
            state_gradient=self.state_gradient[1],
        )
        self.add("head.second", self.second, kept["head_first"])
        self.add("head.first", self.first, self.states[t + 1][1])

    def _cell(self, cell: int, t: int, x, x_gradient) -> None:
        """Through one cell at step t; its state's gradient becomes the one a step earlier, its
        input's is added to x_gradient.
        """
        k = {name: self.kept[t][f"{name}.{cell}"] for name in (*KEPT, *KEPT_CONVOLVED)}
        state, gradient, name, h = (
            self.states[t][cell],
            self.state_gradient[cell],
            f"cells.{cell}",
            self.network.hidden,
        )
        (z, z_tiled), (z_input, input_tiled), (z_state, state_tiled) = (
            self.z,
            self.z_input,
            self.z_state,
        )
        self.launch(
            "candidate_backward",
            state_gradient=gradient,
            update=k["update"],
            candidate=k["candidate"],
            state=state,
            from_reset_state=k["from_reset_state"],
            weights=self.weights[f"candidate.{cell}"],
            gate_gradient=self.gates,
            z=z,
            z_tiled=z_tiled,
        )
        self.add(
            f"{name}.reset_state.mixing",
            self.gates,
            k["from_reset_state"],
            channels=3 * h,
            first=2 * h,
        )
        self.add(f"{name}.reset_state.spatial", z_tiled, k["reset_state"])
        self.launch(
            "gates_backward",
            z=z,
            reset=k["reset"],
            state=state,
            from_input=k["from_input"],
            from_state=k["from_state"],
            weights=self.weights[f"gates.{cell}"],
            gate_gradient=self.gates,
            z_input=z_input,
            input_tiled=input_tiled,
            z_state=z_state,
            state_tiled=state_tiled,
            state_gradient=gradient,
        )
        self.add(f"{name}.input.mixing", self.gates, k["from_input"])
        self.add(f"{name}.state.mixing", self.gates, k["from_state"], channels=3 * h)
        self.add(f"{name}.input.spatial", input_tiled, x)
        self.add(f"{name}.state.spatial", state_tiled, state)
        if x_gradient is not None:
            self.launch(
                "phi_backward" if cell == 0 else "input_backward",
                z=z_input,
                weights=self.weights[f"input.{cell}"],
                gradient=x_gradient,
            )
        if t:
            self.launch(
                "state_backward",
                z=z_state,
                weights=self.weights[f"state.{cell}"],
                gradient=gradient,
            )

    def launch(self, kernel: str, **arrays) -> None:
        self.network.launch(kernel, self.module, **arrays)

    def add(self, name: str, z, x, channels: int | None = None, first: int = 0) -> None:
        """Add to the gradient of a convolution: z, the channels from `first` on of `channels`
        (default: its outputs), and x, its input.
        """
        kernel, tasks, sums, _ = self.sums[name]
        (nx, ny, nz), cpu = self.network.shape, self.network.device.kind == "cpu"
        channels = channels or len(self.network.packing.index[f"{name}.bias"])
        blocks, threads = (self.portions, 1) if cpu else (self.portions * tasks, GPU_THREADS)
        self.module.launch(
            kernel,
            blocks,
            threads=threads,
            z=z,
            x=x,
            partial=sums,
            z_channels=channels,
            z_first=first,
            samples=self.network.count,
            nx=nx,
            ny=ny,
            nz=nz,
            portions=self.portions,
        )

    def _collected(self):
        gradient = self.network.device.zeros(self.network.packing.count, np.float32)
        for _, _, sums, places in self.sums.values():
            gradient[places] = sums.sum((0, 2))
        return gradient
