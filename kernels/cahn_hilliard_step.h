// One step of one coefficient, on lanes of line_fft.h: the update rule of cahn_hilliard.py, of any order up to ORDER.
//
//   lead u' - sum derivative[j] u[j] + dtau k^2 ((e^2 k^2 + S) u' + sum outside[j] rest[j]) = 0,   rest = N - S u
//
// j = 0 is the beginning of the step, j = 1, 2 the beginnings of those before it; u' is the field at its end, N the coefficient of
// f'(mean + v) - f'(mean). What the weights are: cahn_hilliard_clock.h. The field is v = u - mean: its own mean is 0 and stays 0,
// since k = 0 there, so that mass is conserved to the last bit.
// With a reaction -b (u - its mean) dtau b u' is added on the left, for which dtau k^2 (e^2 k^2 + S) becomes dtau (k^2 (e^2 k^2 + S) + b); the
// coefficient of k = 0 is the mean's known relaxation, and counts in no sum: what it dissipates, cahn_hilliard_clock.h knows.
// Compile-time: ORDER 1, 2 or 3 (beginnings of steps that are kept); ADAPTIVE 0 or 1; STIFF_OUTSIDE where the mobility depends on c; REACTION
// where there is one.
#pragma once

// Of each lane; guess: u' by extrapolation, bend: what the outside weights lack to be of order 3. Both times nothing but the error.
// reaction: dtau b; drift: of the mean, from the start to the step's end.
struct Step {
  vec dt, lead, derivative[ORDER], outside[ORDER], guess[ORDER], bend[ORDER];
#ifdef REACTION
  vec reaction, drift;
#endif
};

// Over coefficients: squared error of the step, fall of the free energy, square of the field, of its waves that grow
struct Sums { vec error, falls, size, growing; };
__device__ __forceinline__ Sums no_sums() { return {same(0), same(0), same(0), same(0)}; }
__device__ __forceinline__ void add(Sums& to, vec times, const Sums& some) {
  to.error += times * some.error;
  to.falls += times * some.falls;
  to.size += times * some.size;
  to.growing += times * some.growing;
}

template <class T> __device__ __forceinline__ Complex combine(const vec* weights, const T& values) {
  Complex sum = weights[0] * values[0];
  LINE_UNROLL for (int j = 1; j < ORDER; ++j) sum = {sum.re + weights[j] * values[j].re, sum.im + weights[j] * values[j].im};
  return sum;
}

// u, rest: as above, rest[0] is found here. Returns the coefficient at the end of the step. k2, e2: vectors or numbers; curvature:
// f''(mean), waves with e^2 k^2 below -f'' grow.
template <bool SUMS, class Symbol>
__device__ __forceinline__ Complex advance(const Complex& nonlinear, const Complex (&u)[ORDER], Complex (&rest)[ORDER], Symbol k2, const Step& s,
                                           REAL e2, REAL S, vec curvature, Sums& sums) {
  const vec dtk2 = s.dt * k2;
  const auto stiff = e2 * k2;
  rest[0] = {nonlinear.re - S * u[0].re, nonlinear.im - S * u[0].im};
#ifdef REACTION
  const vec inverse = reciprocal(s.lead + dtk2 * (stiff + S) + s.reaction);
#else
  const vec inverse = reciprocal(s.lead + dtk2 * (stiff + S));
#endif
  const Complex kept = combine(s.derivative, u), outside = combine(s.outside, rest);
#ifdef REACTION
  const vec far = dtk2 > same(0) ? s.reaction / dtk2 : same(0);  // b / k^2
  const Complex later = {dtk2 > same(0) ? (kept.re - dtk2 * outside.re) * inverse : s.drift,
                         dtk2 > same(0) ? (kept.im - dtk2 * outside.im) * inverse : same(0)};
#else
  const Complex later = {(kept.re - dtk2 * outside.re) * inverse, (kept.im - dtk2 * outside.im) * inverse};
#endif
  if constexpr (SUMS) {
    if constexpr (ADAPTIVE) {
      const Complex guess = combine(s.guess, u), bend = combine(s.bend, rest);
#ifdef STIFF_OUTSIDE  // a mobility of c: the explicit part holds all of the operator
      const auto explicit_part = stiff + S;
#else
      const REAL explicit_part = S;
#endif
#ifdef REACTION  // whose own error is that of the derivative
      const vec outer = explicit_part + far;
#else
      const auto outer = explicit_part;
#endif
      const Complex off = {outer * (later.re - guess.re) - bend.re, outer * (later.im - guess.im) - bend.im};
      const vec factor = dtk2 * inverse;
      sums.error += factor * factor * (off.re * off.re + off.im * off.im);
    }
#ifdef REACTION
    const vec square = dtk2 > same(0) ? later.re * later.re + later.im * later.im : same(0), linear = stiff + far;
    const vec falls = (nonlinear.re + linear * u[0].re) * (u[0].re - later.re) + (nonlinear.im + linear * u[0].im) * (u[0].im - later.im);
    sums.falls += dtk2 > same(0) ? falls : same(0);
#else
    const vec square = later.re * later.re + later.im * later.im;
    const auto linear = stiff;
    sums.falls += (nonlinear.re + stiff * u[0].re) * (u[0].re - later.re) + (nonlinear.im + stiff * u[0].im) * (u[0].im - later.im);
#endif
    sums.size += square;
    sums.growing += linear + curvature < same(0) ? square : same(0);
  }
  return later;
}
