// How long a step is, what it takes of the steps before it, and when a field is at rest: one rule for every path and device.
//
// Weights. The derivative is that of the polynomial through the step's end and the ORDER beginnings kept; the explicit part is
// extrapolated from the beginnings, through all of them (order 3) or the last two (order 2). Third order alone is unstable beyond
// dtau = 2 e^2, where implicit and explicit part of an interface's slow modes all but cancel; a share `blend` of second order keeps
// steps of any length stable: of a flat interface's modes 0, 0.1, 0.2, 0.3, 0.5 of it does up to 2.1, 2.9, 4.2, 9 and any dtau / e^2.
// Where the mobility depends on c (STIFF_OUTSIDE) order is 2, and a share of first order takes the place of that of second: where next to
// nothing moves, implicit and explicit part cancel and second order alone would keep every disturbance for 1 / (dtau k^2 e^2 k^2) steps.
// Steps. The error of a step is that of its explicit part, relative to the field's own fluctuation; the next one is
// SAFETY cbrt(tolerance / error) times as long, within bounds. No step is repeated. So as to land on an asked time the step before it
// is halved and the last one absorbs what rounding left.
// Rest. The fall of F over a span of at least `rest_span` and a tenth of the time decides, never one step; while the field is so small
// that waves about the mean grow by themselves, it is not at rest as long as they do.
// Reaction. The mean relaxes to that of the reaction by exp(-b t), exactly; of a field that reacts F has a part of long range, and what the mean
// still has to go, squared and halved, falls too.
#pragma once

constexpr double SAFETY = 0.8, SHRINK = 0.4, GROW = 1.3, REGROW = 1.5;  // of a step to the next one
// A fixed step of third order begins with START_STEPS shorter ones, so that the first, of first order, does not spoil it
constexpr int START_STEPS = 16;
constexpr double START_GROW = 1.5;
constexpr double BLEND_FROM = 0.8, BLEND_MOST = 0.75;  // dtau / e^2 up to which steps are of third order; share of second order in the longest
constexpr double STABLE_FLOOR = 0.003; // rms of v below which the error of a mixture that cannot segregate is absolute
constexpr double SMALL = 0.1;         // rms of v up to which its waves are taken one by one
constexpr double UNIFORM = 1e-6;      // rms of v below which a mixture that cannot segregate is uniform
constexpr double SPAN_SHARE = 0.1, SPAN_GROWTH = 10, GROWN = 1.01;  // of the time; times of growth; of the waves' power over a span
enum Ending { GOING, STEADY, UNIFORM_MIXTURE, DIVERGED };

struct Rule {  // in this order in the array that the launch passes
  double squared_width, stabilisation, fixed, tolerance, first, longest, steady_state, rest_span, round_off, diverged, reaction, cells;
};
// Of a field: growth is the largest on its grid, 0: none grows; offset: of its mean at the start from the one that it relaxes to
struct Medium { double mean, growth, curvature, offset, slopes[DEGREE - 1]; };
// Of a field; used: lengths of the last two steps, last first; levels: beginnings of steps that are known
struct Clock { double time, steps, meant, used[2], levels, span_start, span_summed, span_fall, span_growing, ending; };  // as CLOCK of cahn_hilliard_clock.py
struct Totals { double error, falls, size, growing; };  // means over space
struct Weights { double dt, lead, derivative[3], outside[3], guess[3], bend[3]; };

__device__ __forceinline__ Clock clock_at_start(const Rule& rule) { return {0, 0, rule.first, {0, 0}, 1, 0, 0, 0, -1, GOING}; }

// Length of the next step, `remaining` from an asked time
__device__ __forceinline__ double step_length(const Rule& rule, const Clock& clock, double remaining) {
  const double step = clock.meant;
  if (remaining <= step * (1 + 1e-6)) return remaining;
  return rule.fixed == 0 && 2 * step > remaining ? remaining / 2 : step;
}

__device__ __forceinline__ Weights weights(const Rule& rule, const Clock& clock, double dt) {
  if (dt == 0) return {0, 1, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
  const int levels = (int)clock.levels < ORDER ? (int)clock.levels : ORDER;
  Weights w = {dt, 1, {1, 0, 0}, {1, 0, 0}, {1, 0, 0}, {0, 0, 0}};
  if (levels == 1) return w;
  const double first = clock.used[0], ago = dt + first;  // from the step's end back to the beginning before its own
  if (levels == 2) {
    const double inverse = 1 / (first * ago), share = dt * first * inverse;  // dt / ago
    w.guess[0] = ago * ago * inverse;
    w.guess[1] = -dt * ago * inverse;
    w.derivative[0] = w.guess[0];
    w.derivative[1] = w.guess[1] * share;
    w.lead += share;
#ifdef STIFF_OUTSIDE
    if (rule.fixed == 0 && dt > BLEND_FROM * rule.squared_width) {
      const double blend = BLEND_MOST * (1 - sqrt(BLEND_FROM * rule.squared_width / dt));
      w.bend[0] = blend * (w.guess[0] - 1);  // from order 1's
      w.bend[1] = blend * w.guess[1];
    }
#endif
  } else {  // few divisions: on a GPU one thread does this while the others wait
    const double second = clock.used[1], both = first + second, before = dt + both;
    const double inverse = 1 / (first * second * both), ago_inverse = dt / (ago * before);
    const double share[2] = {ago_inverse * before, ago_inverse * ago};  // dt / ago, dt / before
    w.guess[0] = ago * before * second * inverse;
    w.guess[1] = -dt * before * both * inverse;
    w.guess[2] = dt * ago * first * inverse;
    w.derivative[0] = w.guess[0];
    w.derivative[1] = w.guess[1] * share[0];
    w.derivative[2] = w.guess[2] * share[1];
    w.lead += share[0] + share[1];
    if (rule.fixed == 0 && dt > BLEND_FROM * rule.squared_width) {
      const double blend = BLEND_MOST * (1 - sqrt(BLEND_FROM * rule.squared_width / dt)), slope = second * both * inverse;  // 1 / first
      w.bend[0] = blend * (w.guess[0] - ago * slope);  // from order 2's
      w.bend[1] = blend * (w.guess[1] + dt * slope);
      w.bend[2] = blend * w.guess[2];
    }
  }
  for (int j = 0; j < 3; ++j) w.outside[j] = w.guess[j] - w.bend[j];
  return w;
}

#ifdef REACTION
// Of the mean, from the start to `time`
__device__ __forceinline__ double drift(const Rule& rule, const Medium& medium, double time) { return medium.offset * expm1(-rule.reaction * time); }
#endif

// After a step of length dt that leaves the field at `time`. summed: whether the totals are there.
__device__ __forceinline__ void tick(const Rule& rule, const Medium& medium, Clock& clock, double dt, double time, bool summed, const Totals& totals) {
  clock.steps += 1;
  if (summed) {
    if (!(totals.size < rule.diverged * rule.diverged)) {
      clock.ending = DIVERGED;
      return;
    }
    const double rms = sqrt(totals.size), span_end = time - clock.span_start;
    const bool grows = medium.growth > 0 && totals.growing > 0, small = rms < SMALL;
    clock.span_fall += totals.falls;
#ifdef REACTION
    const double there = medium.offset * exp(-rule.reaction * time), before = medium.offset * exp(-rule.reaction * (time - dt));
    clock.span_fall += (before * before - there * there) / 2;
    const bool arrived = fabs(there) < UNIFORM;
    // v holds what the mean has gone, and is rounded with it; where no wave will grow STABLE_FLOOR is above that
    const double gone = medium.growth > 0 ? there - medium.offset : 0, held = totals.size + gone * gone / 16;
#else
    const bool arrived = true;
    const double held = totals.size;
#endif
    clock.span_summed += dt;
    if (clock.span_growing < 0) clock.span_growing = totals.growing;
    if (rule.steady_state > 0) {
      if (!grows && rms < UNIFORM && arrived) clock.ending = UNIFORM_MIXTURE;
      const double span = fmax(grows && small ? SPAN_GROWTH / medium.growth : rule.rest_span, SPAN_SHARE * time);
      if (span_end >= span) {
        const bool calm = clock.span_fall < rule.steady_state * clock.span_summed;
        if (calm && !(grows && small && totals.growing > GROWN * clock.span_growing)) clock.ending = STEADY;
        clock.span_start = time;
        clock.span_fall = clock.span_summed = 0;
        clock.span_growing = totals.growing;
      }
    }
    if (rule.fixed == 0) {
      const double scale = medium.growth > 0 ? rms : fmax(rms, STABLE_FLOOR);
      const double error = sqrt(fmax(totals.error - held * rule.round_off * rule.round_off, 0.0));
      const double factor = fmin(fmax(SAFETY * cbrt(rule.tolerance * scale / fmax(error, 1e-300)), SHRINK), GROW);
      double wanted = dt * factor;
      if (clock.meant > dt) wanted = fmax(wanted, fmin(clock.meant, dt * REGROW));
      clock.meant = fmin(wanted, rule.longest);
    }
  }
  if (rule.fixed > 0) clock.meant = ORDER == 3 && clock.steps < START_STEPS ? clock.meant * START_GROW : rule.fixed;
  clock.time = time;
  clock.used[1] = clock.used[0];
  clock.used[0] = dt;
  if (clock.levels < 3) clock.levels += 1;
}

__device__ __forceinline__ void put_weights(Step& step, int lane, const Weights& w) {
  set(step.dt, lane, (REAL)w.dt);
  set(step.lead, lane, (REAL)w.lead);
  for (int j = 0; j < ORDER; ++j) {
    set(step.derivative[j], lane, (REAL)w.derivative[j]);
    set(step.outside[j], lane, (REAL)w.outside[j]);
    set(step.guess[j], lane, (REAL)w.guess[j]);
    set(step.bend[j], lane, (REAL)w.bend[j]);
  }
}

#ifdef REACTION
__device__ __forceinline__ void put_reaction(Step& step, int lane, const Rule& rule, const Medium* medium, double time, double dt) {
  set(step.reaction, lane, (REAL)(rule.reaction * dt));
  set(step.drift, lane, medium ? (REAL)drift(rule, *medium, time + dt) : (REAL)0);
}
#endif
