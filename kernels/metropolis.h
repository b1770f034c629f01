// The Metropolis rule for all replicas of a word: accept a flip with probability min(1, exp(-dE / T)).
//
// H = -J sum s s' - h sum s. With c of the q neighbours up, flipping a spin s costs dE = 2 s (J (2c - q) + h), so with
//     lambda = 4 J / T,   c0 = (q - h/J) / 2:   dE/T = lambda (c - c0) for an up spin, lambda (c0 - c) for a down spin.
// To change J, h or T change acceptance_table in ising.py: its masks are all that is known of them here. To change which
// spins interact change what is counted (count_neighbours in ising_random_site.h) and FIELD_BITS, the bits of that count.
//
// A random comparison "U < p" is made bit by bit from the top, U from the generator and p from a table of masks, all
// replicas at once: a replica is decided at the first bit in which U and p differ, so the number of rounds grows only
// with the logarithm of the number of replicas. Equal in all 32 bits counts as U >= p: p is exact to 2^-32.
#pragma once

struct Metropolis {
  const unsigned* threshold;  // [digit][bit, highest first][case] masks, all ones where that bit of p is 1
  int edge;                   // floor(c0); up spins with c <= edge and down spins with c > edge always flip
};

// Random words a generator gives between two looks at who is still undecided. Most trials of 32 replicas on a GPU and of
// 512 on a CPU end within 8 to 12; that a word draws a few too many costs less than looking more often.
constexpr int FIRST_ROUND = 8, LATER_ROUND = 4;

// one round: bits `threshold` .. of p, the highest first; p_is_greater is p's bit where u and p first differed
template <int BITS, int CASES>
__device__ __forceinline__ void compare(word& undecided, word& p_is_greater, const word* is, const unsigned*& threshold, Generator& generator) {
  Generator later = generator;
  word needed = undecided;
#pragma unroll
  for (int bit = 0; bit < BITS; ++bit, threshold += CASES) {
    word p = is[0] & splat(threshold[0]);
#pragma unroll
    for (int n = 1; n < CASES; ++n) p = or_and(p, is[n], splat(threshold[n]));
    word u = next(later);
    p_is_greater = choose(undecided, p, p_is_greater);
    undecided = and_equal(undecided, u, p);
  }
  advance(generator, later, needed);
}

// Bernoulli trials: each replica in `trial` is kept with the probability of its case; returns those turned down.
// is[n] marks the replicas of case n.
template <int CASES> __device__ __forceinline__ word turned_down(word trial, const word* is, const unsigned* threshold, Generator& generator) {
  if (!any(trial)) return trial;
  word undecided = trial, p_is_greater = trial;
  compare<FIRST_ROUND, CASES>(undecided, p_is_greater, is, threshold, generator);
#pragma unroll 1
  for (int bit = FIRST_ROUND; bit < 32 && any(undecided); bit += LATER_ROUND)
    compare<LATER_ROUND, CASES>(undecided, p_is_greater, is, threshold, generator);
  return trial & (undecided | ~p_is_greater);
}

#if NEAREST
// Five costly cases, one for each number of up neighbours: of the two directions to flip, one costs energy.
constexpr int FIELD_BITS = 3, CASES = 5;

__device__ __forceinline__ word accept(const word* up, word spin, const Metropolis& metropolis, Generator& generator) {
  word is[CASES], trial = splat(0);
#pragma unroll
  for (int c = 0; c < CASES; ++c) {
    word costly = c > metropolis.edge ? spin : ~spin;
    word equal = (c & 1 ? up[0] : ~up[0]) & (c & 2 ? up[1] : ~up[1]);
    is[c] = (c == 4 ? up[2] : c == 0 ? equal & ~up[2] : equal) & costly;
    trial |= is[c];
  }
  return ~turned_down<CASES>(trial, is, metropolis.threshold, generator);
}
#else
// Steps i above the edge: i = c - edge - 1 for up spins, edge - c for down spins, and
//     exp(-dE/T) = p_s prod_k q_k,   q_k = exp(-lambda 4^k i_k),   i = sum_k 4^k i_k, i_k in 0..3,
// a product of independent trials, one for each base-4 digit of i, the highest first, since it turns down the most; the
// lowest digit's trial carries p_s, the part of dE between c0 and the first whole step, which depends on the spin s.
constexpr int FIELD_BITS = bit_length((2 * RANGE + 1) * (2 * RANGE + 1) - 1), DIGITS = (FIELD_BITS + 1) / 2;

__device__ __forceinline__ word accept(const word* up, word spin, const Metropolis& metropolis, Generator& generator) {
  // c - (edge + 1) in two's complement, its bits reversed for down spins: -1 - x = ~x
  word step[2 * DIGITS], carry = splat(0);
  int constant = ~metropolis.edge;
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
    kept &= ~turned_down<3>(kept & (low | high), is, metropolis.threshold + digit * 32 * 3 + 32 * 5, generator);
  }
  word high = step[1], low = step[0], neither = ~(low | high), is[8];
#pragma unroll
  for (int n = 0; n < 4; ++n) {
    word value = n == 0 ? neither : n == 1 ? low & ~high : n == 2 ? high & ~low : high & low;
    is[n] = value & spin;
    is[n + 4] = value & ~spin;
  }
  kept &= ~turned_down<8>(kept, is, metropolis.threshold, generator);
  return negative | kept;
}
#endif
