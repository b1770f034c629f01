"""How the page judges, and what its words mean; numbers in it are those of the code."""

from analysis.coarsening import energy, layers

HOW_JUDGED = """\
- **Agrees** is decided by the rule in the column "agrees if" and nothing else: yes if 2 errors to
  both sides of our number satisfy it, no if 2 errors to both sides violate it, else undecided.
  Numbers without error are those of one trajectory or network, or the largest of many, and count
  alone.
- **Not comparable**: another grid than the paper's 32^3 cells of spacing 2, or less than half of
  its 1 295 training sequences, 50 frames or 1 000 epochs. The number, and in brackets what the rule
  says, are given all the same.
- Claims are judged by the network with staggered fluxes, without one by that with central fluxes
  (the paper's own layout); of several trainings that differ in their seed alone by their mean, with
  their scatter in its error.
- The paper states most of its errors in figures only; "slightly higher" and "comparable" are judged
  by a factor of 2, "the same order of magnitude" by 10, "one to one" by a tenth of the mean squared
  error of persistence and by displacements below half a cell.
"""

DEFINITIONS = f"""\
- **phi**: local concentration, 0 in one phase and 1 in the other. **epsilon**: width of an
  interface between them. **Truth**: what the solver makes of the same start.
- **Fluxes**: a network that conserves the mean of phi predicts the flow of it, at the faces between
  cells (staggered) or in the cells (central, as published); the one called sigmoid predicts phi
  itself, and conserves nothing.
- **Cases**: test sequences as in training; a larger box; a closed shape; noise in a slice alone; a
  long rollout to the layered end; an ensemble of starts. In all of them networks go on alone from
  the first frame: a **rollout**. **Time** is the equation's own.
- **Hidden states**: what a network remembers of the frames that it has seen (a recurrent network's
  memory). In training they are never older than a sequence; in a rollout they begin anew at 0 when
  they are as old as that, unless `rollout.memory` says otherwise (0: never, as published). Each
  time they do F is some percent too large for a few frames, as after the first one.
- **Mean squared error** (its root: RMSE): of phi, over the cells of the network's grid and the kept
  frames after the first. Of several starts the error is from starts, of a single one from the eight
  octants of its box (neighbours are not quite independent).
- **Sensitivity**: the solver itself, started from what the network's grid keeps of the start
  (the waves that it holds): no network can be expected nearer to the truth. The area and the
  upsampled F of the long rollout are judged for as long as its area is within 5.5% of the truth's.
- **One phase alone**: white noise of rms 0.001 about phi = 0, 0.03, 0.97 and 1, which the equation
  damps. **A cube's symmetry**: noise averaged over the 48 turns and reflections of a cube; the
  equation keeps it, a network need not.
- **Local exponents** (large box): straight lines through log of area, F (upsampled) or
  characteristic length against log t, over stretches of a factor of three; errors over starts.
  **Characteristic length**: 2 pi over the mean wave number, every wave weighted by the structure
  factor.
- **Persistence**: the first frame for all. **Linear extrapolation**: the straight line through the
  first two true frames.
- **Displacement**: delta = RMSE sqrt(epsilon V / F), the paper's eq. 4 with the flat profile 1/2 (1
  - tanh(3 n / epsilon)) and surface tension 1, F of the truth on the network's grid, V the volume
  of the box. It means a distance only once there are interfaces, and while it is small.
- **Free energy** F: of truth and network on the same (the network's) grid with the same stencil. On
  that grid a flat interface of width epsilon = 3 at spacing 2 has 0.72 to 1.11 of its area,
  depending on where it lies between the cells (0.96 to 0.98 at spacing 1): a network whose layers
  come to rest elsewhere within a cell has another F for that alone. Beside it stand the area of the
  surface phi = 1/2, and F **upsampled**: of the waves that the network's grid holds, on the
  solver's.
- **Exponent**: least squares of log F against log t from t = {energy.FIRST:g} until F / V, of the
  truth or where there is none of the network itself, first falls below {energy.LAYERS:g} times 2 /
  L, what two flat layers in a box of side L would have; undetermined where that stretch spans less
  than a factor of {energy.SPAN:g}. Errors: over starts; of one start by leaving out sixths of the
  stretch in turn.
- **Layered**: variance of the means of planes across the best of the three axes over the whole
  variance, at least {layers.LAYERED:g}.
- **Checkerboard** (report.json): rms amplitude of the seven waves that alternate from cell to cell
  along one, two or three axes. A central difference cannot change the means of the eight
  sublattices, so it cannot remove it.
- **Downscaling**: `nearest` keeps every second cell, as in the paper: what it keeps need not have a
  constant mean, although the network's is constant; `block mean` conserves it.
- **At least as accurate**: every method solves the same semi-discrete equations (seven-point
  Laplacian) on the same device, in single precision. Times are interpolated in log time between
  settings at the network's RMSE; where all settings are more accurate than the network, the
  quickest one counts: a coarser one might do, so that a time above the network's decides nothing.
"""
