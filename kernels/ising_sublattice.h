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
// sums is kept, nothing needs updating when a spin flips.
#pragma once

// A block's threads share the sites of one word of lattices.
#define MEMBER (int)threadIdx.x
#define MEMBERS (int)blockDim.x
#define TEAM (int)blockIdx.x
#define STRIDE 1
#define team_sync() __syncthreads()
#ifdef __CUDACC__
constexpr int GENERATORS = 1;  // a thread's; on a GPU blockDim is SLOTS
#else
constexpr int GENERATORS = SLOTS;
#endif

constexpr int SPACING = RANGE + 1, SITES = SIZE / SPACING;  // n
constexpr int GAPS = SITES + 1;                             // one before each site, and one behind the last
constexpr int PITCH = SIZE + RANGE;                         // the first rows and columns stand again behind the last ones,
                                                            // so that no R consecutive spins ever wrap
constexpr int BLOCK_BITS = bit_length(RANGE * RANGE);
constexpr int STRIP_BITS = bit_length(RANGE * (2 * RANGE + 1));
constexpr int STRIP_OFFSET = GAPS * GAPS * BLOCK_BITS;
constexpr int SCRATCH_WORDS = STRIP_OFFSET + GAPS * SITES * STRIP_BITS;
constexpr int LATTICE_WORDS = PITCH * PITCH;

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

// number of up spins in the R x R spins at `corner`; a few rows at a time, which keeps the code of a large R short
__device__ __forceinline__ void count_block(const word* corner, word* sum) {
  constexpr int ROWS = larger(1, smaller(RANGE, 100 / RANGE)), REST = RANGE % ROWS;  // rows at a time
  constexpr int PART = bit_length(ROWS * RANGE);
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

__device__ __forceinline__ void substep(word* spins, word* scratch, Generator* generators, const Metropolis& metropolis, int offset_x,
                                        int offset_y) {
  word* block = scratch;
  word* strip = scratch + STRIP_OFFSET;

  for (int i = MEMBER; i < GAPS * GAPS; i += MEMBERS) {
    int x = wrap(offset_x + gap_start(i / GAPS)), y = wrap(offset_y + gap_start(i % GAPS));
    word sum[BLOCK_BITS];
    count_block(spins + at(x, y), sum);
#pragma unroll
    for (int k = 0; k < BLOCK_BITS; ++k) block[i * BLOCK_BITS + k] = sum[k];
  }
  team_sync();

  for (int i = MEMBER; i < GAPS * SITES; i += MEMBERS) {
    int gap = i / SITES, site = i % SITES;
    const word* line = spins + at(wrap(offset_x + gap_start(gap)), wrap(offset_y + site * SPACING));
    const word* below = block + (gap * GAPS + site) * BLOCK_BITS;
    word blocks[STRIP_BITS], between[bit_length(RANGE)];
    add<BLOCK_BITS, BLOCK_BITS, STRIP_BITS>(below, below + BLOCK_BITS, splat(0), blocks);
    count<0, RANGE>([&](int r) { return line[r * PITCH]; }, between);
    add<STRIP_BITS, bit_length(RANGE), STRIP_BITS>(blocks, between, splat(0), blocks);
#pragma unroll
    for (int k = 0; k < STRIP_BITS; ++k) strip[i * STRIP_BITS + k] = blocks[k];
  }
  team_sync();

  for (int i = MEMBER; i < SITES * SITES; i += MEMBERS) {
    int a = i / SITES, b = i % SITES;
    int x = wrap(offset_x + a * SPACING), y = wrap(offset_y + b * SPACING);
    const word* lower = spins + at(x, wrap(y - RANGE));
    const word* upper = spins + at(x, wrap(y + 1));
    const word* left = strip + (a * SITES + b) * STRIP_BITS;
    word up[FIELD_BITS], column[bit_length(2 * RANGE)];
    count<0, 2 * RANGE>([&](int r) { return r < RANGE ? lower[r] : upper[r - RANGE]; }, column);
    add<STRIP_BITS, STRIP_BITS, FIELD_BITS>(left, left + SITES * STRIP_BITS, splat(0), up);
    add<FIELD_BITS, bit_length(2 * RANGE), FIELD_BITS>(up, column, splat(0), up);

    word spin = spins[at(x, y)];
    word flip = accept(up, spin, metropolis, generators[i % SLOTS / MEMBERS]);
    set_spin(spins, x, y, spin ^ flip);
  }
  team_sync();
}

// 1 MCS: as many substeps as bring the attempts since time 0 to the next multiple of N
__device__ __forceinline__ void sweep(word* spins, word* scratch, Generator* generators, const Metropolis& metropolis, const Stream& stream,
                                      unsigned group, int time) {
  constexpr long long N = SIZE * SIZE, ATTEMPTS = SITES * SITES;
  unsigned end = (unsigned)((time + 1) * N / ATTEMPTS);
  for (unsigned step = (unsigned)(time * N / ATTEMPTS); step < end; ++step) {
    Random4 r = draw(stream, 0, group, step);
    substep(spins, scratch, generators, metropolis, __umulhi(r.x, SIZE), __umulhi(r.y, SIZE));
  }
}
