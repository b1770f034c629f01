// Lattices of the Ising model whose every 4 x 4 tile keeps the number of its up spins counted, in five planes behind the spins.
//
// At long range that halves the words to read and add, and a flip changes one tile. Part of ising_sublattice.h, which lays the
// lattice out; a GPU keeps no tiles: its shared memory is better spent on spins.
#pragma once

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
