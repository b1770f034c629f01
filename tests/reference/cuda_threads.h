// Runs a kernel's GPU branch on a CPU, each CUDA thread by itself: slow, but the same indices, barriers and shared memory. For tests
// on machines without a GPU (tests/reference/emulation.py).
//
// A thread is a fiber, which runs until it waits for others; which one runs next is drawn at random, always in the same way, so that a
// barrier that is missing shows, and shows again. With OS_THREADS threads are those of the system, for the sanitizers. Blocks come one after
// another, in an order drawn at random. Dynamic shared memory is as long as the launch says, and holds garbage at first.
// What a GPU would not do ends the launch with a line: emulate_KERNEL returns it.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#define __CUDACC__
#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __shared__ static

using std::cbrt;
using std::fmax;
using std::fmaxf;
using std::fmin;
using std::fminf;
using std::sqrt;

struct CudaIndex { int x; };
static CudaIndex blockDim, gridDim;
static char* emulated_shared = nullptr;
static const char* failure = nullptr;
static unsigned dice = 1;
static int drawn(int below) {  // xorshift32
  dice ^= dice << 13, dice ^= dice >> 17, dice ^= dice << 5;
  return (int)((unsigned long long)dice * below >> 32);
}

#ifdef OS_THREADS
#include <barrier>
#include <thread>
#define EMULATED_INDEX static thread_local CudaIndex
#else
#include <ucontext.h>
#define EMULATED_INDEX static CudaIndex
#endif
EMULATED_INDEX threadIdx, blockIdx;

#ifdef OS_THREADS
typedef std::barrier<> Barrier;
static std::unique_ptr<Barrier> block_barrier;
static std::vector<std::unique_ptr<Barrier>> warp_barriers, team_barriers;  // of 32 threads, of 8

static void fail(const char* why) {
  fprintf(stderr, "%s\n", why);
  abort();
}
static Barrier* barrier_of(unsigned mask) {
  const int first = threadIdx.x % 32 / 8 * 8;
  if (mask == 0xffu << first) return team_barriers[threadIdx.x / 8].get();
  if (mask != ~0u) fail("a mask that is neither a warp's nor that of eight neighbours");
  return warp_barriers[threadIdx.x / 32].get();
}
static void __syncthreads() { block_barrier->arrive_and_wait(); }
static void wait_for_lanes(unsigned mask) { barrier_of(mask)->arrive_and_wait(); }

// body() as each of `threads` threads of one block
template <class Body> static void run_block(int block, int threads, const Body& body) {
  const auto barriers = [&](int of) {
    std::vector<std::unique_ptr<Barrier>> made;
    for (int first = 0; first < threads; first += of) made.push_back(std::make_unique<Barrier>(threads - first < of ? threads - first : of));
    return made;
  };
  block_barrier = std::make_unique<Barrier>(threads);
  warp_barriers = barriers(32);
  team_barriers = barriers(8);
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread)
    all.emplace_back([&body, thread, block] {
      threadIdx.x = thread;
      blockIdx.x = block;
      body();
      block_barrier->arrive_and_drop();  // nobody waits for threads that have ended
      warp_barriers[thread / 32]->arrive_and_drop();
      team_barriers[thread / 8]->arrive_and_drop();
    });
  for (std::thread& thread : all) thread.join();
}

#else
constexpr size_t STACK = 1 << 18;
enum State { READY, AT_BLOCK, AT_LANES, ENDED };
struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[STACK]};
  State state;
  unsigned mask;  // that it waits for
};
static std::vector<Fiber> fibers;
static ucontext_t scheduler;
static void (*run_body)(const void*);
static const void* body_to_run;

static void back_to_scheduler() { swapcontext(&fibers[threadIdx.x].context, &scheduler); }
static void fail(const char* why) {
  failure = why;
  back_to_scheduler();
}
static void __syncthreads() {
  fibers[threadIdx.x].state = AT_BLOCK;
  back_to_scheduler();
}
static void wait_for_lanes(unsigned mask) {
  if (!(mask >> threadIdx.x % 32 & 1)) fail("a thread waits for lanes with a mask that leaves it out");
  fibers[threadIdx.x].state = AT_LANES;
  fibers[threadIdx.x].mask = mask;
  back_to_scheduler();
}
static void begin_fiber() {
  run_body(body_to_run);
  fibers[threadIdx.x].state = ENDED;
  back_to_scheduler();
}

// Those of `count` threads from `first` on that wait in `state` (for `mask`) go on if nobody is missing; threads that have ended never are.
static void release(int first, int count, State state, unsigned mask, std::vector<int>& ready) {
  const auto meant = [&](int i) { return state == AT_BLOCK || mask >> i & 1; };
  for (int i = 0; i < count; ++i) {
    const Fiber& one = fibers[first + i];
    if (meant(i) && one.state != ENDED && (one.state != state || (state == AT_LANES && one.mask != mask))) return;
  }
  for (int i = 0; i < count; ++i)
    if (meant(i) && fibers[first + i].state == state) {
      fibers[first + i].state = READY;
      ready.push_back(first + i);
    }
}

template <class Body> static void run_block(int block, int threads, const Body& body) {
  if ((int)fibers.size() < threads) fibers = std::vector<Fiber>(threads);
  run_body = [](const void* what) { (*(const Body*)what)(); };
  body_to_run = &body;
  blockIdx.x = block;
  std::vector<int> ready(threads);
  std::iota(ready.begin(), ready.end(), 0);
  for (int i = 0; i < threads; ++i) {
    Fiber& one = fibers[i];
    getcontext(&one.context);
    one.context.uc_stack.ss_sp = one.stack.get();
    one.context.uc_stack.ss_size = STACK;
    one.context.uc_link = nullptr;
    makecontext(&one.context, begin_fiber, 0);
    one.state = READY;
  }
  int live = threads, at_block = 0;
  while (!ready.empty() && !failure) {
    const int place = drawn(ready.size()), now = ready[place];
    ready[place] = ready.back();
    ready.pop_back();
    threadIdx.x = now;
    swapcontext(&scheduler, &fibers[now].context);
    const Fiber& one = fibers[now];
    const int warp = now / 32 * 32, lanes = threads - warp < 32 ? threads - warp : 32;
    live -= one.state == ENDED;
    at_block += one.state == AT_BLOCK;
    if (one.state == AT_LANES) release(warp, lanes, AT_LANES, one.mask, ready);
    if (one.state == ENDED)
      for (int i = 0; i < lanes; ++i)
        if (fibers[warp + i].state == AT_LANES) release(warp, lanes, AT_LANES, fibers[warp + i].mask, ready);
    if (at_block == live) {
      release(0, threads, AT_BLOCK, 0, ready);
      at_block = 0;
    }
  }
  if (live && !failure) failure = "threads wait for one another at different barriers";
}
#endif

// ---- what threads of a warp do together

static void __syncwarp(unsigned mask = ~0u) { wait_for_lanes(mask); }
template <class T> static T __shfl_xor_sync(unsigned mask, T value, int distance) {
  static T box[1024];
  const int from = threadIdx.x ^ distance;
  if (from / 32 != (int)threadIdx.x / 32 || !(mask >> from % 32 & 1) || from >= blockDim.x) fail("a shuffle reads a lane that its mask leaves out");
  box[threadIdx.x] = value;
  __syncwarp(mask);
  const T other = box[from];
  __syncwarp(mask);
  return other;
}
static int __reduce_min_sync(unsigned mask, int value) {
  static int box[1024];
  box[threadIdx.x] = value;
  __syncwarp(mask);
  const int first = threadIdx.x / 32 * 32;
  int least = value;
  for (int lane = 0; lane < 32 && first + lane < blockDim.x; ++lane)
    if (mask >> lane & 1 && box[first + lane] < least) least = box[first + lane];
  __syncwarp(mask);
  return least;
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
static int __ffs(unsigned bits) { return __builtin_ffs(bits); }

// ---- a launch

constexpr int GUARD = 64;  // bytes behind the shared memory that nobody may write
// body() as each thread of a grid; a line of what went wrong, or null
template <class Body> static const char* run_grid(int blocks, int threads, int shared_bytes, const Body& body) {
  std::vector<int> order(blocks);
  std::iota(order.begin(), order.end(), 0);
  for (int i = blocks; i > 1; --i) std::swap(order[i - 1], order[drawn(i)]);
#ifdef OS_THREADS
  const int guard = 0;  // the sanitizer's own
#else
  const int guard = GUARD;
#endif
  gridDim.x = blocks;
  blockDim.x = threads;
  failure = nullptr;
  for (int block : order) {
    emulated_shared = (char*)std::malloc(shared_bytes + guard);
    std::memset(emulated_shared, 0xa5, shared_bytes + guard);
    run_block(block, threads, body);
    for (int i = 0; i < guard; ++i)
      if (emulated_shared[shared_bytes + i] != (char)0xa5 && !failure) failure = "written beyond the shared memory of the launch";
    std::free(emulated_shared);
    if (failure) break;
  }
  return failure;
}
