// One Monte Carlo step of the Ising model whose spins interact equally with the (2R+1)^2 - 1 spins of a square.
//
// Sublattice update: each substep draws a random offset and attempts the n^2 sites of a grid of spacing SPACING = R + 1
// laid from there, n = floor(L / SPACING). No two of them interact, so that attempting them at once is attempting them
// one after the other; 1 MCS is N = L^2 attempts, n^2 a substep. All replicas of a group of 16 words share the offsets.
//
// The field is counted anew from the spins in every substep. Every pair of neighbouring sites shares the spins of the gap
// between them, so each gap x gap block of R x R spins is counted once and used by the four sites at its corners:
//
//      . . . . . . . .        o sites of this substep     block[gx][gy]  the R x R spins between four sites
//      . # # # . # # #        # gap x gap blocks          strip[gx][b]   R columns by the 2R+1 rows around site row b:
//      . # # # . # # #        . gap x line, below                        two blocks and the R spins between them
//      o . . . o . . .                                    up neighbours of (a, b) = left strip + right strip
//                                                                        + the 2R spins above and below in its own column
// About (R + 1)^2 full adders an attempt for all replicas of a word, each spin read once a substep: no table of local
// sums is kept, nothing needs updating when a spin flips. At long range (TILED) the up spins of every 4 x 4 tile are kept
// counted, in five planes: that halves the words to read and add, and a flip changes one tile (ising_tiles.h).
//
// Each substep reads all lattices once more. Where a core's cache does not hold them (TOGETHER > 1), the strips of several substeps
// are counted in one pass, before the first of them, and corrected for the flips since: a few additions an attempt.
#pragma once

// A block's threads share the sites of one word of lattices; the first SLOTS of them attempt flips.
#define MEMBER (int)threadIdx.x
#define MEMBERS (int)blockDim.x
#define TEAM (int)blockIdx.x
#define STRIDE 1
#define team_sync() __syncthreads()
#ifdef __CUDACC__
constexpr int GENERATORS = 1;  // a thread's
#define ATTEMPTERS SLOTS
#define GENERATOR_OF(site) 0   // known to the compiler, which keeps it in registers
constexpr int ODD = 1;         // words of a number in the scratch: an odd pitch, lest threads meet in a bank of shared memory
#else
constexpr int GENERATORS = SLOTS;
#define ATTEMPTERS 1
#define GENERATOR_OF(site) (site) % SLOTS
constexpr int ODD = 0;
#endif

constexpr int SPACING = RANGE + 1, SITES = SIZE / SPACING;  // n
constexpr int GAPS = SITES + 1;                             // one before each site, and one behind the last
constexpr int PITCH = SIZE + RANGE;                         // the first rows and columns stand again behind the last ones,
                                                            // so that no R consecutive spins ever wrap
constexpr int BLOCK_BITS = bit_length(RANGE * RANGE);
constexpr int STRIP_BITS = bit_length(RANGE * (2 * RANGE + 1));
constexpr int BLOCK_PITCH = BLOCK_BITS | ODD, STRIP_PITCH = STRIP_BITS | ODD;
constexpr int STRIP_OFFSET = (TOGETHER > 1 ? 1 : GAPS) * GAPS * BLOCK_PITCH, STRIPS = GAPS * SITES * STRIP_PITCH;
constexpr int FLIPS_OFFSET = STRIP_OFFSET + TOGETHER * STRIPS;
constexpr int SCRATCH_WORDS = FLIPS_OFFSET + (TOGETHER > 1) * TOGETHER * 2 * (SITES * SITES + 1);
constexpr int BAND = 4;  // rows whose gaps are counted together
constexpr int TILE = 4, TILE_BITS = 5, TILE_PITCH = PITCH / TILE + 1;
constexpr int TILES_OFFSET = PITCH * PITCH, LATTICE_WORDS = TILES_OFFSET + TILED * TILE_PITCH * TILE_PITCH * TILE_BITS;

// first coordinate of the gap, counted from the first site of the grid
__device__ __forceinline__ int gap_start(int gap) { return gap < SITES ? gap * SPACING - RANGE : (SITES - 1) * SPACING + 1; }

__device__ __forceinline__ int wrap(int coordinate) {
  return coordinate < 0 ? coordinate + SIZE : coordinate >= SIZE ? coordinate - SIZE : coordinate;
}

__device__ __forceinline__ int at(int x, int y) { return x * PITCH + y; }

// writes a spin and its copies behind the last row and column
__device__ __forceinline__ void set_spin(word* spins, int x, int y, word value) {
  spins[at(x, y)] = value;
  bool again_x = x < RANGE, again_y = y < RANGE;
  if (again_x) spins[at(x + SIZE, y)] = value;
  if (again_y) spins[at(x, y + SIZE)] = value;
  if (again_x && again_y) spins[at(x + SIZE, y + SIZE)] = value;
}

#if TILED
#include "ising_tiles.h"
#else
__device__ __forceinline__ void spins_written(word*) { team_sync(); }

__device__ __forceinline__ void flip_spin(word* spins, int x, int y, word spin, word flip) { set_spin(spins, x, y, spin ^ flip); }

// number of up spins in the R x R spins from (x, y); a few rows at a time, which keeps the code of a large R short
__device__ __forceinline__ void count_block(const word* spins, int x, int y, word* sum) {
  constexpr int ROWS = larger(1, smaller(RANGE, 100 / RANGE)), REST = RANGE % ROWS;  // rows at a time
  constexpr int PART = bit_length(ROWS * RANGE);
  const word* corner = spins + at(x, y);
  if constexpr (ROWS == RANGE) {
    count<0, RANGE * RANGE>([&](int i) { return corner[i / RANGE * PITCH + i % RANGE]; }, sum);
  } else {
#pragma unroll
    for (int k = 0; k < BLOCK_BITS; ++k) sum[k] = splat(0);
    if constexpr (REST > 0) {
      constexpr int PART_REST = bit_length(REST * RANGE);
      word part[larger(1, PART_REST)];
      count<0, REST * RANGE>([&](int i) { return corner[i / RANGE * PITCH + i % RANGE]; }, part);
#pragma unroll
      for (int k = 0; k < PART_REST; ++k) sum[k] = part[k];
      corner += REST * PITCH;
    }
#pragma unroll 1
    for (int row = REST; row < RANGE; row += ROWS, corner += ROWS * PITCH) {
      word part[PART];
      count<0, ROWS * RANGE>([&](int i) { return corner[i / RANGE * PITCH + i % RANGE]; }, part);
      add<BLOCK_BITS, PART, BLOCK_BITS>(sum, part, splat(0), sum);
    }
  }
}
#endif

struct Site { int x, y; };

#if TOGETHER > 1
// Flips since the strips of substeps taken together were counted. Beside its own column of spins, which is read as it is, the window
// of a site holds at most four sites of another grid: left or right, before or behind.
struct Flips {
  word* planes;     // [substep][site, and one that never flips][came up, stayed: did not go down]
  Site first_site[TOGETHER];
  int row[TOGETHER][SITES][2], column[TOGETHER][SITES][2];  // of an earlier grid: left and right, before and behind; -1: none

  // the number of the grid's row or column that is one of `width` <= SPACING from `from` on, or -1
  static int among(int first, int from, int width) {
    const int beyond = wrap(from - first), next = (beyond + SPACING - 1) / SPACING;
    const int distance = next < SITES ? next * SPACING - beyond : SIZE - beyond;
    return distance >= width ? -1 : next < SITES ? next : 0;
  }

  void begin(int substep, Site first) {
    first_site[substep] = first;
    for (int s = 0; s < substep; ++s)
      for (int i = 0; i < SITES; ++i) {
        const int x = first.x + i * SPACING, y = first.y + i * SPACING;
        row[s][i][0] = among(first_site[s].x, wrap(x - RANGE), RANGE);
        row[s][i][1] = among(first_site[s].x, wrap(x + 1), RANGE);
        column[s][i][0] = among(first_site[s].y, wrap(y - RANGE), RANGE);
        column[s][i][1] = among(first_site[s].y, wrap(y), SPACING);
      }
    word* never = planes + 2 * (substep * (SITES * SITES + 1) + SITES * SITES);
    never[0] = splat(0);
    never[1] = splat(~0u);
  }

  // up += came + stayed of four sites of each earlier substep: EXCESS too many for each
  static constexpr int EXCESS = 4;
  void add_to(word* up, int a, int b, int substep) const {
    for (int s = 0; s < substep; ++s) {
      const word* of_substep = planes + 2 * s * (SITES * SITES + 1);
      const word* site[4];
      for (int i = 0; i < 4; ++i) {
        const int r = row[s][a][i / 2], c = column[s][b][i % 2];
        site[i] = of_substep + 2 * ((r | c) < 0 ? SITES * SITES : r * SITES + c);
      }
      word flips[4];
      count<0, 8>([&](int i) { return site[i / 2][i % 2]; }, flips);
      add<FIELD_BITS, 4, FIELD_BITS>(up, flips, splat(0), up);
    }
  }

  void keep(int substep, int i, word spin, word flip) {
    word* site = planes + 2 * (substep * (SITES * SITES + 1) + i);
    site[0] = flip & ~spin;
    site[1] = ~(flip & spin);
  }
};
static_assert((2 * RANGE + 1) * (2 * RANGE + 1) - 1 + Flips::EXCESS * (TOGETHER - 1) < 1 << FIELD_BITS, "fewer substeps together");
#else
struct Flips {  // one substep at a time: its strips are counted anew
  word* planes;
  static constexpr int EXCESS = 0;
  __device__ __forceinline__ void begin(int, Site) {}
  __device__ __forceinline__ void add_to(word*, int, int, int) const {}
  __device__ __forceinline__ void keep(int, int, word, word) {}
};
#endif

// The strips beside the sites of the grid that begins at `first_site`, in `rows` rows of gaps from `gap` on; `block` holds the
// blocks of as many rows.
__device__ __forceinline__ void count_strips(const word* spins, word* block, word* strip, Site first_site, int gap, int rows) {
  for (int i = MEMBER; i < rows * GAPS; i += MEMBERS) {
    word sum[BLOCK_BITS];
    count_block(spins, wrap(first_site.x + gap_start(gap + i / GAPS)), wrap(first_site.y + gap_start(i % GAPS)), sum);
#pragma unroll
    for (int k = 0; k < BLOCK_BITS; ++k) block[i * BLOCK_PITCH + k] = sum[k];
  }
  team_sync();

  for (int i = MEMBER; i < rows * SITES; i += MEMBERS) {
    int row = i / SITES, site = i % SITES;
    const word* line = spins + at(wrap(first_site.x + gap_start(gap + row)), wrap(first_site.y + site * SPACING));
    const word* below = block + (row * GAPS + site) * BLOCK_PITCH;
    word blocks[STRIP_BITS], between[bit_length(RANGE)];
    add<BLOCK_BITS, BLOCK_BITS, STRIP_BITS>(below, below + BLOCK_PITCH, splat(0), blocks);
    count<0, RANGE>([&](int r) { return line[r * PITCH]; }, between);
    add<STRIP_BITS, bit_length(RANGE), STRIP_BITS>(blocks, between, splat(0), blocks);
#pragma unroll
    for (int k = 0; k < STRIP_BITS; ++k) strip[(gap * SITES + i) * STRIP_PITCH + k] = blocks[k];
  }
  team_sync();
}

// Attempts at all sites of the grid of a substep, the `substep`-th since its strips were counted.
__device__ __forceinline__ void attempt_flips(word* spins, const word* strip, Generator* generators, const Acceptance& acceptance,
                                              Site first_site, Flips& flips, int substep) {
  flips.begin(substep, first_site);
  const Acceptance shifted = counted_in_excess(acceptance, Flips::EXCESS * substep);
  for (int i = MEMBER; i < SITES * SITES && MEMBER < ATTEMPTERS; i += ATTEMPTERS) {
    int a = i / SITES, b = i % SITES;
    int x = wrap(first_site.x + a * SPACING), y = wrap(first_site.y + b * SPACING);
    const word* lower = spins + at(x, wrap(y - RANGE));
    const word* upper = spins + at(x, wrap(y + 1));
    const word* left = strip + i * STRIP_PITCH;
    word up[FIELD_BITS], column[bit_length(2 * RANGE)];
    count<0, 2 * RANGE>([&](int r) { return r < RANGE ? lower[r] : upper[r - RANGE]; }, column);
    add<STRIP_BITS, STRIP_BITS, FIELD_BITS>(left, left + SITES * STRIP_PITCH, splat(0), up);
    add<FIELD_BITS, bit_length(2 * RANGE), FIELD_BITS>(up, column, splat(0), up);
    flips.add_to(up, a, b, substep);

    word spin = spins[at(x, y)];
    word flip = accept(up, spin, shifted, generators[GENERATOR_OF(i)]);
    flip_spin(spins, x, y, spin, flip);
    flips.keep(substep, i, spin, flip);
  }
  team_sync();
}

// 1 MCS: as many substeps as bring the attempts since time 0 to the next multiple of N
__device__ __forceinline__ void sweep(word* spins, word* scratch, Generator* generators, const Acceptance& acceptance, const Stream& stream,
                                      unsigned group, int time) {
  constexpr long long N = SIZE * SIZE, ATTEMPTS = SITES * SITES;
  Flips flips{scratch + FLIPS_OFFSET};
  for (long long step = time * N / ATTEMPTS, end = (time + 1) * N / ATTEMPTS; step < end; step += TOGETHER) {
    const int substeps = TOGETHER == 1 || step + TOGETHER <= end ? TOGETHER : (int)(end - step);
    Site first_site[TOGETHER];
    for (int s = 0; s < substeps; ++s) {
      Random4 r = draw(stream, 0, group, step + s);
      first_site[s] = Site{(int)__umulhi(r.x, SIZE), (int)__umulhi(r.y, SIZE)};
    }
#if TOGETHER == 1
    count_strips(spins, scratch, scratch + STRIP_OFFSET, first_site[0], 0, GAPS);
#else  // a row of gaps at a time, those of all grids that read the same spins one after another
    for (int band = 0; band < SIZE; band += BAND)
      for (int s = 0; s < substeps; ++s)
        for (int gap = 0; gap < GAPS; ++gap)
          if (wrap(first_site[s].x + gap_start(gap)) / BAND * BAND == band)
            count_strips(spins, scratch, scratch + STRIP_OFFSET + s * STRIPS, first_site[s], gap, 1);
#endif
    for (int s = 0; s < substeps; ++s)
      attempt_flips(spins, scratch + STRIP_OFFSET + s * STRIPS, generators, acceptance, first_site[s], flips, s);
  }
}
