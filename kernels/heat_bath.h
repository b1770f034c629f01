// The heat bath (Glauber dynamics) for all replicas of a word: the new spin is up with probability 1 / (1 + exp(-2 h_local / T)),
// whatever it was, so that a flip has 1 / (1 + exp(dE / T)).  R. J. Glauber, J. Math. Phys. 4, 294 (1963).
//
// With c of the q neighbours up 2 h_local / T = lambda (c - c0), as in metropolis.h: acceptance_table in ising_bits.py has the
// probability for each c. Few c (NEAREST) are cases of trials bit by bit. Of many c the probability is looked up, a replica of
// each lane at a time: no product of trials has it, since 1 / (1 + x) does not factorise over the digits of c.
#pragma once
#include "acceptance.h"

#if NEAREST
__device__ __forceinline__ word accept(const word* up, word spin, const Acceptance& acceptance, Generator& generator) {
  word is[CASES];
  by_number(up, is);
  return ~(spin ^ turned_down<CASES>(splat(~0u), is, acceptance.table, generator));
}
#else
constexpr int FIELD_BITS = bit_length((2 * RANGE + 1) * (2 * RANGE + 1) - 1);

// the same where c is counted too large by `excess`
__device__ __forceinline__ Acceptance counted_in_excess(Acceptance acceptance, int excess) {
  acceptance.table -= excess;
  return acceptance;
}

// Planes of bits become numbers: bits r, WIDTH + r, 2 WIDTH + r, ... of the planes go to word r, WIDTH bits each.
constexpr int WIDTH = FIELD_BITS <= 8 ? 8 : 16;

__device__ __forceinline__ void numbers_of(const word* planes, word* numbers) {
#pragma unroll
  for (int k = 0; k < WIDTH; ++k) numbers[k] = k < FIELD_BITS ? planes[k] : splat(0);
#pragma unroll
  for (int distance = 1; distance < WIDTH; distance *= 2) {
    const word low = splat(~0u / ((1u << distance) + 1));  // every other `distance` bits
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
      if (k & distance) continue;
      word a = numbers[k], b = numbers[k + distance];
      numbers[k] = (a & low) | (b & low) << distance;
      numbers[k + distance] = (a >> distance & low) | (b & ~low);
    }
  }
}

__device__ __forceinline__ word accept(const word* up, word spin, const Acceptance& acceptance, Generator& generator) {
  word numbers[WIDTH], is_up = splat(0);
  numbers_of(up, numbers);
#pragma unroll
  for (int r = 0; r < WIDTH; ++r)
#pragma unroll
    for (int shift = 0; shift < 32; shift += WIDTH) {
      word c = numbers[r] >> shift & splat((1u << WIDTH) - 1);
      is_up |= less(next(generator), look_up(acceptance.table, c)) & splat(1u << (shift + r));
    }
  return is_up ^ spin;
}
#endif
