// Transforms of one real field on a square of SIZE x SIZE cells, between rows and columns, on lanes of line_fft.h.
//
// Rows y and y + SIZE/2 are real and imaginary part of one complex row. Between rows and columns the two are told apart, so that a
// field of N^2 numbers has N/2 complex columns, of the wave numbers kx = 0 .. N/2 - 1; column 0 carries kx = 0 and kx = N/2, both
// real lines, as its real and imaginary part. On a GPU 8 threads share a line and the field lies in shared memory; a CPU's wide
// thread transforms a line in the first-level cache.
#pragma once

constexpr int N = SIZE, H = N / 2, CELLS = N * N, A = Factors<N>::A, B = Factors<N>::B;
#ifdef __CUDACC__
constexpr int TEAM = 8, THREADS = TEAM * H, COLUMNS = 1, SECONDS = (A + TEAM - 1) / TEAM, HELD = H / TEAM;
#define SYNC_TEAM() __syncwarp(0xffu << (threadIdx.x & 24))
#define APART __forceinline__  // the coefficients are in registers
#define UNROLL _Pragma("unroll")
#else
constexpr int TEAM = 1, COLUMNS = H, SECONDS = A, HELD = 1, PITCH = H + 1;
#define SYNC_TEAM()
#define APART __attribute__((noinline))  // the same machine code wherever it is called from: the same last bit
#define UNROLL
#endif
constexpr int KEPT = COLUMNS * SECONDS * B;  // coefficients of a thread

// Where place x of row y lies. In shared memory the eight threads of a line and the lines of half a warp hit each bank once in columns
// and in the second half of a row's transforms, twice at most elsewhere; a CPU avoids powers of two.
__device__ __forceinline__ int at(int y, int x) {
#ifdef __CUDACC__
  const int g = y ^ y >> 3;
  return y * H + (x ^ (x >> 3 & 3) ^ (g & 1) << 3 ^ (g & 6));
#else
  return y * PITCH + x;
#endif
}

struct Column {
  Complex* field;
  int x;
  __device__ __forceinline__ Complex& operator()(int y) const { return field[at(y, x)]; }
};
#ifdef __CUDACC__
struct Row {  // the pair y, y + H: places 0 .. N - 1 of its transform lie where its two rows do
  Complex* field;
  int y;
  __device__ __forceinline__ Complex& operator()(int place) const { return field[at(place < H ? y : y + H, place & (H - 1))]; }
};
typedef Column ColumnWork;
#define ROW_WORK(field, y) const Row work{field, y}
#define COLUMN_WORK(line) const Column work = line
#else
struct Row {  // in the first-level cache
  Complex* line;
  __device__ __forceinline__ Complex& operator()(int place) const { return line[place]; }
};
typedef Row ColumnWork;
#define ROW_WORK(field, y) Complex storage[N]; const Row work{storage}
#define COLUMN_WORK(line) Complex storage[N]; const Row work{storage}
#endif

__device__ __forceinline__ int wave_of(int place) { return place / B + A * (place % B); }
__device__ __forceinline__ int place_of(int wave) { return wave % A * B + wave / A; }

struct Two { REAL low, high; };  // k^2 of the real and of the imaginary part

// A pair of rows, a and b, whose transforms are A and B: Z = A + iB is that of the complex row a + ib. Columns hold A and B of
// x = 0 .. N/2 - 1, both parts of x = 0 being real numbers, of kx = 0 and N/2. On the way to columns a factor 1/2 is left out there.
__device__ __forceinline__ Complex low_of(const Complex& a, const Complex& b) { return {a.re - b.im, a.im + b.re}; }    // Z(x)
__device__ __forceinline__ Complex high_of(const Complex& a, const Complex& b) { return {a.re + b.im, b.re - a.im}; }   // Z(N - x)
__device__ __forceinline__ Complex first_of(const Complex& z, const Complex& m) { return {z.re + m.re, z.im - m.im}; }  // 2A(x) of Z(x), Z(N - x)
__device__ __forceinline__ Complex second_of(const Complex& z, const Complex& m) { return {z.im + m.im, m.re - z.re}; } // 2B(x)

#ifdef __CUDACC__
__device__ __forceinline__ void join_rows(const Complex* field, int y, const Row& work, int member) {
  Complex low[HELD], high[HELD];
  UNROLL for (int n = 0; n < HELD; ++n) {
    const int x = member + n * TEAM;
    const Complex a = field[at(y, x)], b = field[at(y + H, x)];
    low[n] = x ? low_of(a, b) : Complex{a.re, b.re};
    high[n] = x ? high_of(a, b) : Complex{a.im, b.im};
  }
  SYNC_TEAM();
  UNROLL for (int n = 0; n < HELD; ++n) {
    const int x = member + n * TEAM;
    work(place_of(x)) = low[n];
    work(place_of(x ? N - x : H)) = high[n];
  }
  SYNC_TEAM();
}
__device__ __forceinline__ void part_rows(Complex* field, int y, const Row& work, int member) {
  Complex a[HELD], b[HELD];
  SYNC_TEAM();
  UNROLL for (int n = 0; n < HELD; ++n) {
    const int x = member + n * TEAM;
    const Complex low = work(place_of(x)), high = work(place_of(x ? N - x : H));
    a[n] = x ? first_of(low, high) : Complex{low.re, high.re};
    b[n] = x ? second_of(low, high) : Complex{low.im, high.im};
  }
  SYNC_TEAM();
  UNROLL for (int n = 0; n < HELD; ++n) {
    const int x = member + n * TEAM;
    field[at(y, x)] = a[n];
    field[at(y + H, x)] = b[n];
  }
}
#endif

// Second halves of a row pair's transforms, from the columns' coefficients and to them
__device__ __forceinline__ void row_back_second(const Complex* field, int y, const Row& work, int member, const REAL* cosine, const REAL* sine) {
#ifdef __CUDACC__
  join_rows(field, y, work, member);
  for (int k1 = member; k1 < A; k1 += TEAM) {
    Complex a[B];
    load_second<N>(work, k1, a);
    back_second<N>(work, k1, a, cosine, sine);
  }
  SYNC_TEAM();
#else
  const Complex *first = field + at(y, 0), *second = field + at(y + H, 0);
  for (int k1 = 0; k1 < A; ++k1) {
    Complex a[B];
    LINE_UNROLL for (int j = 0; j < B / 2; ++j) {
      a[j] = low_of(first[k1 + A * j], second[k1 + A * j]);
      if (k1 || j) a[k1 ? B - 1 - j : B - j] = high_of(first[(k1 ? A - k1 : 0) + A * j], second[(k1 ? A - k1 : 0) + A * j]);
    }
    if (k1 == 0) {
      a[0] = {first[0].re, second[0].re};
      a[B / 2] = {first[0].im, second[0].im};
    }
    back_second<N>(work, k1, a, cosine, sine);
  }
#endif
}
__device__ __forceinline__ void row_forward_second(Complex* field, int y, const Row& work, int member) {
#ifdef __CUDACC__
  SYNC_TEAM();
  for (int k1 = member; k1 < A; k1 += TEAM) {
    Complex a[B];
    load_second<N>(work, k1, a);
    fft<B, -1>(a);
    store_second<N>(work, k1, a);
  }
  part_rows(field, y, work, member);
#else
  Complex *first = field + at(y, 0), *second = field + at(y + H, 0);
  for (int k1 = 0; k1 <= A / 2; ++k1) {
    Complex a[B], other[B];
    load_second<N>(work, k1, a);
    fft<B, -1>(a);
    if (k1 == 0) {
      first[0] = {a[0].re, a[B / 2].re};
      second[0] = {a[0].im, a[B / 2].im};
      LINE_UNROLL for (int j = 1; j < B / 2; ++j) {
        first[A * j] = first_of(a[j], a[B - j]);
        second[A * j] = second_of(a[j], a[B - j]);
      }
      continue;
    }
    load_second<N>(work, A - k1, other);
    fft<B, -1>(other);
    LINE_UNROLL for (int j = 0; j < B / 2; ++j) {
      first[k1 + A * j] = first_of(a[j], other[B - 1 - j]);
      second[k1 + A * j] = second_of(a[j], other[B - 1 - j]);
      first[A - k1 + A * j] = first_of(other[j], a[B - 1 - j]);
      second[A - k1 + A * j] = second_of(other[j], a[B - 1 - j]);
    }
  }
#endif
}

// Back to real space: `cells(n2, a)` is called with a[j] the cells B j + n2
template <class Cells> __device__ __forceinline__ void row_back_first(const Row& work, int member, const Cells& cells) {
  for (int n2 = member; n2 < B; n2 += TEAM) {
    Complex a[A];
    load_first<N>(work, n2, a);
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
    const Column line{field, first + column};
    COLUMN_WORK(line);
    for (int n2 = member; n2 < B; n2 += TEAM) {
      Complex a[A];
      load_first<N>(line, n2, a);
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
      store_first<N>(line, n2, a);
    }
  }
  Sums twice = no_sums();  // k and -k
  add(twice, same(2), sums);
  return twice;
}
