"""How the page judges, and what its words mean."""

HOW_JUDGED = """\
- **agrees** is decided by the rule in the column "agrees if" and by nothing else, from our number and its standard error.
  *within t of x*, where x is the paper's number and t is 10% of it or half of its last digit, whichever is larger: yes if our number
  is that near, no if it is farther by more than 2 errors, else undecided. *the paper's and 10%*: less than 10% above the
  paper's, judged as *< x* is. *x to y, ours alone*, for what the paper calls "about"
  or "around": our error does not count. *> x*, *< x*, *x to y*: yes or no if our number less 2 errors and our number plus
  2 errors both say so, else undecided. A number without an error is decided by *within t of x* alone.
- **not comparable**, a verdict in brackets, is a number made from less than half of the paper's training configurations
  (12 000; 7 000 at L = 200), labels noisier than 1.5/600 (the paper's 100 copies: 1/600), from maps of two systems made with
  different patches, or a growth time, whose start the paper does not define, or a lifetime in a sweep of the field.
- **split by configuration**, the paper's: configurations of one event lie in training and test sets alike. **Split by
  event**: they never do.
"""

DEFINITIONS = """\
- **System**: spins +1 and -1 on a square lattice with periodic boundaries, equal ferromagnetic couplings to all sites of the
  square of side 2R + 1 (nearest neighbours for R = 1) and a field h. For R > 1 the couplings of a spin add up to 4, so that the
  mean-field Tc is 4, and energies are in these units; for R = 1 they are 1. Unless a system says another T is 4/9 Tc (of R = 1
  Onsager's) and the rule Metropolis'. Spins are tried at random sites up to R = 5, from R = 6 on those of a random sublattice, which do
  not interact. In mean field the metastable state ends at h = 1.2704, the spinodal.
- **Errors** are one standard error. Configurations of one event are correlated: a bootstrap draws whole events. Errors
  of models are the larger of that and of the spread of the folds, which share most of their training sets: s^2 (1/k +
  n_test/n_training) instead of s^2/k (Nadeau and Bengio). report.json has both.
- **Lifetime**: MCS from the field flip to the first MCS at whose end m <= 0, which is t = 0.
- **p_nuc**: the probability to reach m <= 0 within the time left plus the window, so it depends on both.
- **Growth time**: from when the event's measured p_nuc last rises through 1/2, linear between labels, to m = 0. The
  median counts events already above at their first label as longer.
- **Radius of gyration**: of the largest cluster of stable spins, on the torus; sites spread evenly would give 0.41 L.
- **Bonds** of the clusters: Coniglio and Klein's for R = 1. For R > 1 these, 1 - exp(-2 J/T), join almost nothing before
  m = 0; the density-corrected ones, 1 - exp(-4 J (1 - rho)/T) with rho the density of stable spins, are used there.
  *Bond strength*: a factor on these exponents, 1 unless a system says another.
- **Noise of the labels** (floor): mean of p(1-p)/(n-1), the MSE that binomial noise of n copies leaves to a perfect
  predictor. **Excess**: MSE minus floor. **Explained**: 1 - (MSE - floor)/(var(p) - floor).
- **torus network, window** is also told how long the copies of a configuration had, which no model of the paper is: the
  difference to *torus network* is what that missing time costs every model.
- **torus network**: ours. The mean spin of square tiles (with L = 10 R about R/2 wide) goes through convolutions of 16 channels with
  periodic borders; mean and maximum over the lattice meet in a dense layer (11 905 parameters). Shifted, turned and reflected copies
  of each configuration teach it the lattice's symmetries.
- **R(k)**: the k-th moment of the distances r of the stable spins from the droplet's centre, (mean of r^k)^(1/k), k from 1
  to 9, in sites.
- **features LR** is trained as the paper says and stops far from the minimum of its loss, as the moments R(k) are nearly
  collinear: its weights depend on where it stops. **Converged**: the same model at the minimum (Newton's method).
- **CNN, 2 layers** and **CNN, 4 layers** are the networks that the paper's text describes, **CNN, authors' program** is the one in
  the program that its authors published. The program pools with stride 2 where the text says 1, and has 10 neurons before its
  output where the text has 100: at L = 100 it has 81 096 parameters, read literally the text has 15.7 million. In the same program the
  hidden patch of an occlusion map is filled with metastable spins, the correlation of p_nuc with m has r^2 = 0.18, and
  figures 8 and 9 use two layers. A claim on "the CNN" has a row for the text's network of that size and one for the program's
  (`notebook` in a config), if they were trained; claims on maps are judged by one network's, which the row names.
"""
