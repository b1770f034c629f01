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
// counted, in five planes: that halves the words to read and add, and a flip changes one tile.
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
constexpr int STRIP_OFFSET = GAPS * GAPS * BLOCK_PITCH;
constexpr int SCRATCH_WORDS = STRIP_OFFSET + GAPS * SITES * STRIP_PITCH;
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
__device__ __forceinline__ int tile_at(int x, int y) { return TILES_OFFSET + (x / TILE * TILE_PITCH + y / TILE) * TILE_BITS; }

// writes the count of the tile around (x, y) and its copies behind the last row and column
__device__ __forceinline__ void set_tile(word* spins, int x, int y, const word* number) {
  bool again_x = x < RANGE, again_y = y < RANGE;
  for (int copy = 0; copy < 4; ++copy) {
    if ((copy & 1 && !again_x) || (copy & 2 && !again_y)) continue;
    word* tile = spins + tile_at(copy & 1 ? x + SIZE : x, copy & 2 ? y + SIZE : y);
#pragma unroll
    for (int k = 0; k < TILE_BITS; ++k) tile[k] = number[k];
  }
}

// after many spins were written
__device__ __forceinline__ void spins_written(word* spins) {
  team_sync();
  for (int i = MEMBER; i < SIZE / TILE * (SIZE / TILE); i += MEMBERS) {
    int x = i / (SIZE / TILE) * TILE, y = i % (SIZE / TILE) * TILE;
    word number[TILE_BITS];
    count<0, TILE * TILE>([&](int j) { return spins[at(x + j / TILE, y + j % TILE)]; }, number);
    set_tile(spins, x, y, number);
  }
  team_sync();
}

__device__ __forceinline__ void flip_spin(word* spins, int x, int y, word spin, word flip) {
  set_spin(spins, x, y, spin ^ flip);
  word change[TILE_BITS], number[TILE_BITS];  // +1, or -1 (all planes) where an up spin turns down
  change[0] = flip;
#pragma unroll
  for (int k = 1; k < TILE_BITS; ++k) change[k] = flip & spin;
  add<TILE_BITS, TILE_BITS, TILE_BITS>(spins + tile_at(x, y), change, splat(0), number);
  set_tile(spins, x, y, number);
}

// sum[bit_length(16 COUNT)] = sum of COUNT tiles side by side
template <int COUNT> __device__ __forceinline__ void add_tiles(const word* tiles, word* sum) {
  if constexpr (COUNT == 1) {
#pragma unroll
    for (int k = 0; k < TILE_BITS; ++k) sum[k] = tiles[k];
  } else {
    constexpr int A = COUNT / 2, B = COUNT - A, A_BITS = bit_length(16 * A), B_BITS = bit_length(16 * B);
    word a[A_BITS], b[B_BITS];
    add_tiles<A>(tiles, a);
    add_tiles<B>(tiles + A * TILE_BITS, b);
    add<A_BITS, B_BITS, bit_length(16 * COUNT)>(a, b, splat(0), sum);
  }
}

// R consecutive spins hold R / 4 whole tiles, or one fewer (FEWER) where their first tile begins late; the others, SINGLES
// of them, stand before the first tile and behind the last.
template <bool FEWER> struct Covering {
  static constexpr int TILES = RANGE / TILE - FEWER, SINGLES = RANGE - TILES * TILE;
  __device__ static __forceinline__ int single(int i, int before) { return i < before ? i : i + TILES * TILE; }
};

template <bool FEWER_X, bool FEWER_Y> __device__ __forceinline__ void count_tiled(const word* spins, int x, int y, word* sum) {
  typedef Covering<FEWER_X> X;
  typedef Covering<FEWER_Y> Y;
  const int before_x = -x & (TILE - 1), before_y = -y & (TILE - 1);
  if constexpr (X::SINGLES > 0) {  // whole rows of spins
    constexpr int ROWS = X::SINGLES, PART = bit_length(ROWS * RANGE);
    const word* row[ROWS];
#pragma unroll
    for (int i = 0; i < ROWS; ++i) row[i] = spins + at(x + X::single(i, before_x), y);
    count<0, ROWS * RANGE>([&](int i) { return row[i / RANGE][i % RANGE]; }, sum);
#pragma unroll
    for (int k = PART; k < BLOCK_BITS; ++k) sum[k] = splat(0);
  } else {
#pragma unroll
    for (int k = 0; k < BLOCK_BITS; ++k) sum[k] = splat(0);
  }
#pragma unroll 1
  for (int i = 0; i < X::TILES; ++i) {  // a row of tiles, and the spins before and behind it
    constexpr int TILES_BITS = bit_length(16 * Y::TILES), SINGLES_BITS = bit_length(TILE * Y::SINGLES);
    const int first = x + before_x + i * TILE;
    word tiles[TILES_BITS];
    add_tiles<Y::TILES>(spins + tile_at(first, y + before_y), tiles);
    if constexpr (Y::SINGLES > 0) {
      word singles[larger(1, SINGLES_BITS)];
      const word* column[larger(1, Y::SINGLES)];
#pragma unroll
      for (int j = 0; j < Y::SINGLES; ++j) column[j] = spins + at(first, y + Y::single(j, before_y));
      count<0, TILE * Y::SINGLES>([&](int j) { return column[j / TILE][j % TILE * PITCH]; }, singles);
      add<BLOCK_BITS, SINGLES_BITS, BLOCK_BITS>(sum, singles, splat(0), sum);
    }
    add<BLOCK_BITS, TILES_BITS, BLOCK_BITS>(sum, tiles, splat(0), sum);
  }
}

// number of up spins in the R x R spins from (x, y)
__device__ __forceinline__ void count_block(const word* spins, int x, int y, word* sum) {
  const bool fewer_x = (-x & (TILE - 1)) > RANGE % TILE, fewer_y = (-y & (TILE - 1)) > RANGE % TILE;
  if (fewer_x && fewer_y) count_tiled<true, true>(spins, x, y, sum);
  else if (fewer_x) count_tiled<true, false>(spins, x, y, sum);
  else if (fewer_y) count_tiled<false, true>(spins, x, y, sum);
  else count_tiled<false, false>(spins, x, y, sum);
}
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

__device__ __forceinline__ void substep(word* spins, word* scratch, Generator* generators, const Metropolis& metropolis, int offset_x,
                                        int offset_y) {
  word* block = scratch;
  word* strip = scratch + STRIP_OFFSET;

  for (int i = MEMBER; i < GAPS * GAPS; i += MEMBERS) {
    int x = wrap(offset_x + gap_start(i / GAPS)), y = wrap(offset_y + gap_start(i % GAPS));
    word sum[BLOCK_BITS];
    count_block(spins, x, y, sum);
#pragma unroll
    for (int k = 0; k < BLOCK_BITS; ++k) block[i * BLOCK_PITCH + k] = sum[k];
  }
  team_sync();

  for (int i = MEMBER; i < GAPS * SITES; i += MEMBERS) {
    int gap = i / SITES, site = i % SITES;
    const word* line = spins + at(wrap(offset_x + gap_start(gap)), wrap(offset_y + site * SPACING));
    const word* below = block + (gap * GAPS + site) * BLOCK_PITCH;
    word blocks[STRIP_BITS], between[bit_length(RANGE)];
    add<BLOCK_BITS, BLOCK_BITS, STRIP_BITS>(below, below + BLOCK_PITCH, splat(0), blocks);
    count<0, RANGE>([&](int r) { return line[r * PITCH]; }, between);
    add<STRIP_BITS, bit_length(RANGE), STRIP_BITS>(blocks, between, splat(0), blocks);
#pragma unroll
    for (int k = 0; k < STRIP_BITS; ++k) strip[i * STRIP_PITCH + k] = blocks[k];
  }
  team_sync();

  for (int i = MEMBER; i < SITES * SITES && MEMBER < ATTEMPTERS; i += ATTEMPTERS) {
    int a = i / SITES, b = i % SITES;
    int x = wrap(offset_x + a * SPACING), y = wrap(offset_y + b * SPACING);
    const word* lower = spins + at(x, wrap(y - RANGE));
    const word* upper = spins + at(x, wrap(y + 1));
    const word* left = strip + (a * SITES + b) * STRIP_PITCH;
    word up[FIELD_BITS], column[bit_length(2 * RANGE)];
    count<0, 2 * RANGE>([&](int r) { return r < RANGE ? lower[r] : upper[r - RANGE]; }, column);
    add<STRIP_BITS, STRIP_BITS, FIELD_BITS>(left, left + SITES * STRIP_PITCH, splat(0), up);
    add<FIELD_BITS, bit_length(2 * RANGE), FIELD_BITS>(up, column, splat(0), up);

    word spin = spins[at(x, y)];
    word flip = accept(up, spin, metropolis, generators[GENERATOR_OF(i)]);
    flip_spin(spins, x, y, spin, flip);
  }
  team_sync();
}

// 1 MCS: as many substeps as bring the attempts since time 0 to the next multiple of N
__device__ __forceinline__ void sweep(word* spins, word* scratch, Generator* generators, const Metropolis& metropolis, const Stream& stream,
                                      unsigned group, int time) {
  constexpr long long N = SIZE * SIZE, ATTEMPTS = SITES * SITES;
  for (long long step = time * N / ATTEMPTS, end = (time + 1) * N / ATTEMPTS; step < end; ++step) {
    Random4 r = draw(stream, 0, group, step);
    substep(spins, scratch, generators, metropolis, __umulhi(r.x, SIZE), __umulhi(r.y, SIZE));
  }
}
