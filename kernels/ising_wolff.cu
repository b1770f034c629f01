// Ising model at h = 0, one replica a thread: Wolff's clusters, which decorrelate at Tc where single spins take long.
//
// Source      U. Wolff, Phys. Rev. Lett. 62, 361 (1989); any J(r): E. Luijten, H. W. J. Bloete, Int. J. Mod. Phys. C 6, 359 (1995)
// Rule        A cluster grows from a random site and flips as it grows. It takes a neighbour of the same spin over a bond with
//             probability 1 - exp(-2 J / T), J >= 0.
// Bonds       Not every neighbour is asked: points fall on the bonds of a site like rain, 2 J / T of them on average, and a bond is
//             active if it got any, which has just that probability. A site's number of points is Poisson's with mean
//             2 sum J / T, and each is on the bond of r with probability J(r) / sum J (alias table): the cost of a site is that
//             number, however many neighbours it has.
#ifndef __CUDACC__
#include "cpu.h"
#endif
#include "word.h"
#include "random.h"
#include "block.h"

constexpr int LAYERS = DIMENSIONS == 3 ? SIZE : 1, N = LAYERS * SIZE * SIZE, BYTES = (N + 7) / 8;

__device__ __forceinline__ int around(int coordinate) { return coordinate < SIZE ? coordinate : coordinate - SIZE; }

// Each replica flips `clusters` of them, and is packed.
//   spins      [replicas][N]      +1 and -1
//   stacks     [replicas][N]      sites whose bonds are still to be asked
//   states     [replicas]         of their random numbers, zero at first
//   packed     [replicas][BYTES]  the configurations then, packed
//   number     [number_count]     number of points of a site: how many of these are at most a random number; the last is ~0
//   step       [neighbours][DIMENSIONS]  r, 0 .. SIZE - 1 along each axis
//   threshold, alias  [neighbours]  column k stands for r_k if a random number is below threshold[k], else for r_alias[k];
//                                 not read where all J are equal (UNIFORM)
extern "C" __global__ void __launch_bounds__(THREADS)
    flip_clusters(signed char* spins, int* stacks, GeneratorOf<unsigned>* states, unsigned char* packed, int replicas, int clusters,
                  const unsigned* number, const int* step, const unsigned* threshold, const int* alias, int neighbours,
                  unsigned seed_low, unsigned seed_high, unsigned unit, unsigned stream_id, int first_copy) {
  const int replica = blockIdx.x * blockDim.x + threadIdx.x;
  if (replica >= replicas) return;
  const Stream stream{seed_low, seed_high, unit, stream_id << 24 | (unsigned)first_copy};
  signed char* spin = spins + (size_t)replica * N;
  int* stack = stacks + (size_t)replica * N;
  GeneratorOf<unsigned> random = states[replica];
  if (!(random.a | random.b | random.c | random.d)) {
    const Random4 r = draw(stream, 1, replica, 0);
    random = {r.x, r.y, r.z, r.w | 1};
  }
  for (int cluster = 0; cluster < clusters; ++cluster) {
    if (asked_to_stop()) return;
    int waiting = 1;
    stack[0] = __umulhi(next(random), N);
    const int same = spin[stack[0]];
    spin[stack[0]] = -same;
    while (waiting) {
      const int site = stack[--waiting], y = site % SIZE, x = site / SIZE % SIZE, z = site / SIZE / SIZE;
      const unsigned rain = next(random);
      for (int point = 0; number[point] <= rain && number[point] != ~0u; ++point) {
        int r = __umulhi(next(random), neighbours);
        if (!UNIFORM) r = next(random) < threshold[r] ? r : alias[r];
        const int* by = step + r * DIMENSIONS;
#if DIMENSIONS == 3
        const int there = (around(z + by[0]) * SIZE + around(x + by[1])) * SIZE + around(y + by[2]);
#else
        const int there = around(x + by[0]) * SIZE + around(y + by[1]);
#endif
        if (spin[there] == same) {
          spin[there] = -same;
          stack[waiting++] = there;
        }
      }
    }
  }
  states[replica] = random;
  for (int i = 0; i < BYTES; ++i) {
    unsigned byte = 0;
    for (int k = 0; k < 8 && 8 * i + k < N; ++k) byte |= (spin[8 * i + k] > 0) << (7 - k);
    packed[(size_t)replica * BYTES + i] = byte;
  }
}
