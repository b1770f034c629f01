// One Monte Carlo step of the nearest-neighbour Ising model, in true random-site order.
//
// Spins side by side interact, and a sublattice of spacing 2 changes the lifetimes (by several per cent). So one thread
// holds whole lattices and attempts N sites drawn at random, one after the other; the replicas of a group of 16 words
// share the order of the sites and draw their own acceptances.
#pragma once

// On a GPU the lattices of the threads lie side by side in memory, so that a warp reads one site of 32 of them at once.
#define MEMBER 0
#define MEMBERS 1
#define TEAM (int)(blockIdx.x * blockDim.x + threadIdx.x)
#define STRIDE (int)(gridDim.x * blockDim.x)
#ifndef __CUDACC__
#undef STRIDE
#define STRIDE 1
#endif
#define team_sync()

constexpr int LATTICE_WORDS = SIZE * SIZE, SCRATCH_WORDS = 1;
constexpr int GENERATORS = SLOTS;  // a thread's; two take turns, so that an attempt need not wait for the one before

__device__ __forceinline__ int at(int x, int y) { return (x * SIZE + y) * STRIDE; }

__device__ __forceinline__ void set_spin(word* spins, int x, int y, word value) { spins[at(x, y)] = value; }

__device__ __forceinline__ void attempt(word* spins, int x, int y, const Metropolis& metropolis, Generator& generator) {
  word left = spins[at(x ? x - 1 : SIZE - 1, y)], right = spins[at(x + 1 < SIZE ? x + 1 : 0, y)];
  word below = spins[at(x, y ? y - 1 : SIZE - 1)], above = spins[at(x, y + 1 < SIZE ? y + 1 : 0)];
  word odd = xor3(left, right, below), pair = majority(left, right, below);
  word up[FIELD_BITS];  // up neighbours, 0 to 4
  up[0] = odd ^ above;
  up[1] = pair ^ (odd & above);
  up[2] = pair & odd & above;
  word spin = spins[at(x, y)];
  spins[at(x, y)] = spin ^ accept(up, spin, metropolis, generator);
}

__device__ __forceinline__ void sweep(word* spins, word*, Generator* generators, const Metropolis& metropolis, const Stream& stream,
                                      unsigned group, int time) {
  // one Philox call orders four attempts
  for (int first = 0; first < SIZE * SIZE; first += 4) {
    Random4 r = draw(stream, 0, group, (unsigned)time * ((SIZE * SIZE + 3) / 4) + first / 4);
    unsigned site[4] = {__umulhi(r.x, SIZE * SIZE), __umulhi(r.y, SIZE * SIZE), __umulhi(r.z, SIZE * SIZE), __umulhi(r.w, SIZE * SIZE)};
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if (first + k < SIZE * SIZE) attempt(spins, site[k] / SIZE, site[k] % SIZE, metropolis, generators[k % GENERATORS]);
  }
}
