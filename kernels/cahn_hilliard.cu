// Cahn-Hilliard on a square of SIZE x SIZE cells: whole trajectories in one launch, the field never leaves the chip.
//
// Two samples are the real and imaginary part of one complex field (a pair): the multipliers of the update are real and even
// in k, so that the pair never has to be told apart. On a CPU a block is one thread that carries REAL_LANES pairs, one a
// vector lane; on a GPU a block of 8 threads a line carries one, coefficients in registers, the field in shared memory.
// A step is two passes: columns (forward, update, back) and rows (back, u^3 - u, forward). Each pair has its own step, takes
// its own looks and, when it has ended, the next pair of the list takes its lane. Update rule and control of the step:
// cahn_hilliard.py.
//
// Compile-time: SIZE 32, 64 or 128 (GPU: 32, 64); REAL float or double; ORDER 1 or 2; ADAPTIVE 0 or 1.
#ifndef __CUDACC__
#include <cmath>
#include "cpu.h"
#endif
#include "line_fft.h"
#include "cahn_hilliard_step.h"
#include "block.h"

constexpr int N = SIZE, CELLS = N * N, A = Factors<N>::A, B = Factors<N>::B;
#ifdef __CUDACC__
constexpr int TEAM = 8, THREADS = TEAM * N, COLUMNS = 1, SECONDS = (A + TEAM - 1) / TEAM;
#define SYNC_TEAM() __syncwarp()
#define APART __forceinline__  // the coefficients are in registers
#else
constexpr int TEAM = 1, COLUMNS = N, SECONDS = A, PITCH = N + 1;
#define SYNC_TEAM()
#define APART __attribute__((noinline))  // the same machine code wherever it is called from: the same last bit
#endif

// Where cell (y, x) of the field lies. In shared memory the eight threads of a line and the four lines of a warp hit each bank
// as seldom as can be, in rows and columns, in the first and the second half of a transform; a CPU avoids powers of two.
__device__ __forceinline__ int at(int y, int x) {
#ifdef __CUDACC__
  return y * N + (x ^ (x >> 3 & 7) ^ 4 * ((y ^ y >> 3) & 3));
#else
  return y * PITCH + x;
#endif
}

struct Column {
  Complex* field;
  int x;
  __device__ __forceinline__ Complex& operator()(int y) const { return field[at(y, x)]; }
};
struct Row {
  Complex* field;
  int y;
  __device__ __forceinline__ Complex& operator()(int x) const { return field[at(y, x)]; }
};
#ifdef __CUDACC__
typedef Column Workspace;  // a column is transformed where it lies
#else
struct Workspace {  // a column is transformed in the first-level cache
  Complex* line;
  Complex& operator()(int y) const { return line[y]; }
};
#endif

// Coefficients of the field: now, one step before, and of u^3 - u one step before
struct Coefficients {
#ifdef __CUDACC__
  Complex now[COLUMNS * SECONDS * B], before[ORDER == 2 ? COLUMNS * SECONDS * B : 1], nonlinear_before[ORDER == 2 ? COLUMNS * SECONDS * B : 1];
#else
  Complex *now, *before, *nonlinear_before;
#endif
};

struct Clock {  // of one pair
  int pair, look, write_to, steps;  // pair -1: none; looks look..write_to-1 are due
  double time, used, step, meant;
  bool fresh, ended;
};

// Sum over the block's threads
__device__ __forceinline__ void sum_over_block(Sums& sums) {
#ifdef __CUDACC__
  __shared__ REAL partial[3][THREADS / 32];
  REAL values[3] = {sums.error, sums.falls, sums.size};
  for (int n = 0; n < 3; ++n) {
    for (int distance = 16; distance; distance /= 2) values[n] += __shfl_xor_sync(~0u, values[n], distance);
    if (threadIdx.x % 32 == 0) partial[n][threadIdx.x / 32] = values[n];
  }
  __syncthreads();
  for (int n = 0; n < 3; ++n) {
    values[n] = 0;
    for (int w = 0; w < THREADS / 32; ++w) values[n] += partial[n][w];
  }
  sums = {values[0], values[1], values[2]};
#endif
}

// Columns: forward, update, back
template <bool SUMS>
__device__ APART Sums columns(Complex* field, Coefficients& c, const REAL* cosine, const REAL* sine, const REAL* symbol, const Step& steps,
                              REAL e2, REAL S) {
  const int member = threadIdx.x % TEAM, first = threadIdx.x / TEAM;
  Sums sums{same(0), same(0), same(0)};
  const vec normal = same((REAL)1 / CELLS);
#ifdef __CUDACC__
#pragma unroll
#endif
  for (int column = 0; column < COLUMNS; ++column) {
    const Column line{field, first + column};
#ifdef __CUDACC__
    const Workspace work = line;
#else
    Complex storage[N];
    const Workspace work{storage};
#endif
    for (int n2 = member; n2 < B; n2 += TEAM) {
      Complex a[A];
      load_first<N>(line, n2, a);
      forward_first<N>(work, n2, a, cosine, sine);
    }
    SYNC_TEAM();
    const REAL k2x = symbol[line.x];
#ifdef __CUDACC__
#pragma unroll
#endif
    for (int second = 0; second < SECONDS; ++second) {
      const int k1 = member + second * TEAM;
      if (k1 < A) {
        Complex a[B];
        load_second<N>(work, k1, a);
        fft<B, -1>(a);
        const Complex mean = c.now[(column * SECONDS + second) * B], mean_nonlinear = normal * a[0];
        LINE_UNROLL for (int j = 0; j < B; ++j) {
          const int i = (column * SECONDS + second) * B + j;
          const int o = ORDER == 2 ? i : 0;
          a[j] = advance<SUMS>(normal * a[j], c.now[i], c.before[o], c.nonlinear_before[o], k2x + symbol[B * k1 + j], steps, e2, S, sums);
        }
        if (line.x == 0 && k1 == 0) a[0] = c.now[(column * SECONDS + second) * B] = put_back<SUMS>(mean, mean_nonlinear, a[0], sums);
        back_second<N>(work, k1, a, cosine, sine);
      }
    }
    SYNC_TEAM();
    for (int n2 = member; n2 < B; n2 += TEAM) {
      Complex a[A];
      load_first<N>(work, n2, a);
      fft<A, 1>(a);
      store_first<N>(line, n2, a);
    }
  }
  return sums;
}

struct Files {  // what the launch reads and writes; two samples of a pair lie one behind the other
  const REAL* start;  // [samples][CELLS]
  REAL* fields;       // [samples][looks][CELLS]
  double *steady_time, *time;
  int *steps, *diverged;
  const double* looks;
  int look_count, max_steps;
};

// Rows: back, u^3 - u, forward
__device__ APART void rows(Complex* field, const REAL* cosine, const REAL* sine) {
  const int member = threadIdx.x % TEAM;
  for (int y = threadIdx.x / TEAM; y < N; y += blockDim.x / TEAM) {
    const Row line{field, y};
    for (int k1 = member; k1 < A; k1 += TEAM) {
      Complex a[B];
      load_second<N>(line, k1, a);
      back_second<N>(line, k1, a, cosine, sine);
    }
    SYNC_TEAM();
    for (int n2 = member; n2 < B; n2 += TEAM) {
      Complex a[A];
      load_first<N>(line, n2, a);
      fft<A, 1>(a);
      LINE_UNROLL for (int j = 0; j < A; ++j) a[j] = {a[j].re * (a[j].re * a[j].re - (REAL)1), a[j].im * (a[j].im * a[j].im - (REAL)1)};
      forward_first<N>(line, n2, a, cosine, sine);
    }
    SYNC_TEAM();
    for (int k1 = member; k1 < A; k1 += TEAM) {
      Complex a[B];
      load_second<N>(line, k1, a);
      fft<B, -1>(a);
      store_second<N>(line, k1, a);
    }
  }
}

// One transform of every line, in place: rows, or columns, SIGN as in line_fft.h
template <class Line, int SIGN> __device__ __forceinline__ void transform(Complex* field, const REAL* cosine, const REAL* sine) {
  const int member = threadIdx.x % TEAM;
  for (int i = threadIdx.x / TEAM; i < N; i += blockDim.x / TEAM) {
    const Line line{field, i};
    for (int half = 0; half < 2; ++half) {
      if ((half == 0) == (SIGN < 0))
        for (int n2 = member; n2 < B; n2 += TEAM) {
          Complex a[A];
          load_first<N>(line, n2, a);
          if constexpr (SIGN < 0) {
            forward_first<N>(line, n2, a, cosine, sine);
          } else {
            fft<A, 1>(a);
            store_first<N>(line, n2, a);
          }
        }
      else
        for (int k1 = member; k1 < A; k1 += TEAM) {
          Complex a[B];
          load_second<N>(line, k1, a);
          if constexpr (SIGN > 0) {
            back_second<N>(line, k1, a, cosine, sine);
          } else {
            fft<B, -1>(a);
            store_second<N>(line, k1, a);
          }
        }
      SYNC_TEAM();
    }
  }
  __syncthreads();
}

// Pairs that have arrived at a look leave their field there. Works on a copy: what the other pairs go on with stays as it
// is to the last bit, so that a pair's numbers never depend on its company.
__device__ APART void leave(const Complex* field, Complex* copy, const REAL* cosine, const REAL* sine, const Files& f, const Clock* clock) {
  for (int i = threadIdx.x; i < CELLS; i += blockDim.x) copy[at(i / N, i % N)] = field[at(i / N, i % N)];
  __syncthreads();
  transform<Row, 1>(copy, cosine, sine);
  for (int lane = 0; lane < REAL_LANES; ++lane) {
    const Clock& one = clock[lane];
    if (one.pair < 0 || one.write_to <= one.look) continue;
    for (int look = one.look; look < one.write_to; ++look) {
      REAL* out = f.fields + ((size_t)2 * one.pair * f.look_count + look) * CELLS;
      for (int i = threadIdx.x; i < CELLS; i += blockDim.x) {
        const Complex u = copy[at(i / N, i % N)];
        out[i] = get(u.re, lane);
        out[(size_t)f.look_count * CELLS + i] = get(u.im, lane);
      }
    }
  }
  __syncthreads();
}

// New pairs take their lanes: coefficients, and the field as a columns pass leaves it
__device__ APART void come(Complex* field, Complex* copy, Coefficients& c, const REAL* cosine, const REAL* sine, const Files& f, const Clock* clock) {
  for (int lane = 0; lane < REAL_LANES; ++lane)
    if (clock[lane].fresh)
      for (int i = threadIdx.x; i < CELLS; i += blockDim.x) {
        const REAL* in = f.start + (size_t)2 * (clock[lane].pair < 0 ? 0 : clock[lane].pair) * CELLS + i;
        Complex& u = copy[at(i / N, i % N)];
        set(u.re, lane, clock[lane].pair < 0 ? (REAL)0 : in[0]);
        set(u.im, lane, clock[lane].pair < 0 ? (REAL)0 : in[CELLS]);
      }
  __syncthreads();
  transform<Row, -1>(copy, cosine, sine);
  transform<Column, -1>(copy, cosine, sine);
  const int member = threadIdx.x % TEAM, first = threadIdx.x / TEAM;
#ifdef __CUDACC__
#pragma unroll
#endif
  for (int column = 0; column < COLUMNS; ++column)
#ifdef __CUDACC__
#pragma unroll
#endif
    for (int second = 0; second < SECONDS; ++second) {
      const int k1 = member + second * TEAM;
      if (k1 >= A) continue;
      LINE_UNROLL for (int j = 0; j < B; ++j) {
        const int i = (column * SECONDS + second) * B + j, o = ORDER == 2 ? i : 0;
        Complex& place = copy[at(B * k1 + j, first + column)];
        place = same((REAL)1 / CELLS) * place;
        for (int lane = 0; lane < REAL_LANES; ++lane)
          if (clock[lane].fresh) {
            const REAL re = get(place.re, lane), im = get(place.im, lane);
            set(c.now[i].re, lane, re);
            set(c.now[i].im, lane, im);
            set(c.before[o].re, lane, re);
            set(c.before[o].im, lane, im);
            set(c.nonlinear_before[o].re, lane, 0);
            set(c.nonlinear_before[o].im, lane, 0);
          }
      }
    }
  __syncthreads();
  transform<Column, 1>(copy, cosine, sine);
  for (int lane = 0; lane < REAL_LANES; ++lane)
    if (clock[lane].fresh)
      for (int i = threadIdx.x; i < CELLS; i += blockDim.x) {
        Complex &u = field[at(i / N, i % N)], &from = copy[at(i / N, i % N)];
        set(u.re, lane, get(from.re, lane));
        set(u.im, lane, get(from.im, lane));
      }
  __syncthreads();
}

// Whether the sums of this step are needed: a fixed step has its energy looked at now and then, and where it lands
__device__ __forceinline__ bool looked_at(const Clock& c, const Files& f) {
  return ADAPTIVE || (c.pair >= 0 && (c.steps % CHECK == CHECK - 1 || c.step >= f.looks[c.write_to] - c.time || c.steps + 1 >= f.max_steps));
}

// After a step: time, looks that are due, whether the pair has ended
__device__ __forceinline__ void tick(Clock& c, const Parameters& p, const Files& f, double error, double falls, double size) {
  if (c.pair < 0) return;
  c.look = c.write_to;
  const bool summed = looked_at(c, f);
  const double remaining = f.looks[c.look] - c.time;
  ++c.steps;
  const bool diverged = summed && !(size < 2 * p.diverged * p.diverged), steady = summed && !diverged && falls < p.steady_state * c.step;
  if (!diverged) {
    c.time = c.step >= remaining ? f.looks[c.look] : c.time + c.step;
    while (c.write_to < f.look_count && c.time >= f.looks[c.write_to]) ++c.write_to;
    if (steady || c.steps >= f.max_steps) c.write_to = f.look_count;
  }
  c.ended = diverged || c.write_to >= f.look_count;
  if (c.ended) {
    if (threadIdx.x == 0)
      for (int sample = 2 * c.pair; sample < 2 * c.pair + 2; ++sample) {
        if (steady) f.steady_time[sample] = c.time;
        f.diverged[sample] = diverged;
        f.time[sample] = c.time;
        f.steps[sample] = c.steps;
      }
    return;
  }
  c.meant = next_step(p, c.step, c.meant, ADAPTIVE ? sqrt(error) : 0);
  c.used = c.step;
  c.step = land(p, c.meant, f.looks[c.write_to] - c.time);
}

//   start       [samples][CELLS]         u at time 0; samples is even
//   fields      [samples][looks][CELLS]  u at the looks
//   looks       [look_count]             tau, above 0
//   symbol      [N]                      k^2 of a line's coefficients in the order of line_fft.h
//   turns       [2][A][B]                cosine and sine of line_fft.h
//   parameters  Parameters
//   scratch     on a CPU: [blocks][5][N PITCH] Complex; on a GPU it is shared memory, [2][CELLS] Complex
//   steady_time, time, steps, diverged   [samples]
//   next_task   0
extern "C" __global__ void
#ifdef __CUDACC__
__launch_bounds__(THREADS)
#endif
    separate(const REAL* start, REAL* fields, const double* looks, int look_count, const REAL* symbol, const REAL* turns, const double* parameters,
             REAL* scratch, double* steady_time, double* time, int* steps_taken, int* diverged, int pairs, int max_steps, int* next_task) {
  const Files files{start, fields, steady_time, time, steps_taken, diverged, looks, look_count, max_steps};
  const Parameters p = *(const Parameters*)parameters;
  const REAL e2 = (REAL)p.squared_width, S = (REAL)p.stabilisation, *cosine = turns, *sine = turns + N;
  Coefficients c;
#ifdef __CUDACC__
  extern __shared__ Complex shared[];
  Complex *field = shared, *copy = shared + CELLS;
  for (int i = 0; i < COLUMNS * SECONDS * B; ++i) c.now[i] = {0, 0};
  for (int i = 0; i < (ORDER == 2 ? COLUMNS * SECONDS * B : 1); ++i) c.before[i] = c.nonlinear_before[i] = {0, 0};
#else
  Complex *field = (Complex*)scratch + (size_t)blockIdx.x * 5 * N * PITCH, *copy = field + N * PITCH;
  c.now = field + 2 * N * PITCH;
  c.before = field + 3 * N * PITCH;
  c.nonlinear_before = field + 4 * N * PITCH;
#endif
  Clock clock[REAL_LANES];
  for (int lane = 0; lane < REAL_LANES; ++lane) clock[lane] = {-1, 0, 0, 0, 0, 0, 0, 0, false, true};
  for (int i = threadIdx.x; i < CELLS; i += blockDim.x) field[at(i / N, i % N)] = copy[at(i / N, i % N)] = {same(0), same(0)};
  __syncthreads();
  bool more = true;
  for (;;) {
    // those that have ended leave after their last look; the next ones come in
    bool any_leaving = false, any_coming = false, any_going = false;
    for (int lane = 0; lane < REAL_LANES; ++lane) any_leaving |= clock[lane].pair >= 0 && clock[lane].write_to > clock[lane].look;
    if (any_leaving) leave(field, copy, cosine, sine, files, clock);
    for (int lane = 0; lane < REAL_LANES; ++lane) {
      Clock& one = clock[lane];
      one.look = one.write_to;
      if (one.ended && (more || one.pair >= 0)) {  // a lane for which there is no pair is zero from now on
        const int pair = more ? take_task(next_task) : pairs;
        more = pair < pairs;
        one = {more ? pair : -1, 0, 0, 0, 0, 0, more ? land(p, p.first, looks[0]) : 0, p.first, true, !more};
        any_coming = true;
      }
      any_going |= one.pair >= 0;
    }
    if (!any_going) break;
    if (any_coming) come(field, copy, c, cosine, sine, files, clock);
    rows(field, cosine, sine);
    __syncthreads();
    Step s;
    for (int lane = 0; lane < REAL_LANES; ++lane) {
      Clock& one = clock[lane];
      one.fresh = false;
      set(s.dt, lane, (REAL)one.step);
      set(s.w, lane, (REAL)(ORDER == 2 && one.used > 0 ? one.step / one.used : 0));
    }
    complete(s);
    bool look = ADAPTIVE;
    for (int lane = 0; lane < REAL_LANES; ++lane) look |= looked_at(clock[lane], files);
    Sums sums = look ? columns<true>(field, c, cosine, sine, symbol, s, e2, S) : columns<ADAPTIVE>(field, c, cosine, sine, symbol, s, e2, S);
    if (look) sum_over_block(sums);
    for (int lane = 0; lane < REAL_LANES; ++lane)
      tick(clock[lane], p, files, (double)get(sums.error, lane), (double)get(sums.falls, lane), (double)get(sums.size, lane));
    __syncthreads();
  }
}
