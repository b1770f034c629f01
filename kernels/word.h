// Bit-sliced arithmetic: many replicas in one word, one bit each.
//
// A word holds one bit of 32 replicas (times LANES on a CPU, see cpu.h). A number that differs from replica to replica
// is a little array of words, its bit planes: plane k holds bit k of every replica's number. Adding two such numbers
// is the schoolbook ripple of full adders, done for all replicas at once; a full adder is two instructions.
#pragma once
#ifdef __CUDACC__
#define LANES 1
typedef unsigned word;
__device__ __forceinline__ word splat(unsigned value) { return value; }
__device__ __forceinline__ unsigned lane_of(word value, int) { return value; }
__device__ __forceinline__ void set_lane(word& value, int, unsigned bits) { value = bits; }
__device__ __forceinline__ bool any(word a) { return a != 0; }
__device__ __forceinline__ word where_any(word condition, word yes, word no) { return condition ? yes : no; }
template <int k> __device__ __forceinline__ word rotate_left(word a) { return __funnelshift_l(a, a, k); }
__device__ __forceinline__ int lowest_bit(unsigned bits) { return __ffs(bits) - 1; }
__device__ __forceinline__ word less(word a, word b) { return a < b ? ~0u : 0; }
__device__ __forceinline__ word same(word a, word b) { return a == b ? ~0u : 0; }
__device__ __forceinline__ word look_up(const unsigned* table, word index) { return table[index]; }
#endif

#ifndef THREE_INPUT_LOGIC  // a GPU's compiler makes one instruction of each
__device__ __forceinline__ word xor3(word a, word b, word c) { return a ^ b ^ c; }
#ifdef __CUDACC__
__device__ __forceinline__ word majority(word a, word b, word c) { return (a & b) | (c & (a | b)); }  // one instruction
#else
__device__ __forceinline__ word majority(word a, word b, word c) { return (a & b) | (c & (a ^ b)); }  // shares a ^ b with xor3
#endif
__device__ __forceinline__ word or_and(word a, word b, word c) { return a | (b & c); }
__device__ __forceinline__ word choose(word a, word b, word c) { return (a & b) | (~a & c); }  // a ? b : c
__device__ __forceinline__ word and_equal(word a, word b, word c) { return a & ~(b ^ c); }
#endif

constexpr __device__ int bit_length(int value) { return value ? 1 + bit_length(value / 2) : 0; }
constexpr __device__ int smaller(int a, int b) { return a < b ? a : b; }
constexpr __device__ int larger(int a, int b) { return a > b ? a : b; }

__device__ __forceinline__ word all_if(bool condition) { return splat(condition ? ~0u : 0u); }

// sum[SUM] = a[A] + b[B] + carry, planes beyond the SUM-th dropped (they are zero where SUM is large enough)
template <int A, int B, int SUM> __device__ __forceinline__ void add(const word* a, const word* b, word carry, word* sum) {
#pragma unroll
  for (int k = 0; k < SUM; ++k) {
    if (k < A && k < B) {
      word x = a[k], y = b[k];
      sum[k] = xor3(x, y, carry);
      carry = majority(x, y, carry);
    } else if (k < A || k < B) {
      word x = k < A ? a[k] : b[k];
      sum[k] = x ^ carry;
      carry = x & carry;
    } else {
      sum[k] = carry;
      carry = splat(0);
    }
  }
}

// sum[bit_length(N)] = bit(FIRST) + ... + bit(FIRST + N - 1).
// Two halves and one bit more, which enters as the carry: about N full adders in all, the least there is.
template <int FIRST, int N, class Bit> __device__ __forceinline__ void count(const Bit& bit, word* sum) {
  if constexpr (N == 1) {
    sum[0] = bit(FIRST);
  } else if constexpr (N == 2) {
    word x = bit(FIRST), y = bit(FIRST + 1);
    sum[0] = x ^ y;
    sum[1] = x & y;
  } else {
    constexpr int A = N / 2, B = N - 1 - A;
    word a[bit_length(A)], b[bit_length(B)];
    count<FIRST, A>(bit, a);
    count<FIRST + A, B>(bit, b);
    add<bit_length(A), bit_length(B), bit_length(N)>(a, b, bit(FIRST + N - 1), sum);
  }
}

// replicas whose number is at most `limit` (a constant of all replicas)
template <int PLANES> __device__ __forceinline__ word at_most(const word* number, int limit) {
  word greater = splat(0), equal = splat(~0u);
#pragma unroll
  for (int k = PLANES - 1; k >= 0; --k) {
    word constant = all_if(limit >> k & 1);
    greater |= equal & number[k] & ~constant;
    equal &= ~(number[k] ^ constant);
  }
  return ~greater;
}

// replicas whose number a is below b
template <int PLANES> __device__ __forceinline__ word less_than(const word* a, const word* b) {
  word below = splat(0);
#pragma unroll
  for (int k = 0; k < PLANES; ++k) below = choose(a[k] ^ b[k], b[k], below);
  return below;
}
