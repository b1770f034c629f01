// Attempts one after another: prepared many at once on a CPU, side by side up to the first conflict on a GPU.
#pragma once
#include "active_ising_attempt.h"

#ifdef __CUDACC__
// One replica's attempts from `first` on, SLOTS at once, up to SLOTS or `budget` attempts of particles; where it stopped.
// spent: attempts of particles. tag [SIZE^2]: 0x7fffffff between calls.
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
    if (acts) {  // several threads may write it, the same number
      ((volatile int*)tag)[from] = 0x7fffffff;
      ((volatile int*)tag)[to] = 0x7fffffff;
    }
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

// Carries out the attempts that drew tickets, from `first` on; whether an attempt of a particle comes next.
__device__ bool settle(Replica& r, unsigned choice, unsigned fate, int& first) {
  __shared__ unsigned chosen[2];
  for (; first < SLOTS && !r.full; ++first) {
    if (threadIdx.x == first) {
      chosen[0] = choice;
      chosen[1] = fate;
    }
    __syncthreads();
    const unsigned c = chosen[0], f = chosen[1], who = (wide)c * total_weight(r) >> (32 + r.scale);
    __syncthreads();
    if (who < r.particles) return true;
    flip_excess(r, position_of(r, c, f));
    __syncthreads();
  }
  return false;
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

// Carries out the attempts that drew tickets, from `first` on; whether an attempt of a particle comes next.
static bool settle(Replica& r, const Prepared& p, int& first) {
  for (; first < BATCHES * SLOTS && !r.full; ++first) {
    if ((wide)p.choice[first] * total_weight(r) >> (32 + r.scale) < r.particles) return true;
    flip_excess(r, position_of(r, p.choice[first], p.fate[first]));
  }
  return false;
}

#endif
