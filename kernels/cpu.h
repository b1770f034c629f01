// What a .cu file needs to run on a CPU: a block is one wide thread, and a word is a vector of LANES 32-bit words.
//
// On a GPU a word is one 32-bit register and a block's threads share the work. Here threadIdx is 0, blockDim is 1 and
// __syncthreads() is nothing, so that every block-stride loop runs all of its items in one thread; SIMD takes the place
// of the warp. LANES (-DLANES=16, 8, 4 or 1) never changes a result: see random.h.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#define __global__
#define __device__
#define __launch_bounds__(threads)
#define __forceinline__ inline __attribute__((always_inline))
#define __restrict__ __restrict
#define __shared__ static thread_local
#define __syncthreads()

struct CpuIndex { int x; };
static constexpr CpuIndex threadIdx{0}, blockDim{1};
static thread_local CpuIndex blockIdx{0};
static thread_local const volatile int* stop_word = nullptr;  // of the launch: not 0 once it is to end, see block.h
extern "C" void begin_block(int block, const volatile int* stop) {
  blockIdx.x = block;
  stop_word = stop;
}

// GCC and Clang return the value before the addition, as CUDA does.
static inline int atomicAdd(int* address, int value) { return __atomic_fetch_add(address, value, __ATOMIC_RELAXED); }
static inline int atomicMin(int* address, int value) { int old = *address; if (value < old) *address = value; return old; }
static inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
static inline int lowest_bit(unsigned bits) { return __builtin_ctz(bits); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((uint64_t)a * b) >> 32); }

typedef unsigned word __attribute__((vector_size(4 * LANES)));

static __forceinline__ word splat(unsigned value) { return word{} + value; }
static __forceinline__ unsigned lane_of(word value, int lane) { return value[lane]; }
static __forceinline__ void set_lane(word& value, int lane, unsigned bits) { value[lane] = bits; }

template <int k> static __forceinline__ unsigned rotate_left(unsigned a) { return (a << k) | (a >> (32 - k)); }

// all ones in the lanes where it is so
static __forceinline__ word less(word a, word b) { return (word)(a < b); }
static __forceinline__ word same(word a, word b) { return (word)(a == b); }

// table[index], lane by lane
static __forceinline__ word look_up(const unsigned* table, word index) {
  for (int lane = 0; lane < LANES; ++lane) index[lane] = table[index[lane]];
  return index;
}

#if defined(__AVX512F__) && LANES == 16
#define THREE_INPUT_LOGIC
// One three-input instruction each, which g++ 12 does not always find by itself; word.h says what they are.
static __forceinline__ word xor3(word a, word b, word c) { return (word)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, 0x96); }
static __forceinline__ word majority(word a, word b, word c) { return (word)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, 0xE8); }
static __forceinline__ word or_and(word a, word b, word c) { return (word)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, 0xF8); }
static __forceinline__ word choose(word a, word b, word c) { return (word)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, 0xCA); }
static __forceinline__ word and_equal(word a, word b, word c) { return (word)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)c, 0x90); }
static __forceinline__ bool any(word a) { return _mm512_test_epi32_mask((__m512i)a, (__m512i)a) != 0; }
static __forceinline__ word where_any(word condition, word yes, word no) {
  return (word)_mm512_mask_mov_epi32((__m512i)no, _mm512_test_epi32_mask((__m512i)condition, (__m512i)condition), (__m512i)yes);
}
template <int k> static __forceinline__ word rotate_left(word a) { return (word)_mm512_rol_epi32((__m512i)a, k); }
#else
static __forceinline__ word where_any(word condition, word yes, word no) { return (condition != 0) ? yes : no; }
template <int k> static __forceinline__ word rotate_left(word a) { return (a << k) | (a >> (32 - k)); }
#if defined(__AVX2__) && LANES % 8 == 0
static __forceinline__ bool any(word a) {
  __m256i part[LANES / 8];
  memcpy(part, &a, sizeof a);
  for (int i = 1; i < LANES / 8; ++i) part[0] = _mm256_or_si256(part[0], part[i]);
  return !_mm256_testz_si256(part[0], part[0]);
}
#else
static __forceinline__ bool any(word a) {
  unsigned bits = 0;
  for (int lane = 0; lane < LANES; ++lane) bits |= a[lane];
  return bits != 0;
}
#endif
#endif
