// One attempt of the Active Ising Model: particles, counts of the sites, and the list of sites with an excess (active_ising.cu).
#pragma once
typedef unsigned long long wide;

constexpr int SLOTS = 128;   // generators of a replica; attempt i takes two words of generator i % SLOTS
constexpr int BATCHES = 8;   // of SLOTS attempts that a CPU draws at once
constexpr int ROW = 1 << BITS, CELLS = (SIZE + 2) * ROW;  // with a border of ghosts, from 0 and to SIZE + 1 each way
constexpr unsigned MINUS = 1, PLUS = 2u << COUNTER_BITS;  // a particle's weight in a site's count: two numbers, a guard bit above each
constexpr unsigned EACH = 1 + PLUS, FULL = (1u << COUNTER_BITS) * EACH;  // more of a spin than the counter holds
constexpr unsigned MANY = ((1u << COUNTER_BITS) - 32) * EACH, MORE = ((1u << COUNTER_BITS) - 64) * EACH;  // 32, and 64, or more
constexpr unsigned GHOST = 1u << (8 * sizeof(COUNT) - 1);  // a site of the border
constexpr int PAIRS = 2 << 2 * COUNTER_BITS, BINS = 65;
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
  COUNT* count;             // [CELLS]
  INDEX* hint;              // [2 CELLS] by code: a particle that was last seen there
  CELL *list, *place;       // [SIZE^2] sites with an excess, in the order of their coming; [CELLS] where in the list
  const Rates* rates;
  const wide* excess;       // [2][PAIRS] of both spins together, and of the - spins: 2^-32 of a particle's weight
  const unsigned* tickets;  // [3] for sites with fewer than 32, 64, and any number of a spin
  unsigned particles, scale, listed, ticket, full;  // a particle weighs 2^scale, a site's ticket `ticket`
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

__device__ __forceinline__ bool has_both(unsigned count) { return (count & (PLUS - 1)) != 0 && count >= PLUS; }

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

// wider tickets from now on, for a site that may need them
__device__ __forceinline__ void crowded(Replica& r, unsigned count) {
  if (CONTINUOUS && count & MANY) {
    unsigned needed = r.tickets[count & MORE ? 2 : 1];
    if (needed > r.ticket) r.ticket = needed;
  }
  if (count & FULL) r.full = 1;
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
    crowded(r, now);
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
    crowded(r, now);
    relist(r, cell);
  }
}

__device__ __forceinline__ wide position_of(const Replica& r, unsigned choice, unsigned fate) {
  wide total = total_weight(r);
  return choice * total + (fate * total >> 32) - ((wide)r.particles << (32 + r.scale));
}
