// What the kernels of the convolutional GRU share: cells, rows, vectors of cells and the convolution.
//
// A field that is convolved is [samples][channels][NX][NY][NZ + 2]: a row along z begins with a copy of its last cell and ends
// with one of its first, so that the three cells of a stencil are three loads; x and y wrap by the choice of the row. It is followed by
// at least LANES spare numbers, since the last vector of a row may read (never write) beyond it. Other fields are tiled: [cells / TILE]
// [channels][TILE], all channels of a vector of cells side by side, and rows begin with a vector of their own.
// A thread works on ROWS neighbouring rows and, on a CPU, on LANES cells of each, with the sums of one block of output channels in
// registers: what bounds it is the multiply-adds, 27 x in x out a cell and convolution.
// Compile-time: HIDDEN channels, ROWS, OUTPUT (0 staggered, 1 central, 2 sigmoid).
#ifndef __CUDACC__
#include "cpu.h"
#endif

#ifdef __CUDACC__
#define UNROLL _Pragma("unroll")
#define LANES 1
#define TILE 32
typedef float vec;
typedef int ivec;
__device__ __forceinline__ vec same(float value) { return value; }
__device__ __forceinline__ vec load(const float* from) { return *from; }
__device__ __forceinline__ void store(float* to, vec value) { *to = value; }
#define ALWAYS_INLINE
__device__ __forceinline__ ivec as_bits(vec v) { return __float_as_int(v); }
__device__ __forceinline__ vec as_float(ivec bits) { return __int_as_float(bits); }
__device__ __forceinline__ vec clipped(vec v, float low, float high) { return v < low ? low : v > high ? high : v; }  // nan stays
__device__ __forceinline__ vec reciprocal(vec v) { return 1.0f / v; }
#else
#define UNROLL _Pragma("GCC unroll 64")
#define TILE LANES
typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int ivec __attribute__((vector_size(4 * LANES)));
static __forceinline__ vec same(float value) { return vec{} + value; }
typedef float unaligned __attribute__((vector_size(4 * LANES), aligned(4)));
static __forceinline__ vec load(const float* from) { return *(const unaligned*)from; }
static __forceinline__ void store(float* to, vec value) { *(unaligned*)to = value; }
#define ALWAYS_INLINE __attribute__((always_inline))  // of the lambdas below: a call keeps their sums out of registers
static __forceinline__ ivec as_bits(vec v) { ivec bits; memcpy(&bits, &v, sizeof v); return bits; }
static __forceinline__ vec as_float(ivec bits) { vec v; memcpy(&v, &bits, sizeof v); return v; }
static __forceinline__ vec clipped(vec v, float low, float high) {
  vec a = same(low), b = same(high);
  v = v < a ? a : v;  // nan stays
  return v > b ? b : v;
}
static __forceinline__ vec reciprocal(vec v) {
#if defined(__AVX512F__) && LANES == 16
  vec r = (vec)_mm512_rcp14_ps((__m512)v);
  return r * (2.0f - v * r);
#else
  return 1.0f / v;
#endif
}
#endif

// Weights lie in groups, the N that one input has for all outputs of a sum (times 3, of a stencil's dz). On a GPU a group is padded to whole
// float4s, which are loaded at once: its load unit takes as long for one number as for four.
#ifdef __CUDACC__
constexpr __device__ int padded(int n) { return (n + 3) / 4 * 4; }
template <int N> struct Weights {
  float values[padded(N)];
  __device__ __forceinline__ explicit Weights(const float* from) {
    UNROLL for (int k = 0; k < padded(N); k += 4) {
      const float4 four = *(const float4*)(from + k);
      values[k] = four.x, values[k + 1] = four.y, values[k + 2] = four.z, values[k + 3] = four.w;
    }
  }
  __device__ __forceinline__ float operator[](int k) const { return values[k]; }
};
#else
constexpr int padded(int n) { return n; }
template <int N> struct Weights {
  const float* values;
  __forceinline__ explicit Weights(const float* from) : values(from) {}
  __forceinline__ float operator[](int k) const { return values[k]; }
};
#endif
constexpr __device__ int of_convolution(int in, int out) { return 9 * in * padded(3 * out); }  // numbers that its weights take
constexpr __device__ int of_mixing(int in, int out) { return in * padded(out); }

constexpr __device__ int divisor(int n, int most) { return n % most == 0 ? most : divisor(n, most - 1); }  // the largest of n, at most `most`

__device__ __forceinline__ vec sigmoid(vec v) {  // 1 / (1 + exp(-v)) to 2e-7
  const vec power = clipped(v * -1.44269504f, -126.0f, 126.0f), shifted = power + 12582912.0f;  // 1.5 x 2^23: the low bits are the whole part
  const vec part = power - (shifted - 12582912.0f);
  vec two = same(1.54035304e-4f);  // 2^part, ln(2)^k / k!
  const float terms[] = {1.33335581e-3f, 9.61812911e-3f, 5.55041087e-2f, 2.40226507e-1f, 6.93147181e-1f, 1.0f};
  UNROLL for (int k = 0; k < 6; ++k) two = two * part + terms[k];
  return reciprocal(1.0f + as_float(as_bits(two) + (as_bits(shifted) << 23)));
}
__device__ __forceinline__ vec hyperbolic_tangent(vec v) { return 2.0f * sigmoid(2.0f * v) - 1.0f; }

struct Grid {
  int samples, nx, ny, nz;
  __device__ __forceinline__ int row() const { return nz + 2; }
  // numbers from channel to channel: an odd number of cache lines, lest the channels of a cell share a few sets of the cache
  __device__ __forceinline__ size_t channel() const { return (((size_t)nx * ny * row() + 15) / 16 | 1) * 16; }
  __device__ __forceinline__ int items() const { return samples * nx * ((ny + ROWS - 1) / ROWS) * ((nz + LANES - 1) / LANES); }
};

// the first number of a row's cells, whose copies lie before and behind
__device__ __forceinline__ size_t cell(const Grid& grid, int x, int y, int z) {
  x += x < 0 ? grid.nx : x >= grid.nx ? -grid.nx : 0;
  y += y < 0 ? grid.ny : y >= grid.ny ? -grid.ny : 0;
  return ((size_t)x * grid.ny + y) * grid.row() + 1 + z;
}

// channel c of a convolved field of `channels`
__device__ __forceinline__ const float* channel_of(const float* field, const Grid& grid, int sample, int channels, int c) {
  return field + ((size_t)sample * channels + c) * grid.channel();
}

// where the tiled numbers of cells z, z + 1, ... of a row begin; those of the next channel are TILE further
__device__ __forceinline__ size_t tile_of(const Grid& grid, int sample, int x, int y, int z, int channels) {
  const size_t row = ((size_t)sample * grid.nx + x) * grid.ny + y, at = row * ((grid.nz + LANES - 1) / LANES * LANES) + z;
  return at / TILE * channels * TILE + at % TILE;
}

struct Place {  // cells z, z + 1, ... of ROWS rows from y on (the last row again where there are no more), in a convolved and in a tiled field
  int sample, x, z, nz, y[ROWS];
  size_t channel, convolved[ROWS], tiled[ROWS];
};

// Calls with(place) for this block's share of the places
template <class With> __device__ __forceinline__ void each_place(const Grid& grid, int blocks, const With& with) {
  const int items = grid.items(), across = (grid.nz + LANES - 1) / LANES, groups = (grid.ny + ROWS - 1) / ROWS;
  const int first = (int)((long long)items * blockIdx.x / blocks), last = (int)((long long)items * (blockIdx.x + 1) / blocks);
  for (int item = first + threadIdx.x; item < last; item += blockDim.x) {
    const int line = item / across, plane = line / groups, y = line % groups * ROWS;
    Place at{plane / grid.nx, plane % grid.nx, item % across * LANES, grid.nz};
    at.channel = grid.channel();
    UNROLL for (int r = 0; r < ROWS; ++r) {
      at.y[r] = y + r < grid.ny ? y + r : grid.ny - 1;
      at.convolved[r] = cell(grid, at.x, at.y[r], at.z);
      at.tiled[r] = tile_of(grid, at.sample, at.x, at.y[r], at.z, 1);
    }
    with(at);
  }
}

__device__ __forceinline__ vec read(const float* field, const Place& at, int channels, int c, int r) {
  return load(field + (at.sample * channels + c) * at.channel + at.convolved[r]);
}
__device__ __forceinline__ size_t tiled(const Place& at, int channels, int c, int r) {
  return at.tiled[r] / TILE * channels * TILE + at.tiled[r] % TILE + c * TILE;
}
__device__ __forceinline__ vec read_tiled(const float* field, const Place& at, int channels, int c, int r) {
  return load(field + tiled(at, channels, c, r));
}
__device__ __forceinline__ void write_tiled(float* field, const Place& at, int channels, int c, int r, vec value) {
  store(field + tiled(at, channels, c, r), value);
}

// with the copies at the row's ends
__device__ __forceinline__ void write(float* field, const Place& at, int channels, int c, int r, vec value) {
  float* to = field + (at.sample * channels + c) * at.channel + at.convolved[r];
#ifdef __CUDACC__
  *to = value;
  if (at.z == 0) to[at.nz] = value;
  if (at.z == at.nz - 1) to[-at.nz] = value;
#else
  const int left = at.nz - at.z;
  if (at.z == 0) to[at.nz] = value[0];
  if (left >= LANES) {
    store(to, value);
    if (left == LANES) to[-at.z - 1] = value[LANES - 1];
  } else {
    for (int lane = 0; lane < left; ++lane) to[lane] = value[lane];
    to[-at.z - 1] = value[left - 1];
  }
#endif
}

template <int OUT> __device__ __forceinline__ void begin(vec (&sum)[ROWS][OUT], const float* __restrict__ bias) {
  UNROLL for (int r = 0; r < ROWS; ++r) UNROLL for (int o = 0; o < OUT; ++o) sum[r][o] = same(bias ? bias[o] : 0.0f);
}

// sum[r][o] += 3^3 convolution of the field's IN channels; weights [dx][dy][IN][dz][OUT], the last two padded
template <int IN, int OUT>
__device__ __forceinline__ void convolve(vec (&sum)[ROWS][OUT], const float* field, const Grid& grid, const Place& at, const float* __restrict__ weights) {
  const float* start = channel_of(field, grid, at.sample, IN, 0);
  for (int dx = 0; dx < 3; ++dx)
    for (int dy = 0; dy < 3; ++dy) {
      const float* from[ROWS];
      UNROLL for (int r = 0; r < ROWS; ++r) from[r] = start + cell(grid, at.x + dx - 1, at.y[r] + dy - 1, at.z) - 1;
      for (int c = 0; c < IN; ++c) {
        const Weights<3 * OUT> of(weights);
        UNROLL for (int dz = 0; dz < 3; ++dz) {
          vec value[ROWS];
          UNROLL for (int r = 0; r < ROWS; ++r) value[r] = load(from[r] + dz);
          UNROLL for (int o = 0; o < OUT; ++o) {
            const vec weight = same(of[dz * OUT + o]);
            UNROLL for (int r = 0; r < ROWS; ++r) sum[r][o] += value[r] * weight;
          }
        }
        weights += padded(3 * OUT);
        UNROLL for (int r = 0; r < ROWS; ++r) from[r] += grid.channel();
      }
    }
}

// sum[r][o] += 1^3 convolution; weights [IN][OUT], padded
template <int IN, int OUT>
__device__ __forceinline__ void mix(vec (&sum)[ROWS][OUT], const vec (&value)[ROWS][IN], const float* __restrict__ weights) {
  UNROLL for (int c = 0; c < IN; ++c) {
    const Weights<OUT> of(weights + c * padded(OUT));
    UNROLL for (int o = 0; o < OUT; ++o) {
      const vec weight = same(of[o]);
      UNROLL for (int r = 0; r < ROWS; ++r) sum[r][o] += value[r][c] * weight;
    }
  }
}
