// f'(mean + v) - f'(mean), so that round-off is relative to the fluctuation v, however small.
//
// Of a polynomial f: expanded about the mean. Compile-time: DEGREE of f. slopes[j - 1]: f^(j + 1)(mean) / j!, the coefficient of v^j
// (free_energy.py), DEGREE - 1 numbers.
// Of an expression (expression.py) SLOPE, f' of the number u: the first TAYLOR of these, and beyond |v| = reach, where their next term is
// as large as the round-off of f', the difference itself. Behind the coefficients: mean, f'(mean), reach^2; DEGREE - 1 counts them all.
#pragma once

#ifdef SLOPE
#include "elementary.h"
constexpr int TAYLOR = DEGREE - 4;
template <class Number> __device__ __forceinline__ Number slope_of(const Number& u) { SLOPE }
#else
constexpr int TAYLOR = DEGREE - 1;
#endif

template <class Number, class Weight> __device__ __forceinline__ Number slope_beyond_mean(const Number& v, const Weight* slopes) {
  Number sum = v * slopes[TAYLOR - 1];
#ifdef __CUDACC__
#pragma unroll
#else
#pragma GCC unroll 16
#endif
  for (int j = TAYLOR - 1; j > 0; --j) sum = v * (slopes[j - 1] + sum);
#ifdef SLOPE
  const Number whole = slope_of<Number>(v + slopes[TAYLOR]) - slopes[TAYLOR + 1];
  return v * v < slopes[TAYLOR + 2] ? sum : whole;
#else
  return sum;
#endif
}
