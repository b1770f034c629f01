// exp, log, tanh and whole powers of numbers and of vectors of lanes, for free energies and mobilities of one's own.
//
// A compiler has them for single numbers alone, one after the other. Here all lanes at once, by a few multiplications: exp by powers of
// two and the series of exp(r), |r| < .35; log by the exponent and 2 artanh((m - 1) / (m + 1)), m from sqrt(1/2) to sqrt(2). Both to
// about one unit in the last place. A GPU has its own. log_of(x, cut) goes on below x = cut > 0 as its tangent there: finite and rising
// everywhere. Compile-time: REAL float or double.
#pragma once

template <int POWER, class Number> __device__ __forceinline__ Number power(const Number& x) {
  if constexpr (POWER == 1) return x;
  else if constexpr (POWER % 2) return x * power<POWER - 1>(x);
  else return power<POWER / 2>(x * x);
}

#ifdef __CUDACC__
template <class Number> __device__ __forceinline__ Number exp_of(const Number& x) { return exp(x); }
template <class Number> __device__ __forceinline__ Number log_positive(const Number& x) { return log(x); }
#else
template <class Number> struct Elementary;  // of one REAL, and of vectors of them
template <> struct Elementary<float> { typedef int32_t bits; };
template <> struct Elementary<double> { typedef int64_t bits; };
template <class Number> struct Elementary {
  typedef decltype(Number{} < Number{}) bits;
};
constexpr int FRACTION_BITS = sizeof(REAL) == 4 ? 23 : 52;
constexpr int EXPONENT_BIAS = sizeof(REAL) == 4 ? 127 : 1023;
constexpr int EXP_TERMS = sizeof(REAL) == 4 ? 7 : 13, LOG_TERMS = sizeof(REAL) == 4 ? 5 : 11;

template <class Number, class Bits> static __forceinline__ Number of_bits(const Bits& bits) {
  Number x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

template <class Number> static __forceinline__ Number exp_of(const Number& x) {
  typedef typename Elementary<Number>::bits Bits;
  constexpr REAL most = sizeof(REAL) == 4 ? 87 : 708, shift = sizeof(REAL) == 4 ? 12582912.0 : 6755399441055744.0;  // 1.5 2^23, 1.5 2^52
  Number y = x < -most ? Number{} - most : x;
  y = y > most ? Number{} + most : y;
  const Number shifted = y * (REAL)1.4426950408889634 + shift, n = shifted - shift;  // n to the nearest whole number
  const Number r = y - n * (REAL)(sizeof(REAL) == 4 ? 0.693359375 : 0.6931471803691238) -
                   n * (REAL)(sizeof(REAL) == 4 ? -2.12194440054690e-4 : 1.9082149292705877e-10);
  Number sum = Number{} + (REAL)1;
#pragma GCC unroll 16
  for (int j = EXP_TERMS; j > 0; --j) sum = 1 + r * sum * (REAL)(1.0 / j);
  Bits whole;
  memcpy(&whole, &shifted, sizeof whole);  // n stands in the lowest bits of n + shift
  const Bits scale = (whole << FRACTION_BITS) + ((Bits{} + EXPONENT_BIAS) << FRACTION_BITS);
  return sum * of_bits<Number>(scale);
}

template <class Number> static __forceinline__ Number log_positive(const Number& x) {  // of normal numbers
  typedef typename Elementary<Number>::bits Bits;
  Bits bits;
  memcpy(&bits, &x, sizeof bits);
  const Number root_half = Number{} + (REAL)0.70710678118654752;
  Bits half;
  memcpy(&half, &root_half, sizeof half);
  const Bits exponent = (bits - half) >> FRACTION_BITS;  // of x / sqrt(1/2)
  const Number m = of_bits<Number>((Bits)(bits - (exponent << FRACTION_BITS)));
  // a whole number below 2^22 as a REAL, by the bits of 1.5 2^23 (2^52)
  const Number shift = Number{} + (REAL)(sizeof(REAL) == 4 ? 12582912.0 : 6755399441055744.0);
  Bits base;
  memcpy(&base, &shift, sizeof base);
  const Number e = of_bits<Number>((Bits)(base + exponent)) - shift;
  const Number s = (m - 1) / (m + 1), s2 = s * s;
  Number sum = Number{} + (REAL)(1.0 / (2 * LOG_TERMS + 1));
#pragma GCC unroll 16
  for (int j = LOG_TERMS - 1; j > 0; --j) sum = (REAL)(1.0 / (2 * j + 1)) + s2 * sum;
  const Number rest = 2 * s * s2 * sum + e * (REAL)(sizeof(REAL) == 4 ? -2.12194440054690e-4 : 1.9082149292705877e-10);
  return e * (REAL)(sizeof(REAL) == 4 ? 0.693359375 : 0.6931471803691238) + (2 * s + rest);
}
#endif

template <class Number> __device__ __forceinline__ Number log_of(const Number& x, REAL cut) {
  const Number low = Number{} + cut, inside = x < cut ? low : x;
  return log_positive(inside) + (x - inside) * (1 / cut);
}
template <class Number> __device__ __forceinline__ Number inverse_above(const Number& x, REAL cut) {  // the derivative of log_of
  const Number low = Number{} + cut;
  return 1 / (x < cut ? low : x);
}
template <class Number> __device__ __forceinline__ Number tanh_of(const Number& x) { return 1 - 2 / (exp_of(x + x) + 1); }
template <class Number> __device__ __forceinline__ Number not_below(const Number& x, REAL least) {
  const Number low = Number{} + least;
  return x < least ? low : x;
}
