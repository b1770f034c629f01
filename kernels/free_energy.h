// f'(mean + v) - f'(mean) of a polynomial f, expanded about the mean: round-off is relative to the fluctuation v, however small.
// Compile-time: DEGREE of f. slopes[j - 1]: f^(j + 1)(mean) / j!, the coefficient of v^j (free_energy.py).
#pragma once

template <class Number, class Weight> __device__ __forceinline__ Number slope_beyond_mean(const Number& v, const Weight* slopes) {
  Number sum = v * slopes[DEGREE - 2];
#ifdef __CUDACC__
#pragma unroll
#else
#pragma GCC unroll 16
#endif
  for (int j = DEGREE - 2; j > 0; --j) sum = v * (slopes[j - 1] + sum);
  return sum;
}
