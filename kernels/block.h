// What the threads of a block do together; on a CPU a block is one thread.
#pragma once

// the next task of a launch, the same for all threads of the block
__device__ __forceinline__ int take_task(int* next_task) {
#ifdef __CUDACC__
  __shared__ int task;
  __syncthreads();
  if (threadIdx.x == 0) task = atomicAdd(next_task, 1);
  __syncthreads();
  return task;
#else
  return atomicAdd(next_task, 1);
#endif
}
