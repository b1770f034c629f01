"""How the report judges, and what its words mean."""

from analysis.coarsening import energy, layers

HOW_JUDGED = """\
- **agrees** is decided by the rule in the column "agrees if" and nothing else: yes if 2 errors to both sides of our number satisfy it, no
  if 2 errors to both sides violate it, else undecided. Numbers without error are those of one trajectory or network, or the largest of
  many, and count alone.
- **not comparable**: another grid than the paper's 32^3 of spacing 2, or less than half of its 1 295 training sequences, 50 frames or
  1 000 epochs. The number, and in brackets what the rule says, are given all the same.
- Claims are judged by the staggered network, without one by the central one (the paper's own layout); of several seeds the first.
- The paper states most of its errors in figures only; "slightly higher" and "comparable" are judged by a factor of 2, "the same order of
  magnitude" by 10, "one to one" by a tenth of the mean squared error of persistence and by displacements below half a cell.
"""

DEFINITIONS = f"""\
- **Mean squared error**: of phi, over the cells of the network's grid and the kept frames after the first; the network goes on alone from
  the first frame. Of several starts the error is from starts, of a single one from the eight octants of its box (neighbours are not quite
  independent).
- **Persistence**: the first frame for all. **Linear extrapolation**: the straight line through the first two true frames.
- **Displacement**: delta = RMSE sqrt(epsilon V / F), the paper's eq. 4 with the flat profile 1/2 (1 - tanh(3 n / epsilon)) and surface
  tension 1, F of the truth on the network's grid. It means a distance only once there are interfaces, and while it is small.
- **Free energy**: of truth and network on the same (the network's) grid with the same stencil. On that grid a flat interface of width
  epsilon = 3 at spacing 2 has 0.72 to 1.11 of its area, depending on where it lies between the cells (0.96 to 0.98 at spacing 1): a
  network whose layers come to rest elsewhere within a cell has another F for that alone.
- **Exponent**: least squares of log F against log t from t = {energy.FIRST:g} until F / V, of the truth or where there is none of the
  network itself, first falls below {energy.LAYERS:g} times 2 / L, what two flat layers would have; undetermined where that stretch
  spans less than a factor of {energy.SPAN:g}. Errors: over starts; of one start by leaving out sixths of the stretch in turn.
- **Layered**: variance of the means of planes across the best of the three axes over the whole variance, at least {layers.LAYERED:g}.
- **Checkerboard**: rms amplitude of the seven waves that alternate from cell to cell along one, two or three axes. A central difference
  cannot change the means of the eight sublattices, so it cannot remove it.
- **Downscaling**: `nearest` keeps every second cell, as in the paper: what it keeps need not have a constant mean, although the network's
  is constant; `block mean` conserves it.
- **Time and error**: every method solves the same semi-discrete equations (seven-point Laplacian) on the same device, in single precision.
  "At least as accurate": interpolated in log time between settings at the network's RMSE; where all settings are more accurate than the
  network, the quickest one: a coarser one might do, so that a time above the network's decides nothing.
"""
