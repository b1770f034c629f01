"""Two convolutional GRU cells and a flux head: the coarsening paper's network as kernels, for long
rollouts and for training.

Update rule   of each cell, input x (phi, then the first cell's state), hidden state H of h
              channels, circular 3^3 convolutions:
              [i_u i_r i_n] = conv1 tanh conv3 x,   [h_u h_r] = conv1 tanh conv3 H
              u = sigmoid(i_u + h_u),  r = sigmoid(i_r + h_r)
              n = tanh(i_n + conv1 tanh conv3 (r H)),  H' = (1 - u) n + u H
Output        J = conv3 tanh conv1 tanh conv1 H';  phi' = phi + div J, grid units
              staggered  J on the faces between cells: phi' - phi = J(i) - J(i - 1) along each axis
              central    J in the cells, (J(i + 1) - J(i - 1)) / 2: conserves each of the 8 parity
                         sublattices on its own, so that no J removes a checkerboard
              sigmoid    phi' = sigmoid(J): nothing is conserved
Memory        H is 0 at the start; with a memory of m it is so again after every m steps (published:
              never). In training H never gets older than a sequence: H of hundreds of steps is none
              that a step was trained from, and makes a network coarsen too slowly
Cost          28 920 multiply-adds a cell and step (h = 10), 1.2 kB read or written: bound by
              arithmetic
Sources       D. Lanzoni, A. Fantasia, R. Bergamaschini, O. Pierre-Louis, F. Montalenti,
              arXiv:2407.20126, section II.2 and S1; D. Lanzoni et al., Phys. Rev. Materials 6,
              103801 (2022)

    from kernels.conv_gru import ConvGRU, random_parameters
    network = ConvGRU(random_parameters(seed=1), shape=(32, 32, 32))
    network.start(phi)                     # (1, 32, 32, 32); hidden states 0
    network.advance(steps=100)
    network.fields()
"""

import math
import warnings
from collections.abc import Mapping

import numpy as np

from kernels import conv_gru_file
from kernels.arguments import one_of, real, reals, seed_of, several, whole
from kernels.arguments import shown as quoted
from kernels.conv_gru_file import OUTPUTS
from kernels.device import device_of
from kernels.names import named
from kernels.progress import Report, shown
from kernels.streams import STREAMS

__all__ = ["ConvGRU", "parameter_shapes", "random_parameters"]

SMALLEST_SIDE = 3  # cells: a stencil meets no cell twice
LARGEST_SIDE, LARGEST_COUNT, LARGEST_HIDDEN = 1 << 14, 1 << 24, 1 << 10
LARGEST_STEPS = 1 << 40
GPU_THREADS = 128
SPARE = 64  # numbers behind a convolved field, for the last vector of its last row
GPU_TILE = 32  # cells, as in conv_gru.h
GPU_GROUP = 4  # weights that are loaded at once, as in conv_gru.h
CPU_ROWS = 2  # of HIDDEN <= 12 sums each in a CPU's 32 vector registers


def parameter_shapes(hidden: int = 10, output: str = "staggered") -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter, convolutions as (out, in, x, y, z), in the order of the
    flat vector.

    29 183 numbers for hidden = 10 and three fluxes, as in the paper.
    """
    shapes = {}

    def convolution(name: str, outputs: int, inputs: int, side: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (
            (outputs, inputs, side, side, side),
            (outputs,),
        )

    for cell, inputs in enumerate((1, hidden)):
        for name, source, gates in (
            ("input", inputs, 3),
            ("state", hidden, 2),
            ("reset_state", hidden, 1),
        ):
            convolution(f"cells.{cell}.{name}.spatial", gates * hidden, source, 3)
            convolution(f"cells.{cell}.{name}.mixing", gates * hidden, gates * hidden, 1)
    convolution("head.first", hidden, hidden, 1)
    convolution("head.second", hidden, hidden, 1)
    convolution("head.flux", 1 if output == "sigmoid" else 3, hidden, 3)
    return shapes


def random_parameters(
    seed: int, hidden: int = 10, output: str = "staggered"
) -> dict[str, np.ndarray]:
    """Uniform in +- 1 / sqrt(inputs of a sum), as torch begins."""
    hidden, seed = whole("hidden", hidden, 1, LARGEST_HIDDEN), seed_of(seed)
    one_of("output", output, OUTPUTS)
    generator = np.random.Generator(
        np.random.Philox(key=np.array([seed, STREAMS["coarsening"]], np.uint64))
    )
    shapes = parameter_shapes(hidden, output)
    fan = {name: math.prod(shape[1:]) for name, shape in shapes.items() if name.endswith("weight")}
    bounds = {
        name: 1 / math.sqrt(fan[name.removesuffix("bias").removesuffix("weight") + "weight"])
        for name in shapes
    }
    return {
        name: generator.uniform(-bounds[name], bounds[name], shape).astype(np.float32)
        for name, shape in shapes.items()
    }


class Packing:
    """Where the kernels find the parameters: arrays of indices into the flat vector, each the
    weights of one launch.

    multiple: numbers that a group of weights is padded to (conv_gru.h, Weights); what pads it is
    never used.
    """

    def __init__(self, hidden: int, output: str, multiple: int = 1):
        shapes = parameter_shapes(hidden, output)
        ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
        self.count, self.hidden, self.multiple = int(ends[-1]), hidden, multiple
        self.index = {
            name: np.arange(end - math.prod(shape), end).reshape(shape)
            for (name, shape), end in zip(shapes.items(), ends, strict=True)
        }

    def padded(self, groups: np.ndarray) -> np.ndarray:
        """Groups (n, weights of one) behind one another."""
        return np.pad(groups, ((0, 0), (0, -groups.shape[1] % self.multiple))).ravel()

    def spatial(self, name: str) -> np.ndarray:
        """Of a 3^3 convolution: [block of outputs][dx][dy][in][dz][output]."""
        weights = self.index[f"{name}.weight"]
        return self._spatial(weights, len(weights) if name == "head.flux" else self.hidden)

    def _spatial(self, weights: np.ndarray, block: int) -> np.ndarray:
        groups = weights.reshape(-1, block, *weights.shape[1:]).transpose(0, 3, 4, 2, 5, 1)
        return self.padded(groups.reshape(-1, 3 * block))

    def mixing(self, name: str) -> np.ndarray:
        """Of a 1^3 convolution: [block of outputs][in][output]."""
        weights = self.index[f"{name}.weight"]
        groups = weights.reshape(-1, self.hidden, weights.shape[1]).transpose(0, 2, 1)
        return self.padded(groups.reshape(-1, self.hidden))

    def bias(self, name: str) -> np.ndarray:
        return self.padded(self.index[f"{name}.bias"][None])

    def spatial_transposed(self, name: str) -> np.ndarray:
        """Of the 3^3 convolution that takes gradients back: mirrored, outputs for inputs, in the
        order of `spatial`.
        """
        weights = self.index[f"{name}.weight"][:, :, ::-1, ::-1, ::-1].swapaxes(0, 1)
        return self._spatial(weights, min(self.hidden, len(weights)))

    def mixing_transposed(self, name: str) -> np.ndarray:
        """Of the 1^3 convolution that takes gradients back, in the order of `mixing`."""
        weights = self.index[f"{name}.weight"]
        groups = weights.reshape(len(weights), -1, self.hidden).transpose(1, 0, 2)
        return self.padded(groups.reshape(-1, self.hidden))

    def backward(self) -> dict[str, np.ndarray]:
        """Of each launch of the way back, conv_gru_backward.cu."""
        mixing = [self.mixing_transposed(f"head.{name}") for name in ("second", "first")]
        found = {"head": np.concatenate([self.spatial_transposed("head.flux"), *mixing])}
        for cell in (0, 1):
            x, state, candidate = (
                f"cells.{cell}.{name}" for name in ("input", "state", "reset_state")
            )
            found[f"candidate.{cell}"] = self.mixing_transposed(f"{candidate}.mixing")
            gates = [self.mixing_transposed(f"{name}.mixing") for name in (x, state)]
            found[f"gates.{cell}"] = np.concatenate(
                [self.spatial_transposed(f"{candidate}.spatial"), *gates]
            )
            found[f"input.{cell}"], found[f"state.{cell}"] = (
                self.spatial_transposed(f"{name}.spatial") for name in (x, state)
            )
        return found

    def forward(self) -> dict[str, np.ndarray]:
        """Of each launch of a step, conv_gru.cu."""
        found = {}
        for cell, word in enumerate(("first", "second")):
            x, state, candidate = (
                f"cells.{cell}.{name}" for name in ("input", "state", "reset_state")
            )
            found[f"{word}_gates"] = np.concatenate(
                [
                    self.spatial(f"{x}.spatial"),
                    self.bias(f"{x}.spatial"),
                    self.spatial(f"{state}.spatial"),
                    self.bias(f"{state}.spatial"),
                    self.mixing(f"{x}.mixing"),
                    self.bias(f"{x}.mixing"),
                    self.mixing(f"{state}.mixing"),
                    self.bias(f"{state}.mixing"),
                ]
            )
            found[f"{word}_state"] = np.concatenate(
                [
                    self.spatial(f"{candidate}.spatial"),
                    self.bias(f"{candidate}.spatial"),
                    self.mixing(f"{candidate}.mixing"),
                    self.bias(f"{candidate}.mixing"),
                ]
            )
        head = [
            part
            for name in ("head.first", "head.second")
            for part in (self.mixing(name), self.bias(name))
        ]
        found["second_state"] = np.concatenate([found["second_state"], *head])
        found["flux"] = np.concatenate([self.spatial("head.flux"), self.bias("head.flux")])
        return found


@named
class ConvGRU:
    """The network on `count` fields of `shape` (x, y, z) cells, on `device` ("cpu", "gpu", or one
    of select(); default: auto).

    parameters: as parameter_shapes() says, with `about` beside them if they come from a file
    (from_file).  memory: steps after which its hidden states begin anew at 0; None: as many as in
    its training where a file says that, else they never do; 0: they never do, as published.  age:
    steps that they have made.  Raises ValueError, one line, on a wrong name, shape or output.
    """

    def __init__(
        self,
        parameters: Mapping[str, np.ndarray],
        shape: tuple[int, int, int],
        count: int = 1,
        output: str = "staggered",
        device=None,
        memory: int | None = None,
    ):
        self.hidden = check(parameters, shape, count, output)
        self.about, self.started = conv_gru_file.about(parameters), False
        self.shape, self.count, self.output = tuple(map(int, shape)), int(count), output
        self.device = device_of(device)
        self.rows = CPU_ROWS if self.device.kind == "cpu" and self.hidden <= 12 else 1
        self.defines = {"HIDDEN": self.hidden, "ROWS": self.rows, "OUTPUT": OUTPUTS.index(output)}
        if self.device.kind == "cpu":
            self.defines["LANES"] = self.device.float_lanes
        self.module = self.device.module("conv_gru.cu", self.defines)
        multiple = 1 if self.device.kind == "cpu" else GPU_GROUP
        self.packing = Packing(self.hidden, output, multiple)
        self.packed = {
            name: self.device.asarray(index) for name, index in self.packing.forward().items()
        }
        self.weights = {
            name: self.device.zeros(len(index), np.float32) for name, index in self.packed.items()
        }
        if memory is None and self.about is not None:
            memory = self.about.memory
        memory = 0 if memory is None else memory
        self.memory, self.age = whole("memory", memory, 0, LARGEST_STEPS, "steps"), 0
        self.graphs: dict = {}
        self.load(
            np.concatenate(
                [np.asarray(parameters[name], np.float32).ravel() for name in self.packing.index]
            )
        )
        h, fluxes = self.hidden, 1 if output == "sigmoid" else 3
        self.phi, self.next_phi = self.empty(1), self.empty(1)
        self.states, self.next_states = (
            [self.empty(h), self.empty(h)],
            [self.empty(h), self.empty(h)],
        )
        self.update, self.input, self.reset_state = self.tiled(h), self.tiled(h), self.empty(h)
        self.head, self.fluxes = self.empty(h), self.empty(fluxes)

    def __getstate__(self) -> dict:
        """Without the graphs of a GPU, which hold this process's addresses."""
        return {**vars(self), "graphs": {}}

    @classmethod
    def from_file(
        cls,
        path,
        shape: tuple[int, int, int],
        count: int = 1,
        device=None,
        memory: int | None = None,
    ) -> "ConvGRU":
        """The network that a parameter file holds (conv_gru_file.py), `about` it included."""
        parameters, about = conv_gru_file.read(path)
        return cls(parameters, shape, count, about.output, device, memory)

    @classmethod
    def committed(
        cls,
        name: str,
        shape: tuple[int, int, int],
        count: int = 1,
        device=None,
        memory: int | None = None,
    ) -> "ConvGRU":
        """A network that comes with Quench: staggered, central or sigmoid. print(network.about)
        says on what it was trained, and where it is known to fail.
        """
        return cls.from_file(conv_gru_file.committed(name), shape, count, device, memory)

    def __repr__(self) -> str:
        return f"ConvGRU(shape={self.shape}, count={self.count}, output={self.output!r}, hidden={self.hidden})"

    def load(self, flat) -> None:
        """Take parameters as one vector, on this device or the host.  ValueError on another
        length.
        """
        if not hasattr(flat, "shape"):
            flat = reals("flat", flat)
        if flat.shape != (self.packing.count,) or flat.dtype.kind != "f":
            raise ValueError(
                f"flat has the shape {flat.shape} of {flat.dtype}; the network's parameters are "
                f"{self.packing.count} real numbers"
            )
        flat = self.device.asarray(flat, np.float32)
        for name, index in self.packed.items():  # in place: graphs hold the weights' addresses
            self.weights[name][...] = flat[index]

    def empty(self, channels: int):
        """A zeroed field that is convolved (conv_gru.h)."""
        return self.device.zeros(self.size(channels), np.float32)

    def tiled(self, channels: int):
        """A zeroed field that is not convolved (conv_gru.h)."""
        return self.device.zeros(self.size(channels, tiled=True), np.float32)

    def size(self, channels: int, tiled: bool = False) -> int:
        """Numbers in a field, as conv_gru.h lays it out."""
        (x, y, z), lanes = self.shape, self.device.float_lanes
        if not tiled:
            return self.count * channels * self.channel + SPARE
        tile = lanes if self.device.kind == "cpu" else GPU_TILE
        return channels * (-(-self.count * x * y * (-(-z // lanes) * lanes) // tile) * tile)

    @property
    def channel(self) -> int:
        """Numbers from one channel of a convolved field to the next: an odd number of cache
        lines.
        """
        x, y, z = self.shape
        return (-(-x * y * (z + 2) // 16) | 1) * 16

    def rows_of(self, field):
        """(count, channels, x, y, z + 2) of a convolved field: rows with a copy of a cell at either
        end.
        """
        x, y, z = self.shape
        return (
            field[:-SPARE]
            .reshape(self.count, -1, self.channel)[..., : x * y * (z + 2)]
            .reshape(self.count, -1, x, y, z + 2)
        )

    def view(self, field):
        """(count, channels, x, y, z) of a convolved field."""
        return self.rows_of(field)[..., 1:-1]

    def put(self, field, values) -> None:
        """Fill a convolved field from (count, channels, x, y, z), copies at the ends of its rows
        and all.
        """
        rows = self.rows_of(field)
        rows[..., 1:-1] = values
        rows[..., 0], rows[..., -1] = values[..., -1], values[..., 0]

    def start(self, phi: np.ndarray, hidden: np.ndarray | None = None) -> None:
        """Set phi (count, x, y, z), or (x, y, z) for a count of 1, and the hidden states (2, count,
        h, x, y, z), 0 by default; their age counts from here (resume() goes on with it).
        Raises ValueError on another shape, on values that are not finite, and on phi that this
        network, if its parameters say what they are, has never met; warns of fields that differ
        from those it was trained on (About.outside).
        """
        if not hasattr(phi, "shape"):
            phi = reals("phi", phi)
        if self.count == 1 and np.shape(phi) == self.shape:
            phi = phi[None] if hasattr(phi, "shape") else [phi]
        if np.shape(phi) != (self.count, *self.shape):
            raise ValueError(
                f"phi has the shape {np.shape(phi)}; this network is for {(self.count, *self.shape)}"
            )
        if hidden is not None:
            wanted = (len(self.states), self.count, self.hidden, *self.shape)
            hidden = hidden if hasattr(hidden, "shape") else reals("hidden", hidden)
            if hidden.shape != wanted or hidden.dtype.kind != "f":
                raise ValueError(
                    f"hidden has the shape {hidden.shape} of {hidden.dtype}; this network's states "
                    f"are real numbers {wanted}"
                )
        if hidden is None and isinstance(phi, np.ndarray | list):
            self._check_range(np.asarray(phi))
        self.started, self.age = True, 0
        self.put(self.phi, self.device.asarray(phi, np.float32)[:, None])
        for k, state in enumerate(self.states):
            self.put(
                state,
                self.device.zeros((self.count, self.hidden, *self.shape), np.float32)
                if hidden is None
                else self.device.asarray(hidden[k], np.float32),
            )

    def _check_range(self, phi: np.ndarray) -> None:
        phi = reals("phi", phi)
        if self.about is None:
            return
        low, high = self.about.low, self.about.high
        if phi.min() < low - (high - low) / 2 or phi.max() > high + (high - low) / 2:
            raise ValueError(
                f"phi is {phi.min():g} to {phi.max():g}; this network knows mixtures of {low:g} to {high:g}"
            )
        for line in self.about.outside(phi):
            warnings.warn(line, stacklevel=4)

    def advance(self, steps: int, progress: Report = None) -> None:
        """So many steps on from where the fields are.  progress: called with steps done (on a GPU:
        handed over to it).  Raises ValueError before start().
        """
        steps = whole("steps", steps, 0, LARGEST_STEPS)
        if not self.started:
            raise ValueError("the network has no field yet: start(phi) comes before advance()")
        with shown(progress, steps, "steps") as report:
            done = 0
            while done < steps:
                if self.memory and self.age >= self.memory:
                    for state in self.states:
                        state[...] = 0
                    self.age = 0
                few = min(steps - done, self.memory - self.age) if self.memory else steps - done
                if self.device.kind == "gpu" and few >= 4:
                    done += self._replay(few, done, report)
                    continue
                self._one_step()
                done += 1
                if report:
                    report(done)

    def _one_step(self) -> None:
        self.step(self.phi, self.states, self.next_phi, self.next_states)
        self.phi, self.next_phi = self.next_phi, self.phi
        self.states, self.next_states = self.next_states, self.states
        self.age += 1

    def _replay(self, steps: int, before: int, report) -> int:
        """Steps in pairs, each one launch of a graph, since on a GPU a launch costs more than a
        small field's arithmetic; those made.  before: how many were made of those reported.
        """
        there, back = (self.phi, self.states), (self.next_phi, self.next_states)
        key, first = id(self.phi), 0  # phi lies in the one buffer or the other
        if key not in self.graphs:
            for _ in range(2):  # leave the fields where they were
                self._one_step()
            first = 2

            def two_steps() -> None:
                self.step(*there, *back)
                self.step(*back, *there)

            self.graphs[key] = self.device.graph(two_steps)
        for done in range(first + 2, steps + 1, 2):
            self.device.replay(self.graphs[key])
            self.age += 2
            if report:
                report(before + done)
        return steps - steps % 2

    def step(self, phi, states, next_phi, next_states, kept: Mapping | None = None) -> None:
        """One step from fields to other fields; next_phi None: the states alone.  kept: arrays of
        what the way back needs, by name.
        """
        k, w = kept or {}, self.weights
        x, head, head_first = phi, None, None
        for cell, word in enumerate(("first", "second")):
            gates = dict(
                state=states[cell],
                update=k.get(f"update.{cell}", self.update),
                input=k.get(f"input.{cell}", self.input),
                reset_state=k.get(f"reset_state.{cell}", self.reset_state),
            )
            back = {n: k.get(f"{n}.{cell}") for n in ("from_input", "from_state", "reset")}
            self.launch(f"{word}_gates", x=x, weights=w[f"{word}_gates"], **gates, **back)
            if cell == 1 and next_phi is not None:
                head, head_first = k.get("head", self.head), k.get("head_first")
            back = {n: k.get(f"{n}.{cell}") for n in ("from_reset_state", "candidate")}
            self.launch(
                "new_state",
                weights=w[f"{word}_state"],
                next_state=next_states[cell],
                head=head,
                head_first=head_first,
                **gates,
                **back,
            )
            x = next_states[cell]
        if next_phi is None:
            return
        if self.output == "sigmoid":
            self.launch("flux", head=head, weights=w["flux"], fluxes=next_phi)
        else:
            self.launch("flux", head=head, weights=w["flux"], fluxes=self.fluxes)
            self.launch("divergence", phi=phi, fluxes=self.fluxes, next_phi=next_phi)

    def launch(self, kernel: str, module=None, **arrays) -> None:
        x, y, z = self.shape
        lanes = self.device.float_lanes
        items = self.count * x * -(-y // self.rows) * -(-z // lanes)
        cpu = self.device.kind == "cpu"
        blocks, threads = (
            (min(self.device.workers, items), 1) if cpu else (-(-items // GPU_THREADS), GPU_THREADS)
        )
        box = dict(samples=self.count, nx=x, ny=y, nz=z, blocks=blocks)
        (module or self.module).launch(kernel, blocks, threads=threads, **arrays, **box)

    def fields(self) -> np.ndarray:
        """phi as it is now, float32 (count, x, y, z), on the host.  ValueError before start()."""
        if not self.started:
            raise ValueError("the network has no field yet: start(phi) comes before fields()")
        return np.array(self.device.to_host(self.view(self.phi)[:, 0]))

    def hidden_states(self) -> np.ndarray:
        """float32 (2, count, h, x, y, z), on the host: with fields(), all that start() needs to go
        on exactly, where they never begin anew.
        """
        return np.stack([self.device.to_host(self.view(state)) for state in self.states])

    def state(self) -> dict[str, np.ndarray]:
        """All that resume() needs to go on exactly: phi, hidden (the hidden states) and their
        age.
        """
        return {
            "phi": self.fields(),
            "hidden": self.hidden_states(),
            "age": np.array(self.age),
        }

    def resume(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from where such a network gave its state().  Raises ValueError on what is none."""
        missing = {"phi", "hidden", "age"} - set(state)
        if missing:
            raise ValueError(f"state has no {', '.join(sorted(missing))}; state() gives all three")
        age = whole("state['age']", np.asarray(state["age"])[()], 0, LARGEST_STEPS, "steps")
        self.start(state["phi"], state["hidden"])
        self.age = age


def check(
    parameters: Mapping[str, np.ndarray], shape: tuple[int, ...], count: int, output: str
) -> int:
    """The number of hidden channels.  ValueError, one line, on what is not a network or not
    a box.
    """
    one_of("output", output, OUTPUTS)
    if not isinstance(parameters, Mapping):
        raise ValueError(
            f"parameters are {quoted(parameters)}; they must be a dict, as random_parameters makes"
        )
    about = conv_gru_file.about(parameters)
    if about is not None and about.output != output:
        raise ValueError(
            f"output is {output!r}; these parameters are of a network with output {about.output!r}"
        )
    sides = [real(n) or 0.5 for n in several("shape", shape, "three sides")]
    if len(sides) != 3 or any(n % 1 or not SMALLEST_SIDE <= n <= LARGEST_SIDE for n in sides):
        raise ValueError(
            f"shape is {quoted(shape)}; it must be three sides of at least {SMALLEST_SIDE} cells"
        )
    whole("count", count, 1, LARGEST_COUNT, "fields")
    if "head.first.bias" not in parameters:
        raise ValueError("parameters: head.first.bias is missing: not this network's")
    hidden = len(parameters["head.first.bias"])
    wanted = parameter_shapes(hidden, output)
    for name, expected in wanted.items():
        if name not in parameters or np.shape(parameters[name]) != expected:
            found = np.shape(parameters[name]) if name in parameters else "missing"
            raise ValueError(
                f"parameters: {name} is {found}; output {output} with {hidden} hidden channels needs {expected}"
            )
    return hidden
