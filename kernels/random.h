// Random numbers: Philox4x32-10 seeds, xoshiro128++ runs.
//
// Philox (Salmon et al., SC 2011) maps (seed, stream, unit, copy, word, slot) to 128 random bits; these start one
// xoshiro128++ (Blackman and Vigna, 2019) for every word of 32 replicas and every slot (a slot is a thread on a GPU).
// A generator advances only in those rounds in which its own 32 replicas need bits. What a replica draws is thus a
// function of its own word's history, and neither the width of the CPU's vectors nor the GPU's changes a byte.
#pragma once

struct Stream {  // one named stream (streams.py) of one unit and copy
  unsigned seed_low, seed_high, unit, stream_and_copy;
};

struct Random4 { unsigned x, y, z, w; };

__device__ __forceinline__ Random4 philox(unsigned c0, unsigned c1, unsigned c2, unsigned c3, unsigned k0, unsigned k1) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    unsigned high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    unsigned high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c2 = high0 ^ c3 ^ k1;
    c1 = low1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return Random4{c0, c1, c2, c3};
}

// purpose 0: the order of the sites; purpose 1: acceptance. index < 2^24 where steps may pass 2^32.
__device__ __forceinline__ Random4 draw(const Stream& stream, unsigned purpose, unsigned index, unsigned long long step) {
  return philox((unsigned)step, index ^ (unsigned)(step >> 32) << 24, stream.unit, stream.stream_and_copy | purpose << 31,
                stream.seed_low, stream.seed_high);
}

template <class Word> struct GeneratorOf { Word a, b, c, d; };
using Generator = GeneratorOf<word>;

template <class Word> __device__ __forceinline__ Word next(GeneratorOf<Word>& g) {
  Word result = rotate_left<7>(g.a + g.d) + g.a;
  Word shifted = g.b << 9, b_d = g.b ^ g.d, a_c = g.a ^ g.c;
  g.b ^= a_c;
  g.a ^= b_d;
  g.c = a_c ^ shifted;
  g.d = rotate_left<11>(b_d);
  return result;
}

// `g` moves on to `later` in those 32-replica words where `needed` has a bit
__device__ __forceinline__ void advance(Generator& g, const Generator& later, word needed) {
  g.a = where_any(needed, later.a, g.a);
  g.b = where_any(needed, later.b, g.b);
  g.c = where_any(needed, later.c, g.c);
  g.d = where_any(needed, later.d, g.d);
}

// words first_word, first_word + 1, ... in the lanes
__device__ __forceinline__ Generator seeded(const Stream& stream, unsigned first_word, unsigned slot) {
  Generator g;
  for (int lane = 0; lane < LANES; ++lane) {
    Random4 r = draw(stream, 1, (first_word + lane) << 8 | slot, 0);
    set_lane(g.a, lane, r.x);
    set_lane(g.b, lane, r.y);
    set_lane(g.c, lane, r.z);
    set_lane(g.d, lane, r.w | 1);  // xoshiro's state must not be zero
  }
  return g;
}
