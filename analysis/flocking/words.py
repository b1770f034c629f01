"""What the page says about its own rules and definitions; numbers in it are those of the code."""

from analysis.flocking import components, extrapolation, filters, locality, physical, relaxation
from analysis.flocking.stated import CONFIGURATIONS, SIZE
from jobs.flocking import phases

HOW_JUDGED = f"""\
- **agrees** is decided by the rule in the column "agrees if" and nothing else: yes if 2 errors to both sides of our number satisfy it,
  no if 2 errors to both sides violate it, else undecided. "equal", "all", "able to" and the like of the paper are turned into numbers
  there, constants of the code that are the same for every run. A number without an error has none of chance.
- **not comparable**: another lattice than {SIZE} x {SIZE}, other rates than D = 1 and epsilon = 0.9, another slice than rho0 = 3, or less
  than half of the paper's {CONFIGURATIONS} configurations in it. The number, and in brackets what the rule says, are given all the same.
- **not run**: a later stage has not written what the row needs.
"""

DEFINITIONS = f"""\
- **Errors** are one standard error, from drawing whole replicas again within each temperature (configurations of one replica are not
  independent); where several networks were trained, from the scatter over their seeds, widened by Student's t so that 2 errors mean
  95%. The paper gives none. lambda = 0.01 minus 0 is taken seed by seed; errors of UMAP minus physical and of the ratio of participations
  are added as if the two were independent, though they come from the same configurations. A ratio whose lower part is not
  three errors away from 0 is undetermined.
- **Shot noise**: given the intensities at which particles of either sign come to a site, their numbers are independent Poisson numbers;
  so Var(m_i) = <rho_i>, independent from site to site, rho0 of every eigenvalue of the covariance and N = rho0 L^2 of the total variance.
  Splitting the particles at random into two halves gives the same: their noises are independent, 4 Cov(m_A, m_B) = <m^2> - <rho>.
  No few components can explain it. *Less the shot noise*: by the plane waves kx = 0 to 3, ky = 0 ({components.FIRST} in all), which are the
  principal components once every shift of every configuration is in the data matrix, their power less rho0 each, over the total less N.
- **Principal components, correlation times** are of configurations, and of replicas, without domains of both spins.
- **Order parameter**: m = |sum m_i| / N. **Band**: b = (sum over k = 1 to {physical.WAVES} of |rho_k|^2)^(1/2) with
  rho_k = sum_x rho(x) exp(-2 pi i k x / L) / N; a homogeneous system has b = (3 / N)^(1/2).
- **Physical boundaries** (circles of figure 3; the paper does not say how its own were found): a configuration is L+G if
  b > {physical.BANDED:g}, else G if m < {physical.ORDERED:g}, else L. A boundary is where the shares of its two phases are equal, linear
  between temperatures, of several crossings the one that leaves most of the lower phase's excess below it; none where one of the two
  nowhere has more than each of the others. It is the mean of that of ordered and that of disordered starts. Error, in quadrature: replicas
  drawn again; the spacing of temperatures over 12^(1/2); half of what the boundary moves when both limits are {physical.LOOSER:g} times as
  high and as low; half of the *ordered minus disordered starts*, hysteresis that runs have not lost (*unknown* where one kind of start
  has no boundary: it is not in the error then). **Both spins**: configurations with domains of both spins, which disordered starts pass
  through; left out. They have a mode of the magnetization, one to three waves along x or y, over N, above {physical.MIXED:g} and above
  {physical.MARGIN:g} m; where all of it has one sign, no mode is above m.
- **Networks' boundaries**: by the same rule, from probabilities in place of shares, of the same configurations (none of domains of both
  spins) on the same grid of temperatures: that the two agree better than the spacing of the grid over 12^(1/2) is no accuracy.
  **Failed**: more than {extrapolation.FAR:g} from the physical boundary, or not there; not counted where the physical error is
  above {extrapolation.FAR / 2:g}. Spread: standard deviation over seeds, root mean square over the boundaries that all networks of both
  lambdas draw, its error by leaving out one seed after the other; two are compared by the logarithm of their ratio.
- **Correlation times**: integrated autocorrelation time with Sokal's window ({relaxation.WINDOW:g} tau), autocovariance averaged over
  replicas; error by Madras and Sokal. |m| and the band's amplitude |rho_1| less their mean over replicas; m and the phase of rho_1 have
  mean 0; of the phase a steady advance is taken off. A lower bound where the window is longer than half of the looks.
  *Starts agree*: |m| in the second half of the looks differs by no more than {relaxation.TOLERANCE:g} and 2 errors.
- **Liquid fraction**: share of columns whose density, averaged over 5 columns, is above the middle between smallest and largest.
- **Saliency on edges**: correlation over columns of |dS_c / dI| (both channels, averaged along y and over {locality.SMOOTH} columns) with
  |d rho / dx| of the density averaged likewise. **Participation ratio**: (sum v)^2 / (n sum v^2): share of sites that it lives on.
  A network has *lambda* times the sum of its squared weights in its loss; *edges* are the flanks of the band.
- **Roughness** of a kernel: mean squared difference of neighbouring weights over twice their variance; 1 for white noise. Of kernels with
  a weight beyond {filters.SMALLEST:g}.
- **UMAP's groups**: of each density by itself, UMAP is given Fourier modes of the magnetization maps, and of shifted copies (how many:
  figure 2); HDBSCAN finds the groups in UMAP's plane. Configurations with domains of both spins (the largest of three magnetization
  modes along x and along y above {phases.GAS:g} a particle and above |m|) are not assigned, nor is HDBSCAN's noise; a group is named by
  the means of its others, per particle: G if |m| and the mode along x are below {phases.GAS:g}; else L+G if that mode is above
  {phases.BAND:g} |m|; else L.
  **UMAP's boundaries**: where the share of L, made never to rise with T, and that of G, never to fall, cross 1/2, of the
  configurations that are assigned (physical and networks' boundaries are where two shares are equal). Their errors hold the
  clustering fixed: replicas drawn again, and the spacing of temperatures over 12^(1/2).
"""
