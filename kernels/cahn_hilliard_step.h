// One step of one coefficient, and how long the next step is: the rule of cahn_hilliard.py, on lanes of line_fft.h.
// Compile-time: ORDER 1 or 2; ADAPTIVE 0 or 1.
#pragma once

constexpr int CHECK = 8;  // steps of fixed length between two looks at the free energy

struct Parameters {  // in this order in the array that the launch passes
  double squared_width, stabilisation, fixed, tolerance, first, longest, safety, shrink, grow, regrow, steady_state, diverged;
};

// Of each lane: dtau, w = dtau / the one before, 1 + w, (1 + 2w) / (1 + w), w^2 / (1 + w)
struct Step { vec dt, w, w1, leading, last; };
__device__ __forceinline__ void complete(Step& s) {
  s.w1 = s.w + (REAL)1;
  const vec inverse = (REAL)1 / s.w1;
  s.leading = (s.w1 + s.w) * inverse;
  s.last = s.w * s.w * inverse;
}

// Over coefficients: squared error of the step, fall of the free energy, square of the field
struct Sums { vec error, falls, size; };

// nonlinear: coefficient of u^3 - u at the beginning of the step; returns the field's at its end, which is `now` then. k2: a
// vector where lanes have their own, a number where they share one. At k = 0 the caller puts back what was there: mass is
// conserved to the last bit.
template <bool SUMS, class Symbol>
__device__ __forceinline__ Complex advance(const Complex& nonlinear, Complex& now_place, Complex& before_place, Complex& nonlinear_before_place,
                                           Symbol k2, const Step& s, REAL e2, REAL S, Sums& sums) {
  const vec dtk2 = s.dt * k2;
  const Complex now = now_place;
  Complex later;
  if constexpr (ORDER == 1) {
    const vec inverse = reciprocal((REAL)1 + dtk2 * (e2 * k2 + S));
    later = {(now.re - dtk2 * (nonlinear.re - S * now.re)) * inverse, (now.im - dtk2 * (nonlinear.im - S * now.im)) * inverse};
  } else {
    const vec inverse = reciprocal(s.leading + dtk2 * (e2 * k2 + S));
    const Complex before = before_place, nonlinear_before = nonlinear_before_place;
    const Complex guess = {s.w1 * now.re - s.w * before.re, s.w1 * now.im - s.w * before.im};
    const Complex slope = {s.w1 * nonlinear.re - s.w * nonlinear_before.re - S * guess.re,
                           s.w1 * nonlinear.im - s.w * nonlinear_before.im - S * guess.im};
    later = {(s.w1 * now.re - s.last * before.re - dtk2 * slope.re) * inverse, (s.w1 * now.im - s.last * before.im - dtk2 * slope.im) * inverse};
    if constexpr (ADAPTIVE && SUMS) {
      const Complex off = later - guess;
      const vec factor = dtk2 * S * inverse;
      sums.error += factor * factor * (off.re * off.re + off.im * off.im);
    }
    before_place = now;
    nonlinear_before_place = nonlinear;
  }
  if constexpr (SUMS) {
    const auto stiff = e2 * k2;
    sums.falls += (nonlinear.re + stiff * now.re) * (now.re - later.re) + (nonlinear.im + stiff * now.im) * (now.im - later.im);
    sums.size += later.re * later.re + later.im * later.im;
  }
  now_place = later;
  return later;
}

// At k = 0: the mean stays as it was, and what round-off made of it is no fall of the free energy
template <bool SUMS> __device__ __forceinline__ Complex put_back(const Complex& mean, const Complex& nonlinear, const Complex& later, Sums& sums) {
  if constexpr (SUMS) sums.falls -= nonlinear.re * (mean.re - later.re) + nonlinear.im * (mean.im - later.im);
  return mean;
}

// cahn_hilliard.Control; error: rms
__device__ __forceinline__ double next_step(const Parameters& p, double used, double meant, double error) {
  if (!ADAPTIVE) return p.fixed;
  double factor = p.safety * cbrt(p.tolerance / fmax(error, 1e-30));
  factor = fmin(fmax(factor, p.shrink), p.grow);
  double wanted = used * factor;
  if (meant > used) wanted = fmax(wanted, fmin(meant, used * p.regrow));
  return fmin(wanted, p.longest);
}
__device__ __forceinline__ double land(const Parameters&, double step, double remaining) {
  if (step >= remaining * (1 - 1e-9)) return remaining;
  if (ADAPTIVE && 2 * step > remaining) return fmin(step, remaining / 2);
  return step;
}
