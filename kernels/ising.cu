// Ising model, many replicas in every word: trajectories that stop when the magnetization turns over.
//
// Equation    H = -J sum_<ij> s_i s_j - h sum_i s_i, periodic L x L or (NEAREST) L x L x L lattice
// Neighbours  the nearest four or six (NEAREST), or the (2R+1)^2 - 1 spins of a square around each (RANGE R)
// Rule        metropolis.h, or heat_bath.h (HEAT_BATH), or exchanges of neighbours (KAWASAKI, ising_random_site.h); 1 MCS is N attempts; order of the sites: ising_random_site.h for
//             short ranges, ising_sublattice.h for long ones
// Source      D. Heermann, W. Klein, D. Stauffer, Phys. Rev. Lett. 49, 1262 (1982); the paper in README.md
// Compiled     for one system, see ising_team.h
#include "ising_team.h"

// ---- kernels; word arrays [vectors][N] hold LANES words of replicas a vector, 32 LANES replicas ----

// Trajectories from given configurations. Task t is copy first_copy + t / vectors of vector t % vectors; each replica runs
// for its own `duration` (MCS), or to its own m <= 0 where `passage` asks for the time of that.
//   start, end  [vectors][N]               configurations before and after; end may be null
//   duration    [vectors][32 LANES]        MCS
//   passage     [copies][vectors][32 LANES] MCS after which m <= 0 was first seen, untouched where it was not; may be null
extern "C" __global__ void __launch_bounds__(THREADS)
    evolve(const word* start, const int* duration, int* passage, word* end, word* lattices, word* scratches, int* next_task,
           int last_task, int vectors, int first_copy, const unsigned* threshold, int edge, unsigned seed_low, unsigned seed_high,
           unsigned unit, unsigned stream_id) {
  word *spins = LATTICE, *scratch = SCRATCH;
  const Acceptance acceptance{threshold, edge};
  Generator generators[GENERATORS];
  for (int task = task_of_team(next_task); task < last_task; task = task_of_team(next_task)) {
    const int copy = task / vectors, vector = task % vectors, first_word = vector * LANES;
    const Stream stream{seed_low, seed_high, unit, stream_id << 24 | (unsigned)(first_copy + copy)};
    const int* until = duration + vector * 32 * LANES;
    start_generators(generators, stream, first_word);
    for (int i = MEMBER; i < N; i += MEMBERS) set_spin(spins, i / SIZE, i % SIZE, start[(size_t)vector * N + i]);
    spins_written(spins);

    word running = splat(~0u);
    for (int time = 0, deadline = 0;; ++time) {
      if (time == deadline) {  // some replicas end here: which run on, and when does the next one end?
        deadline = NEVER;
        word later = splat(0);
        for (int lane = 0; lane < LANES; ++lane) {
          unsigned bits = 0;
          for (int bit = 0; bit < 32; ++bit) {
            int last = until[lane * 32 + bit];
            if (last > time) {
              bits |= 1u << bit;
              deadline = smaller(deadline, last);
            }
          }
          set_lane(later, lane, bits);
        }
        running &= later;
      }
      if (!any(running)) break;
      if (asked_to_stop()) return;
      sweep(spins, scratch, generators, acceptance, stream, first_word / GROUP_WORDS, time);
      if (passage) {
        word over = turned_over(spins) & running;
        if (MEMBER == 0)
          for_each_replica(over, [&](int lane, int bit) { passage[(size_t)task * 32 * LANES + lane * 32 + bit] = time + 1; });
        running &= ~over;
      }
    }
    if (end)
      for (int i = MEMBER; i < N; i += MEMBERS) end[(size_t)vector * N + i] = spins[at(i / SIZE, i % SIZE)];
    team_sync();
  }
}

// Nucleation events, each run to its end. A unit is a fixed list of events; a word's share of the list are the events
// 32 w + bit + 32 words_of_unit k. A replica whose event has ended takes the next one of its word's share; results do not
// depend on when that happens. A new event starts all up in the field +h and the field turns after `equilibration` MCS:
// by symmetry that is all down in -h, inverted at the turn, so that all replicas always feel the same field.
//   masks      [vectors][2]            replicas at work, replicas still equilibrating
//   times      [vectors]               MCS made so far
//   next       [vectors][LANES]        events taken from the word's share
//   event      [vectors][32 LANES]     event of the replica
//   since      [vectors][32 LANES]     its start, then the time of its field's turn (MCS)
//   frames     [vectors][history + 1][N]  the last configurations, frame time % (history + 1); interleaved as lattices are
//   lifetime   [units][events]         MCS from the field's turn to m <= 0
//   record     [units][events][history + 1][BYTES]  the last configurations, packed, in the order of time
extern "C" __global__ void __launch_bounds__(THREADS)
    nucleate(word* lattices, word* scratches, Generator* states, word* frames, word* masks, int* times, int* next, int* event, int* since,
             const unsigned* units, int vectors, int words_of_unit, int events, int steps, int equilibration, int history,
             int* lifetime, unsigned char* record, const unsigned* threshold, int edge, unsigned seed_low, unsigned seed_high,
             unsigned stream_id) {
  const int vector = TEAM, vectors_of_unit = (words_of_unit + LANES - 1) / LANES, frame_count = history + 1;
  if (vector >= vectors || !any(masks[2 * vector])) return;
  const int unit = vector / vectors_of_unit, first_word = vector % vectors_of_unit * LANES;
  const Stream stream{seed_low, seed_high, units[unit], stream_id << 24};
  const Acceptance acceptance{threshold, edge};
  word active = masks[2 * vector], equilibrating = masks[2 * vector + 1];
  int time = times[vector];
  event += vector * 32 * LANES;
  since += vector * 32 * LANES;
  next += vector * LANES;
  lifetime += (size_t)unit * events;
  record += (size_t)unit * events * frame_count * BYTES;
  word *spins = LATTICE, *scratch = SCRATCH;
  word* lattice = place(lattices, LATTICE_WORDS);
  word* frame = place(frames, (size_t)frame_count * N);
  Generator generators[GENERATORS], *state = states + (size_t)vector * SLOTS;

  if (time == 0) start_generators(generators, stream, first_word);
  else
    for (int slot = MEMBER; slot < SLOTS; slot += MEMBERS) generators[slot / MEMBERS] = state[slot];
  if (spins != lattice)
    for (int i = MEMBER; i < LATTICE_WORDS; i += MEMBERS) spins[i] = lattice[i];
  team_sync();
  if (time == 0) fix_anew(spins, acceptance, splat(~0u));

  for (int step = 0; step < steps && any(active) && !asked_to_stop(); ++step) {
    sweep(spins, scratch, generators, acceptance, stream, first_word / GROUP_WORDS, time++);
    word* now = frame + (size_t)(time % frame_count) * N * STRIDE;
    for (int i = MEMBER; i < N; i += MEMBERS) now[i * STRIDE] = spins[at(i / SIZE, i % SIZE)];
    word over = turned_over(spins) & active & ~equilibrating;

    if (any(equilibrating)) {
      word ready = splat(0);
      for_each_replica(equilibrating, [&](int lane, int bit) {
        if (time - since[lane * 32 + bit] == equilibration) set_lane(ready, lane, lane_of(ready, lane) | 1u << bit);
      });
      if (any(ready)) {  // the field turns
        team_sync();
        rewrite(spins, splat(~0u), ready);
        for (int i = MEMBER; i < N; i += MEMBERS) now[i * STRIDE] = spins[at(i / SIZE, i % SIZE)];
        equilibrating &= ~ready;
        if (MEMBER == 0) for_each_replica(ready, [&](int lane, int bit) { since[lane * 32 + bit] = time; });
        team_sync();
      }
    }

    if (any(over)) {
      team_sync();
      for_each_replica(over, [&](int lane, int bit) {
        unsigned char* to = record + (size_t)event[lane * 32 + bit] * frame_count * BYTES;
        for (int item = MEMBER; item < frame_count * BYTES; item += MEMBERS) {
          int k = item / BYTES, site = item % BYTES * 8;
          const word* from = frame + (size_t)((time + 1 + k) % frame_count) * N * STRIDE;
          unsigned byte = 0;
          for (int s = 0; s < 8 && site + s < N; ++s) byte |= (lane_of(from[(site + s) * STRIDE], lane) >> bit & 1) << (7 - s);
          to[item] = byte;
        }
      });
      team_sync();
      word anew = splat(0);  // replicas that find another event in their word's share
      for_each_replica(over, [&](int lane, int bit) {
        int i = lane * 32 + bit, taken = next[lane] + __popc(lane_of(anew, lane));
        int following = taken / 32 * 32 * words_of_unit + (first_word + lane) * 32 + taken % 32;
        if (following < events) set_lane(anew, lane, lane_of(anew, lane) | 1u << bit);
        if (MEMBER == 0) {
          lifetime[event[i]] = time - since[i];
          event[i] = following < events ? following : -1;
          since[i] = time;
        }
      });
      team_sync();
      if (MEMBER == 0)
        for (int lane = 0; lane < LANES; ++lane) next[lane] += __popc(lane_of(anew, lane));
      active &= ~over | anew;
      equilibrating |= anew;
      rewrite(spins, ~anew, splat(0));
      fix_anew(spins, acceptance, anew);
    }
  }

  for (int slot = MEMBER; slot < SLOTS; slot += MEMBERS) state[slot] = generators[slot / MEMBERS];
  if (spins != lattice)
    for (int i = MEMBER; i < LATTICE_WORDS; i += MEMBERS) lattice[i] = spins[i];
  if (MEMBER == 0) {
    masks[2 * vector] = active;
    masks[2 * vector + 1] = equilibrating;
    times[vector] = time;
  }
}
