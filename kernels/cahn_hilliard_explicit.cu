// Cahn-Hilliard by forward Euler with finite differences of second order: the coarsening paper's ground truth.
//
// Two launches a step, of v = u - mean: mu = f'(mean + v) - f'(mean) - e^2 lap v, then v += dtau lap mu; lap has 2 DIMENSIONS + 1
// points. Fields are [samples][NX][NY][NZ], NX = 1 in two dimensions; a block takes whole rows of NZ cells.
// Compile-time: DIMENSIONS 2 or 3; NX, NY, NZ; REAL float or double; DEGREE of the free energy.
#ifndef __CUDACC__
#include "cpu.h"
#endif
#include "free_energy.h"

// Calls with(place, sum of the 2 DIMENSIONS neighbours of v) for the cells of rows first .. last - 1 along z
template <class With> __device__ __forceinline__ void each_cell(const REAL* __restrict__ v, int first, int last, const With& with) {
  for (int row = first; row < last; ++row) {
    const int plane = row / NY, y = row % NY, x = plane % NX;
    const int above = plane + (x + 1 < NX ? 1 : 1 - NX), below = plane + (x > 0 ? -1 : NX - 1);
    const size_t begins = (size_t)row * NZ;
    const REAL* here = v + begins;
    const REAL* up = v + ((size_t)plane * NY + (y + 1 < NY ? y + 1 : 0)) * NZ;
    const REAL* down = v + ((size_t)plane * NY + (y > 0 ? y - 1 : NY - 1)) * NZ;
    const REAL* front = v + ((size_t)above * NY + y) * NZ;
    const REAL* back = v + ((size_t)below * NY + y) * NZ;
    auto cell = [&](int z, int before, int after) {
      REAL sum = here[before] + here[after] + up[z] + down[z];
      if (DIMENSIONS == 3) sum += front[z] + back[z];
      with(begins + z, sum);
    };
#ifdef __CUDACC__
    for (int z = threadIdx.x; z < NZ; z += blockDim.x) cell(z, z > 0 ? z - 1 : NZ - 1, z + 1 < NZ ? z + 1 : 0);
#else
    cell(0, NZ - 1, 1);
#pragma GCC ivdep
    for (int z = 1; z < NZ - 1; ++z) cell(z, z - 1, z + 1);
    cell(NZ - 1, NZ - 2, 0);
#endif
  }
}

//   numbers  [2]  e^2 / dx^2 and dtau / dx^2;  slopes  [samples][DEGREE - 1]
extern "C" __global__ void chemical_potential(const REAL* __restrict__ u, REAL* __restrict__ mu, const REAL* numbers, const REAL* slopes,
                                              int rows, int blocks) {
  const REAL stiffness = numbers[0];
  const int last = (int)((long long)rows * (blockIdx.x + 1) / blocks);
  for (int row = (int)((long long)rows * blockIdx.x / blocks); row < last;) {
    const int sample = row / (NX * NY), next = (sample + 1) * (NX * NY), end = next < last ? next : last;
    REAL mine[DEGREE - 1];
    for (int j = 0; j < DEGREE - 1; ++j) mine[j] = slopes[sample * (DEGREE - 1) + j];
    each_cell(u, row, end, [&](size_t i, REAL sum) {
      mu[i] = slope_beyond_mean(u[i], mine) - stiffness * (sum - 2 * DIMENSIONS * u[i]);
    });
    row = end;
  }
}

extern "C" __global__ void forward_euler(REAL* __restrict__ u, const REAL* __restrict__ mu, const REAL* numbers, int rows, int blocks) {
  const REAL rate = numbers[1];
  each_cell(mu, (int)((long long)rows * blockIdx.x / blocks), (int)((long long)rows * (blockIdx.x + 1) / blocks),
            [&](size_t i, REAL sum) { u[i] += rate * (sum - 2 * DIMENSIONS * mu[i]); });
}
