// Cahn-Hilliard in a box of SIZE^3 cells on a CPU: line transforms over vector lanes, two passes through memory a step.
// (On a GPU boxes go by cuFFT.)
//
// One real field: u(x) and u(x + SIZE/2) are real and imaginary part, and the lanes are neighbours in x, so that transforms
// along y and z, the lines of a plane pass, run over whole vectors and leave their coefficients where they are. In the x pass
// the coefficients of k = (ky, kz) and of -k tell the two halves apart again, lanes become pairs (k, -k), a line in x is
// transformed, updated and transformed back. Nothing is ever sorted (line_fft.h), nothing is computed twice.
//
// All workers run this function together and meet at barriers. Sums are taken in a fixed order: the same bytes for any number
// of workers. Compile-time: SIZE 32, 64, 128, 256 or 512; REAL float or double; ORDER 1 or 2; ADAPTIVE 0 or 1.
#include <sched.h>

#include <atomic>
#include <cmath>

#include "cpu.h"
#include "line_fft.h"
#include "cahn_hilliard_step.h"

constexpr int N = SIZE, A = Factors<N>::A, B = Factors<N>::B, W = REAL_LANES, PITCH = N + 1, TILES = N / 2 / W, TILE = N * PITCH;
constexpr int GROUPS = (N * N / 2 + 2 + W - 1) / W;

struct Barrier {  // spins, since passes are short
  std::atomic<int> arrived{0}, round{0};
  void wait(int members) {
    if (members == 1) return;
    const int mine = round.load();
    if (arrived.fetch_add(1) + 1 == members) {
      arrived = 0;
      round = mine + 1;
    } else {
      for (int spins = 0; round.load() == mine; ++spins)
        if (spins > 2000) sched_yield();
    }
  }
};

struct Line {
  Complex* start;
  int stride;
  Complex& operator()(int i) const { return start[i * stride]; }
};

// The halves of a line's transforms, over all its items
static __forceinline__ void forward_firsts(const Line& from, const Line& work, const REAL* turns) {
  for (int n2 = 0; n2 < B; ++n2) {
    Complex a[A];
    load_first<N>(from, n2, a);
    forward_first<N>(work, n2, a, turns, turns + N);
  }
}
static __forceinline__ void forward_seconds(const Line& work, const Line& to) {
  for (int k1 = 0; k1 < A; ++k1) {
    Complex a[B];
    load_second<N>(work, k1, a);
    fft<B, -1>(a);
    store_second<N>(to, k1, a);
  }
}
static __forceinline__ void back_seconds(const Line& from, const Line& work, const REAL* turns) {
  for (int k1 = 0; k1 < A; ++k1) {
    Complex a[B];
    load_second<N>(from, k1, a);
    back_second<N>(work, k1, a, turns, turns + N);
  }
}
static __forceinline__ void back_firsts(const Line& work, const Line& to) {
  for (int n2 = 0; n2 < B; ++n2) {
    Complex a[A];
    load_first<N>(work, n2, a);
    fft<A, 1>(a);
    store_first<N>(to, n2, a);
  }
}
static __forceinline__ void forward(const Line& line, const Line& work, const REAL* turns) {
  forward_firsts(line, work, turns);
  forward_seconds(work, line);
}
static __forceinline__ void back(const Line& line, const Line& work, const REAL* turns) {
  back_seconds(line, work, turns);
  back_firsts(work, line);
}

// r[i][l] <-> r[l][i]
static __attribute__((noinline)) void transpose(vec* r) {
  typedef decltype(vec{} == vec{}) index;
#pragma GCC unroll 8
  for (int s = 1; s < W; s *= 2) {
    index low, high;
#pragma GCC unroll 16
    for (int l = 0; l < W; ++l) {
      low[l] = l & s ? W + (l ^ s) : l;
      high[l] = l & s ? W + l : l ^ s;
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i)
      if (!(i & s)) {
        vec a = r[i], b = r[i | s];
        r[i] = __builtin_shuffle(a, b, low);
        r[i | s] = __builtin_shuffle(a, b, high);
      }
  }
}

enum Mode { START, STEP, FROM_REAL, TO_REAL, RESTORE };  // what a plane pass begins and ends with; RESTORE has none

// A plane pass: y back, z back, u^3 - u, z forward, y forward. START: forward alone, of u itself; FROM_REAL: from u^3 - u on;
// TO_REAL: up to u.
static void plane_pass(Mode mode, Complex* field, const REAL* turns, int member, int members, Barrier& barrier) {
  const int first = N * member / members, last = N * (member + 1) / members;
  Complex storage[N];
  const Line work{storage, 1};
  if (mode == STEP || mode == TO_REAL) {
    for (int z = first; z < last; ++z) {
      const Line line{field + z, PITCH};
      back(line, work, turns);
    }
    barrier.wait(members);
  }
  for (int y = first; y < last; ++y) {
    const Line line{field + y * PITCH, 1};
    if (mode == STEP) {
      back_seconds(line, work, turns);
      for (int n2 = 0; n2 < B; ++n2) {
        Complex a[A];
        load_first<N>(work, n2, a);
        fft<A, 1>(a);
        LINE_UNROLL for (int j = 0; j < A; ++j)
          a[j] = {a[j].re * (a[j].re * a[j].re - (REAL)1), a[j].im * (a[j].im * a[j].im - (REAL)1)};
        forward_first<N>(work, n2, a, turns, turns + N);
      }
      forward_seconds(work, line);
    } else if (mode == TO_REAL) {
      back(line, work, turns);
    } else {
      if (mode == FROM_REAL)
        for (int z = 0; z < N; ++z) {
          const Complex u = line(z);
          line(z) = {u.re * (u.re * u.re - (REAL)1), u.im * (u.im * u.im - (REAL)1)};
        }
      forward(line, work, turns);
    }
  }
  if (mode != TO_REAL) {
    barrier.wait(members);
    for (int z = first; z < last; ++z) {
      const Line line{field + z, PITCH};
      forward(line, work, turns);
    }
  }
}

struct Boxes {
  Complex *field, *now, *before, *nonlinear_before;
  const int* place;    // [GROUPS][2][W] of k and of -k in a tile
  const REAL *symbol;  // [N] along x
  const REAL *plane_symbol, *weight;  // [GROUPS][W]: k^2 along y and z; how often the pair counts in a sum over all k
};

static vec with_lane(vec v, vec first) {
  v[0] = first[0];
  return v;
}

// A line in x of W pairs back to the places of k and of -k, its halves together again
static __forceinline__ void put_apart(const Boxes& b, const int* plus, const int* minus, const Complex* line) {
  for (int tile = 0; tile < TILES; ++tile) {
    Complex* field = b.field + (size_t)tile * TILE;
    const Complex *low = line + tile * W, *high = low + N / 2;
    vec p[W], m[W];
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      p[l] = low[l].re - high[l].im;
      m[l] = low[l].re + high[l].im;
    }
    transpose(p);
    transpose(m);
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      field[plus[l]].re = p[l];
      field[minus[l]].re = m[l];
    }
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      p[l] = low[l].im + high[l].re;
      m[l] = high[l].re - low[l].im;
    }
    transpose(p);
    transpose(m);
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      field[plus[l]].im = p[l];
      field[minus[l]].im = m[l];
    }
  }
}

// The lines of one group back to the places of k and -k, from the coefficients that are there
static void x_back(const Boxes& b, int group, const REAL* turns) {
  Complex line[N], storage[N];
  const int *plus = b.place + 2 * W * group, *minus = plus + W;
  const Line whole{line, 1}, work{storage, 1};
  for (int k1 = 0; k1 < A; ++k1) {
    Complex a[B];
    for (int j = 0; j < B; ++j) a[j] = b.now[(size_t)group * N + B * k1 + j];
    back_second<N>(work, k1, a, turns, turns + N);
  }
  back_firsts(work, whole);
  put_apart(b, plus, minus, line);
}

// The x pass of one group of W pairs
template <bool BEGIN, bool SUMS>
static __forceinline__ Sums x_pass(const Boxes& b, int group, const REAL* turns, const Step& step, REAL e2, REAL S) {
  Complex line[N], storage[N];
  const int *plus = b.place + 2 * W * group, *minus = plus + W;
  for (int tile = 0; tile < TILES; ++tile) {
    const Complex* field = b.field + (size_t)tile * TILE;
    vec pr[W], pi[W], mr[W], mi[W];
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      pr[l] = field[plus[l]].re;
      mr[l] = field[minus[l]].re;
    }
    transpose(pr);
    transpose(mr);
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      line[tile * W + l].re = pr[l] + mr[l];
      line[tile * W + l + N / 2].im = mr[l] - pr[l];
    }
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      pi[l] = field[plus[l]].im;
      mi[l] = field[minus[l]].im;
    }
    transpose(pi);
    transpose(mi);
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      line[tile * W + l].im = pi[l] - mi[l];
      line[tile * W + l + N / 2].re = pi[l] + mi[l];
    }
  }
  const Line whole{line, 1}, work{storage, 1};
  const vec normal = same((REAL)0.5 / ((REAL)N * N * N)), k2yz = *(const vec*)(b.plane_symbol + group * W);
  Sums sums{same(0), same(0), same(0)};
  const size_t first = (size_t)group * N;
  forward_firsts(whole, work, turns);
  for (int k1 = 0; k1 < A; ++k1) {
    Complex a[B];
    load_second<N>(work, k1, a);
    fft<B, -1>(a);
    const Complex mean = b.now[first], mean_nonlinear = normal * a[0];
    LINE_UNROLL for (int j = 0; j < B; ++j) {
      const size_t i = first + B * k1 + j, o = ORDER == 2 ? i : 0;
      const Complex found = normal * a[j];
      if constexpr (BEGIN) {
        a[j] = b.now[i] = found;
        if constexpr (ORDER == 2) {
          b.before[o] = found;
          b.nonlinear_before[o] = {same(0), same(0)};
        }
      } else {
        a[j] = advance<SUMS>(found, b.now[i], b.before[o], b.nonlinear_before[o], b.symbol[B * k1 + j] + k2yz, step, e2, S, sums);
      }
    }
    if (!BEGIN && group == 0 && k1 == 0) {  // lane 0 of group 0 is k = 0
      Sums of_mean{same(0), same(0), same(0)};
      put_back<SUMS>(mean, mean_nonlinear, a[0], of_mean);
      sums.falls[0] += of_mean.falls[0];
      a[0] = b.now[first] = {with_lane(a[0].re, mean.re), with_lane(a[0].im, mean.im)};
    }
    back_second<N>(work, k1, a, turns, turns + N);
  }
  back_firsts(work, whole);
  put_apart(b, plus, minus, line);
  return sums;
}

static double weighted(const vec& values, const REAL* weight) {
  double total = 0;
  for (int l = 0; l < W; ++l) total += (double)values[l] * weight[l];
  return total;
}

struct Clock { double time, used, meant, steps, ended, diverged; };  // ended: 1 steady

// Runs to tau = `until`, or at most `most_steps` steps, or until steady or blown up.
//   field      [TILES][N][PITCH] Complex   with mode 0 and 2: u in real space; 1: as the last call left it; 3: gives u
//   now, before, nonlinear_before [GROUPS][N] Complex
//   partial    [GROUPS][3]                 sums of each group
//   clock      Clock                       of the trajectory
//   barriers   [1 + workers] Barrier, zero
// mode 0: starts; 1: goes on; 2: goes on from real space, where mode 3 left the field; 3: only brings the field to real space;
// 4: only makes the field of coefficients that were put into `now`, from where mode 1 goes on
extern "C" void separate_box(REAL* field, REAL* now, REAL* before, REAL* nonlinear_before, const int* place, const REAL* symbol,
                             const REAL* plane_symbol, const REAL* weight, const REAL* turns, const double* parameters, double* partial,
                             double* clock_place, int* barrier_place, const double* until_place, int mode, int most_steps, int workers) {
  const Parameters p = *(const Parameters*)parameters;
  const REAL e2 = (REAL)p.squared_width, S = (REAL)p.stabilisation;
  const Boxes b{(Complex*)field, (Complex*)now, (Complex*)before, (Complex*)nonlinear_before, place, symbol, plane_symbol, weight};
  Barrier* barriers = (Barrier*)barrier_place;
  const double until = *until_place;
  const int worker = blockIdx.x, teams = workers < TILES ? workers : TILES, team = worker % teams;
  const int members = workers / teams + (team < workers % teams), member = worker / teams;
  auto planes = [&](Mode now_mode) {
    for (int tile = team; tile < TILES; tile += teams) plane_pass(now_mode, b.field + (size_t)tile * TILE, turns, member, members, barriers[1 + team]);
    barriers[0].wait(workers);
  };
  const int first = (int)((long)GROUPS * worker / workers), last = (int)((long)GROUPS * (worker + 1) / workers);
  if (mode == TO_REAL) return planes(TO_REAL);
  if (mode == RESTORE) {
    for (int group = first; group < last; ++group) x_back(b, group, turns);
    return;
  }
  Clock clock = *(Clock*)clock_place;
  Step step{};
  if (mode == START) {
    planes(START);
    for (int group = first; group < last; ++group) x_pass<true, false>(b, group, turns, step, e2, S);
    barriers[0].wait(workers);
    clock = {0, 0, p.first, 0, 0, 0};
  }
  bool from_real = mode == FROM_REAL;
  for (int taken = 0; taken < most_steps && clock.time < until && !clock.ended && !clock.diverged; ++taken) {
    planes(from_real ? FROM_REAL : STEP);
    from_real = false;
    const double dt = land(p, clock.meant, until - clock.time);
    step.dt = same((REAL)dt);
    step.w = same((REAL)(ORDER == 2 && clock.used > 0 ? dt / clock.used : 0));
    complete(step);
    const bool summed = ADAPTIVE || (long)clock.steps % CHECK == CHECK - 1 || dt >= until - clock.time || taken + 1 == most_steps;
    for (int group = first; group < last; ++group) {
      if constexpr (!ADAPTIVE)
        if (!summed) {
          x_pass<false, false>(b, group, turns, step, e2, S);
          continue;
        }
      const Sums sums = x_pass<false, true>(b, group, turns, step, e2, S);
      partial[3 * group] = weighted(sums.error, b.weight + group * W);
      partial[3 * group + 1] = weighted(sums.falls, b.weight + group * W);
      partial[3 * group + 2] = weighted(sums.size, b.weight + group * W);
    }
    barriers[0].wait(workers);
    double error = 0, falls = 0, size = 0;
    if (summed)
      for (int group = 0; group < GROUPS; ++group) {
        error += partial[3 * group];
        falls += partial[3 * group + 1];
        size += partial[3 * group + 2];
      }
    clock.steps += 1;
    clock.diverged = summed && !(size < p.diverged * p.diverged);
    if (!clock.diverged) clock.time = dt >= until - clock.time ? until : clock.time + dt;
    clock.ended = summed && !clock.diverged && falls < p.steady_state * dt;
    clock.meant = next_step(p, dt, clock.meant, sqrt(error));
    clock.used = dt;
    barriers[0].wait(workers);  // nobody writes sums that another still reads
  }
  if (worker == 0) *(Clock*)clock_place = clock;
}
