// One step of the coefficients of fields whose transforms are a library's, cuFFT's or scipy's: of a batch, or of some rows of the
// spectrum of one large box. Rule and control: cahn_hilliard_step.h, cahn_hilliard_clock.h. One pass through memory.
//
// Arrays are [planes][`line` complex numbers]: the planes of kx of one field after the other, (ky, kz), or ky alone, in one line. A
// block takes whole planes. Compile-time: REAL float or double; ORDER 1, 2 or 3; ADAPTIVE 0 or 1; DEGREE of the free energy.
#ifndef __CUDACC__
#include <cmath>

#include "cpu.h"
#endif
#include "line_fft.h"
#include "free_energy.h"
#include "cahn_hilliard_step.h"
#include "cahn_hilliard_clock.h"

constexpr int FLUSH = 32;  // groups whose sums are added up in REAL before they go to double

// What a step takes of each field, and of the system
struct Numbers {
  REAL dt, lead, derivative[ORDER], outside[ORDER], guess[ORDER], bend[ORDER], curvature, squared_width, stabilisation, reaction, drift;
};

//   v  [planes][cells]  becomes f'(mean + v) - f'(mean); field_planes of them are one field's
extern "C" __global__ void nonlinear_part(REAL* v, const double* media, int planes, int field_planes, int cells, int blocks) {
  const int first = (int)((long long)planes * blockIdx.x / blocks), last = (int)((long long)planes * (blockIdx.x + 1) / blocks);
  for (int plane = first; plane < last; ++plane) {
    REAL* here = v + (size_t)plane * cells;
    const Medium& medium = ((const Medium*)media)[plane / field_planes];
    REAL slopes[DEGREE - 1];
    for (int j = 0; j < DEGREE - 1; ++j) slopes[j] = (REAL)medium.slopes[j];
    for (int i = threadIdx.x; i < cells; i += blockDim.x) here[i] = slope_beyond_mean(here[i], slopes);
  }
}

// Length and weights of the next step of each field.   asked  [fields] times to land on;  lengths  [fields]
extern "C" __global__ void begin_steps(const double* rule_words, const double* media, const double* clocks, const double* asked, double* lengths,
                                       REAL* numbers, int fields) {
  const Rule& rule = *(const Rule*)rule_words;
  for (int field = threadIdx.x; field < fields; field += blockDim.x) {
    const Clock& clock = ((const Clock*)clocks)[field];
    lengths[field] = step_length(rule, clock, asked[field] - clock.time);
    const Weights w = weights(rule, clock, lengths[field]);
    Numbers& n = ((Numbers*)numbers)[field];
    n.dt = (REAL)w.dt;
    n.lead = (REAL)w.lead;
    for (int j = 0; j < ORDER; ++j) {
      n.derivative[j] = (REAL)w.derivative[j];
      n.outside[j] = (REAL)w.outside[j];
      n.guess[j] = (REAL)w.guess[j];
      n.bend[j] = (REAL)w.bend[j];
    }
    n.curvature = (REAL)((const Medium*)media)[field].curvature;
    n.squared_width = (REAL)rule.squared_width;
    n.stabilisation = (REAL)rule.stabilisation;
#ifdef REACTION
    n.reaction = (REAL)(rule.reaction * lengths[field]);
    n.drift = (REAL)(rule.cells * drift(rule, ((const Medium*)media)[field], clock.time + lengths[field]));
#endif
  }
}

//   totals  [fields][4]  means over space
extern "C" __global__ void end_steps(const double* rule_words, const double* media, double* clocks, const double* asked, const double* lengths,
                                     const double* totals, int fields) {
  for (int field = threadIdx.x; field < fields; field += blockDim.x) {
    Clock& clock = ((Clock*)clocks)[field];
    const double later = clock.time + lengths[field], look = asked[field];
    const double* t = totals + 4 * field;
    tick(*(const Rule*)rule_words, ((const Medium*)media)[field], clock, lengths[field], lengths[field] >= look - clock.time ? look : later, true,
         {t[0], t[1], t[2], t[3]});
  }
}

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

//   u0, u1, u2  coefficients at the beginning of this step and of those before it, ORDER of them; the last one of these becomes what
//               comes at the step's end.   n0, n1, n2  those of the nonlinear part then
//   kx          [field_planes];  kyz, weight  [line, and some 0 up to a whole vector]: k^2, and how often a coefficient counts in sums
//   sums        [planes][threads][4]  squared error, fall of the free energy, squared size, that of waves that grow
extern "C" __global__ void advance_coefficients(REAL* u0, REAL* u1, REAL* u2, const REAL* n0, const REAL* n1, const REAL* n2, const REAL* kx,
                                                const REAL* kyz, const REAL* weight, const REAL* numbers, double* sums, int planes,
                                                int field_planes, int line, int blocks) {
  const int first = (int)((long long)planes * blockIdx.x / blocks), last = (int)((long long)planes * (blockIdx.x + 1) / blocks);
  REAL* const u_arrays[3] = {u0, u1, u2};
  const REAL* const n_arrays[3] = {n0, n1, n2};
  for (int plane = first; plane < last; ++plane) {
    const Numbers& numbers_of = ((const Numbers*)numbers)[plane / field_planes];
    Step step;
    step.dt = same(numbers_of.dt);
    step.lead = same(numbers_of.lead);
    for (int j = 0; j < ORDER; ++j) {
      step.derivative[j] = same(numbers_of.derivative[j]);
      step.outside[j] = same(numbers_of.outside[j]);
      step.guess[j] = same(numbers_of.guess[j]);
      step.bend[j] = same(numbers_of.bend[j]);
    }
#ifdef REACTION
    step.reaction = same(numbers_of.reaction);
    step.drift = same(numbers_of.drift);
#endif
    const vec curvature = same(numbers_of.curvature);
    const REAL e2 = numbers_of.squared_width, S = numbers_of.stabilisation;
    const size_t start = (size_t)plane * line * 2;
    const vec kx2 = same(kx[plane % field_planes]);
    double all[4] = {0, 0, 0, 0};
    Sums some = no_sums();
    int group = 0;
    auto flush = [&]() {
      all[0] += total(some.error), all[1] += total(some.falls), all[2] += total(some.size), all[3] += total(some.growing);
      some = no_sums();
    };
    for (int i = threadIdx.x * REAL_LANES; i < line; i += blockDim.x * REAL_LANES) {
      const size_t place = start + 2 * (size_t)i;
      const int n = line - i < REAL_LANES ? line - i : REAL_LANES;
      Complex u[ORDER], rest[ORDER];
      LINE_UNROLL for (int j = 0; j < ORDER; ++j) {
        u[j] = load(u_arrays[j] + place, n);
        if (j) {
          const Complex nonlinear = load(n_arrays[j] + place, n);
          rest[j] = {nonlinear.re - S * u[j].re, nonlinear.im - S * u[j].im};
        }
      }
      Sums one = no_sums();
      const Complex later = advance<true>(load(n0 + place, n), u, rest, kx2 + load_reals(kyz + i), step, e2, S, curvature, one);
      store(u_arrays[ORDER - 1] + place, later, n);
      add(some, load_reals(weight + i), one);
      if (++group % FLUSH == 0) flush();
    }
    flush();
    for (int s = 0; s < 4; ++s) sums[((size_t)plane * blockDim.x + threadIdx.x) * 4 + s] = all[s];
  }
}
