// What the threads of a block do together; on a CPU a block is one thread.
#pragma once

// Whether the launch is to end at once, its results being of no use any more: kernels that run for long ask now and then, so that
// Ctrl-C is answered. A launch on a GPU is short.
__device__ __forceinline__ bool asked_to_stop() {
#ifdef __CUDACC__
  return false;
#else
  return *stop_word;
#endif
}
#ifndef __CUDACC__
extern "C" { extern const int interruptible; const int interruptible = 1; }  // device.py: its kernels ask
#endif

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
