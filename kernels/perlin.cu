// Periodic Perlin noise in a cube: gradient noise on a lattice of POINTS^3 random unit vectors, SIZE / POINTS cells apart.
//
// Between lattice points p the noise is sum over the eight corners of w(tx) w(ty) w(tz) g_p . (t - p), w the quintic fade; K. Perlin,
// SIGGRAPH Computer Graphics 19, 287 (1985), fade: ACM Trans. Graphics 21, 681 (2002).  Directions: Marsaglia, Ann. Math. Stat. 43, 645
// (1972).  Every sum of products is an fma that is written out, so that no compiler chooses another: the same bytes everywhere.
// Compile-time: SIZE, POINTS, which divides it.
#ifndef __CUDACC__
#include "cpu.h"
#include <cmath>
#endif
#include "word.h"
#include "random.h"

constexpr int CELLS = SIZE / POINTS;  // between two lattice points

//   identity  [fields][2]               low and high part of each field's index
//   gradient  [fields][POINTS^3][3]
extern "C" __global__ void draw_gradients(const unsigned* identity, float* gradient, unsigned seed_low, unsigned seed_high, unsigned stream_id) {
  const int field = blockIdx.x;
  gradient += (size_t)field * POINTS * POINTS * POINTS * 3;
  const Stream stream{seed_low, seed_high, identity[2 * field], stream_id << 24 | identity[2 * field + 1]};
  for (int point = threadIdx.x; point < POINTS * POINTS * POINTS; point += blockDim.x) {
    float a, b, square;
    unsigned attempt = 0;
    do {  // a point in the unit disc
      Random4 r = draw(stream, 0, attempt++, point);
      a = (float)(int)r.x * 0x1p-31f;
      b = (float)(int)r.y * 0x1p-31f;
      square = fmaf(a, a, b * b);
    } while (square >= 1);
    const float root = 2 * sqrtf(1 - square);
    float* here = gradient + (size_t)3 * point;
    here[0] = a * root;
    here[1] = b * root;
    here[2] = 1 - 2 * square;
  }
}

__device__ __forceinline__ float between(float a, float b, float weight) { return fmaf(weight, b - a, a); }

struct Line { float here, slope; };  // of the noise along z, as one lattice plane z = const has it

// g . (t - p) of one corner, without and with its part along z
__device__ __forceinline__ Line corner(const float* gradient, int x, int y, int z, float tx, float ty) {
  const float* g = gradient + (((size_t)x * POINTS + y) * POINTS + z) * 3;
  return Line{fmaf(g[0], tx, g[1] * ty), g[2]};
}

__device__ __forceinline__ Line mix(Line a, Line b, float weight) { return Line{between(a.here, b.here, weight), between(a.slope, b.slope, weight)}; }

// A block makes planes x = const: `count` of them from `start` on of each field, `planes` in all, shared by `blocks` blocks.
//   offset, fade  [CELLS]  t = 0, 1 / CELLS, ... and the fade's value there
//   noise         [fields][count][SIZE][SIZE]
extern "C" __global__ void interpolate(const float* gradient, const float* offset, const float* fade, float* noise, int planes, int blocks,
                                       int start, int count) {
  const int first = (int)((long long)planes * blockIdx.x / blocks), last = (int)((long long)planes * (blockIdx.x + 1) / blocks);
  for (int plane = first; plane < last; ++plane) {
    const float* g = gradient + (size_t)(plane / count) * POINTS * POINTS * POINTS * 3;
    const int x = start + plane % count, px = x / CELLS, nx = (px + 1) % POINTS;
    const float tx = offset[x % CELLS], wx = fade[x % CELLS];
    for (int item = threadIdx.x; item < SIZE * POINTS; item += blockDim.x) {  // a row y, between two lattice points along z
      const int y = item / POINTS, py = y / CELLS, ny = (py + 1) % POINTS, pz = item % POINTS;
      const float ty = offset[y % CELLS], wy = fade[y % CELLS];
      Line line[2];
      for (int k = 0; k < 2; ++k) {
        const int z = (pz + k) % POINTS;
        line[k] = mix(mix(corner(g, px, py, z, tx, ty), corner(g, px, ny, z, tx, ty - 1), wy),
                      mix(corner(g, nx, py, z, tx - 1, ty), corner(g, nx, ny, z, tx - 1, ty - 1), wy), wx);
      }
      float* row = noise + ((size_t)plane * SIZE + y) * SIZE + pz * CELLS;
      for (int j = 0; j < CELLS; ++j)
        row[j] = between(fmaf(line[0].slope, offset[j], line[0].here), fmaf(line[1].slope, offset[j] - 1, line[1].here), fade[j]);
    }
  }
}
