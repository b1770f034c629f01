// Ising model in two dimensions with any coupling J(r): random-site dynamics with the local fields of all sites at hand.
//
// Equation    H = -1/2 sum_{i != j} J(r_i - r_j) s_i s_j - h sum_i s_i, periodic L x L lattice
// Fields      f_i = sum_j J(r_i - r_j) s_j, at first by FFT (ising_fft.py); a flip of site j then adds -2 s_j J(r_i - r_j)
// Rule        random-site order, exactly: accept with min(1, exp(-dE / T)), or with HEAT_BATH 1 / (1 + exp(dE / T)),
//             dE = 2 s_i (f_i + h)
//
// J, h and f are integers, multiples of one energy quantum, so that fields stay exact for ever and every machine agrees.
// A block holds one replica. Its threads look at as many attempts ahead as there are threads; the first of them that flips
// is carried out, and they look again from the one after it: the sequence is that of one thread. (A CPU block is one.)
#ifndef __CUDACC__
#include "cpu.h"
#define LANE 0
#define WARP_LANES 1
#else
#define LANE (int)(threadIdx.x % 32)
#define WARP_LANES 32
#endif
#include "word.h"
#include "random.h"
#include "block.h"

constexpr int N = SIZE * SIZE;

struct Coupling {
  const int* table;       // [SIZE][2 SIZE]: J at (dx, k mod SIZE), twice in a row so that a row never wraps
  const int* rows;        // the dx at which J is not zero everywhere
  const int* half_width;  // [SIZE] largest |dy| with J(dx, dy) != 0
  int row_count;
};

struct Acceptance {
  const unsigned* factor;  // [4][256] exp(-n 256^k quantum / T) as multiples of 2^-31, k = 0..3
  int field;               // h in quanta
};

__device__ __forceinline__ unsigned times(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 31); }

__device__ __forceinline__ bool accepts(int spin, int local_field, unsigned random, const Acceptance& acceptance) {
  const long long change = 2LL * spin * ((long long)local_field + acceptance.field);
  const bool costly = change > 0;
  if (!HEAT_BATH && !costly) return true;
  const unsigned* f = acceptance.factor;
  const unsigned energy = (unsigned)(costly ? change : -change);  // below 2^32 quanta = 64, since |f| <= 4 and |h| <= 16
  const unsigned p = times(times(f[energy & 255], f[256 + (energy >> 8 & 255)]), times(f[512 + (energy >> 16 & 255)], f[768 + (energy >> 24)]));
#if HEAT_BATH  // exp(-|dE| / T) = p: the dearer spin has p / (1 + p)
  return ((unsigned long long)random * ((1ull << 31) + p) < (unsigned long long)p << 32) == costly;
#else
  return random >> 1 < p;
#endif
}

// local[i] += change * J(r_i - r_site)
__device__ __forceinline__ void spread(int* local, int site, int change, const Coupling& coupling) {
  const int x0 = site / SIZE, y0 = site % SIZE;
  for (int r = threadIdx.x / WARP_LANES; r < coupling.row_count; r += (blockDim.x + WARP_LANES - 1) / WARP_LANES) {
    const int dx = coupling.rows[r], width = coupling.half_width[dx];
    const int x = x0 + dx < SIZE ? x0 + dx : x0 + dx - SIZE;
    const int* __restrict__ j = coupling.table + dx * 2 * SIZE + SIZE - y0;
    int* __restrict__ row = local + x * SIZE;
    if (2 * width + 1 >= SIZE) {
      for (int y = LANE; y < SIZE; y += WARP_LANES) row[y] += change * j[y];
    } else {  // the piece inside, and those that come in again at the other end
      for (int y = larger(y0 - width, 0) + LANE; y <= smaller(y0 + width, SIZE - 1); y += WARP_LANES) row[y] += change * j[y];
      for (int y = y0 - width + LANE; y < 0; y += WARP_LANES) row[y + SIZE] += change * j[y];
      for (int y = SIZE + LANE; y <= y0 + width; y += WARP_LANES) row[y - SIZE] += change * j[y];
    }
  }
}

// smallest of all threads' numbers
__device__ __forceinline__ int first_of_block(int mine) {
#ifdef __CUDACC__
  __shared__ int first;
  __syncthreads();
  if (threadIdx.x == 0) first = 0x7fffffff;
  __syncthreads();
  int of_warp = __reduce_min_sync(~0u, mine);
  if (LANE == 0) atomicMin(&first, of_warp);
  __syncthreads();
  return first;
#else
  return mine;
#endif
}

// 1 MCS: N attempts at random sites; returns the change of the number of up spins. Two attempts share a Philox call.
__device__ __forceinline__ int sweep(signed char* spins, int* local, const Coupling& coupling, const Acceptance& acceptance,
                                     const Stream& stream, unsigned replica, int time) {
  constexpr unsigned long long CALLS = (N + 1) / 2;
  int gained = 0, drawn = -1;
  Random4 r{0, 0, 0, 0};
  for (int attempt = 0; attempt < N;) {
    int mine = attempt + threadIdx.x, flips = 0x7fffffff;
    if (mine < N) {
      if (mine / 2 != drawn) r = draw(stream, 1, replica, time * CALLS + (drawn = mine / 2));
      int site = __umulhi(mine % 2 ? r.z : r.x, N);
      if (accepts(spins[site], local[site], mine % 2 ? r.w : r.y, acceptance)) flips = mine;
    }
    int first = first_of_block(flips);
    if (first == 0x7fffffff) {
      attempt += blockDim.x;
    } else {
      Random4 its = mine == first ? r : draw(stream, 1, replica, time * CALLS + first / 2);
      int site = __umulhi(first % 2 ? its.z : its.x, N), spin = spins[site];
      __syncthreads();  // everybody has read the spin
      if (threadIdx.x == 0) spins[site] = -spin;
      spread(local, site, -2 * spin, coupling);
      __syncthreads();
      gained -= spin;
      attempt = first + 1;
    }
  }
  return gained;
}

__device__ __forceinline__ int sum_of_block(int mine) {
#ifdef __CUDACC__
  __shared__ int sum;
  __syncthreads();
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  atomicAdd(&sum, mine);
  __syncthreads();
  return sum;
#else
  return mine;
#endif
}

__device__ __forceinline__ int up_spins(const signed char* spins) {
  int up = 0;
  for (int i = threadIdx.x; i < N; i += blockDim.x) up += spins[i] > 0;
  return sum_of_block(up);
}

// Trajectories from given configurations: task t is copy first_copy + t / replicas of replica t % replicas.
//   start, start_local  [replicas][N]   spins and their local fields
//   duration            [replicas]      MCS
//   passage             [copies][replicas] MCS after which m <= 0 was first seen, untouched where it was not; may be null
//   end                 [replicas][N]   spins after `duration`, which then does not stop at m <= 0; may be null
//   spins, local        [blocks][N]     working memory
// first_replica: where these replicas stand among all, which their random numbers depend on
extern "C" __global__ void __launch_bounds__(THREADS)
    evolve(const signed char* start, const int* start_local, const int* duration, int* passage, signed char* end, signed char* spins,
           int* local, int* next_task, int last_task, int replicas, int first_replica, int first_copy, const int* table, const int* rows,
           const int* half_width, int row_count, const unsigned* factor, int field, unsigned seed_low, unsigned seed_high,
           unsigned unit, unsigned stream_id) {
  const Coupling coupling{table, rows, half_width, row_count};
  const Acceptance acceptance{factor, field};
  spins += (size_t)blockIdx.x * N;
  local += (size_t)blockIdx.x * N;
  for (int task = take_task(next_task); task < last_task; task = take_task(next_task)) {
    const int copy = task / replicas, replica = task % replicas;
    const Stream stream{seed_low, seed_high, unit, stream_id << 24 | (unsigned)(first_copy + copy)};
    for (int i = threadIdx.x; i < N; i += blockDim.x) {
      spins[i] = start[(size_t)replica * N + i];
      local[i] = start_local[(size_t)replica * N + i];
    }
    __syncthreads();
    int up = up_spins(spins);
    for (int time = 0; time < duration[replica] && !asked_to_stop(); ++time) {
      up += sweep(spins, local, coupling, acceptance, stream, first_replica + replica, time);
      if (passage && 2 * up <= N) {
        if (threadIdx.x == 0) passage[task] = time + 1;
        break;
      }
    }
    if (end)
      for (int i = threadIdx.x; i < N; i += blockDim.x) end[(size_t)replica * N + i] = spins[i];
  }
}

// Nucleation events, one a block, `steps` MCS a launch. Up to time `equilibration` the field is +h, then -h.
//   spins, local  [places][N]             configurations; event [places] which event each holds, -1: none
//   times         [places]                MCS made; negative once the event has ended: -(equilibration + lifetime)
//   frames        [places][history + 1][N]  the last configurations, frame time % (history + 1)
extern "C" __global__ void __launch_bounds__(THREADS)
    nucleate(signed char* spins, int* local, signed char* frames, const int* event, int* times, int steps, int equilibration, int history,
             const int* table, const int* rows, const int* half_width, int row_count, const unsigned* factor, int field,
             unsigned seed_low, unsigned seed_high, const unsigned* units, unsigned stream_id) {
  const int place = blockIdx.x;
  int time = times[place];
  if (event[place] < 0 || time < 0) return;
  const Coupling coupling{table, rows, half_width, row_count};
  const Stream stream{seed_low, seed_high, units[place], stream_id << 24};
  spins += (size_t)place * N;
  local += (size_t)place * N;
  frames += (size_t)place * (history + 1) * N;
  int up = up_spins(spins);
  for (int step = 0; step < steps && !asked_to_stop(); ++step) {
    const Acceptance acceptance{factor, time < equilibration ? field : -field};
    up += sweep(spins, local, coupling, acceptance, stream, event[place], time++);
    signed char* frame = frames + (size_t)(time % (history + 1)) * N;
    for (int i = threadIdx.x; i < N; i += blockDim.x) frame[i] = spins[i];
    if (time > equilibration && 2 * up <= N) {
      time = -time;
      break;
    }
  }
  __syncthreads();
  if (threadIdx.x == 0) times[place] = time;
}
