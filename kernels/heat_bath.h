// The heat bath (Glauber dynamics) for all replicas of a word: the new spin is up with probability 1 / (1 + exp(-2 h_local / T)),
// whatever it was, so that a flip has 1 / (1 + exp(dE / T)).  R. J. Glauber, J. Math. Phys. 4, 294 (1963).
//
// With c of the q neighbours up 2 h_local / T = lambda (c - c0), as in metropolis.h. Few c (NEAREST) are cases of trials bit by
// bit. Of many c the probability is looked up: no product of trials has it, since 1 / (1 + x) does not factorise over the digits
// of c. Each replica draws a byte, which decides unless it equals the first byte of its probability; one in 256 draws three more.
#pragma once
#include "acceptance.h"

#if NEAREST
__device__ __forceinline__ word accept(const word* up, word spin, const Acceptance& acceptance, Generator& generator) {
  word is[CASES];
  by_number(up, is);
  return ~(spin ^ turned_down<CASES>(splat(~0u), is, acceptance.table, generator));
}
#else
// acceptance.table: [2^FIELD_BITS] probability of up by c, as multiples of 2^-32, increasing; then, by the first bits of c, [128]
// bytes, the first of the lowest probability, and [128] of the highest.
constexpr int FIRST_BITS = smaller(FIELD_BITS, 7), LATER_BITS = FIELD_BITS - FIRST_BITS;
constexpr int LOWEST = 1 << FIELD_BITS, HIGHEST = LOWEST + 32;

// the same where c is counted too large by `excess`
__device__ __forceinline__ Acceptance counted_in_excess(Acceptance acceptance, int excess) {
  acceptance.edge = excess;
  return acceptance;
}

// Planes of bits become numbers: bits r, WIDTH + r, 2 WIDTH + r, ... of the planes go to word r, WIDTH bits each.
template <int PLANES, int WIDTH> __device__ __forceinline__ void numbers_of(const word* planes, word* numbers) {
#pragma unroll
  for (int k = 0; k < WIDTH; ++k) numbers[k] = k < PLANES ? planes[k] : splat(0);
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

// c of one replica
__device__ __forceinline__ unsigned number_of(const word* up, int lane, int bit) {
  unsigned c = 0;
#pragma unroll
  for (int k = 0; k < FIELD_BITS; ++k) c |= (lane_of(up[k], lane) >> bit & 1) << k;
  return c;
}

// u[r] holds the random bytes of replicas r, 8 + r, 16 + r and 24 + r. Returns who is up by it; `equal`: whom it does not decide.
#if defined(__AVX2__) && !defined(__CUDACC__) && LANES % 8 == 0
// table[index] of 16 COUNT entries, in vectors of 16 of them twice; index < 128
template <int COUNT> static __forceinline__ __m256i look_up_bytes(const __m256i* table, __m256i index) {
  if constexpr (COUNT == 1) {
    return _mm256_shuffle_epi8(table[0], index);
  } else {
    constexpr int SHIFT = COUNT == 2 ? 3 : COUNT == 4 ? 2 : 1;  // brings the bit that tells the halves to the top of its byte
    return _mm256_blendv_epi8(look_up_bytes<COUNT / 2>(table, index), look_up_bytes<COUNT / 2>(table + COUNT / 2, index),
                              _mm256_slli_epi16(index, SHIFT));
  }
}

// By the first bits of c, 32 replicas an instruction; then those whom these leave open, one by one.
static __forceinline__ word compare_bytes(const word* up, const word* u, const unsigned* table, word& equal) {
  constexpr int TABLES = FIRST_BITS <= 4 ? 1 : 1 << (FIRST_BITS - 4), PARTS = LANES / 8;
  __m256i lowest[TABLES], highest[TABLES];
  for (int i = 0; i < TABLES; ++i) {
    lowest[i] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)(table + LOWEST) + i));
    highest[i] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)(table + HIGHEST) + i));
  }
  word first[8], open = splat(0), is_up = splat(0);
  numbers_of<FIRST_BITS, 8>(up + LATER_BITS, first);
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    __m256i c[PARTS], random[PARTS], not_up[PARTS], is_open[PARTS];
    memcpy(c, &first[r], sizeof c);
    memcpy(random, &u[r], sizeof random);
    for (int i = 0; i < PARTS; ++i) {
      const __m256i low = look_up_bytes<TABLES>(lowest, c[i]);
      not_up[i] = _mm256_cmpeq_epi8(_mm256_max_epu8(random[i], low), random[i]);
      if (LATER_BITS == 0) {
        is_open[i] = _mm256_cmpeq_epi8(random[i], low);
      } else {
        const __m256i high = look_up_bytes<TABLES>(highest, c[i]);
        is_open[i] = _mm256_and_si256(not_up[i], _mm256_cmpeq_epi8(_mm256_min_epu8(random[i], high), random[i]));
      }
    }
    word mask;
    memcpy(&mask, not_up, sizeof mask);
    is_up |= ~mask & splat(0x01010101u << r);
    memcpy(&mask, is_open, sizeof mask);
    open |= mask & splat(0x01010101u << r);
  }
  equal = splat(0);
  if (any(open))
    for (int lane = 0; lane < LANES; ++lane)
      for (unsigned bits = lane_of(open, lane); bits; bits &= bits - 1) {
        const int bit = lowest_bit(bits);
        const unsigned p = table[number_of(up, lane, bit)] >> 24, random = lane_of(u[bit % 8], lane) >> bit / 8 * 8 & 255;
        set_lane(is_up, lane, lane_of(is_up, lane) | (unsigned)(random < p) << bit);
        set_lane(equal, lane, lane_of(equal, lane) | (unsigned)(random == p) << bit);
      }
  return is_up;
}
#else
__device__ __forceinline__ word compare_bytes(const word* up, const word* u, const unsigned* table, word& equal) {
  constexpr int WIDTH = FIELD_BITS <= 8 ? 8 : 16;
  word numbers[WIDTH], is_up = splat(0);
  numbers_of<FIELD_BITS, WIDTH>(up, numbers);
  equal = splat(0);
#pragma unroll
  for (int r = 0; r < WIDTH; ++r)
#pragma unroll
    for (int bit = r; bit < 32; bit += WIDTH) {
      word p = look_up(table, numbers[r] >> (bit - r) & splat((1u << WIDTH) - 1)) >> 24, random = u[bit % 8] >> bit / 8 * 8 & splat(255);
      is_up |= less(random, p) & splat(1u << bit);
      equal |= same(random, p) & splat(1u << bit);
    }
  return is_up;
}
#endif

__device__ __forceinline__ word accept(const word* counted, word spin, const Acceptance& acceptance, Generator& generator) {
  word up[FIELD_BITS], u[8], equal;
#pragma unroll
  for (int k = 0; k < FIELD_BITS; ++k) up[k] = counted[k];
  if (acceptance.edge) {  // c is counted too large
    word excess[FIELD_BITS];
#pragma unroll
    for (int k = 0; k < FIELD_BITS; ++k) excess[k] = all_if(-acceptance.edge >> k & 1);
    add<FIELD_BITS, FIELD_BITS, FIELD_BITS>(up, excess, splat(0), up);
  }
#pragma unroll
  for (int r = 0; r < 8; ++r) u[r] = next(generator);
  word is_up = compare_bytes(up, u, acceptance.table, equal);
  while (any(equal)) {  // one replica of each word that has any
    Generator later = generator;
    word more = next(later) >> 8;
    advance(generator, later, equal);
    for (int lane = 0; lane < LANES; ++lane) {
      const unsigned bits = lane_of(equal, lane);
      if (!bits) continue;
      const int bit = lowest_bit(bits);
      const bool below = lane_of(more, lane) < (acceptance.table[number_of(up, lane, bit)] & 0xffffff);
      set_lane(is_up, lane, lane_of(is_up, lane) | (unsigned)below << bit);
    }
    equal &= equal - splat(1);
  }
  return is_up ^ spin;
}
#endif
