// What the kernels of ising.cu and ising_paths.cu share: the system that they are compiled for, and what the threads that share a
// word of lattices do together.
//
// Compiled for one system: DIMENSIONS, SIZE (L), RANGE (R), NEAREST, HEAT_BATH, KAWASAKI, FIXED, RANDOM_SITE, TILED, TOGETHER, SLOTS, THREADS,
// SHARED_LATTICE and the words of a lattice and its scratch, which ising_bits.py counts too, come from there.
#pragma once

#ifndef __CUDACC__
#include "cpu.h"
#endif
#include "word.h"
#include "random.h"
#include "block.h"

constexpr int N = DIMENSIONS == 3 ? SIZE * SIZE * SIZE : SIZE * SIZE, ROWS = N / SIZE;

#include "acceptance.h"
#if HEAT_BATH
#include "heat_bath.h"
#else
#include "metropolis.h"
#endif
#if RANDOM_SITE
#include "ising_random_site.h"
#else
#include "ising_sublattice.h"
#endif

static_assert(LATTICE_WORDS == COUNTED_LATTICE && SCRATCH_WORDS == COUNTED_SCRATCH, "ising.py counts the words otherwise");
constexpr int BYTES = (N + 7) / 8, COUNT_BITS = bit_length(N);
constexpr int GROUP_WORDS = 16;  // words of 32 replicas that share the order of the sites
constexpr int NEVER = 0x7fffffff;

// ---- what a team of threads does together ----

#if defined(__CUDACC__) && !RANDOM_SITE
// every thread gets the sum of all threads' numbers
template <int BITS> __device__ __forceinline__ void sum_over_team(word* number) {
  __shared__ word partial[THREADS / 32][BITS];
  for (int distance = 16; distance; distance /= 2) {
    word other[BITS];
#pragma unroll
    for (int k = 0; k < BITS; ++k) other[k] = __shfl_xor_sync(~0u, number[k], distance);
    add<BITS, BITS, BITS>(number, other, 0, number);
  }
  if (threadIdx.x % 32 == 0)
    for (int k = 0; k < BITS; ++k) partial[threadIdx.x / 32][k] = number[k];
  __syncthreads();
  for (int k = 0; k < BITS; ++k) number[k] = partial[0][k];
  for (int warp = 1; warp < THREADS / 32; ++warp) add<BITS, BITS, BITS>(number, partial[warp], 0, number);
  __syncthreads();
}

#else
template <int BITS> __device__ __forceinline__ void sum_over_team(word*) {}
#endif

#if RANDOM_SITE
__device__ __forceinline__ int task_of_team(int* next_task) { return atomicAdd(next_task, 1); }
#else
__device__ __forceinline__ int task_of_team(int* next_task) { return take_task(next_task); }
#endif

// up[COUNT_BITS] = number of up spins
__device__ __forceinline__ void count_up(const word* spins, word* up) {
  constexpr int PART = smaller(SIZE, 63), REST = SIZE % PART;  // sites counted at once
  word part[bit_length(PART)];
#pragma unroll
  for (int k = 0; k < COUNT_BITS; ++k) up[k] = splat(0);
  for (int x = MEMBER; x < ROWS; x += MEMBERS) {
#pragma unroll 1
    for (int y = 0; y + PART <= SIZE; y += PART) {
      count<0, PART>([&](int i) { return spins[at(x, y + i)]; }, part);
      add<COUNT_BITS, bit_length(PART), COUNT_BITS>(up, part, splat(0), up);
    }
    if constexpr (REST > 0) {
      count<0, REST>([&](int i) { return spins[at(x, SIZE - REST + i)]; }, part);
      add<COUNT_BITS, bit_length(REST), COUNT_BITS>(up, part, splat(0), up);
    }
  }
  sum_over_team<COUNT_BITS>(up);
}

// replicas with m <= 0, that is with at most half of their spins up
__device__ __forceinline__ word turned_over(const word* spins) {
  word up[COUNT_BITS];
  count_up(spins, up);
  return at_most<COUNT_BITS>(up, N / 2);
}

// every site: spin = spin & keep ^ turn
__device__ __forceinline__ void rewrite(word* spins, word keep, word turn) {
  for (int i = MEMBER; i < N; i += MEMBERS) set_spin(spins, i / SIZE, i % SIZE, (spins[at(i / SIZE, i % SIZE)] & keep) ^ turn);
  spins_written(spins);
}

// new replicas, all down, whose field is still to turn: what is fixed is inverted as they are
__device__ __forceinline__ void fix_anew(word* spins, const Acceptance& acceptance, word anew) {
#if FIXED
  for (int i = MEMBER; i < N; i += MEMBERS)
    if (acceptance.fixed_down(i)) set_spin(spins, i / SIZE, i % SIZE, spins[at(i / SIZE, i % SIZE)] | anew);
#endif
}

__device__ __forceinline__ void start_generators(Generator* generators, const Stream& stream, unsigned first_word) {
  for (int slot = MEMBER; slot < SLOTS; slot += MEMBERS) generators[slot / MEMBERS] = seeded(stream, first_word, slot);
}

// calls visit(index of the word, bit) for every replica in `which`
template <class Visit> __device__ __forceinline__ void for_each_replica(word which, const Visit& visit) {
  for (int lane = 0; lane < LANES; ++lane)
    for (unsigned bits = lane_of(which, lane); bits; bits &= bits - 1) visit(lane, lowest_bit(bits));
}

// Where a team's words of an array begin, `words` of them each. Where threads are teams (STRIDE > 1, random sites on a GPU)
// the arrays of all teams lie interleaved, word i of a team STRIDE words after its word i - 1.
__device__ __forceinline__ word* place(word* array, size_t words) { return array + (STRIDE == 1 ? TEAM * words : (size_t)TEAM); }

// A team's lattice and scratch: in shared memory where they fit, else in global memory.
#if defined(__CUDACC__) && SHARED_LATTICE
extern __shared__ word shared_memory[];
#define LATTICE shared_memory
#define SCRATCH (shared_memory + LATTICE_WORDS)
#else
#define LATTICE place(lattices, LATTICE_WORDS)
#define SCRATCH (scratches + (size_t)TEAM * SCRATCH_WORDS)
#endif
