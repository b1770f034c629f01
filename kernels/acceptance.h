// Whether a spin flips, for all replicas of a word at once: what the rules metropolis.h and heat_bath.h share.
//
// A random comparison "U < p" is made bit by bit from the top, U from the generator and p from a table of masks, all
// replicas at once: a replica is decided at the first bit in which U and p differ, so the number of rounds grows only
// with the logarithm of the number of replicas. Equal in all 32 bits counts as U >= p: p is exact to 2^-32.
#pragma once

// All that is known of J, h and T in an attempt; acceptance_table in ising_bits.py makes it.
struct Acceptance {
  const unsigned* table;  // metropolis.h, heat_bath.h: [digit][bit, highest first][case] masks, or probabilities
  int edge;               // floor(c0), see metropolis.h

#if FIXED  // words of the table above; behind them a bit a site, set where the spin never flips; then one, set where it is down too
  __device__ __forceinline__ bool fixed(int site) const { return table[FIXED + site / 32] >> site % 32 & 1; }
  __device__ __forceinline__ bool fixed_down(int site) const { return table[FIXED + (N + 31) / 32 + site / 32] >> site % 32 & 1; }
#else
  __device__ __forceinline__ bool fixed(int) const { return false; }
#endif
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

// What is counted: the up spins among the neighbours of a spin; or with KAWASAKI those among the neighbours of a spin alone and the
// down spins among those of its partner alone (ising_random_site.h).
constexpr int NEIGHBOURS = NEAREST ? 2 * DIMENSIONS : (2 * RANGE + 1) * (2 * RANGE + 1) - 1;
constexpr int COUNTED = !KAWASAKI ? NEIGHBOURS : NEAREST ? 2 * (NEIGHBOURS - 1) : 2 * (2 * RANGE + 1);
constexpr int NEIGHBOUR_BITS = bit_length(NEIGHBOURS), FIELD_BITS = bit_length(COUNTED);

#if NEAREST
constexpr int CASES = COUNTED + 1;

// is[c] = replicas with the number c, in the planes up[FIELD_BITS]
__device__ __forceinline__ void by_number(const word* up, word* is) {
#pragma unroll
  for (int c = 0; c < CASES; ++c) {
    is[c] = splat(~0u);
#pragma unroll
    for (int k = 0; k < FIELD_BITS; ++k)  // bits that tell c from the other numbers there are
      if (c >> k & 1 || (c | 1 << k) <= COUNTED) is[c] &= c >> k & 1 ? up[k] : ~up[k];
  }
}
#endif
