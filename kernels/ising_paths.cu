// Ising model, many replicas in every word: trajectories that are looked at, and trials that run until they leave an interval of m.
//
// The model is ising.cu's, and so is the notation.
#include "ising_team.h"

// ---- energy: ordered pairs of up spins that interact ----

constexpr int PAIR_BITS = bit_length(N) + NEIGHBOUR_BITS;

__device__ __forceinline__ int around(int coordinate) { return coordinate < 0 ? coordinate + SIZE : coordinate >= SIZE ? coordinate - SIZE : coordinate; }

// pairs[PAIR_BITS] += the up neighbours of the up spins of row x
__device__ __forceinline__ void count_pairs_of_row(const word* spins, int x, word* pairs) {
#if NEAREST
  for (int y = 0; y < SIZE; ++y) {
    word up[NEIGHBOUR_BITS], spin = spins[at(x, y)];
    count_neighbours(spins, x, y, up);
#pragma unroll
    for (int k = 0; k < NEIGHBOUR_BITS; ++k) up[k] &= spin;
    add<PAIR_BITS, NEIGHBOUR_BITS, PAIR_BITS>(pairs, up, splat(0), pairs);
  }
#else  // the window slides along the row: a column of 2R + 1 spins comes in, another goes
  constexpr int COLUMN_BITS = bit_length(2 * RANGE + 1), WINDOW_BITS = bit_length((2 * RANGE + 1) * (2 * RANGE + 1));
  word window[WINDOW_BITS], column[WINDOW_BITS];
#pragma unroll
  for (int k = 0; k < WINDOW_BITS; ++k) window[k] = column[k] = splat(0);
  const auto count_column = [&](int y) {
    count<0, 2 * RANGE + 1>([&](int i) { return spins[at(around(x + i - RANGE), around(y))]; }, column);
  };
  for (int y = -RANGE; y < RANGE; ++y) {
    count_column(y);
    add<WINDOW_BITS, COLUMN_BITS, WINDOW_BITS>(window, column, splat(0), window);
  }
  for (int y = 0; y < SIZE; ++y) {
    count_column(y + RANGE);
    add<WINDOW_BITS, COLUMN_BITS, WINDOW_BITS>(window, column, splat(0), window);
    const word spin = spins[at(x, y)];
    word up[WINDOW_BITS], all[WINDOW_BITS];
#pragma unroll
    for (int k = 0; k < WINDOW_BITS; ++k) all[k] = splat(~0u);  // -1: a spin is not its own neighbour
    add<WINDOW_BITS, WINDOW_BITS, WINDOW_BITS>(window, all, splat(0), up);
#pragma unroll
    for (int k = 0; k < WINDOW_BITS; ++k) up[k] &= spin;
    add<PAIR_BITS, WINDOW_BITS, PAIR_BITS>(pairs, up, splat(0), pairs);
    count_column(y - RANGE);
    word gone[WINDOW_BITS];
#pragma unroll
    for (int k = 0; k < WINDOW_BITS; ++k) gone[k] = k < COLUMN_BITS ? ~column[k] : splat(~0u);
    add<WINDOW_BITS, WINDOW_BITS, WINDOW_BITS>(window, gone, splat(~0u), window);
  }
#endif
}

// Trajectories, looked at after each of `looks` times.
//   start, end  [vectors][N]                    configurations before and after
//   looks       [look_count]                    MCS, increasing from 0 on
//   up          [look_count][vectors][COUNT_BITS]  numbers of up spins, in planes
//   pairs       [look_count][vectors][PAIR_BITS]   ordered pairs of up neighbours, in planes; may be null
//   seen        [look_count][vectors][N]        configurations; may be null
extern "C" __global__ void __launch_bounds__(THREADS)
    follow(const word* start, word* end, const int* looks, int look_count, word* up, word* pairs, word* seen, word* lattices,
           word* scratches, int* next_task, int last_task, int vectors, const unsigned* threshold, int edge, unsigned seed_low,
           unsigned seed_high, unsigned unit, unsigned stream_id, int first_copy) {
  word *spins = LATTICE, *scratch = SCRATCH;
  const Acceptance acceptance{threshold, edge};
  const Stream stream{seed_low, seed_high, unit, stream_id << 24 | (unsigned)first_copy};
  Generator generators[GENERATORS];
  for (int vector = task_of_team(next_task); vector < last_task; vector = task_of_team(next_task)) {
    const int first_word = vector * LANES;
    start_generators(generators, stream, first_word);
    for (int i = MEMBER; i < N; i += MEMBERS) set_spin(spins, i / SIZE, i % SIZE, start[(size_t)vector * N + i]);
    spins_written(spins);
    for (int look = 0, time = 0; look < look_count; ++look) {
      for (; time < looks[look]; ++time) {
        if (asked_to_stop()) return;
        sweep(spins, scratch, generators, acceptance, stream, first_word / GROUP_WORDS, time);
      }
      const size_t place_of_look = (size_t)look * vectors + vector;
      word number[COUNT_BITS];
      count_up(spins, number);
      if (MEMBER == 0)
        for (int k = 0; k < COUNT_BITS; ++k) up[place_of_look * COUNT_BITS + k] = number[k];
      if (pairs) {
        word sum[PAIR_BITS];
#pragma unroll
        for (int k = 0; k < PAIR_BITS; ++k) sum[k] = splat(0);
        for (int x = MEMBER; x < ROWS; x += MEMBERS) count_pairs_of_row(spins, x, sum);
        sum_over_team<PAIR_BITS>(sum);
        if (MEMBER == 0)
          for (int k = 0; k < PAIR_BITS; ++k) pairs[place_of_look * PAIR_BITS + k] = sum[k];
      }
      if (seen)
        for (int i = MEMBER; i < N; i += MEMBERS) seen[place_of_look * N + i] = spins[at(i / SIZE, i % SIZE)];
      team_sync();
    }
    for (int i = MEMBER; i < N; i += MEMBERS) end[(size_t)vector * N + i] = spins[at(i / SIZE, i % SIZE)];
    team_sync();
  }
}

// ---- trials ----

// Where a trial puts its configuration: shifted, mirrored and turned at random, which changes no law. Replicas share the order of
// the sites; put like this, copies of one configuration have as good as their own.
struct Placing {
  int shift[DIMENSIONS];
  unsigned mirrored;  // bit by coordinate
  bool swapped;       // the first two coordinates
};

__device__ __forceinline__ Placing placing(const Stream& stream, int number) {
  const Random4 r = draw(stream, 0, 1u << 23, number);
  const unsigned shift[3] = {r.x, r.y, r.z};
  Placing found;
#pragma unroll
  for (int d = 0; d < DIMENSIONS; ++d) found.shift[d] = __umulhi(shift[d], SIZE);
  found.mirrored = r.w;
  found.swapped = r.w >> 31;
  return found;
}

// the site in the configuration of what is put at `site`, and (BACK) the other way round
template <bool BACK> __device__ __forceinline__ int other_site(const Placing& placing, int site) {
  int c[DIMENSIONS];
#pragma unroll
  for (int d = DIMENSIONS - 1; d >= 0; --d, site /= SIZE) c[d] = site % SIZE;
  if (BACK && placing.swapped) { const int first = c[0]; c[0] = c[1]; c[1] = first; }
#pragma unroll
  for (int d = 0; d < DIMENSIONS; ++d) {
    const bool mirrored = placing.mirrored >> d & 1;
    if (BACK) c[d] = c[d] >= placing.shift[d] ? c[d] - placing.shift[d] : c[d] - placing.shift[d] + SIZE;
    if (mirrored) c[d] = SIZE - 1 - c[d];
    if (!BACK) c[d] = c[d] + placing.shift[d] < SIZE ? c[d] + placing.shift[d] : c[d] + placing.shift[d] - SIZE;
  }
  if (!BACK && placing.swapped) { const int first = c[0]; c[0] = c[1]; c[1] = first; }
#pragma unroll
  for (int d = 0; d < DIMENSIONS; ++d) site = site * SIZE + c[d];
  return site;
}

// one replica becomes a packed configuration
__device__ __forceinline__ void load(word* spins, int lane, int bit, const unsigned char* packed, const Placing& placing) {
  for (int i = MEMBER; i < N; i += MEMBERS) {
    const int from = other_site<false>(placing, i);
    const unsigned up = packed[from / 8] >> (7 - from % 8) & 1;
    word spin = spins[at(i / SIZE, i % SIZE)];
    set_lane(spin, lane, (lane_of(spin, lane) & ~(1u << bit)) | up << bit);
    set_spin(spins, i / SIZE, i % SIZE, spin);
  }
}

// ... and back again
__device__ __forceinline__ void unload(const word* spins, int lane, int bit, unsigned char* packed, const Placing& placing) {
  for (int item = MEMBER; item < BYTES; item += MEMBERS) {
    unsigned byte = 0;
    for (int s = 0; s < 8 && item * 8 + s < N; ++s) {
      const int from = other_site<true>(placing, item * 8 + s);
      byte |= (lane_of(spins[at(from / SIZE, from % SIZE)], lane) >> bit & 1) << (7 - s);
    }
    packed[item] = byte;
  }
}

// Trials, each from a configuration until at most `low` of its spins are up, or at least `high`, or for `limit` MCS. They come in
// groups, each with its own order of sites; a word's share of a group are the trials 32 w + bit + 32 words_of_group k, and a
// replica whose trial has ended takes the next one of its word's share: results do not depend on when that happens.
//   configurations [..][BYTES]     packed
//   parent         [trials]        which of them each trial starts from; it has more than `low` and fewer than `high` up spins,
//                                  or is looked at only after its first MCS
//   duration       [trials]        MCS; negative where it ended at `high`, 0 where it did not end
//   lowest         [trials]        the smallest number of up spins it was seen with
//   reached        [trials][BYTES] where it ended, packed
//   trial, since   [teams][32 LANES]  of each replica; working memory
extern "C" __global__ void __launch_bounds__(THREADS)
    shoot(const unsigned char* configurations, const int* parent, int* duration, int* lowest, unsigned char* reached, int* trial,
          int* since, word* lattices, word* scratches, int* next_task, int last_task, int words_of_group, int trials_of_group,
          int trials, int low, int high, int limit, const unsigned* threshold, int edge, unsigned seed_low, unsigned seed_high,
          unsigned unit, unsigned stream_id) {
  word *spins = LATTICE, *scratch = SCRATCH;
  const Acceptance acceptance{threshold, edge};
  const int vectors_of_group = (words_of_group + LANES - 1) / LANES;
  trial += TEAM * 32 * LANES;
  since += TEAM * 32 * LANES;
  Generator generators[GENERATORS];
  for (int task = task_of_team(next_task); task < last_task; task = task_of_team(next_task)) {
    const int group = task / vectors_of_group, first_word = task % vectors_of_group * LANES, first = group * trials_of_group;
    const int mine = smaller(trials_of_group, trials - first);
    const Stream stream{seed_low, seed_high, unit + group, stream_id << 24};
    start_generators(generators, stream, first_word);
    for (int i = MEMBER; i < N; i += MEMBERS) set_spin(spins, i / SIZE, i % SIZE, splat(~0u));
    team_sync();
    int taken[LANES];
    word active = splat(0), minimum[COUNT_BITS];
#pragma unroll
    for (int k = 0; k < COUNT_BITS; ++k) minimum[k] = splat(~0u);
    for (int lane = 0; lane < LANES; ++lane) {
      taken[lane] = 32;
      for (int bit = 0; bit < 32; ++bit) {
        const int number = (first_word + lane) * 32 + bit;
        if (first_word + lane >= words_of_group || number >= mine) continue;
        set_lane(active, lane, lane_of(active, lane) | 1u << bit);
        if (MEMBER == 0) {
          trial[lane * 32 + bit] = first + number;
          since[lane * 32 + bit] = 0;
        }
        load(spins, lane, bit, configurations + (size_t)parent[first + number] * BYTES, placing(stream, number));
      }
    }
    spins_written(spins);

    for (int time = 1; any(active); ++time) {
      if (asked_to_stop()) return;
      sweep(spins, scratch, generators, acceptance, stream, first_word / GROUP_WORDS, time - 1);
      word up[COUNT_BITS];
      count_up(spins, up);
      const word is_less = less_than<COUNT_BITS>(up, minimum);
#pragma unroll
      for (int k = 0; k < COUNT_BITS; ++k) minimum[k] = choose(is_less, up[k], minimum[k]);
      const word is_low = at_most<COUNT_BITS>(up, low), is_high = ~at_most<COUNT_BITS>(up, high - 1);
      word ended = (is_low | is_high) & active;
      if (time % 64 == 0 || limit < 64)  // those that last too long
        for_each_replica(active & ~ended, [&](int lane, int bit) {
          if (time - since[lane * 32 + bit] >= limit) set_lane(ended, lane, lane_of(ended, lane) | 1u << bit);
        });
      if (!any(ended)) continue;
      team_sync();
      for_each_replica(ended, [&](int lane, int bit) {
        const int done = trial[lane * 32 + bit];
        unload(spins, lane, bit, reached + (size_t)done * BYTES, placing(stream, done - first));
      });
      team_sync();
      word anew = splat(0);
      for_each_replica(ended, [&](int lane, int bit) {
        const int next = taken[lane] + __popc(lane_of(anew, lane));
        const int number = next / 32 * 32 * words_of_group + (first_word + lane) * 32 + next % 32;
        if (number < mine) set_lane(anew, lane, lane_of(anew, lane) | 1u << bit);
        if (MEMBER == 0) {
          const int replica = lane * 32 + bit, done = trial[replica];
          int least = 0;
          for (int k = 0; k < COUNT_BITS; ++k) least |= (lane_of(minimum[k], lane) >> bit & 1) << k;
          lowest[done] = least;
          const int lasted = time - since[replica];
          duration[done] = lane_of(is_low, lane) >> bit & 1 ? lasted : lane_of(is_high, lane) >> bit & 1 ? -lasted : 0;
          trial[replica] = number < mine ? first + number : -1;
          since[replica] = time;
        }
      });
      team_sync();
      for_each_replica(anew, [&](int lane, int bit) {
        const int next = trial[lane * 32 + bit];
        load(spins, lane, bit, configurations + (size_t)parent[next] * BYTES, placing(stream, next - first));
      });
      for (int lane = 0; lane < LANES; ++lane) taken[lane] += __popc(lane_of(anew, lane));
#pragma unroll
      for (int k = 0; k < COUNT_BITS; ++k) minimum[k] |= anew;
      active &= ~ended | anew;
      spins_written(spins);
    }
    team_sync();
  }
}
