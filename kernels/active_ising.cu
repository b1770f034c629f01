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

typedef unsigned long long wide;

constexpr int SLOTS = 128;   // generators of a replica; attempt i takes two words of generator i % SLOTS
constexpr int BATCHES = 8;   // of SLOTS attempts that a CPU draws at once
constexpr int ROW = 1 << BITS, CELLS = (SIZE + 2) * ROW;  // with a border of ghosts, from 0 and to SIZE + 1 each way
constexpr unsigned MINUS = 1, PLUS = 128;  // a particle's weight in a site's count: two numbers of 6 bits, a guard bit above each
constexpr unsigned FULL = 0x2040, MANY = 0x1020, GHOST = 0x8000;  // 64, and 32, of a spin on a site; a site of the border
constexpr int PAIRS = 8192, BINS = 65;
enum { DONE, LOOK, OFFSET, EXCESS_ATTEMPTS, LISTED, TICKET, IS_FULL, STATE };

struct Rates {  // of one temperature and number of particles; made by rate_tables in active_ising.py
  int displacement[5][2];  // of the code, by kind of attempt (flip or none, +y, -y, forward, backward) and spin
  unsigned weight[2];      // MINUS, PLUS: a load is cheaper than a choice
  unsigned last[4];        // the largest fate of each kind but the last
  unsigned flip[2][PAIRS];      // by spin and count: the first fate that is no flip
  unsigned char turns[PAIRS];   // whether a spin's leaving (bits 0, 1) or coming (2, 3) lists the site or takes it off
};

struct Replica {
  CODE* particle;           // [particles], (row << BITS | column) << 1 | (s > 0); rows along x
  unsigned short* count;    // [CELLS]
  INDEX* hint;              // [2 CELLS] by code: a particle that was last seen there
  CELL *list, *place;       // [SIZE^2] sites with an excess, in the order of their coming; [CELLS] where in the list
  const Rates* rates;
  const wide* excess;       // [2][PAIRS] of both spins together, and of the - spins: 2^-32 of a particle's weight
  unsigned particles, scale, listed, ticket, wider_ticket, full;  // a particle weighs 2^scale, a site's ticket `ticket`
};

__device__ __forceinline__ unsigned total_weight(const Replica& r) {
  return CONTINUOUS ? (r.particles << r.scale) + r.listed * r.ticket : r.particles;
}

__device__ __forceinline__ unsigned kind_of(unsigned fate, const unsigned* last) {
  return (fate > last[0]) + (fate > last[1]) + (fate > last[2]) + (fate > last[3]);
}

// a code on the border, on the other side of the torus
__device__ __forceinline__ unsigned around(unsigned code) {
  unsigned row = code >> (BITS + 1), column = code >> 1 & (ROW - 1);
  row = row == 0 ? SIZE : row == SIZE + 1 ? 1 : row;
  column = column == 0 ? SIZE : column == SIZE + 1 ? 1 : column;
  return (row << BITS | column) << 1 | (code & 1);
}

__device__ __forceinline__ bool has_both(unsigned count) { return (count & 127) != 0 && count >> 7 != 0; }

// put a site on the list, or take it off
__device__ __attribute__((noinline)) void relist(Replica& r, unsigned cell) {
  unsigned at = r.place[cell];
  bool wanted = has_both(r.count[cell]), there = at < r.listed && r.list[at] == cell;
  if (wanted && !there) {
    r.place[cell] = r.listed;
    r.list[r.listed++] = cell;
  } else if (there && !wanted) {
    CELL moved = r.list[--r.listed];
    r.list[at] = moved;
    r.place[moved] = at;
  }
}

struct Move {
  unsigned code, next, here, there;  // codes before and after; counts of their sites before it leaves, and before it comes
};

__device__ __forceinline__ Move evaluate(const Replica& r, unsigned particle, unsigned fate, unsigned kind) {
  Move m;
  m.code = r.particle[particle];
  unsigned spin = m.code & 1;
  m.here = r.count[m.code >> 1];
  m.next = m.code + r.rates->displacement[kind][spin];
  if (!CONTINUOUS) m.next ^= fate < r.rates->flip[spin][m.here];
  return m;
}

__device__ __forceinline__ bool relists(const Replica& r, const Move& m) {
  return (r.rates->turns[m.here] >> (m.code & 1) | r.rates->turns[m.there] >> (2 + (m.next & 1))) & 1;
}

// one attempt of a particle
__device__ __forceinline__ void attempt(Replica& r, unsigned particle, unsigned fate, unsigned kind) {
  Move m = evaluate(r, particle, fate, kind);
  r.count[m.code >> 1] = m.here - r.rates->weight[m.code & 1];
  unsigned came = r.rates->weight[m.next & 1], now;
  m.there = r.count[m.next >> 1];
  now = m.there + came;
  if (__builtin_expect(now & (GHOST | FULL | (CONTINUOUS ? MANY : 0)), 0)) {
    m.next = around(m.next);
    m.there = r.count[m.next >> 1];
    now = m.there + came;
    if (now & MANY) r.ticket = r.wider_ticket;
    if (now & FULL) r.full = 1;
  }
  r.count[m.next >> 1] = now;
  r.particle[particle] = m.next;
  if (CONTINUOUS) {
    r.hint[m.next] = particle;
    if (__builtin_expect(relists(r, m), 0)) {
      relist(r, m.code >> 1);
      relist(r, m.next >> 1);
    }
  }
}

// a particle with this code: the one that was last seen there, else the first; all threads of the block
__device__ int find(const Replica& r, unsigned code) {
  int hint = r.hint[code];
  if (r.particle[hint] == code) return hint;
#ifdef __CUDACC__
  __shared__ int found;
  __syncthreads();
  if (threadIdx.x == 0) found = r.particles;
  __syncthreads();
  for (unsigned first = 0; found == r.particles; first += blockDim.x) {
    unsigned i = first + threadIdx.x;
    __syncthreads();
    if (i < r.particles && r.particle[i] == code) atomicMin(&found, (int)i);
    __syncthreads();
  }
  return found;
#else
  constexpr int WIDTH = 64;
  for (int first = 0;; first += WIDTH) {  // there is one; the list is padded
    unsigned equal = 0;
    for (int i = first; i < first + WIDTH; ++i) equal |= r.particle[i] == code;
    if (equal)
      for (int i = first;; ++i)
        if (r.particle[i] == code) return i;
  }
#endif
}

// an attempt that drew the ticket of a site, `position` from the first ticket on; all threads of the block
__device__ __attribute__((noinline)) void flip_excess(Replica& r, wide position) {
  wide ticket = (wide)r.ticket << 32, order = position / ticket;
  position -= order * ticket;
  if (order >= r.listed) return;
  unsigned cell = r.list[order], count = r.count[cell];
  if (position >= r.excess[count]) return;
  unsigned spin = position >= r.excess[PAIRS + count], code = cell << 1 | spin;
  int particle = find(r, code);
  __syncthreads();
  if (threadIdx.x == 0) {
    unsigned now = count - r.rates->weight[spin] + r.rates->weight[!spin];
    r.particle[particle] = code ^ 1;
    r.hint[code ^ 1] = particle;
    r.count[cell] = now;
    if (now & MANY) r.ticket = r.wider_ticket;
    if (now & FULL) r.full = 1;
    relist(r, cell);
  }
}

__device__ __forceinline__ wide position_of(const Replica& r, unsigned choice, unsigned fate) {
  wide total = total_weight(r);
  return choice * total + (fate * total >> 32) - ((wide)r.particles << (32 + r.scale));
}

#ifdef __CUDACC__

// One replica's attempts from `first` on, SLOTS at once, up to SLOTS or `budget` attempts of particles; where it stopped.
// spent: attempts of particles. tag [SIZE^2]: ~0 between calls.
__device__ int run_batch(Replica& r, unsigned choice, unsigned fate, int first, wide budget, int* tag, wide& spent) {
  __shared__ int conflict;
  __shared__ unsigned chosen[2];
  const int slot = threadIdx.x;
  spent = 0;
  while (first < SLOTS && spent < budget && !r.full) {
    const int end = budget - spent < SLOTS - first ? first + (int)(budget - spent) : SLOTS;
    const unsigned particle = (wide)choice * total_weight(r) >> (32 + r.scale), kind = kind_of(fate, r.rates->last);
    bool mine = slot >= first && slot < end, alone = mine && particle >= r.particles, acts = false;
    Move m{};
    int from = 0, to = 0;
    if (mine && !alone) {
      m = evaluate(r, particle, fate, kind);
      acts = m.next != m.code;
      if (r.count[m.next >> 1] & GHOST) m.next = around(m.next);
      m.there = r.count[m.next >> 1] - (m.next >> 1 == m.code >> 1 ? r.rates->weight[m.code & 1] : 0);
      unsigned now = m.there + r.rates->weight[m.next & 1];
      alone = now & (FULL | (CONTINUOUS ? MANY : 0)) || (CONTINUOUS && (kind == 0 || relists(r, m)));
      from = ((m.code >> (BITS + 1)) - 1) * SIZE + (m.code >> 1 & (ROW - 1)) - 1;
      to = ((m.next >> (BITS + 1)) - 1) * SIZE + (m.next >> 1 & (ROW - 1)) - 1;
    }
    if (slot == 0) conflict = end;
    __syncthreads();
    if (acts) {
      atomicMin(tag + from, slot);
      atomicMin(tag + to, slot);
    }
    __syncthreads();
    if (mine && (alone || tag[from] < slot || tag[to] < slot)) atomicMin(&conflict, slot);
    __syncthreads();
    const int stop = conflict;
    if (acts) tag[from] = tag[to] = 0x7fffffff;
    if (acts && slot < stop) {  // no other of these touches its sites
      r.count[m.code >> 1] -= r.rates->weight[m.code & 1];
      r.count[m.next >> 1] += r.rates->weight[m.next & 1];
      r.particle[particle] = m.next;
      if (CONTINUOUS) r.hint[m.next] = particle;
    }
    if (slot == stop) {
      chosen[0] = choice;
      chosen[1] = fate;
    }
    __syncthreads();
    spent += stop - first;
    first = stop;
    if (stop < end) {
      const unsigned c = chosen[0], f = chosen[1], who = (wide)c * total_weight(r) >> (32 + r.scale);
      __syncthreads();  // whom it means is clear to all before one changes the list
      if (CONTINUOUS && who >= r.particles) {
        flip_excess(r, position_of(r, c, f));
      } else {
        if (slot == 0) attempt(r, who, f, kind_of(f, r.rates->last));
        ++spent;
      }
      ++first;
    }
    __syncthreads();
  }
  return first;
}

#else

struct Prepared {
  alignas(64) unsigned choice[BATCHES * SLOTS];
  alignas(64) unsigned fate[BATCHES * SLOTS];
  alignas(64) unsigned char kind[BATCHES * SLOTS];
};

// the next BATCHES words of every generator; generators [4][SLOTS]
static void prepare(Prepared& p, unsigned* generators, const unsigned* last) {
  typedef unsigned char bytes __attribute__((vector_size(LANES)));
  for (int slot = 0; slot < SLOTS; slot += LANES) {
    word* state[4];
    for (int k = 0; k < 4; ++k) state[k] = (word*)(generators + k * SLOTS + slot);
    Generator g{*state[0], *state[1], *state[2], *state[3]};
    for (int at = slot; at < BATCHES * SLOTS; at += SLOTS) {
      *(word*)(p.choice + at) = next(g);
      word fate = next(g), kind{};
      for (int k = 0; k < 4; ++k) kind -= (word)(fate > last[k]);
      *(word*)(p.fate + at) = fate;
      *(bytes*)(p.kind + at) = __builtin_convertvector(kind, bytes);
    }
    *state[0] = g.a, *state[1] = g.b, *state[2] = g.c, *state[3] = g.d;
  }
}

// Attempts from `first` on, up to the last prepared or `budget` attempts of particles; where it stopped.
static __attribute__((noinline)) int run_prepared(Replica& shared, const Prepared& p, int first, wide budget, wide& spent) {
  Replica r = shared;  // a copy that the compiler may keep in registers
  const int all = BATCHES * SLOTS;
  spent = 0;
  while (first < all && spent < budget && !r.full) {
    const int start = first, end = budget - spent < (wide)(all - first) ? first + (int)(budget - spent) : all;
    unsigned total = total_weight(r), tickets = 0;
    for (; first < end && !r.full; ++first) {
      unsigned particle = (wide)p.choice[first] * total >> (CONTINUOUS ? 32 + r.scale : 32);
      if (CONTINUOUS && __builtin_expect(particle >= r.particles, 0)) {
        flip_excess(r, position_of(r, p.choice[first], p.fate[first]));
        ++tickets;
      } else {
        attempt(r, particle, p.fate[first], p.kind[first]);
      }
      if (CONTINUOUS) total = total_weight(r);
    }
    spent += first - start - tickets;
  }
  shared = r;
  return first;
}

#endif

// what is kept of a look; all threads of the block
__device__ void look_at(const Replica& r, int* magnetization, int* profile, int* histogram, short* map) {
  for (int x = threadIdx.x; x < SIZE; x += blockDim.x) {
    int density = 0, sum = 0;
    for (int y = 0; y < SIZE; ++y) {
      unsigned count = r.count[(x + 1) * ROW + y + 1];
      int minus = count & 127, plus = count >> 7, both = minus + plus;
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
extern "C" __global__ void populate(CODE* particle, int stride, unsigned short* count, unsigned* generators, INDEX* hint, CELL* list,
                                    CELL* place, wide* state, const int* particles, const int* start, const unsigned* identity,
                                    unsigned seed_low, unsigned seed_high, unsigned stream_id) {
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
    r.particle[i] = (row << BITS | column) << 1 | spin;
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
    for (int i = 0; i < CELLS; ++i)
      if (!(r.count[i] & GHOST) && r.count[i] & MANY) state[(size_t)replica * STATE + TICKET] = ~0ull;
  }
}

// Replica blockIdx.x up to its last look, or for `most` attempts of particles.
//   state     [replicas][STATE]            what a launch hands to the next
//   rates_of  [replicas]                   row of rates and excess
//   weights   [replicas][3]                scale, ticket, wider_ticket
//   clock     [replicas][looks]            attempts of particles until each look
//   kept      [looks]                      order of the look's map among the maps, or -1
extern "C" __global__ void __launch_bounds__(SLOTS)
    advance(CODE* particle, int stride, unsigned short* count, unsigned* generators, INDEX* hint, CELL* list, CELL* place, wide* state,
            const int* particles, const int* rates_of, const Rates* rates, const wide* excess, const unsigned* weights, const wide* clock,
            int looks, int most, const int* kept, int maps, int* magnetization, int* profile, int* histogram, short* map) {
  const int replica = blockIdx.x;
  state += (size_t)replica * STATE;
  clock += (size_t)replica * looks;
  generators += (size_t)replica * 4 * SLOTS;
  wide done = state[DONE], tickets = state[EXCESS_ATTEMPTS], until = done + most;
  int look = state[LOOK], offset = state[OFFSET];
  if (look == looks || state[IS_FULL]) return;
  const int row = rates_of[replica];
  const unsigned ticket = weights[3 * replica + 1], wider_ticket = weights[3 * replica + 2];
  Replica r{particle + (size_t)replica * stride, count + (size_t)replica * CELLS, hint + (size_t)replica * 2 * CELLS * CONTINUOUS,
            list + (size_t)replica * SIZE * SIZE * CONTINUOUS, place + (size_t)replica * CELLS * CONTINUOUS, rates + row,
            excess + (size_t)row * 2 * PAIRS * CONTINUOUS, (unsigned)particles[replica], weights[3 * replica], (unsigned)state[LISTED],
            state[TICKET] == ~0ull ? wider_ticket : ticket, wider_ticket, 0};
#ifdef __CUDACC__
  extern __shared__ int shared[];
  __shared__ Replica one;  // every thread must see what thread 0 lists
  int* tag = shared;
  for (int i = threadIdx.x; i < SIZE * SIZE; i += SLOTS) tag[i] = 0x7fffffff;
  CODE* home = r.particle;
  unsigned short* home_count = r.count;
  if (SHARED_STATE) {
    r.count = (unsigned short*)(shared + SIZE * SIZE);
    r.particle = (CODE*)(r.count + CELLS + CELLS % 2);
    for (int i = threadIdx.x; i < CELLS; i += SLOTS) r.count[i] = home_count[i];
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
  while (look < looks && !one.full) {
    while (look < looks && done == clock[look]) {
      const size_t at = (size_t)replica * looks + look;
      short* picture = kept[look] < 0 ? nullptr : map + ((size_t)replica * maps + kept[look]) * 2 * SIZE * SIZE;
      look_at(one, magnetization + at, profile + at * 2 * SIZE, histogram + at * BINS, picture);
      ++look;
      __syncthreads();
    }
    if (look == looks || done >= until) break;
    wide budget = (clock[look] < until ? clock[look] : until) - done, spent;
    const int before = offset;
#ifdef __CUDACC__
    offset = run_batch(one, choice, fate, offset, budget, tag, spent);
#else
    offset = run_prepared(one, prepared, offset, budget, spent);
#endif
    done += spent;
    tickets += offset - before - spent;
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
  }
  __syncthreads();
#ifdef __CUDACC__
  generators[threadIdx.x] = start.a;
  generators[SLOTS + threadIdx.x] = start.b;
  generators[2 * SLOTS + threadIdx.x] = start.c;
  generators[3 * SLOTS + threadIdx.x] = start.d;
  if (SHARED_STATE) {
    for (int i = threadIdx.x; i < CELLS; i += SLOTS) home_count[i] = one.count[i];
    for (int i = threadIdx.x; i < one.particles; i += SLOTS) home[i] = one.particle[i];
  }
#else
  memcpy(generators, start, sizeof start);
#endif
  if (threadIdx.x == 0) {
    state[DONE] = done;
    state[LOOK] = look;
    state[OFFSET] = offset;
    state[EXCESS_ATTEMPTS] = tickets;
    state[LISTED] = one.listed;
    if (one.ticket == wider_ticket) state[TICKET] = ~0ull;
    state[IS_FULL] = one.full;
  }
}
