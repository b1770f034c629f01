// One step of the coefficients of a box, or of some rows of its spectrum, by the rule of cahn_hilliard_step.h, in one pass
// through memory: four arrays read, one written.
//
// Arrays are [planes of kx][`line` complex numbers], (ky, kz) of a plane in one line; the transforms themselves are cuFFT's or scipy's.
// A block takes whole planes.  Compile-time: REAL float or double; ORDER 1 or 2; ADAPTIVE 0 or 1.
#ifndef __CUDACC__
#include <cmath>

#include "cpu.h"
#endif
#include "line_fft.h"
#include "cahn_hilliard_step.h"

//   u  [planes][cells]  becomes u^3 - u
extern "C" __global__ void nonlinear_part(REAL* u, int planes, int cells, int blocks) {
  const int first = (int)((long long)planes * blockIdx.x / blocks), last = (int)((long long)planes * (blockIdx.x + 1) / blocks);
  for (int plane = first; plane < last; ++plane) {
    REAL* here = u + (size_t)plane * cells;
    for (int i = threadIdx.x; i < cells; i += blockDim.x) here[i] *= here[i] * here[i] - (REAL)1;
  }
}

constexpr int FLUSH = 32;  // groups whose sums are added up in REAL before they go to double

// The first n of REAL_LANES complex numbers from `place` on; the others are 0
__device__ __forceinline__ Complex load(const REAL* place, int n) {
#ifdef __CUDACC__
  return Complex{place[0], place[1]};
#else
  REAL re[REAL_LANES] = {}, im[REAL_LANES] = {};
  if (n == REAL_LANES)
    for (int i = 0; i < REAL_LANES; ++i) re[i] = place[2 * i], im[i] = place[2 * i + 1];
  else
    for (int i = 0; i < n; ++i) re[i] = place[2 * i], im[i] = place[2 * i + 1];
  Complex c;
  memcpy(&c.re, re, sizeof re);
  memcpy(&c.im, im, sizeof im);
  return c;
#endif
}

__device__ __forceinline__ void store(REAL* place, const Complex& c, int n) {
#ifdef __CUDACC__
  place[0] = c.re;
  place[1] = c.im;
#else
  REAL re[REAL_LANES], im[REAL_LANES];
  memcpy(re, &c.re, sizeof re);
  memcpy(im, &c.im, sizeof im);
  if (n == REAL_LANES)
    for (int i = 0; i < REAL_LANES; ++i) place[2 * i] = re[i], place[2 * i + 1] = im[i];
  else
    for (int i = 0; i < n; ++i) place[2 * i] = re[i], place[2 * i + 1] = im[i];
#endif
}

__device__ __forceinline__ vec load_reals(const REAL* place) {
#ifdef __CUDACC__
  return *place;
#else
  vec v;
  memcpy(&v, place, sizeof v);
  return v;
#endif
}

__device__ __forceinline__ double total(const vec& v) {
  double sum = 0;
  for (int lane = 0; lane < REAL_LANES; ++lane) sum += get(v, lane);
  return sum;
}

//   now, before, nonlinear, nonlinear_before   what comes later replaces `before` (ORDER 1, which has no such arrays: `now`)
//   kx      [planes]; kyz, weight  [line, and some 0 up to a whole vector]: k^2, and how often a coefficient counts in sums
//   numbers [4]  dtau, dtau over the one before, squared width, stabilisation
//   sums    [planes][threads][3]  squared error, fall of the free energy, squared size
//   mean    whether the first coefficient is that of k = 0, which stays as it is
extern "C" __global__ void advance_coefficients(REAL* now_array, REAL* before_array, const REAL* nonlinear_array,
                                                const REAL* nonlinear_before_array, const REAL* kx, const REAL* kyz, const REAL* weight,
                                                const REAL* numbers, double* sums, int planes, int line, int mean, int blocks) {
  const int first = (int)((long long)planes * blockIdx.x / blocks), last = (int)((long long)planes * (blockIdx.x + 1) / blocks);
  Step step;
  step.dt = same(numbers[0]);
  step.w = same(numbers[1]);
  complete(step);
  const REAL e2 = numbers[2], S = numbers[3];
  for (int plane = first; plane < last; ++plane) {
    const size_t start = (size_t)plane * line * 2;
    const vec kx2 = same(kx[plane]);
    double error = 0, falls = 0, size = 0;
    Sums some = {same(0), same(0), same(0)};
    int group = 0;
    for (int i = threadIdx.x * REAL_LANES; i < line; i += blockDim.x * REAL_LANES) {
      const size_t place = start + 2 * (size_t)i;
      const int n = line - i < REAL_LANES ? line - i : REAL_LANES;
      const Complex nonlinear = load(nonlinear_array + place, n), here = load(now_array + place, n);
      Complex now = here, before = here, nonlinear_before = nonlinear;
      if constexpr (ORDER == 2) {
        before = load(before_array + place, n);
        nonlinear_before = load(nonlinear_before_array + place, n);
      }
      Sums one = {same(0), same(0), same(0)};
      Complex later = advance<true>(nonlinear, now, before, nonlinear_before, kx2 + load_reals(kyz + i), step, e2, S, one);
      if (mean && plane == 0 && i == 0) {
        const REAL re = get(here.re, 0), im = get(here.im, 0);
        set(one.falls, 0, get(one.falls, 0) - (get(nonlinear.re, 0) * (re - get(later.re, 0)) + get(nonlinear.im, 0) * (im - get(later.im, 0))));
        set(later.re, 0, re);
        set(later.im, 0, im);
      }
      store((ORDER == 2 ? before_array : now_array) + place, later, n);
      const vec times = load_reals(weight + i);
      some.error += times * one.error;
      some.falls += times * one.falls;
      some.size += times * one.size;
      if (++group % FLUSH == 0) {
        error += total(some.error), falls += total(some.falls), size += total(some.size);
        some = {same(0), same(0), same(0)};
      }
    }
    double* mine = sums + ((size_t)plane * blockDim.x + threadIdx.x) * 3;
    mine[0] = error + total(some.error);
    mine[1] = falls + total(some.falls);
    mine[2] = size + total(some.size);
  }
}
