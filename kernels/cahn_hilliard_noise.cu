// White noise of mean 0 and variance 1: an integer of Philox's bits at every cell, the same on every device.
//
// The number of ones in 32 random bits, less 16, has variance 8 and is all but normal (its fourth cumulant is 1/16 of the squared variance
// below); a sum of many cells, such as a Fourier coefficient, is normal. Compile-time: REAL float or double.
#ifndef __CUDACC__
#include "cpu.h"
#endif
#include "word.h"
#include "random.h"

//   identity  [fields][2]  low and high part of each field's index;   noise  [fields][cells], four cells a draw
extern "C" __global__ void white_noise(const unsigned* identity, REAL* noise, unsigned seed_low, unsigned seed_high, unsigned stream_id, int fields,
                                       int cells, int step, int blocks) {
  const long long fours = (long long)fields * (cells / 4);
  const long long first = fours * blockIdx.x / blocks, last = fours * (blockIdx.x + 1) / blocks;
  for (long long i = first + threadIdx.x; i < last; i += blockDim.x) {
    const int field = (int)(i / (cells / 4)), place = (int)(i % (cells / 4));
    const Stream stream{seed_low, seed_high, identity[2 * field], stream_id << 24 | identity[2 * field + 1]};
    const Random4 r = draw(stream, 0, place, step);
    REAL* here = noise + (size_t)field * cells + 4 * place;
    const REAL scale = (REAL)0.35355339059327376;  // 1 / sqrt(8)
    here[0] = (REAL)(__popc(r.x) - 16) * scale;
    here[1] = (REAL)(__popc(r.y) - 16) * scale;
    here[2] = (REAL)(__popc(r.z) - 16) * scale;
    here[3] = (REAL)(__popc(r.w) - 16) * scale;
  }
}
