// Percolation clusters of the stable (down) spins, one configuration a block.
//
// Two stable spins a displacement d apart, J(d) > 0, are bonded with a probability of their own (percolation.py); clusters
// are the connected components. Source: Coniglio and Klein, J. Phys. A 13, 2775 (1980).
//
// Union-find without locks: parent[i] <= i, a root is its own parent, and a root is only ever hung below a smaller one, by
// atomicMin (Jaiganesh and Burtscher, HPDC 2018, among others). So the label of a cluster is its smallest site index,
// whatever the order in which threads come.
#ifndef __CUDACC__
#include "cpu.h"
#endif
#include "word.h"
#include "random.h"

constexpr int N = SIZE * SIZE, BYTES = (N + 7) / 8;

__device__ __forceinline__ bool stable(const unsigned char* packed, int site) { return !(packed[site / 8] >> (7 - site % 8) & 1); }

__device__ __forceinline__ int root_of(volatile int* parent, int site) {
  int above = parent[site];
  while (above != site) {
    int next = parent[above];
    parent[site] = next;  // halves the path; `next` is an ancestor for ever, so a race does no harm
    site = above;
    above = next;
  }
  return site;
}

__device__ __forceinline__ void join(int* parent, int a, int b) {
  a = root_of(parent, a);
  b = root_of(parent, b);
  while (a != b) {
    if (a < b) {
      int swap = a;
      a = b;
      b = swap;
    }
    int was = atomicMin(parent + a, b);  // a root still? then it hangs below b now
    if (was == a) return;
    a = root_of(parent, was);
    b = root_of(parent, b);
  }
}

// The random number of bond (site, displacement o) is component o % 4 of a Philox call for o / 4.
//   packed        [configurations][BYTES]     bit 1 is up
//   displacement  [displacements][2]          dx, dy in 0..SIZE-1, one of each pair d, -d; d = -d from `paired` on
//   class_of      [displacements]             equal couplings share a class
//   threshold     [configurations][classes]   bond probability as a multiple of 2^-32
//   identity      [configurations][2]         low and high part of the configuration's index
//   label         [configurations][N]         smallest site index of the cluster, -1 on up spins
//   size          [configurations][N]         sites of the cluster, at its label; 0 elsewhere
extern "C" __global__ void __launch_bounds__(THREADS)
    label_clusters(const unsigned char* packed, const int* displacement, const int* class_of, int displacements, int paired,
                   const unsigned* threshold, int classes, const unsigned* identity, int* label, int* size, unsigned seed_low, unsigned seed_high,
                   unsigned stream_id) {
  const int configuration = blockIdx.x;
  packed += (size_t)configuration * BYTES;
  threshold += (size_t)configuration * classes;
  label += (size_t)configuration * N;
  size += (size_t)configuration * N;
  const Stream stream{seed_low, seed_high, identity[2 * configuration], stream_id << 24 | identity[2 * configuration + 1]};

  for (int i = threadIdx.x; i < N; i += blockDim.x) {
    label[i] = stable(packed, i) ? i : -1;
    size[i] = 0;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < N; i += blockDim.x) {
    if (!stable(packed, i)) continue;
    const int x0 = i / SIZE, y0 = i % SIZE;
    int drawn = -1;
    Random4 r{0, 0, 0, 0};
    for (int o = 0; o < displacements; ++o) {
      int x = x0 + displacement[2 * o], y = y0 + displacement[2 * o + 1];
      if (x >= SIZE) x -= SIZE;
      if (y >= SIZE) y -= SIZE;
      const int j = x * SIZE + y;
      if (!stable(packed, j) || (o >= paired && j < i)) continue;
      if (o / 4 != drawn) r = draw(stream, 0, i, drawn = o / 4);
      unsigned u = o % 4 == 0 ? r.x : o % 4 == 1 ? r.y : o % 4 == 2 ? r.z : r.w;
      if (u < threshold[class_of[o]]) join(label, i, j);
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < N; i += blockDim.x)
    if (stable(packed, i)) atomicAdd(size + root_of(label, i), 1);
  __syncthreads();
  for (int i = threadIdx.x; i < N; i += blockDim.x)
    if (stable(packed, i)) {  // in place, so without halving paths, which could undo what another thread wrote
      const volatile int* parent = label;
      int root = i;
      while (parent[root] != root) root = parent[root];
      label[i] = root;
    }
}
