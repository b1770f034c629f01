// One Monte Carlo step of the Ising model in true random-site order: N sites drawn at random, one after the other.
//
// For nearest neighbours and short ranges. A sublattice of sites that do not interact visits every neighbourhood equally
// often, where a random order leaves some out for a while; that is less noise, and nucleation feels it: at R = 2 and
// R = 3 lifetimes come out 3% and 2% longer (cases sublattice-2, sublattice-3 of tests/lifetime_study.py). At long range
// the difference drowns in the many spins of a neighbourhood. Here one thread holds whole lattices; the replicas of a group
// of 16 words share the order of the sites and draw their own acceptances.
#pragma once

// On a GPU the lattices of the threads lie side by side in memory, so that a warp reads one site of 32 of them at once.
#define MEMBER 0
#define MEMBERS 1
#define TEAM (int)(blockIdx.x * blockDim.x + threadIdx.x)
#ifdef __CUDACC__
#define STRIDE ((size_t)gridDim.x * blockDim.x)
#else
#define STRIDE 1
#endif
#define team_sync()

constexpr int WINDOW = 2 * RANGE + 1;                         // rows and columns that a spin's neighbours span
constexpr int PITCH = NEAREST ? SIZE : SIZE + WINDOW - 1;     // the first rows and columns stand again behind the last
                                                              // ones, so that a window never wraps
constexpr int LATTICE_WORDS = NEAREST ? N : PITCH * PITCH, SCRATCH_WORDS = 1;
constexpr int GENERATORS = SLOTS;  // a thread's; they take turns, so that an attempt need not wait for the one before

__device__ __forceinline__ size_t at(int x, int y) { return (x * PITCH + y) * STRIDE; }

__device__ __forceinline__ void set_spin(word* spins, int x, int y, word value) {
  spins[at(x, y)] = value;
  bool again_x = x < PITCH - SIZE, again_y = y < PITCH - SIZE;
  if (again_x) spins[at(x + SIZE, y)] = value;
  if (again_y) spins[at(x, y + SIZE)] = value;
  if (again_x && again_y) spins[at(x + SIZE, y + SIZE)] = value;
}

__device__ __forceinline__ void spins_written(word*) {}

// up[FIELD_BITS] = number of up neighbours of column y in row x; in three dimensions rows lie side by side in SIZE layers
__device__ __forceinline__ void count_neighbours(const word* spins, int x, int y, word* up) {
#if NEAREST && DIMENSIONS == 3
  const int row = x % SIZE, layer = x - row;
  word left = spins[at(layer ? x - SIZE : x + ROWS - SIZE, y)], right = spins[at(layer + SIZE < ROWS ? x + SIZE : row, y)];
  word front = spins[at(row ? x - 1 : x + SIZE - 1, y)], back = spins[at(row + 1 < SIZE ? x + 1 : layer, y)];
  word below = spins[at(x, y ? y - 1 : SIZE - 1)], above = spins[at(x, y + 1 < SIZE ? y + 1 : 0)];
  word odd = xor3(left, right, front), pair = majority(left, right, front);
  word other_odd = xor3(back, below, above), other_pair = majority(back, below, above), both_odd = odd & other_odd;
  up[0] = odd ^ other_odd;
  up[1] = xor3(pair, other_pair, both_odd);
  up[2] = majority(pair, other_pair, both_odd);
#elif NEAREST
  word left = spins[at(x ? x - 1 : SIZE - 1, y)], right = spins[at(x + 1 < SIZE ? x + 1 : 0, y)];
  word below = spins[at(x, y ? y - 1 : SIZE - 1)], above = spins[at(x, y + 1 < SIZE ? y + 1 : 0)];
  word odd = xor3(left, right, below), pair = majority(left, right, below);
  up[0] = odd ^ above;
  up[1] = pair ^ (odd & above);
  up[2] = pair & odd & above;
#else
  const word* corner = spins + at(x < RANGE ? x - RANGE + SIZE : x - RANGE, y < RANGE ? y - RANGE + SIZE : y - RANGE);
  constexpr int CENTRE = WINDOW * WINDOW / 2;
  count<0, WINDOW * WINDOW - 1>(
      [&](int i) {
        int cell = i < CENTRE ? i : i + 1;
        return corner[at(cell / WINDOW, cell % WINDOW)];
      },
      up);
#endif
}

__device__ __forceinline__ void sweep(word* spins, word*, Generator* generators, const Acceptance& acceptance, const Stream& stream,
                                      unsigned group, int time) {
  // one Philox call orders four attempts
  for (int first = 0; first < N; first += 4) {
    Random4 r = draw(stream, 0, group, time * ((N + 3ull) / 4) + first / 4);
    unsigned site[4] = {__umulhi(r.x, N), __umulhi(r.y, N), __umulhi(r.z, N), __umulhi(r.w, N)};
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      if (first + k == N) break;
      int x = site[k] / SIZE, y = site[k] % SIZE;
      word up[FIELD_BITS], spin = spins[at(x, y)];
      count_neighbours(spins, x, y, up);
      set_spin(spins, x, y, spin ^ accept(up, spin, acceptance, generators[k % GENERATORS]));
    }
  }
}
