// Runs a kernel's GPU branch on a CPU, one real thread for each CUDA thread: slow, but the same indices, barriers and shared
// memory. For tests on machines without a GPU. Blocks come one after another. Dynamic shared memory is as long as the launch says, and
// holds garbage at first (tests/reference/emulation.py puts emulated_shared in the place of extern __shared__ arrays).
#pragma once
#include <barrier>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#define __CUDACC__
#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(threads)
#define __restrict__ __restrict
#define __shared__ static

using std::cbrt;
using std::fminf;
using std::fmaxf;
using std::fmax;
using std::fmin;
using std::sqrt;

struct CudaIndex { int x; };
static thread_local CudaIndex threadIdx, blockIdx;
static int emulated_block = 0;
extern "C" void emulate_block(int block) { emulated_block = block; }
static CudaIndex blockDim, gridDim;
static char* emulated_shared = nullptr;
static std::unique_ptr<std::barrier<>> block_barrier;
static std::vector<std::unique_ptr<std::barrier<>>> warp_barriers, team_barriers;  // of 32 threads, of 8

static void __syncthreads() { block_barrier->arrive_and_wait(); }
// mask: all threads of a warp, or eight neighbours
static void __syncwarp(unsigned mask = ~0u) { (mask == ~0u ? warp_barriers[threadIdx.x / 32] : team_barriers[threadIdx.x / 8])->arrive_and_wait(); }
template <class T> static T __shfl_xor_sync(unsigned, T value, int distance) {
  static T box[1024];
  box[threadIdx.x] = value;
  __syncwarp();
  T other = box[threadIdx.x ^ distance];
  __syncwarp();
  return other;
}
static int atomicAdd(int* address, int value) { return __atomic_fetch_add(address, value, __ATOMIC_RELAXED); }
static int atomicMin(int* address, int value) {
  int old = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (value < old && !__atomic_compare_exchange_n(address, &old, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return old;
}
static unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static unsigned __funnelshift_l(unsigned low, unsigned high, int k) { return high << k | low >> (32 - k); }
static int __float_as_int(float value) { int bits; __builtin_memcpy(&bits, &value, sizeof bits); return bits; }
static float __int_as_float(int bits) { float value; __builtin_memcpy(&value, &bits, sizeof value); return value; }
static int __popc(unsigned bits) { return __builtin_popcount(bits); }
static int __reduce_min_sync(unsigned, int value) {
  static int box[1024];
  box[threadIdx.x] = value;
  __syncwarp();
  int least = value;
  for (int lane = 0, first = threadIdx.x / 32 * 32; lane < 32; ++lane) least = box[first + lane] < least ? box[first + lane] : least;
  __syncwarp();
  return least;
}
static int __ffs(unsigned bits) { return __builtin_ffs(bits); }

// body() as each of `threads` threads of one block
template <class Body> static void run_block(int threads, const Body& body) {
  blockDim.x = threads;
  block_barrier = std::make_unique<std::barrier<>>(threads);
  warp_barriers.clear();
  team_barriers.clear();
  for (int team = 0; team < threads / 8; ++team) team_barriers.push_back(std::make_unique<std::barrier<>>(8));
  for (int warp = 0; warp < threads / 32; ++warp) warp_barriers.push_back(std::make_unique<std::barrier<>>(32));
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread)
    all.emplace_back([&body, thread] {
      threadIdx.x = thread;
      blockIdx.x = emulated_block;
      body();
    });
  for (std::thread& thread : all) thread.join();
}

// body() as each thread of a grid
template <class Body> static void run_grid(int blocks, int threads, int shared_bytes, const Body& body) {
  gridDim.x = blocks;
  for (int block = 0; block < blocks; ++block) {
    emulated_shared = (char*)std::aligned_alloc(16, (shared_bytes + 15) / 16 * 16 + 16);
    std::memset(emulated_shared, 0xa5, shared_bytes);
    emulate_block(block);
    run_block(threads, body);
    std::free(emulated_shared);
  }
}
