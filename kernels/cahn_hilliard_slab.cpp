// Cahn-Hilliard in one slab of a box on a CPU: the passes of cahn_hilliard_box.h one by one, between which processes hand one
// another their lines, or wait for one another where they share memory. All workers of a process run each together.
#include "cpu.h"
static bool asked_to_stop() { return *stop_word; }
#include "cahn_hilliard_box.h"

// The plane pass of the tiles from `first` to `last`.
//   field     [tiles of this slab][SIZE_Y][PITCH] Complex;  mode: Mode
//   barriers  [1 + workers] Barrier, zero
extern "C" void slab_planes(REAL* field, const REAL* turns_y, const REAL* turns_z, const double* medium_words, int* barrier_place, int mode,
                            int first, int last, int workers) {
  const Medium& medium = *(const Medium*)medium_words;
  REAL slopes[DEGREE - 1];
  for (int j = 0; j < DEGREE - 1; ++j) slopes[j] = (REAL)medium.slopes[j];
  plane_passes((Mode)mode, (Complex*)field + (size_t)first * TILE, last - first, slopes, turns_y, turns_z, blockIdx.x, workers,
               (Barrier*)barrier_place);
}

// The x pass of the groups from `first` to `last`: begins with mode 0, makes the field of the coefficients that are there with mode
// 4, else a step, whose sums it leaves in partial [groups][4] and, after the last group, in totals [4].
//   tiles     [TILES] addresses of the tiles of all slabs, slab after slab;  far [TILES]: 1 where it is a copy of some rows
//   place, far_place  [groups][2][W] of k and of -k in a tile, and in such a copy;  half: planes of half a slab
//   states    [2 ORDER - 1][groups][SIZE_X] Complex: as those of a whole box
extern "C" void slab_lines(const unsigned long long* tiles, const int* far, const int* place, const int* far_place, int half, REAL* states,
                           const REAL* symbol, const REAL* plane_symbol, const REAL* weight, const REAL* turns_x, const double* rule_words,
                           const double* medium_words, double* partial, double* totals, const double* clock_place,
                           const double* until_place, int* barrier_place, int groups, int mode, int first, int last, int workers) {
  const Rule& rule = *(const Rule*)rule_words;
  const Clock& clock = *(const Clock*)clock_place;
  const REAL e2 = (REAL)rule.squared_width, S = (REAL)rule.stabilisation;
  const Medium& medium = *(const Medium*)medium_words;
  const vec curvature = same((REAL)medium.curvature);
  Complex* addresses[TILES];
  for (int tile = 0; tile < TILES; ++tile) addresses[tile] = (Complex*)tiles[tile];
  Boxes b{addresses, far, {place, far_place}, half, groups, {}, {}, symbol, plane_symbol, weight};
  b.turn((Complex*)states, (size_t)groups * NX, (long)clock.steps);
  const int worker = blockIdx.x, count = last - first;
  const bool all = last == groups;
  last = first + (int)((long)count * (worker + 1) / workers);
  first += (int)((long)count * worker / workers);
  Step step{};
  if (mode == RESTORE) {
    for (int group = first; group < last; ++group) x_back(b, group, turns_x);
  } else if (mode == START) {
    x_passes<true, false>(b, first, last, turns_x, step, e2, S, curvature, partial);
  } else {
    const double dt = step_length(rule, clock, *until_place - clock.time);
    const Weights w = weights(rule, clock, dt);
    for (int lane = 0; lane < W; ++lane) put_weights(step, lane, w);
#ifdef REACTION
    for (int lane = 0; lane < W; ++lane) put_reaction(step, lane, rule, &medium, clock.time, dt);
#endif
    x_passes<false, true>(b, first, last, turns_x, step, e2, S, curvature, partial);
    if (!all) return;
    ((Barrier*)barrier_place)->wait(workers);
    if (worker == 0) *(Totals*)totals = added_up(partial, groups);
  }
}

// After a step, to `until` at most.
//   totals  [4]  sums of all slabs' groups
extern "C" void slab_tick(const double* rule_words, const double* medium_words, double* clock_place, const double* until_place,
                          const double* totals, int slabs) {
  const Rule& rule = *(const Rule*)rule_words;
  Clock& clock = *(Clock*)clock_place;
  const double until = *until_place, remaining = until - clock.time, dt = step_length(rule, clock, remaining);
  tick(rule, *(const Medium*)medium_words, clock, dt, dt >= remaining ? until : clock.time + dt, true, added_up(totals, slabs));
}
