// The Metropolis rule for all replicas of a word: accept a flip with probability min(1, exp(-dE / T)).
//
// H = -J sum s s' - h sum s. With c of the q neighbours up, flipping a spin s costs dE = 2 s (J (2c - q) + h), so with
//     lambda = 4 J / T,   c0 = (q - h/J) / 2:   dE/T = lambda (c - c0) for an up spin, lambda (c0 - c) for a down spin.
// To change J, h or T change acceptance_table in ising_bits.py: its masks are all that is known of them here. To change which
// spins interact change what is counted (count_neighbours in ising_random_site.h) and COUNTED in acceptance.h.
// Up spins with c <= edge = floor(c0) and down spins with c > edge always flip.
#pragma once
#include "acceptance.h"

// the same where c is counted too large by `excess`
__device__ __forceinline__ Acceptance counted_in_excess(Acceptance acceptance, int excess) {
  acceptance.edge += excess;
  return acceptance;
}

#if NEAREST
// A costly case for each number of up neighbours: of the two directions to flip, one costs energy.
__device__ __forceinline__ word accept(const word* up, word spin, const Acceptance& acceptance, Generator& generator) {
  word is[CASES], trial = splat(0);
  by_number(up, is);
#pragma unroll
  for (int c = 0; c < CASES; ++c) {
    is[c] &= c > acceptance.edge ? spin : ~spin;
    trial |= is[c];
  }
  return ~turned_down<CASES>(trial, is, acceptance.table, generator);
}
#else
// Steps i above the edge: i = c - edge - 1 for up spins, edge - c for down spins, and
//     exp(-dE/T) = p_s prod_k q_k,   q_k = exp(-lambda 4^k i_k),   i = sum_k 4^k i_k, i_k in 0..3,
// a product of independent trials, one for each base-4 digit of i, the highest first, since it turns down the most; the
// lowest digit's trial carries p_s, the part of dE between c0 and the first whole step, which depends on the spin s.
constexpr int DIGITS = (FIELD_BITS + 1) / 2;

__device__ __forceinline__ word accept(const word* up, word spin, const Acceptance& acceptance, Generator& generator) {
  // c - (edge + 1) in two's complement, its bits reversed for down spins: -1 - x = ~x
  word step[2 * DIGITS], carry = splat(0);
  int constant = ~acceptance.edge;
#pragma unroll
  for (int k = 0; k < FIELD_BITS; ++k) {
    word bit = all_if(constant >> k & 1);
    step[k] = xor3(up[k], bit, carry) ^ ~spin;
    carry = majority(up[k], bit, carry);
  }
  word negative = (all_if(constant < 0) ^ carry) ^ ~spin;
#pragma unroll
  for (int k = FIELD_BITS; k < 2 * DIGITS; ++k) step[k] = splat(0);

  word kept = ~negative;
#pragma unroll
  for (int digit = DIGITS - 1; digit > 0; --digit) {
    word high = step[2 * digit + 1], low = step[2 * digit];
    word is[3] = {low & ~high, high & ~low, high & low};
    kept &= ~turned_down<3>(kept & (low | high), is, acceptance.table + digit * 32 * 3 + 32 * 5, generator);
  }
  word high = step[1], low = step[0], neither = ~(low | high), is[8];
#pragma unroll
  for (int n = 0; n < 4; ++n) {
    word value = n == 0 ? neither : n == 1 ? low & ~high : n == 2 ? high & ~low : high & low;
    is[n] = value & spin;
    is[n + 4] = value & ~spin;
  }
  kept &= ~turned_down<8>(kept, is, acceptance.table, generator);
  return negative | kept;
}
#endif
