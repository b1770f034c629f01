"""Cahn-Hilliard in one slab of a box on a CPU by cahn_hilliard_slab.cpp: the two passes of a step.
That the tiles are there which a pass reads is the caller's business.
"""

import numpy as np

from kernels.cahn_hilliard_clock import clocks
from kernels.cahn_hilliard_lines import line_order
from kernels.cahn_hilliard_pairs import rows_of
from kernels.cahn_hilliard_part import FROM_REAL, GO_ON, START, TO_REAL, Part
from kernels.cahn_hilliard_system import System

CHUNKS = 8  # of its rows, in which a slab takes its x pass where rows go to other processes


class Slab(Part):
    """One of several slabs; arguments as those of Part.

    A plane pass leaves in `field`, (tiles, y, z, 2, lanes), what x passes take and put back there:
    that of each slab its rows of all tiles.  They find the tiles of other slabs where `find` says:
    all of them, or copies of these rows alone.  places: of each slab's rows in a tile, in the order
    in which its x pass goes.  through: groups after which so many chunks of rows are through.
    """

    def __init__(
        self,
        model: System,
        rule: np.ndarray,
        order: int,
        adaptive: bool,
        rank: int,
        ranks: int,
        memory: np.ndarray | None = None,
    ):
        super().__init__(model, rule, order, adaptive, rank, ranks, memory)
        self.device = model.device
        tiles, ny = self.field.shape[:2]
        self.row_bytes = self.field[0, 0].nbytes
        place_of = np.argsort(line_order(ny))
        self.places = [place_of[rows_of(ny, each, ranks)] for each in range(ranks)]
        chunk_rows = max(2, len(self.rows) // CHUNKS)
        self.copied = (len(self.rows) // chunk_rows, tiles, chunk_rows)  # chunk, tile, row
        self.addresses = np.zeros(ranks * tiles, np.uint64)
        self.far = np.zeros(ranks * tiles, np.int32)
        # where a row is in copies
        row, z = np.divmod(self.place, self.field.shape[2])
        number = np.zeros(ny, int)
        number[self.places[rank]] = np.arange(len(self.rows))
        chunk, inside = np.divmod(number[row], chunk_rows)
        far_row = chunk * tiles * chunk_rows + inside
        self.through = [int((chunk.min((1, 2)) <= c).sum()) for c in range(self.copied[0])]
        far_place = (far_row * self.field.shape[2] + z).astype(self.place.dtype)
        self.totals, self.sums = np.zeros(4), np.zeros((ranks, 4))
        some = dict(mode=START, first=0, last=0)
        self._planes = self.module.prepared("slab_planes", self.workers, **self.planes_take, **some)
        self._lines = self.module.prepared(
            "slab_lines",
            self.workers,
            **self.lines_take,
            **some,
            tiles=self.addresses,
            far=self.far,
            far_place=model.device.asarray(far_place),
            half=self.thickness // 2,
            totals=self.totals,
            barrier_place=self.planes_take["barrier_place"],
        )
        names = ("rule_words", "medium_words", "clock_place", "until_place")
        self._tick = self.module.prepared(
            "slab_tick",
            1,
            **{name: self.lines_take[name] for name in names},
            totals=self.sums,
            slabs=ranks,
        )

    def copies(self, slabs: int) -> np.ndarray:
        """Room for this slab's rows of so many others, (slabs, chunk, tile, row, z, 2, lanes)."""
        return self.device.zeros((slabs, *self.copied, *self.field.shape[2:]), self.field.dtype)

    def find(self, rank: int, tiles: np.ndarray, far: bool = False) -> None:
        """That slab's tiles are there; far: copies of this one's rows."""
        count, tile_bytes = len(self.field), self.field[0].nbytes
        if far:
            tile_bytes = tiles[0, 0].nbytes
        here = slice(rank * count, (rank + 1) * count)
        self.addresses[here] = tiles.ctypes.data + tile_bytes * np.arange(count)
        self.far[here] = far

    def plane_pass(self, mode: int, first: int, last: int) -> None:
        """Of some of the tiles."""
        self._planes(mode=mode, first=first, last=last)

    def line_pass(self, mode: int, first: int, last: int) -> None:
        """Of some of the groups of lines.  A step's goes no farther than `until`, and leaves this
        slab's sums in `totals` after the last of them.
        """
        self._lines(mode=mode, first=first, last=last)

    def tick(self) -> None:
        """The clock after a step, by `sums` of all slabs, (slabs, 4)."""
        self._tick()

    def reset(self) -> None:
        """The clock at the start."""
        self.clock[:] = clocks(1, self.rule[4])
        self.mode = START

    def to_real(self) -> None:
        """The field of this slab's planes."""
        if self.mode == GO_ON:
            self.plane_pass(TO_REAL, 0, len(self.field))
            self.mode = FROM_REAL
