// Cahn-Hilliard on a square of SIZE x SIZE cells: whole trajectories in one launch, the field never leaves the chip.
//
// On a CPU a block is one thread that carries REAL_LANES fields, one a vector lane; on a GPU a block of 8 threads a line carries one,
// coefficients in registers (193 of them for order 3 in float32: one block a processor), the field and a copy in shared memory (32 kB
// at 64^2, which every card has). A step is two passes (cahn_hilliard_square.h): columns (forward, update, back) and rows (back,
// f'(u), forward). Each field has its own step, takes its own looks and, when it has ended, the next field of the list takes its
// lane. Update rule: cahn_hilliard_step.h; control: cahn_hilliard_clock.h.
//
// Compile-time: SIZE 32, 64 or 128 (GPU: 32, 64); REAL float or double; ORDER 1, 2 or 3; ADAPTIVE 0 or 1; DEGREE of the free energy.
#ifndef __CUDACC__
#include <cmath>
#include "cpu.h"
#endif
#include "line_fft.h"
#include "free_energy.h"
#include "cahn_hilliard_step.h"
#include "cahn_hilliard_clock.h"
#include "cahn_hilliard_square.h"
#include "block.h"

constexpr int RESTS = ORDER - 1;
#ifdef __CUDACC__
#define ONE_THREAD if (threadIdx.x == 0)
#else
#define ONE_THREAD
#endif

// Coefficients of the field and of the rest, now and before
struct History {
#ifdef __CUDACC__
  Complex u[ORDER][KEPT], rest[RESTS ? RESTS : 1][KEPT];
#else
  Complex *u[ORDER], *rest[RESTS ? RESTS : 1];
#endif
};
struct Media { vec slopes[DEGREE - 1], curvature; };  // of each lane

struct Lane {
  int field, look, write_to;  // field -1: none; looks look..write_to-1 are due
  double step;
  bool fresh, ended;
  Clock clock;
};

constexpr int CHECK = 8;  // steps of fixed length between two looks at the free energy

// Sum over the block's threads
__device__ __forceinline__ void sum_over_block(Sums& sums) {
#ifdef __CUDACC__
  __shared__ REAL partial[4][THREADS / 32];
  REAL values[4] = {sums.error, sums.falls, sums.size, sums.growing};
  for (int n = 0; n < 4; ++n) {
    for (int distance = 16; distance; distance /= 2) values[n] += __shfl_xor_sync(~0u, values[n], distance);
    if (threadIdx.x % 32 == 0) partial[n][threadIdx.x / 32] = values[n];
  }
  __syncthreads();
  for (int n = 0; n < 4; ++n) {
    values[n] = 0;
    for (int w = 0; w < THREADS / 32; ++w) values[n] += partial[n][w];
  }
  __syncthreads();
  sums = {values[0], values[1], values[2], values[3]};
#endif
}

// Rows: back, f'(mean + v) - f'(mean), forward
__device__ APART void rows(Complex* field, const REAL* cosine, const REAL* sine, const Media& media) {
  const int member = threadIdx.x % TEAM;
  for (int y = threadIdx.x / TEAM; y < H; y += blockDim.x / TEAM) {
    const Row line{field, y};
    row_back_second(line, line, member, cosine, sine);
    row_back_first(line, member, [&](int n2, Complex* a) {
      LINE_UNROLL for (int j = 0; j < A; ++j) a[j] = {slope_beyond_mean(a[j].re, media.slopes), slope_beyond_mean(a[j].im, media.slopes)};
      forward_first<N>(line, n2, a, cosine, sine);
    });
    row_forward_second(line, member);
  }
}

// A step's update of one coefficient
template <bool SUMS> struct Update {
  History& c;
  const Step& step;
  REAL e2, S;
  const Media& media;

  __device__ __forceinline__ void load(int i, Complex (&u)[ORDER], Complex (&rest)[ORDER]) const {
    LINE_UNROLL for (int j = 0; j < ORDER; ++j) u[j] = c.u[j][i];
    LINE_UNROLL for (int j = 0; j < RESTS; ++j) rest[j + 1] = c.rest[j][i];
  }
  __device__ __forceinline__ void store(int i, const Complex& later, const Complex (&u)[ORDER], const Complex (&rest)[ORDER]) const {
#ifdef __CUDACC__
    LINE_UNROLL for (int j = ORDER - 1; j > 0; --j) c.u[j][i] = u[j - 1];
    LINE_UNROLL for (int j = RESTS - 1; j >= 0; --j) c.rest[j][i] = rest[j];
    c.u[0][i] = later;
#else
    c.u[ORDER - 1][i] = later;  // the oldest place; `turn` makes it the newest
    if constexpr (RESTS > 0) c.rest[RESTS - 1][i] = rest[0];
#endif
  }
  __device__ __forceinline__ Complex operator()(const Complex& nonlinear, int i, REAL k2, Sums& sums) const {
    Complex u[ORDER], rest[ORDER];
    load(i, u, rest);
    const Complex later = advance<SUMS>(nonlinear, u, rest, k2, step, e2, S, media.curvature, sums);
    store(i, later, u, rest);
    return later;
  }
  __device__ __forceinline__ Complex operator()(const Complex& nonlinear, int i, Two k2, Sums& sums) const {
    Complex u[ORDER], rest[ORDER], apart[2][ORDER], rest_apart[2][ORDER];
    load(i, u, rest);
    for (int j = 0; j < ORDER; ++j) {
      apart[0][j] = {u[j].re, same(0)};
      apart[1][j] = {u[j].im, same(0)};
      rest_apart[0][j] = {rest[j].re, same(0)};
      rest_apart[1][j] = {rest[j].im, same(0)};
    }
    Sums once = no_sums();
    const Complex low = advance<SUMS>({nonlinear.re, same(0)}, apart[0], rest_apart[0], k2.low, step, e2, S, media.curvature, once);
    const Complex high = advance<SUMS>({nonlinear.im, same(0)}, apart[1], rest_apart[1], k2.high, step, e2, S, media.curvature, once);
    add(sums, same((REAL)0.5), once);
    rest[0] = {rest_apart[0][0].re, rest_apart[1][0].re};
    const Complex later = {low.re, high.re};
    store(i, later, u, rest);
    return later;
  }
};

template <bool SUMS>
__device__ APART Sums step_columns(Complex* field, History& c, const REAL* cosine, const REAL* sine, const REAL* symbol, const Step& step,
                                   REAL e2, REAL S, const Media& media) {
  return columns(field, cosine, sine, symbol, Update<SUMS>{c, step, e2, S, media});
}

// The oldest coefficients' place is the newest's (on a GPU they move through registers)
__device__ __forceinline__ void turn(History& c) {
#ifndef __CUDACC__
  Complex *newest = c.u[ORDER - 1], *newest_rest = c.rest[RESTS ? RESTS - 1 : 0];
  for (int j = ORDER - 1; j > 0; --j) c.u[j] = c.u[j - 1];
  for (int j = RESTS - 1; j > 0; --j) c.rest[j] = c.rest[j - 1];
  c.u[0] = newest;
  c.rest[0] = newest_rest;
#endif
}

struct Files {  // what the launch reads and writes
  const REAL* start;  // [fields][CELLS]
  const Medium* media;
  REAL* fields;       // [fields][looks][CELLS]
  Clock* clocks;
  const double* looks;
  int look_count, max_steps;
};

// Fields that have arrived at a look are left there: u = mean + v; what goes on stays as it is.
__device__ APART void leave(Complex* field, Complex* copy, const REAL* cosine, const REAL* sine, const Files& f, const Lane* lanes) {
  const int member = threadIdx.x % TEAM;
  for (int y = threadIdx.x / TEAM; y < H; y += blockDim.x / TEAM) {
    const Row line{copy, y};
    row_back_second({field, y}, line, member, cosine, sine);
    row_back_first(line, member, [&](int n2, Complex* a) {
      for (int lane = 0; lane < REAL_LANES; ++lane) {
        const Lane& one = lanes[lane];
        if (one.field < 0) continue;
        for (int look = one.look; look < one.write_to; ++look) {
          REAL* out = f.fields + ((size_t)one.field * f.look_count + look) * CELLS;
          for (int j = 0; j < A; ++j) {
            out[y * N + B * j + n2] = (REAL)(f.media[one.field].mean + get(a[j].re, lane));
            out[(y + H) * N + B * j + n2] = (REAL)(f.media[one.field].mean + get(a[j].im, lane));
          }
        }
      }
    });
  }
  __syncthreads();
}

// New fields take their lanes: coefficients, and the field as a columns pass leaves it
__device__ APART void come(Complex* field, Complex* copy, History& c, const REAL* cosine, const REAL* sine, const REAL* symbol, const Files& f,
                           const Lane* lanes) {
  const int member = threadIdx.x % TEAM;
  for (int y = threadIdx.x / TEAM; y < H; y += blockDim.x / TEAM) {
    const Row line{copy, y};
    for (int n2 = member; n2 < B; n2 += TEAM) {
      Complex a[A];
      for (int j = 0; j < A; ++j) {
        a[j] = {same(0), same(0)};
        for (int lane = 0; lane < REAL_LANES; ++lane)
          if (lanes[lane].fresh && lanes[lane].field >= 0) {
            const REAL* in = f.start + (size_t)lanes[lane].field * CELLS + B * j + n2;
            set(a[j].re, lane, in[y * N]);
            set(a[j].im, lane, in[(y + H) * N]);
          }
      }
      forward_first<N>(line, n2, a, cosine, sine);
    }
    row_forward_second(line, member);
  }
  __syncthreads();
  vec fresh;
  for (int lane = 0; lane < REAL_LANES; ++lane) set(fresh, lane, lanes[lane].fresh);
  const auto instead = [&](Complex& old, const Complex& value) {
    old = {fresh > same(0) ? value.re : old.re, fresh > same(0) ? value.im : old.im};
  };
  columns(copy, cosine, sine, symbol, [&](const Complex& value, int i, auto, Sums&) {
    for (int j = 0; j < ORDER; ++j) instead(c.u[j][i], value);  // those before have no weight yet
    for (int j = 0; j < RESTS; ++j) instead(c.rest[j][i], {same(0), same(0)});
    return value;
  });
  __syncthreads();
  for (int i = threadIdx.x; i < N * H; i += blockDim.x) instead(field[at(i / N, i % N)], copy[at(i / N, i % N)]);
  __syncthreads();
}

// Whether the sums of this step are needed: a fixed step has its energy looked at now and then, and where it lands
__device__ __forceinline__ bool looked_at(const Lane& one, const Files& f) {
  return ADAPTIVE || (one.field >= 0 && ((int)one.clock.steps % CHECK == CHECK - 1 || one.clock.time + one.step >= f.looks[one.write_to] ||
                                         one.clock.steps + 1 >= f.max_steps));
}

// After a step: time, looks that are due, whether the field has ended; then the length of the next step
__device__ __forceinline__ void after_step(Lane& one, const Rule& rule, const Files& f, const Totals& totals) {
  if (one.field < 0) return;
  Clock& clock = one.clock;
  one.look = one.write_to;
  const double look = f.looks[one.look], remaining = look - clock.time;
  tick(rule, f.media[one.field], clock, one.step, one.step >= remaining ? look : clock.time + one.step, looked_at(one, f), totals);
  if (clock.ending != DIVERGED) {
    while (one.write_to < f.look_count && clock.time >= f.looks[one.write_to]) ++one.write_to;
    if (clock.ending || clock.steps >= f.max_steps) one.write_to = f.look_count;
  }
  one.ended = clock.ending == DIVERGED || one.write_to >= f.look_count;
  if (one.ended)
    f.clocks[one.field] = clock;
  else
    one.step = step_length(rule, clock, f.looks[one.write_to] - clock.time);
}

//   start       [fields][CELLS]         v = u - mean at time 0
//   media       [fields] Medium
//   fields      [fields][looks][CELLS]  u at the looks
//   looks       [look_count]            tau, above 0
//   symbol      [N]                     k^2 of a line's coefficients in the order of line_fft.h
//   turns       [2][A][B]               cosine and sine of line_fft.h
//   rule        Rule
//   scratch     on a CPU: [blocks][2 + 2 ORDER - 1][H PITCH] Complex; on a GPU it is shared memory, [2][CELLS / 2] Complex
//   clocks      [fields] Clock          as each field ended
//   next_task   0
extern "C" __global__ void
#ifdef __CUDACC__
__launch_bounds__(THREADS)
#endif
    separate(const REAL* start, const double* media, REAL* fields, const double* looks, int look_count, const REAL* symbol, const REAL* turns,
             const double* rule_words, REAL* scratch, double* clocks, int count, int max_steps, int* next_task) {
  const Files files{start, (const Medium*)media, fields, (Clock*)clocks, looks, look_count, max_steps};
  const Rule rule = *(const Rule*)rule_words;
  const REAL e2 = (REAL)rule.squared_width, S = (REAL)rule.stabilisation, *cosine = turns, *sine = turns + N;
  History c;
#ifdef __CUDACC__
  extern __shared__ Complex shared[];
  Complex *field = shared, *copy = shared + N * H;
  for (int i = 0; i < KEPT; ++i) {
    for (int j = 0; j < ORDER; ++j) c.u[j][i] = {0, 0};
    for (int j = 0; j < RESTS; ++j) c.rest[j][i] = {0, 0};
  }
#else
  constexpr int ARRAY = H * PITCH, ARRAYS = 2 + ORDER + RESTS;
  Complex *field = (Complex*)scratch + (size_t)blockIdx.x * ARRAYS * ARRAY, *copy = field + ARRAY;
  for (int j = 0; j < ORDER; ++j) c.u[j] = field + (2 + j) * ARRAY;
  c.rest[0] = nullptr;
  for (int j = 0; j < RESTS; ++j) c.rest[j] = field + (2 + ORDER + j) * ARRAY;
#endif
  __shared__ Lane lanes[REAL_LANES];
  __shared__ Step step;
  __shared__ Media of_lanes;
  ONE_THREAD for (int lane = 0; lane < REAL_LANES; ++lane) {
    lanes[lane].field = -1;
    lanes[lane].look = lanes[lane].write_to = 0;
    lanes[lane].ended = true;
  }
  for (int i = threadIdx.x; i < N * H; i += blockDim.x) field[at(i / N, i % N)] = copy[at(i / N, i % N)] = {same(0), same(0)};
  __syncthreads();
  bool more = true;
  for (;;) {
    // those that have ended leave after their last look; the next ones come in
    bool any_leaving = false, any_coming = false, any_going = false, look = ADAPTIVE;
    for (int lane = 0; lane < REAL_LANES; ++lane) any_leaving |= lanes[lane].field >= 0 && lanes[lane].write_to > lanes[lane].look;
    if (any_leaving) leave(field, copy, cosine, sine, files, lanes);
    for (int lane = 0; lane < REAL_LANES; ++lane) {
      Lane& one = lanes[lane];
      const bool coming = one.ended && (more || one.field >= 0);  // a lane for which there is no field is zero from now on
      int next = -1;
      if (coming && more) {
        next = take_task(next_task);
        more = next < count;
        if (!more) next = -1;
      }
      __syncthreads();
      ONE_THREAD {
        one.look = one.write_to;
        one.fresh = coming;
        if (coming) {
          one.field = next;
          one.look = one.write_to = 0;
          one.ended = next < 0;
          one.step = 0;
          one.clock = clock_at_start(rule);
          if (next >= 0) one.step = step_length(rule, one.clock, looks[0]);
          for (int j = 0; j < DEGREE - 1; ++j) set(of_lanes.slopes[j], lane, next < 0 ? (REAL)0 : (REAL)files.media[next].slopes[j]);
          set(of_lanes.curvature, lane, next < 0 ? (REAL)0 : (REAL)files.media[next].curvature);
        }
      }
      __syncthreads();
      any_coming |= coming;
      any_going |= one.field >= 0;
      look |= looked_at(one, files);  // before the barrier behind rows(): thus by every thread before one of them moves the clock
    }
    if (!any_going || asked_to_stop()) break;
    if (any_coming) come(field, copy, c, cosine, sine, symbol, files, lanes);
    ONE_THREAD for (int lane = 0; lane < REAL_LANES; ++lane) put_weights(step, lane, weights(rule, lanes[lane].clock, lanes[lane].step));
#ifdef REACTION
    ONE_THREAD for (int lane = 0; lane < REAL_LANES; ++lane) {
      const Lane& one = lanes[lane];
      put_reaction(step, lane, rule, one.field < 0 ? nullptr : files.media + one.field, one.clock.time, one.step);
    }
#endif
    rows(field, cosine, sine, of_lanes);
    __syncthreads();
    Sums sums = look ? step_columns<true>(field, c, cosine, sine, symbol, step, e2, S, of_lanes)
                     : step_columns<ADAPTIVE>(field, c, cosine, sine, symbol, step, e2, S, of_lanes);
    turn(c);
    if (look) sum_over_block(sums);
    ONE_THREAD for (int lane = 0; lane < REAL_LANES; ++lane)
      after_step(lanes[lane], rule, files, {get(sums.error, lane), get(sums.falls, lane), get(sums.size, lane), get(sums.growing, lane)});
    __syncthreads();
  }
}
