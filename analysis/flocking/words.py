"""What the report says about its own rules and definitions; numbers in it are those of the code."""

from analysis.flocking import components, extrapolation, filters, locality, physical, relaxation

HOW_JUDGED = """\
- **agrees** is decided by the rule in the column "agrees if" and nothing else: yes if 2 errors to both sides of our number satisfy it,
  no if 2 errors to both sides violate it, else undecided. "equal", "all", "able to" and the like of the paper are turned into numbers
  there, constants of the code that are the same for every run. A number without an error has none of chance.
- **not comparable**: another lattice than 81 x 81, other rates than D = 1 and epsilon = 0.9, another slice than rho0 = 3, or less than
  half of the paper's 4 050 configurations in it. The number, and in brackets what the rule says, are given all the same.
- **not run**: a later stage has not written what the row needs.
"""

DEFINITIONS = f"""\
- **Errors** are one standard error, from drawing whole replicas again within each temperature (configurations of one replica are not
  independent); where several networks were trained, from their spread. The paper gives none.
- **Shot noise**: given the intensities at which particles of either sign come to a site, their numbers are independent Poisson numbers;
  so Var(m_i) = <rho_i>, independent from site to site, rho0 of every eigenvalue of the covariance and N = rho0 L^2 of the total variance.
  Splitting the particles at random into two halves gives the same: their noises are independent, 4 Cov(m_A, m_B) = <m^2> - <rho>.
  No few components can explain it. *Less the shot noise*: by the plane waves kx = 0 to 3, ky = 0 ({components.FIRST} in all), which are the
  principal components once every shift of every configuration is in the data matrix, their power less rho0 each, over the total less N.
- **Order parameter**: m = |sum m_i| / N. **Band**: b = (sum over k = 1 to {physical.WAVES} of |rho_k|^2)^(1/2) with
  rho_k = sum_x rho(x) exp(-2 pi i k x / L) / N; a homogeneous system has b = (3 / N)^(1/2).
- **Physical boundaries** (circles of figure 3; the paper does not say how its own were found): a configuration is L+G if
  b > {physical.BANDED:g}, else G if m < {physical.ORDERED:g}, else L. L | L+G is where these two have equal shares, L+G | G where half of
  the configurations are gas, linear between temperatures. Error, in quadrature: replicas drawn again; the spacing of temperatures over
  12^(1/2); half of what the boundary moves when both limits are {physical.LOOSER:g} times as high and as low. *Ordered minus disordered
  starts*: hysteresis that runs have not lost. **Both spins**: configurations with domains of both spins, which disordered starts pass
  through; left out. They have a mode of the magnetization, one to three waves along x or y, over N, above {physical.MIXED:g} and above
  {physical.MARGIN:g} m; where all of it has one sign, no mode is above m.
- **Networks' boundaries**: where two classes' probabilities, averaged over configurations of one temperature, are equal, linear
  between temperatures; of several crossings the one that leaves most of the lower phase's excess below it. **Failed**: more than
  {extrapolation.FAR:g} from the physical boundary, or not there. Spread: standard deviation over networks that have a crossing.
- **Correlation times**: integrated autocorrelation time with Sokal's window ({relaxation.WINDOW:g} tau), autocovariance averaged over
  replicas; error by Madras and Sokal. |m| and the band's amplitude |rho_1| less their mean over replicas; m and the phase of rho_1 have
  mean 0; of the phase a steady advance is taken off. A lower bound where the window is longer than half of the looks.
  *Starts agree*: |m| in the second half of the looks differs by no more than {relaxation.TOLERANCE:g} and 2 errors.
- **Liquid fraction**: share of columns whose density, averaged over 5 columns, is above the middle between smallest and largest.
- **Saliency on edges**: correlation over columns of |dS_c / dI| (both channels, averaged along y and over {locality.SMOOTH} columns) with
  |d rho / dx| of the density averaged likewise. **Participation ratio**: (sum v)^2 / (n sum v^2): share of sites that it lives on.
- **Roughness** of a kernel: mean squared difference of neighbouring weights over twice their variance; 1 for white noise. Of kernels with
  a weight beyond {filters.SMALLEST:g}.
"""
