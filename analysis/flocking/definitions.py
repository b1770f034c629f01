"""What the page says about its own rules and definitions; numbers in it are those of the code."""

from analysis.flocking import (
    components,
    extrapolation,
    filters,
    locality,
    physical,
    relaxation,
    sampling,
)
from analysis.flocking.stated import CONFIGURATIONS, SIZE
from jobs.flocking import phases

HOW_JUDGED = f"""\
- **agrees** is decided by the rule in the column "agrees if" and nothing else: yes if 2 errors to
  both sides of our number satisfy it, no if 2 errors to both sides violate it, else undecided.
  "equal", "all", "able to" and the like of the paper are turned into numbers there, constants of
  the code that are the same for every run. A number without an error has none of chance.
- **not comparable**: another lattice than {SIZE} x {SIZE}, other rates than D = 1 and epsilon =
  0.9, another slice than rho0 = 3, or less than half of the paper's {CONFIGURATIONS}
  configurations in it. The number, and in brackets what the rule says, are given all the same.
- **not run**: a later stage has not written what the row needs.
"""

DEFINITIONS = f"""\
- **Errors** are one standard error, from drawing whole replicas (independent runs) again within
  each temperature; where several networks were trained, from the scatter over their seeds,
  widened by Student's t so that 2 errors mean 95%. The paper gives none. Differences between
  lambda = 0.01 and 0 are taken seed by seed; other differences as if both were independent. A
  ratio whose lower part is not {sampling.CLEAR} errors away from 0 is undetermined.
- **m** = |sum m_i| / N of the N particles, m_i the sum of the spins on site i. **b** = (sum over
  k = 1 to {physical.WAVES} of |rho_k|^2)^(1/2), the amplitude of bands, rho_k = sum_x rho(x)
  exp(-2 pi i k x / L) / N.
- **Physical boundary**: a configuration is L+G if b > {physical.BANDED:g}, else G if m <
  {physical.ORDERED:g}, else L. A boundary is where its two phases have equal shares, linear
  between temperatures, of several crossings the one that leaves most of the lower phase below it;
  the mean of those of ordered and of disordered starts. Error, in quadrature: replicas drawn
  again; the spacing of temperatures over 12^(1/2); half of what it moves when both limits are
  {physical.LOOSER:g} times as high and as low; half of what the two kinds of start differ by
  (hysteresis). The paper does not say how its own were found.
- **Domains of both spins**, which disordered starts pass through, are left out of boundaries,
  components and correlation times: one to three waves of the magnetization along x or y with an
  amplitude above {physical.MIXED:g} a particle and {physical.MARGIN:g} m.
- **UMAP's groups**: of each density by itself; HDBSCAN finds the groups in UMAP's plane. A group
  is named by the mean modes of its configurations: G if |m| and the wave along x are below
  {phases.GAS:g}; else L+G if that wave is above {phases.BAND:g} |m|; else L. Domains of both
  spins and HDBSCAN's noise are in no phase. **UMAP's boundaries**: where the share of L, made
  never to rise with T, and that of G, never to fall, cross 1/2; their errors hold the groups
  fixed.
- **Networks' boundaries**: where two probabilities are equal, from the same configurations as the
  physical ones and on the same temperatures: that they agree better than the spacing over
  12^(1/2) is no accuracy. **Missed**: more than {extrapolation.FAR:g} off, or not there; not
  counted where the physical error is above {extrapolation.FAR / 2:g}. **Spread**: standard
  deviation over seeds, root mean square over the boundaries that all networks draw.
- **Shot noise**: particles come to a site independently, so Var(m_i) = <rho_i>, independent from
  site to site: rho0 of every eigenvalue of the covariance. *Less the shot noise*: of the plane
  waves kx = 0 to 3, ky = 0 ({components.FIRST} in all), the principal components once every shift
  of every configuration counts, their power less rho0 each, over the total less N.
- **Correlation times**: integrated, with Sokal's window ({relaxation.WINDOW:g} tau), averaged
  over replicas; errors by Madras and Sokal. A lower bound where the window is longer than half of
  the looks. *Starts agree*: |m| in the second half of the looks differs by no more than
  {relaxation.TOLERANCE:g} and 2 errors.
- **Liquid fraction**: share of columns whose density, averaged over {components.SMOOTH} columns,
  is above the middle between smallest and largest.
- **Saliency on edges**: correlation over columns of |dS_c / dI| with |d rho / dx|, both averaged
  along y and over {locality.SMOOTH} columns. **Participation ratio**: (sum v)^2 / (n sum v^2),
  share of sites that it lives on.
- **Roughness** of a kernel: mean squared difference of neighbouring weights over twice their
  variance. Of kernels with a weight beyond {filters.SMALLEST:g}.
"""
