// Cahn-Hilliard in a box of SIZE^3 cells on a CPU: line transforms over vector lanes, two passes through memory a step.
// (On a GPU boxes go by cuFFT.)
//
// One real field: u(x) and u(x + SIZE/2) are real and imaginary part, and the lanes are neighbours in x, so that transforms
// along y and z, the lines of a plane pass, run over whole vectors and leave their coefficients where they are. In the x pass
// the coefficients of k = (ky, kz) and of -k tell the two halves apart again, lanes become pairs (k, -k), a line in x is
// transformed, updated and transformed back. Nothing is ever sorted (line_fft.h), nothing is computed twice.
//
// All workers run this function together and meet at barriers. Sums are taken in a fixed order: the same bytes for any number
// of workers. The field is v = u - mean. Compile-time: SIZE 32, 64, 128, 256 or 512; REAL float or double; ORDER 1, 2 or 3;
// ADAPTIVE 0 or 1; DEGREE of the free energy.
#include <sched.h>

#include <atomic>
#include <cmath>

#include "cpu.h"
#include "line_fft.h"
#include "free_energy.h"
#include "cahn_hilliard_step.h"
#include "cahn_hilliard_clock.h"
#include "block.h"

constexpr int CHECK = 8;  // steps of fixed length between two looks at the free energy
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
        if (spins > 2000) {
          if (asked_to_stop()) return;  // all members end
          sched_yield();
        }
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

// A plane pass: y back, z back, f'(u), z forward, y forward. START: forward alone, of v itself; FROM_REAL: from f'(u) on;
// TO_REAL: up to v.
static void plane_pass(Mode mode, Complex* field, const REAL* slopes, const REAL* turns, int member, int members, Barrier& barrier) {
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
        LINE_UNROLL for (int j = 0; j < A; ++j) a[j] = {slope_beyond_mean(a[j].re, slopes), slope_beyond_mean(a[j].im, slopes)};
        forward_first<N>(work, n2, a, turns, turns + N);
      }
      forward_seconds(work, line);
    } else if (mode == TO_REAL) {
      back(line, work, turns);
    } else {
      if (mode == FROM_REAL)
        for (int z = 0; z < N; ++z) {
          const Complex v = line(z);
          line(z) = {slope_beyond_mean(v.re, slopes), slope_beyond_mean(v.im, slopes)};
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
  Complex *field, *u[ORDER], *nonlinear[ORDER];  // 0: now, 1: a step ago, ...; nonlinear[0]: where that of now is put
  const int* place;    // [GROUPS][2][W] of k and of -k in a tile
  const REAL *symbol;  // [N] along x
  const REAL *plane_symbol, *weight;  // [GROUPS][W]: k^2 along y and z; how often the pair counts in a sum over all k
};

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
    for (int j = 0; j < B; ++j) a[j] = b.u[0][(size_t)group * N + B * k1 + j];
    back_second<N>(work, k1, a, turns, turns + N);
  }
  back_firsts(work, whole);
  put_apart(b, plus, minus, line);
}

// The x pass of one group of W pairs
template <bool BEGIN, bool SUMS>
static __forceinline__ Sums x_pass(const Boxes& b, int group, const REAL* turns, const Step& step, REAL e2, REAL S, vec curvature) {
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
  Sums sums = no_sums();
  const size_t first = (size_t)group * N;
  forward_firsts(whole, work, turns);
  for (int k1 = 0; k1 < A; ++k1) {
    Complex a[B];
    load_second<N>(work, k1, a);
    fft<B, -1>(a);
    LINE_UNROLL for (int j = 0; j < B; ++j) {
      const size_t i = first + B * k1 + j;
      const Complex found = normal * a[j];
      if constexpr (BEGIN) {  // those before have no weight yet
        a[j] = found;
        for (int n = 0; n < ORDER; ++n) b.u[n][i] = found;
        for (int n = 1; n < ORDER; ++n) b.nonlinear[n][i] = {same(0), same(0)};
      } else {
        Complex u[ORDER], rest[ORDER];
        LINE_UNROLL for (int n = 0; n < ORDER; ++n) {
          u[n] = b.u[n][i];
          if (n) rest[n] = {b.nonlinear[n][i].re - S * u[n].re, b.nonlinear[n][i].im - S * u[n].im};
        }
        a[j] = b.u[ORDER - 1][i] = advance<SUMS>(found, u, rest, b.symbol[B * k1 + j] + k2yz, step, e2, S, curvature, sums);
        if constexpr (ORDER > 1) b.nonlinear[ORDER - 1][i] = found;
      }
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

// Runs to tau = `until`, or at most `most_steps` steps, or until steady or blown up.
//   field      [TILES][N][PITCH] Complex   with mode 0 and 2: v in real space; 1: as the last call left it; 3: gives v
//   states     [2 ORDER - 1][GROUPS][N] Complex: ORDER of the field, then ORDER - 1 of the nonlinear part; after n steps the field's
//              now is place n mod ORDER of its, a step ago one before that, and so on; the nonlinear part's last one is place n - 1
//              mod ORDER - 1
//   medium     Medium
//   partial    [GROUPS][4]                 sums of each group
//   clock      Clock                       of the trajectory
//   barriers   [1 + workers] Barrier, zero
// mode 0: starts; 1: goes on; 2: goes on from real space, where mode 3 left the field; 3: only brings the field to real space;
// 4: only makes the field of coefficients that were put into `now`, from where mode 1 goes on
extern "C" void separate_box(REAL* field, REAL* states, const int* place, const REAL* symbol, const REAL* plane_symbol, const REAL* weight,
                             const REAL* turns, const double* rule_words, const double* medium_words, double* partial, double* clock_place,
                             int* barrier_place, const double* until_place, int mode, int most_steps, int workers) {
  const Rule& rule = *(const Rule*)rule_words;
  const Medium& medium = *(const Medium*)medium_words;
  const REAL e2 = (REAL)rule.squared_width, S = (REAL)rule.stabilisation;
  const vec curvature = same((REAL)medium.curvature);
  REAL slopes[DEGREE - 1];
  for (int j = 0; j < DEGREE - 1; ++j) slopes[j] = (REAL)medium.slopes[j];
  Clock clock = *(Clock*)clock_place;
  constexpr size_t STATE = (size_t)GROUPS * N;
  Boxes b{(Complex*)field, {}, {}, place, symbol, plane_symbol, weight};
  auto turn = [&]() {  // which of the states is now
    const long n = (long)clock.steps;
    for (int j = 0; j < ORDER; ++j) {
      b.u[j] = (Complex*)states + STATE * ((n + ORDER - j) % ORDER);
      b.nonlinear[j] = ORDER > 1 && j ? (Complex*)states + STATE * (ORDER + (n + (ORDER - 1) * 2 - j) % (ORDER > 1 ? ORDER - 1 : 1)) : nullptr;
    }
  };
  Barrier* barriers = (Barrier*)barrier_place;
  const double until = *until_place;
  const int worker = blockIdx.x, teams = workers < TILES ? workers : TILES, team = worker % teams;
  const int members = workers / teams + (team < workers % teams), member = worker / teams;
  auto planes = [&](Mode now_mode) {
    for (int tile = team; tile < TILES; tile += teams)
      plane_pass(now_mode, b.field + (size_t)tile * TILE, slopes, turns, member, members, barriers[1 + team]);
    barriers[0].wait(workers);
  };
  const int first = (int)((long)GROUPS * worker / workers), last = (int)((long)GROUPS * (worker + 1) / workers);
  if (mode == TO_REAL) return planes(TO_REAL);
  if (mode == START) clock = clock_at_start(rule);
  turn();
  if (mode == RESTORE) {
    for (int group = first; group < last; ++group) x_back(b, group, turns);
    return;
  }
  Step step{};
  if (mode == START) {
    planes(START);
    for (int group = first; group < last; ++group) x_pass<true, false>(b, group, turns, step, e2, S, curvature);
    barriers[0].wait(workers);
  }
  bool from_real = mode == FROM_REAL;
  for (int taken = 0; taken < most_steps && clock.time < until && !clock.ending && !asked_to_stop(); ++taken) {
    planes(from_real ? FROM_REAL : STEP);
    from_real = false;
    turn();
    const double remaining = until - clock.time, dt = step_length(rule, clock, remaining);
    const Weights w = weights(rule, clock, dt);
    for (int lane = 0; lane < W; ++lane) put_weights(step, lane, w);
#ifdef REACTION
    for (int lane = 0; lane < W; ++lane) put_reaction(step, lane, rule, &medium, clock.time, dt);
#endif
    const bool summed = ADAPTIVE || (long)clock.steps % CHECK == CHECK - 1 || dt >= remaining || taken + 1 == most_steps;
    for (int group = first; group < last; ++group) {
      if constexpr (!ADAPTIVE)
        if (!summed) {
          x_pass<false, false>(b, group, turns, step, e2, S, curvature);
          continue;
        }
      const Sums sums = x_pass<false, true>(b, group, turns, step, e2, S, curvature);
      double* mine = partial + 4 * group;
      mine[0] = weighted(sums.error, b.weight + group * W);
      mine[1] = weighted(sums.falls, b.weight + group * W);
      mine[2] = weighted(sums.size, b.weight + group * W);
      mine[3] = weighted(sums.growing, b.weight + group * W);
    }
    barriers[0].wait(workers);
    Totals totals = {0, 0, 0, 0};
    if (summed)
      for (int group = 0; group < GROUPS; ++group) {
        totals.error += partial[4 * group];
        totals.falls += partial[4 * group + 1];
        totals.size += partial[4 * group + 2];
        totals.growing += partial[4 * group + 3];
      }
    tick(rule, medium, clock, dt, dt >= remaining ? until : clock.time + dt, summed, totals);
    barriers[0].wait(workers);  // nobody writes sums that another still reads
  }
  if (worker == 0) *(Clock*)clock_place = clock;
}
