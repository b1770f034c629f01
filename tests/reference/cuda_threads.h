// Runs a kernel's GPU branch on a CPU, each CUDA thread by itself: slow, but the same indices, barriers and shared memory. For tests
// on machines without a GPU (tests/reference/emulation.py).
//
// A thread is a fiber, which runs until it waits for others; which one runs next is drawn at random, always in the same way, so that a
// barrier that is missing shows, and shows again. Blocks come one after another, in an order drawn at random. Dynamic shared memory is as long as the launch says, and holds garbage at first.
// Masks, shuffles and barriers that a GPU would hang at or leave undefined end the launch with a line: emulate_KERNEL returns it.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <ucontext.h>
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
struct alignas(16) float4 { float x, y, z, w; };
static CudaIndex blockDim, gridDim;
static char* emulated_shared = nullptr;
static const char* failure = nullptr;
static unsigned dice = 1;
static int drawn(int below) {  // xorshift32
  dice ^= dice << 13, dice ^= dice >> 17, dice ^= dice << 5;
  return (int)((unsigned long long)dice * below >> 32);
}

static CudaIndex threadIdx, blockIdx;

// Under a sanitizer each fiber is one of its threads, and what meets at a barrier is ordered by that barrier alone.
#ifdef __SANITIZE_THREAD__
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned);
void __tsan_switch_to_fiber(void*, unsigned);
void __tsan_acquire(void*);
void __tsan_release(void*);
void __tsan_volatile_read4(void*) {}  // volatile says that others may write meanwhile, and that it does no harm
void __tsan_volatile_write4(void*) {}
void AnnotateBenignRaceSized(const char*, int, void*, size_t, const char*);
}
#define UNWATCHED __attribute__((no_sanitize("thread")))  // the emulation's own words
#define CREATE_FIBER() __tsan_create_fiber(0)
#define SWITCH_TO(fiber) __tsan_switch_to_fiber(fiber, 1)  // 1: that orders nothing
#define ACQUIRE(place) __tsan_acquire(place)
#define RELEASE(place) __tsan_release(place)
#else
#define UNWATCHED
#define CREATE_FIBER() nullptr
#define SWITCH_TO(fiber)
#define ACQUIRE(place)
#define RELEASE(place)
#endif
#ifdef __SANITIZE_ADDRESS__
extern "C" {
void __sanitizer_start_switch_fiber(void**, const void*, size_t);
void __sanitizer_finish_switch_fiber(void*, const void**, size_t*);
}
#define LEAVE(kept, stack, size) __sanitizer_start_switch_fiber(kept, stack, size)
#define ARRIVE(kept, stack, size) __sanitizer_finish_switch_fiber(kept, stack, size)
#else
#define LEAVE(kept, stack, size)
#define ARRIVE(kept, stack, size)
#endif

constexpr size_t STACK = 1 << 18;
enum State { READY, AT_BLOCK, AT_LANES, ENDED };
struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[STACK]};
  void *sanitizers = CREATE_FIBER(), *fake_stack = nullptr;
  State state;
  unsigned mask;      // that it waits for
  int passed[34];     // times, through barriers: of some lanes, by their first one, of the warp, of the block
};
static Fiber* fibers = nullptr;  // of the largest block so far
static int fiber_count = 0;
static ucontext_t scheduler;
static void *schedulers = nullptr, *schedulers_fake_stack = nullptr;  // the sanitizer's
static const void* schedulers_stack = nullptr;
static size_t schedulers_stack_size = 0;
static void (*run_body)(const void*);
static const void* body_to_run;
static char begun, ended, block_places[2], lane_places[32][33][2];  // addresses that stand for barriers, in turns

UNWATCHED static void back_to_scheduler() {
  Fiber& self = fibers[threadIdx.x];
  LEAVE(self.state == ENDED ? nullptr : &self.fake_stack, schedulers_stack, schedulers_stack_size);
  SWITCH_TO(schedulers);
  swapcontext(&self.context, &scheduler);
  ARRIVE(self.fake_stack, &schedulers_stack, &schedulers_stack_size);
}
UNWATCHED static void fail(const char* why) {
  failure = why;
  back_to_scheduler();
}
UNWATCHED static void wait_at(State state, char (&places)[2], int& passed) {
  char* place = places + passed++ % 2;
  fibers[threadIdx.x].state = state;
  RELEASE(place);
  back_to_scheduler();
  ACQUIRE(place);
}
static void __syncthreads() { wait_at(AT_BLOCK, block_places, fibers[threadIdx.x].passed[33]); }
UNWATCHED static void wait_for_lanes(unsigned mask) {
  if (!(mask >> threadIdx.x % 32 & 1)) fail("a thread waits for lanes with a mask that leaves it out");
  const int which = mask == ~0u ? 32 : __builtin_ctz(mask);
  fibers[threadIdx.x].mask = mask;
  wait_at(AT_LANES, lane_places[threadIdx.x / 32][which], fibers[threadIdx.x].passed[which]);
}
UNWATCHED static void begin_fiber() {
  ARRIVE(nullptr, &schedulers_stack, &schedulers_stack_size);
  ACQUIRE(&begun);
  run_body(body_to_run);
  fibers[threadIdx.x].state = ENDED;
  RELEASE(&ended);
  back_to_scheduler();
}

// Those of `count` threads from `first` on that wait in `state` (for `mask`) go on if nobody is missing; threads that have ended never are.
UNWATCHED static void release(int first, int count, State state, unsigned mask, std::vector<int>& ready) {
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

template <class Body> UNWATCHED static void run_block(int block, int threads, const Body& body) {
  if (fiber_count < threads) {
    delete[] fibers;
    fibers = new Fiber[fiber_count = threads];
  }
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
    std::memset(one.passed, 0, sizeof one.passed);
  }
#ifdef __SANITIZE_THREAD__
  schedulers = __tsan_get_current_fiber();
  AnnotateBenignRaceSized(__FILE__, __LINE__, &threadIdx, sizeof threadIdx, "of the fiber that runs");
#endif
  RELEASE(&begun);
  int live = threads, at_block = 0;
  while (!ready.empty() && !failure) {
    const int place = drawn(ready.size()), now = ready[place];
    ready[place] = ready.back();
    ready.pop_back();
    threadIdx.x = now;
    LEAVE(&schedulers_fake_stack, fibers[now].stack.get(), STACK);
    SWITCH_TO(fibers[now].sanitizers);
    swapcontext(&scheduler, &fibers[now].context);
    ARRIVE(schedulers_fake_stack, nullptr, nullptr);
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
  ACQUIRE(&ended);
  if (live && !failure) failure = "threads wait for one another at different barriers";
}

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
#ifdef __SANITIZE_ADDRESS__
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
