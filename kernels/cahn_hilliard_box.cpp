// Cahn-Hilliard in a whole box on a CPU, from one asked time to the next: cahn_hilliard_box.h. (On a GPU boxes go by cuFFT.)
//
// All workers run this function together and meet at barriers. Sums are taken in a fixed order: the same bytes for any number
// of workers.
#include "cahn_hilliard_box.h"
#include "block.h"

constexpr int CHECK = 8;  // steps of fixed length between two looks at the free energy

// Runs to tau = `until`, or at most `most_steps` steps, or until steady or blown up.
//   field      [TILES][SIZE_Y][PITCH] Complex   with mode 0 and 2: v in real space; 1: as the last call left it; 3: gives v
//   states     [2 ORDER - 1][groups][SIZE_X] Complex: ORDER of the field, then ORDER - 1 of the nonlinear part; after n steps the
//              field's now is place n mod ORDER of its, a step ago one before that, and so on; the nonlinear part's last one is
//              place n - 1 mod ORDER - 1
//   medium     Medium
//   partial    [groups][4]                 sums of each group
//   clock      Clock                       of the trajectory
//   barriers   [1 + workers] Barrier, zero
// mode 0: starts; 1: goes on; 2: goes on from real space, where mode 3 left the field; 3: only brings the field to real space;
// 4: only makes the field of coefficients that were put into `now`, from where mode 1 goes on
extern "C" void separate_box(REAL* field, REAL* states, const int* place, const REAL* symbol, const REAL* plane_symbol, const REAL* weight,
                             const REAL* turns_x, const REAL* turns_y, const REAL* turns_z, const double* rule_words,
                             const double* medium_words, double* partial, double* clock_place, int* barrier_place,
                             const double* until_place, int groups, int mode, int most_steps, int workers) {
  const Rule& rule = *(const Rule*)rule_words;
  const Medium& medium = *(const Medium*)medium_words;
  const REAL e2 = (REAL)rule.squared_width, S = (REAL)rule.stabilisation;
  const vec curvature = same((REAL)medium.curvature);
  REAL slopes[DEGREE - 1];
  for (int j = 0; j < DEGREE - 1; ++j) slopes[j] = (REAL)medium.slopes[j];
  Clock clock = *(Clock*)clock_place;
  Complex* tiles[TILES];
  for (int tile = 0; tile < TILES; ++tile) tiles[tile] = (Complex*)field + (size_t)tile * TILE;
  const int near[TILES] = {};
  Boxes b{tiles, near, {place, place}, NX / 2, groups, {}, {}, symbol, plane_symbol, weight};
  Barrier* barriers = (Barrier*)barrier_place;
  const double until = *until_place;
  const int worker = blockIdx.x;
  auto planes = [&](Mode now_mode) {
    plane_passes(now_mode, (Complex*)field, TILES, slopes, turns_y, turns_z, worker, workers, barriers);
    barriers[0].wait(workers);
  };
  const int first = (int)((long)groups * worker / workers), last = (int)((long)groups * (worker + 1) / workers);
  if (mode == TO_REAL) return planes(TO_REAL);
  if (mode == START) clock = clock_at_start(rule);
  auto turn = [&]() { b.turn((Complex*)states, (size_t)groups * NX, (long)clock.steps); };
  turn();
  if (mode == RESTORE) {
    for (int group = first; group < last; ++group) x_back(b, group, turns_x);
    return;
  }
  Step step{};
  if (mode == START) {
    planes(START);
    x_passes<true, false>(b, first, last, turns_x, step, e2, S, curvature, partial);
    barriers[0].wait(workers);
  }
  bool from_real = mode == FROM_REAL;
  for (int taken = 0; taken < most_steps && clock.time < until && !clock.ending && !asked_to_stop(); ++taken) {
    planes(from_real ? FROM_REAL : STEP);
    from_real = false;
    turn();
    const double remaining = until - clock.time, dt = step_length(rule, clock, remaining);
    const Weights w = weights(rule, clock, dt);
    for (int lane = 0; lane < W; ++lane) put_weights(step, lane, w);
#ifdef REACTION
    for (int lane = 0; lane < W; ++lane) put_reaction(step, lane, rule, &medium, clock.time, dt);
#endif
    const bool summed = ADAPTIVE || (long)clock.steps % CHECK == CHECK - 1 || dt >= remaining || taken + 1 == most_steps;
    if (summed)
      x_passes<false, true>(b, first, last, turns_x, step, e2, S, curvature, partial);
    else
      x_passes<false, ADAPTIVE>(b, first, last, turns_x, step, e2, S, curvature, partial);
    barriers[0].wait(workers);
    const Totals totals = summed ? added_up(partial, groups) : Totals{0, 0, 0, 0};
    tick(rule, medium, clock, dt, dt >= remaining ? until : clock.time + dt, summed, totals);
    barriers[0].wait(workers);  // nobody writes sums that another still reads
  }
  if (worker == 0) *(Clock*)clock_place = clock;
}
