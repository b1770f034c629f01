// Transforms of one real field on a square of SIZE x SIZE cells, between rows and columns, on lanes of line_fft.h.
//
// Rows y and y + SIZE/2 are real and imaginary part of one complex row, Z(y). Transformed along x, the coefficients at x and -x tell the
// two apart, so that a field of N^2 numbers has N/2 complex columns, of the wave numbers x = 0 .. N/2 - 1, each read from two columns
// of Z and written back to them; column 0 carries x = 0 and x = N/2, both real lines, as its real and imaginary part. On a GPU
// 8 threads share a line and the field lies in shared memory; a CPU's wide thread transforms a column in the first-level cache.
#pragma once

constexpr int N = SIZE, H = N / 2, CELLS = N * N, A = Factors<N>::A, B = Factors<N>::B;
#ifdef __CUDACC__
constexpr int TEAM = 8, THREADS = TEAM * H, COLUMNS = 1, SECONDS = (A + TEAM - 1) / TEAM;
#define SYNC_TEAM() __syncwarp(0xffu << (threadIdx.x & 24))
#define APART __forceinline__  // the coefficients are in registers
#define UNROLL _Pragma("unroll")
#else
constexpr int TEAM = 1, COLUMNS = H, SECONDS = A, PITCH = N + 1;
#define SYNC_TEAM()
#define APART __attribute__((noinline))  // the same machine code wherever it is called from: the same last bit
#define UNROLL
#endif
constexpr int KEPT = COLUMNS * SECONDS * B;  // coefficients of a thread

// Where place i of row y lies. In shared memory the eight threads of a line and the two lines of half a warp hit each bank once, in rows
// and in columns, in both halves of their transforms; a CPU avoids powers of two.
__device__ __forceinline__ int at(int y, int i) {
#ifdef __CUDACC__
  return y * N + (i ^ (i >> 5 & 1) ^ (i >> 3 & 2) ^ (i >> 1 & 4) ^ ((y >> 1 ^ y >> 3) & 3) ^ (y & 1) << 3);
#else
  return y * PITCH + i;
#endif
}

__device__ __forceinline__ int wave_of(int place) { return place / B + A * (place % B); }
__device__ __forceinline__ int place_of(int wave) { return wave % A * B + wave / A; }

struct Row {
  Complex* field;
  int y;
  __device__ __forceinline__ Complex& operator()(int place) const { return field[at(y, place)]; }
};
struct Column {  // of Z: the places of x and of -x in a row; of 0 and N/2 for column 0
  Complex* field;
  int x, low, high;
  __device__ __forceinline__ Column(Complex* field, int x) : field(field), x(x), low(place_of(x)), high(place_of(x ? N - x : H)) {}
};
#ifdef __CUDACC__
struct ColumnWork {  // a column is transformed where it lies
  Column line;
  __device__ __forceinline__ Complex& operator()(int place) const {
    return line.field[at(place & (H - 1), place < H ? line.low : line.high)];
  }
};
#define COLUMN_WORK(line) const ColumnWork work{line}
#else
struct ColumnWork {
  Complex* line;
  __device__ __forceinline__ Complex& operator()(int place) const { return line[place]; }
};
#define COLUMN_WORK(line) Complex storage[N]; const ColumnWork work{storage}
#endif

struct Two { REAL low, high; };  // k^2 of the real and of the imaginary part

// Cells B j + n2 of a column, of N; twice as large but for x = 0
__device__ __forceinline__ void load_column(const Column& line, int n2, Complex* a) {
  Complex z[A / 2], m[A / 2];
  LINE_UNROLL for (int j = 0; j < A / 2; ++j) {
    z[j] = line.field[at(B * j + n2, line.low)];
    m[j] = line.field[at(B * j + n2, line.high)];
  }
  if (line.x)
    LINE_UNROLL for (int j = 0; j < A / 2; ++j) {
      a[j] = {z[j].re + m[j].re, z[j].im - m[j].im};
      a[j + A / 2] = {z[j].im + m[j].im, m[j].re - z[j].re};
    }
  else
    LINE_UNROLL for (int j = 0; j < A / 2; ++j) {
      a[j] = {z[j].re, m[j].re};
      a[j + A / 2] = {z[j].im, m[j].im};
    }
}
__device__ __forceinline__ void store_column(const Column& line, int n2, const Complex* a) {
  LINE_UNROLL for (int j = 0; j < A / 2; ++j) {
    const Complex first = a[j], second = a[j + A / 2];
    Complex &z = line.field[at(B * j + n2, line.low)], &m = line.field[at(B * j + n2, line.high)];
    if (line.x) {
      z = {first.re - second.im, first.im + second.re};
      m = {first.re + second.im, second.re - first.im};
    } else {
      z = {first.re, second.re};
      m = {first.im, second.im};
    }
  }
}

// Second halves of a row's transforms, to and from the columns
__device__ __forceinline__ void row_back_second(const Row& from, const Row& to, int member, const REAL* cosine, const REAL* sine) {
  for (int k1 = member; k1 < A; k1 += TEAM) {
    Complex a[B];
    load_second<N>(from, k1, a);
    back_second<N>(to, k1, a, cosine, sine);
  }
  SYNC_TEAM();
}
__device__ __forceinline__ void row_forward_second(const Row& line, int member) {
  SYNC_TEAM();
  for (int k1 = member; k1 < A; k1 += TEAM) {
    Complex a[B];
    load_second<N>(line, k1, a);
    fft<B, -1>(a);
    store_second<N>(line, k1, a);
  }
}

// Back to real space: `cells(n2, a)` is called with a[j] the cells B j + n2
template <class Cells> __device__ __forceinline__ void row_back_first(const Row& line, int member, const Cells& cells) {
  for (int n2 = member; n2 < B; n2 += TEAM) {
    Complex a[A];
    load_first<N>(line, n2, a);
    fft<A, 1>(a);
    cells(n2, a);
  }
}

// What `treat(coefficient, place in the history, k^2, sums)` makes of the coefficients of a column, on the way from one row pass to
// the next
template <class Treat>
__device__ __forceinline__ void column_seconds(const ColumnWork& work, int x, int column, int member, const REAL* cosine, const REAL* sine,
                                               const REAL* symbol, Sums& sums, const Treat& treat) {
  const vec normal = same((REAL)0.5 / CELLS);
  const REAL k2x = symbol[place_of(x)];
  UNROLL for (int second = 0; second < SECONDS; ++second) {
    const int k1 = member + second * TEAM;
    if (k1 < A) {
      Complex a[B];
      load_second<N>(work, k1, a);
      fft<B, -1>(a);
      LINE_UNROLL for (int j = 0; j < B; ++j)
        a[j] = treat(normal * a[j], (column * SECONDS + second) * B + j, k2x + symbol[B * k1 + j], sums);
      back_second<N>(work, k1, a, cosine, sine);
    }
  }
}

// The same for column 0. At the place of ky its coefficient for kx = 0 is kept, at that of -ky the one for kx = N/2, both of ky from
// 1 to N/2 - 1; at 0 and N/2 both are real numbers.
template <class Treat>
__device__ __forceinline__ void column_of_two(const ColumnWork& work, int member, const REAL* cosine, const REAL* sine, const REAL* symbol,
                                              Sums& sums, const Treat& treat) {
  const vec normal = same((REAL)0.5 / CELLS);
  const REAL k2x = symbol[place_of(H)];
  Complex held[SECONDS * B];
  UNROLL for (int second = 0; second < SECONDS; ++second) {
    const int k1 = member + second * TEAM;
    if (k1 < A) {
      Complex a[B];
      load_second<N>(work, k1, a);
      fft<B, -1>(a);
      store_second<N>(work, k1, a);
    }
  }
  SYNC_TEAM();
  UNROLL for (int second = 0; second < SECONDS; ++second)
    UNROLL for (int j = 0; j < B; ++j) {
      const int i = second * B + j, place = B * (member + second * TEAM) + j;
      if (place >= N) continue;
      const int ky = wave_of(place);
      const Complex here = work(place), mirror = work(place_of(ky ? N - ky : 0));
      const REAL k2y = symbol[place];
      if (ky % H == 0) {
        held[i] = treat({normal * (here.re + here.re), normal * (here.im + here.im)}, i, Two{k2y, k2x + k2y}, sums);
      } else if (ky < H) {
        held[i] = treat({normal * (here.re + mirror.re), normal * (here.im - mirror.im)}, i, k2y, sums);
      } else {
        held[i] = treat({normal * (mirror.im + here.im), normal * (here.re - mirror.re)}, i, k2x + k2y, sums);
      }
    }
  SYNC_TEAM();
  UNROLL for (int i = 0; i < SECONDS * B; ++i) {
    const int place = B * (member + i / B * TEAM) + i % B;
    if (place < N) work(place) = held[i];
  }
  SYNC_TEAM();
  UNROLL for (int i = 0; i < SECONDS * B; ++i) {
    const int place = B * (member + i / B * TEAM) + i % B;
    if (place >= N) continue;
    const int ky = wave_of(place);
    const Complex mine = held[i], other = work(place_of(ky ? N - ky : 0));
    if (ky % H) held[i] = ky < H ? Complex{mine.re - other.im, mine.im + other.re} : Complex{other.re + mine.im, mine.re - other.im};
  }
  SYNC_TEAM();
  UNROLL for (int second = 0; second < SECONDS; ++second) {
    const int k1 = member + second * TEAM;
    if (k1 < A) back_second<N>(work, k1, held + second * B, cosine, sine);
  }
}

// Columns: forward, what `treat` does, back
template <class Treat>
__device__ __forceinline__ Sums columns(Complex* field, const REAL* cosine, const REAL* sine, const REAL* symbol, const Treat& treat) {
  const int member = threadIdx.x % TEAM, first = threadIdx.x / TEAM;
  Sums sums = no_sums();
  UNROLL for (int column = 0; column < COLUMNS; ++column) {
    const Column line(field, first + column);
    COLUMN_WORK(line);
    for (int n2 = member; n2 < B; n2 += TEAM) {
      Complex a[A];
      load_column(line, n2, a);
      forward_first<N>(work, n2, a, cosine, sine);
    }
    SYNC_TEAM();
    if (line.x)
      column_seconds(work, line.x, column, member, cosine, sine, symbol, sums, treat);
    else
      column_of_two(work, member, cosine, sine, symbol, sums, treat);
    SYNC_TEAM();
    for (int n2 = member; n2 < B; n2 += TEAM) {
      Complex a[A];
      load_first<N>(work, n2, a);
      fft<A, 1>(a);
      store_column(line, n2, a);
    }
  }
  Sums twice = no_sums();  // k and -k
  add(twice, same(2), sums);
  return twice;
}
