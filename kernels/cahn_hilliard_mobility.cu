// Fluxes of a mixture whose mobility depends on its concentration, and the noise of one at a temperature, in real space.
//
// Compile-time: REAL float or double; MOBILITY, statements that return M / (its largest value) of a Number u (mobility.py).
#ifndef __CUDACC__
#include <cmath>

#include "cpu.h"
#endif
#include "elementary.h"

template <class Number> __device__ __forceinline__ Number mobility_of(const Number& u) { MOBILITY }

//   gradient     [planes][cells]  one component of grad mu becomes m(u) times it
//   v            [planes][cells]  u - mean;  mean  [fields], field_planes planes are one field's
//   dissipation  [planes][threads]  the sums over cells of m (d mu)^2, to which they are added
extern "C" __global__ void mobile_flux(REAL* gradient, const REAL* v, const double* mean, double* dissipation, int planes, int field_planes, int cells,
                                       int blocks) {
  const int first = (int)((long long)planes * blockIdx.x / blocks), last = (int)((long long)planes * (blockIdx.x + 1) / blocks);
  for (int plane = first; plane < last; ++plane) {
    const size_t start = (size_t)plane * cells;
    const REAL middle = (REAL)mean[plane / field_planes];
    double sum = 0;
    for (int i = threadIdx.x; i < cells; i += blockDim.x) {
      const REAL slope = gradient[start + i], flux = not_below<REAL>(mobility_of<REAL>(middle + v[start + i]), 0) * slope;
      gradient[start + i] = flux;
      sum += (double)(flux * slope);
    }
    dissipation[(size_t)plane * blockDim.x + threadIdx.x] += sum;
  }
}
