// The two passes through memory of a step of Cahn-Hilliard in a box of SIZE_X x SIZE_Y x SIZE_Z cells on a CPU, whole or cut
// along x into slabs: line transforms over vector lanes.
//
// One real field: where a slab is m planes thick, u(x) and u(x + m/2) of its halves are real and imaginary part, and the lanes
// are neighbours in x, so that transforms along y and z, the lines of a plane pass, run over whole vectors and leave their
// coefficients where they are, in tiles of all (y, z) of so many lanes. In the x pass the coefficients of k = (ky, kz) and of -k
// tell the two halves apart again, lanes become pairs (k, -k), a line in x is transformed, updated and transformed back. Nothing
// is ever sorted (line_fft.h), nothing is computed twice. The x pass reads its tiles wherever they are: a table says where, so
// that those of other slabs may be another process's, or copies of some of their rows.
//
// The field is v = u - mean. Compile-time: SIZE_X, SIZE_Y, SIZE_Z 32, 64, 128, 256, 512 or 1024; REAL float or double; ORDER
// 1, 2 or 3; ADAPTIVE 0 or 1; DEGREE of the free energy; LANES, of which half a slab is a multiple. bool asked_to_stop() is the
// including file's.
#pragma once
#include <sched.h>

#include <atomic>
#include <cmath>

#include "cpu.h"
#include "line_fft.h"
#include "free_energy.h"
#include "cahn_hilliard_step.h"
#include "cahn_hilliard_clock.h"

static bool asked_to_stop();

constexpr int NX = SIZE_X, NY = SIZE_Y, NZ = SIZE_Z, W = REAL_LANES, PITCH = NZ + 1, TILE = NY * PITCH, TILES = NX / 2 / W;
constexpr int COLUMNS = NY < 512 ? 4 : 2;  // lines along y that are taken together: neighbours share pages

struct Barrier {  // of the workers of one process; spins, since passes are short
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

// Into the second level of caches: steps from page to page are not foreseen by a processor
static __forceinline__ void prefetch(const Complex* place) {
  for (int byte = 0; byte < (int)sizeof(Complex); byte += 64) __builtin_prefetch((const char*)place + byte, 0, 2);
}

// The halves of the transforms of `count` lines that are neighbours, over all their items; work [count][N], which of one
// line in a row may be the line itself
template <int N> static __forceinline__ void forward_firsts(Complex* from, int stride, int count, Complex* work, const REAL* turns) {
  for (int n2 = 0; n2 < Factors<N>::B; ++n2)
    for (int c = 0; c < count; ++c) {
      Complex a[Factors<N>::A];
      load_first<N>(Line{from + c, stride}, n2, a);
      if (stride > 1) LINE_UNROLL for (int j = 0; j < Factors<N>::A; ++j) prefetch(from + c + count + (Factors<N>::B * j + n2) * stride);
      forward_first<N>(Line{work + c * N, 1}, n2, a, turns, turns + N);
    }
}
template <int N> static __forceinline__ void forward_seconds(Complex* work, int count, Complex* to, int stride) {
  for (int k1 = 0; k1 < Factors<N>::A; ++k1)
    for (int c = 0; c < count; ++c) {
      Complex a[Factors<N>::B];
      load_second<N>(Line{work + c * N, 1}, k1, a);
      fft<Factors<N>::B, -1>(a);
      store_second<N>(Line{to + c, stride}, k1, a);
    }
}
template <int N> static __forceinline__ void back_seconds(Complex* from, int stride, int count, Complex* work, const REAL* turns) {
  for (int k1 = 0; k1 < Factors<N>::A; ++k1)
    for (int c = 0; c < count; ++c) {
      Complex a[Factors<N>::B];
      load_second<N>(Line{from + c, stride}, k1, a);
      if (stride > 1) LINE_UNROLL for (int j = 0; j < Factors<N>::B; ++j) prefetch(from + c + count + (Factors<N>::B * k1 + j) * stride);
      back_second<N>(Line{work + c * N, 1}, k1, a, turns, turns + N);
    }
}
template <int N> static __forceinline__ void back_firsts(Complex* work, int count, Complex* to, int stride) {
  for (int n2 = 0; n2 < Factors<N>::B; ++n2)
    for (int c = 0; c < count; ++c) {
      Complex a[Factors<N>::A];
      load_first<N>(Line{work + c * N, 1}, n2, a);
      fft<Factors<N>::A, 1>(a);
      store_first<N>(Line{to + c, stride}, n2, a);
    }
}

// Of lanes l and rows i, those whose number has the bit `s` change places: a and b are rows i and i + s
template <int s> static __forceinline__ void swap_halves(vec& a, vec& b) {
  typedef decltype(vec{} == vec{}) index;
  index low, high;
#pragma GCC unroll 16
  for (int l = 0; l < W; ++l) {
    low[l] = l & s ? W + (l ^ s) : l;
    high[l] = l & s ? W + l : l ^ s;
  }
  const vec x = a, y = b;
  a = __builtin_shuffle(x, y, low);
  b = __builtin_shuffle(x, y, high);
}

template <int s> static __forceinline__ void transpose_from(vec* r) {
  if constexpr (s < W) {
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i)
      if (!(i & s)) swap_halves<s>(r[i], r[i | s]);
    transpose_from<2 * s>(r);
  }
}

// r[i][l] <-> r[l][i]
static __attribute__((noinline)) void transpose(vec* r) { transpose_from<1>(r); }

enum Mode { START, STEP, FROM_REAL, TO_REAL, RESTORE };  // what a plane pass begins and ends with; RESTORE has none

// Lines along y of a tile, at z from `first` to `last`
static void y_forward(Complex* field, int first, int last, const REAL* turns) {
  Complex work[COLUMNS * NY];
  for (int z = first; z < last; z += COLUMNS) {
    const int count = last - z < COLUMNS ? last - z : COLUMNS;
    forward_firsts<NY>(field + z, PITCH, count, work, turns);
    forward_seconds<NY>(work, count, field + z, PITCH);
  }
}
static void y_back(Complex* field, int first, int last, const REAL* turns) {
  Complex work[COLUMNS * NY];
  for (int z = first; z < last; z += COLUMNS) {
    const int count = last - z < COLUMNS ? last - z : COLUMNS;
    back_seconds<NY>(field + z, PITCH, count, work, turns);
    back_firsts<NY>(work, count, field + z, PITCH);
  }
}

// A line along z: back, f'(u), forward, or what of it the mode asks for
static __forceinline__ void z_line(Mode mode, Complex* line, const REAL* slopes, const REAL* turns) {
  constexpr int A = Factors<NZ>::A, B = Factors<NZ>::B;
  if (mode == STEP) {
    back_seconds<NZ>(line, 1, 1, line, turns);
    for (int n2 = 0; n2 < B; ++n2) {
      Complex a[A];
      load_first<NZ>(Line{line, 1}, n2, a);
      fft<A, 1>(a);
      LINE_UNROLL for (int j = 0; j < A; ++j) a[j] = {slope_beyond_mean(a[j].re, slopes), slope_beyond_mean(a[j].im, slopes)};
      forward_first<NZ>(Line{line, 1}, n2, a, turns, turns + NZ);
    }
    forward_seconds<NZ>(line, 1, line, 1);
  } else if (mode == TO_REAL) {
    back_seconds<NZ>(line, 1, 1, line, turns);
    back_firsts<NZ>(line, 1, line, 1);
  } else {
    if (mode == FROM_REAL)
      for (int z = 0; z < NZ; ++z) line[z] = {slope_beyond_mean(line[z].re, slopes), slope_beyond_mean(line[z].im, slopes)};
    forward_firsts<NZ>(line, 1, 1, line, turns);
    forward_seconds<NZ>(line, 1, line, 1);
  }
}

// A plane pass of one tile: y back, z back, f'(u), z forward, y forward. START: forward alone, of v itself; FROM_REAL: from f'(u)
// on; TO_REAL: up to v. Each of the members takes its share of the lines.
static void plane_pass(Mode mode, Complex* field, const REAL* slopes, const REAL* turns_y, const REAL* turns_z, int member, int members,
                       Barrier& barrier) {
  const int z_first = NZ * member / members, z_last = NZ * (member + 1) / members;
  if (mode == STEP || mode == TO_REAL) {
    y_back(field, z_first, z_last, turns_y);
    barrier.wait(members);
  }
  for (int y = NY * member / members; y < NY * (member + 1) / members; ++y) z_line(mode, field + y * PITCH, slopes, turns_z);
  if (mode != TO_REAL) {
    barrier.wait(members);
    y_forward(field, z_first, z_last, turns_y);
  }
}

// Of `tiles` tiles in a row, by teams of workers
static void plane_passes(Mode mode, Complex* field, int tiles, const REAL* slopes, const REAL* turns_y, const REAL* turns_z, int worker,
                         int workers, Barrier* barriers) {
  const int teams = workers < tiles ? workers : tiles, team = worker % teams;
  const int members = workers / teams + (team < workers % teams), member = worker / teams;
  for (int tile = team; tile < tiles; tile += teams)
    plane_pass(mode, field + (size_t)tile * TILE, slopes, turns_y, turns_z, member, members, barriers[1 + team]);
}

struct Boxes {
  Complex* const* tiles;   // [TILES], slab after slab
  const int* far;          // [TILES]: 1 where only some rows are there, copies
  const int* place[2];     // [groups][2][W] of k and of -k in a tile, and where it is far
  int half, groups;        // planes of half a slab; groups of pairs
  Complex *u[ORDER], *nonlinear[ORDER];  // 0: now, 1: a step ago, ...; nonlinear[0]: where that of now is put
  const REAL *symbol;      // [NX] along x
  const REAL *plane_symbol, *weight;  // [groups][W]: k^2 along y and z; how often the pair counts in a sum over all k
  // which of the states [2 ORDER - 1][state] are those, after so many steps
  void turn(Complex* states, size_t state, long steps) {
    for (int j = 0; j < ORDER; ++j) {
      u[j] = states + state * ((steps + ORDER - j) % ORDER);
      nonlinear[j] = ORDER > 1 && j ? states + state * (ORDER + (steps + (ORDER - 1) * 2 - j) % (ORDER > 1 ? ORDER - 1 : 1)) : nullptr;
    }
  }
  // the first x of a tile; `half` farther on are its imaginary parts
  int x_of(int tile) const {
    const int of_slab = half / W;
    return tile / of_slab * 2 * half + tile % of_slab * W;
  }
};

// A line in x of W pairs back to the places of k and of -k, its halves together again
static __forceinline__ void put_apart(const Boxes& b, int group, const Complex* line) {
  for (int tile = 0; tile < TILES; ++tile) {
    Complex* field = b.tiles[tile];
    const int *plus = b.place[b.far[tile]] + 2 * W * group, *minus = plus + W;
    const Complex *low = line + b.x_of(tile), *high = low + b.half;
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
  Complex line[NX];
  back_seconds<NX>(b.u[0] + (size_t)group * NX, 1, 1, line, turns);
  back_firsts<NX>(line, 1, line, 1);
  put_apart(b, group, line);
}

// The x pass of one group of W pairs
template <bool BEGIN, bool SUMS>
static __forceinline__ Sums x_pass(const Boxes& b, int group, const REAL* turns, const Step& step, REAL e2, REAL S, vec curvature) {
  constexpr int A = Factors<NX>::A, B = Factors<NX>::B;
  Complex line[NX];
  const int next = group + 1 < b.groups ? 2 * W : 0;
  for (int tile = 0; tile < TILES; ++tile) {
    const Complex* field = b.tiles[tile];
    const int *plus = b.place[b.far[tile]] + 2 * W * group, *minus = plus + W;
    Complex *low = line + b.x_of(tile), *high = low + b.half;
    vec pr[W], pi[W], mr[W], mi[W];
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      prefetch(field + plus[next + l]);
      prefetch(field + minus[next + l]);
    }
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      pr[l] = field[plus[l]].re;
      mr[l] = field[minus[l]].re;
    }
    transpose(pr);
    transpose(mr);
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      low[l].re = pr[l] + mr[l];
      high[l].im = mr[l] - pr[l];
    }
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      pi[l] = field[plus[l]].im;
      mi[l] = field[minus[l]].im;
    }
    transpose(pi);
    transpose(mi);
    LINE_UNROLL for (int l = 0; l < W; ++l) {
      low[l].im = pi[l] - mi[l];
      high[l].re = pi[l] + mi[l];
    }
  }
  const vec normal = same((REAL)0.5 / ((REAL)NX * NY * NZ)), k2yz = *(const vec*)(b.plane_symbol + group * W);
  Sums sums = no_sums();
  const size_t first = (size_t)group * NX;
  forward_firsts<NX>(line, 1, 1, line, turns);
  for (int k1 = 0; k1 < A; ++k1) {
    Complex a[B];
    load_second<NX>(Line{line, 1}, k1, a);
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
    back_second<NX>(Line{line, 1}, k1, a, turns, turns + NX);
  }
  back_firsts<NX>(line, 1, line, 1);
  put_apart(b, group, line);
  return sums;
}

static double weighted(const vec& values, const REAL* weight) {
  double total = 0;
  for (int l = 0; l < W; ++l) total += (double)values[l] * weight[l];
  return total;
}

// The groups from `first` to `last`. BEGIN: the states are those of the field; else a step, and with SUMS its sums, partial
// [groups][4]
template <bool BEGIN, bool SUMS>
static void x_passes(const Boxes& b, int first, int last, const REAL* turns, const Step& step, REAL e2, REAL S, vec curvature, double* partial) {
  for (int group = first; group < last; ++group) {
    const Sums sums = x_pass<BEGIN, SUMS>(b, group, turns, step, e2, S, curvature);
    if constexpr (SUMS) {
      double* mine = partial + 4 * group;
      mine[0] = weighted(sums.error, b.weight + group * W);
      mine[1] = weighted(sums.falls, b.weight + group * W);
      mine[2] = weighted(sums.size, b.weight + group * W);
      mine[3] = weighted(sums.growing, b.weight + group * W);
    }
  }
}

// Sums of groups, or of slabs, in their order
static Totals added_up(const double* partial, int groups) {
  Totals totals = {0, 0, 0, 0};
  for (int group = 0; group < groups; ++group) {
    totals.error += partial[4 * group];
    totals.falls += partial[4 * group + 1];
    totals.size += partial[4 * group + 2];
    totals.growing += partial[4 * group + 3];
  }
  return totals;
}
