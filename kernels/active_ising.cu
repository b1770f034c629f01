// Active Ising Model, one replica a block: the random-sequential algorithm, or the same rates in continuous time.
//
// A replica is a list of particles, each a code (row, column, spin), and a count of both spins on every site. An attempt
// takes two random words: `choice` picks the particle, `fate` what it tries. Whether it hops, and where to, does not depend
// on the neighbours, so an attempt is a few table lookups without a branch that could be guessed wrong.
//
// Continuous time (CONTINUOUS): every flip rate is at least c = exp(-beta). All particles hop and flip at the rate 4D + c,
// without a look at their site; what a site's flips exceed c by, its excess, is not zero only where both spins meet. These sites
// are listed, each with one ticket that no excess passes; an attempt that draws a ticket instead of a particle flips a spin
// there with the probability excess / ticket. Time is counted in attempts of particles, as the standard algorithm does.
//
// A GPU's threads evaluate the next SLOTS attempts at once. Those before the first that touches a site which an earlier one
// changes are carried out together, that one alone, and so on: the result is that of one attempt after another.
#ifndef __CUDACC__
#include "cpu.h"
#endif
#include "word.h"
#include "random.h"
#include "block.h"
#include "active_ising_order.h"

// what is kept of a look; all threads of the block
__device__ void look_at(const Replica& r, int* magnetization, int* profile, int* histogram, short* map) {
  for (int x = threadIdx.x; x < SIZE; x += blockDim.x) {
    int density = 0, sum = 0;
    for (int y = 0; y < SIZE; ++y) {
      unsigned count = r.count[(x + 1) * ROW + y + 1];
      int minus = count & (PLUS - 1), plus = count / PLUS, both = minus + plus;
      density += both;
      sum += plus - minus;
      atomicAdd(histogram + (both < BINS - 1 ? both : BINS - 1), 1);
      if (map) {
        map[x * SIZE + y] = plus - minus;
        map[(SIZE + x) * SIZE + y] = both;
      }
    }
    profile[x] = density;
    profile[SIZE + x] = sum;
    atomicAdd(magnetization, sum);
  }
}

// First particles, counts and generators of replica blockIdx.x.
//   identity  [replicas][2]  unit and copy of the replica's random numbers;  start [replicas]: -1, 0 (each at random) or 1
//   given     [replicas][stride], or null  codes of all particles to go on from, in place of a start
extern "C" __global__ void populate(CODE* particle, int stride, COUNT* count, unsigned* generators, INDEX* hint, CELL* list,
                                    CELL* place, wide* state, const int* particles, const int* start, const unsigned* identity,
                                    const CODE* given, unsigned seed_low, unsigned seed_high, unsigned stream_id) {
  const int replica = blockIdx.x;
  const Stream stream{seed_low, seed_high, identity[2 * replica], stream_id << 24 | identity[2 * replica + 1]};
  Replica r{};
  r.particle = particle + (size_t)replica * stride;
  r.count = count + (size_t)replica * CELLS;
  for (int i = threadIdx.x; i < CELLS; i += blockDim.x) {
    int row = i / ROW, column = i % ROW;
    r.count[i] = row < 1 || row > SIZE || column < 1 || column > SIZE ? GHOST : 0;
  }
  for (int i = threadIdx.x; i < particles[replica]; i += blockDim.x) {
    Random4 u = draw(stream, 0, 0, i);
    unsigned row = 1 + __umulhi(u.x, SIZE), column = 1 + __umulhi(u.y, SIZE), spin = start[replica] ? start[replica] > 0 : u.z & 1;
    r.particle[i] = given ? given[(size_t)replica * stride + i] : (row << BITS | column) << 1 | spin;
  }
  generators += (size_t)replica * 4 * SLOTS;
  for (int slot = threadIdx.x; slot < SLOTS; slot += blockDim.x) {
    Random4 u = draw(stream, 1, slot, 0);
    generators[slot] = u.x;
    generators[SLOTS + slot] = u.y;
    generators[2 * SLOTS + slot] = u.z;
    generators[3 * SLOTS + slot] = u.w | 1;  // xoshiro's state must not be zero
  }
  __syncthreads();
  if (threadIdx.x) return;
  for (int i = 0; i < particles[replica]; ++i) r.count[r.particle[i] >> 1] += r.particle[i] & 1 ? PLUS : MINUS;
  for (int i = 0; i < CELLS; ++i)
    if (!(r.count[i] & GHOST) && r.count[i] & FULL) state[(size_t)replica * STATE + IS_FULL] = 1;
  if (CONTINUOUS) {
    r.hint = hint + (size_t)replica * 2 * CELLS;
    r.list = list + (size_t)replica * SIZE * SIZE;
    r.place = place + (size_t)replica * CELLS;
    for (int i = 0; i < particles[replica]; ++i) r.hint[r.particle[i]] = i;
    for (int i = 0; i < CELLS; ++i)
      if (!(r.count[i] & GHOST)) relist(r, i);
    state[(size_t)replica * STATE + LISTED] = r.listed;
    for (int i = 0; i < CELLS; ++i) {
      if (r.count[i] & GHOST) continue;
      wide level = r.count[i] & MORE ? 2 : r.count[i] & MANY ? 1 : 0;
      if (level > state[(size_t)replica * STATE + TICKET]) state[(size_t)replica * STATE + TICKET] = level;
    }
  }
}

// Replica blockIdx.x up to its last look, or for `most` attempts of particles.
//   state     [replicas][STATE]            what a launch hands to the next
//   rates_of  [replicas]                   row of rates and excess
//   weights   [replicas][4]                scale and the three tickets
//   clock     [replicas][looks]            attempts of particles until each look
//   kept      [looks]                      order of the look's map among the maps, or -1
//   tags      [replicas][SIZE^2]           of a GPU whose shared memory is too small
extern "C" __global__ void __launch_bounds__(SLOTS)
    run_replicas(CODE* particle, int stride, COUNT* count, unsigned* generators, INDEX* hint, CELL* list, CELL* place, wide* state,
            const int* particles, const int* rates_of, const Rates* rates, const wide* excess, const unsigned* weights, const wide* clock,
            int looks, int most, const int* kept, int maps, int* tags, int* magnetization, int* profile, int* histogram, short* map) {
  const int replica = blockIdx.x;
  state += (size_t)replica * STATE;
  clock += (size_t)replica * looks;
  generators += (size_t)replica * 4 * SLOTS;
  wide done = state[DONE], tickets = state[EXCESS_ATTEMPTS], until = done + most;
  int look = state[LOOK], offset = state[OFFSET];
  if (look == looks || state[IS_FULL]) return;
  const int row = rates_of[replica];
  weights += 4 * replica;
  Replica r{particle + (size_t)replica * stride, count + (size_t)replica * CELLS, hint + (size_t)replica * 2 * CELLS * CONTINUOUS,
            list + (size_t)replica * SIZE * SIZE * CONTINUOUS, place + (size_t)replica * CELLS * CONTINUOUS, rates + row,
            excess + (size_t)row * 2 * PAIRS * CONTINUOUS, weights + 1, (unsigned)particles[replica], weights[0], (unsigned)state[LISTED],
            weights[1 + state[TICKET]], 0};
#ifdef __CUDACC__
  extern __shared__ int shared[];
  __shared__ Replica one;  // every thread must see what thread 0 lists
  int* tag = SHARED_STATE ? shared : tags + (size_t)replica * SIZE * SIZE;
  for (int i = threadIdx.x; i < SIZE * SIZE; i += SLOTS) tag[i] = 0x7fffffff;
  CODE* home = r.particle;
  COUNT* home_count = r.count;
  if (SHARED_STATE) {
    r.count = (COUNT*)(shared + SIZE * SIZE);
    for (int i = threadIdx.x; i < CELLS; i += SLOTS) r.count[i] = home_count[i];
  }
  if (SHARED_PARTICLES) {
    r.particle = (CODE*)(r.count + CELLS);
    for (int i = threadIdx.x; i < r.particles; i += SLOTS) r.particle[i] = home[i];
  }
  if (threadIdx.x == 0) one = r;
  Generator g{generators[threadIdx.x], generators[SLOTS + threadIdx.x], generators[2 * SLOTS + threadIdx.x],
              generators[3 * SLOTS + threadIdx.x]};
  Generator start = g;  // of the batch, for the next launch
  __syncthreads();
#else
  Replica& one = r;
  Prepared prepared;
  alignas(64) unsigned start[4 * SLOTS];
  memcpy(start, generators, sizeof start);
  prepare(prepared, generators, r.rates->last);
#endif
#ifdef __CUDACC__
  unsigned choice = next(g), fate = next(g);
  constexpr int DRAWN = SLOTS;
#else
  constexpr int DRAWN = BATCHES * SLOTS;
#endif
  // A look sees what the next attempt of a particle will: by then the flips from tickets are those of the time in between, and
  // the looks of a stationary state have its law exactly.
  bool settled = !CONTINUOUS || done == 0;
  while (look < looks && !one.full && !asked_to_stop()) {
    if (offset == DRAWN) {
      offset = 0;
#ifdef __CUDACC__
      start = g;
      choice = next(g);
      fate = next(g);
#else
      memcpy(start, generators, sizeof start);
      prepare(prepared, generators, r.rates->last);
#endif
    }
    const int before = offset;
    if (done == clock[look]) {
      if (!settled) {
#ifdef __CUDACC__
        settled = settle(one, choice, fate, offset);
#else
        settled = settle(one, prepared, offset);
#endif
        tickets += offset - before;
        continue;
      }
      const size_t at = (size_t)replica * looks + look;
      short* picture = kept[look] < 0 ? nullptr : map + ((size_t)replica * maps + kept[look]) * 2 * SIZE * SIZE;
      look_at(one, magnetization + at, profile + at * 2 * SIZE, histogram + at * BINS, picture);
      ++look;
      __syncthreads();
      continue;
    }
    if (done >= until) break;
    wide budget = (clock[look] < until ? clock[look] : until) - done, spent;
#ifdef __CUDACC__
    offset = run_batch(one, choice, fate, offset, budget, tag, spent);
#else
    offset = run_prepared(one, prepared, offset, budget, spent);
#endif
    done += spent;
    tickets += offset - before - spent;
    settled = !CONTINUOUS;
  }
  __syncthreads();
#ifdef __CUDACC__
  generators[threadIdx.x] = start.a;
  generators[SLOTS + threadIdx.x] = start.b;
  generators[2 * SLOTS + threadIdx.x] = start.c;
  generators[3 * SLOTS + threadIdx.x] = start.d;
  if (SHARED_STATE)
    for (int i = threadIdx.x; i < CELLS; i += SLOTS) home_count[i] = one.count[i];
  if (SHARED_PARTICLES)
    for (int i = threadIdx.x; i < one.particles; i += SLOTS) home[i] = one.particle[i];
#else
  memcpy(generators, start, sizeof start);
#endif
  if (threadIdx.x == 0) {
    state[DONE] = done;
    state[LOOK] = look;
    state[OFFSET] = offset;
    state[EXCESS_ATTEMPTS] = tickets;
    state[LISTED] = one.listed;
    state[TICKET] = one.ticket == weights[3] ? 2 : one.ticket == weights[2] ? 1 : 0;
    state[IS_FULL] = one.full;
  }
}
