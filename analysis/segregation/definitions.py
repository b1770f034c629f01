"""How the page judges, and what its words mean."""

from jobs.segregation.config import DOUBLINGS, FOLDINGS, GROWTH_TIMES, SPINODAL

HOW_JUDGED = """\
- The rule in the column "agrees if" decides, and nothing else: yes if 2 errors to both sides of our number satisfy it, no if 2
  errors to both sides violate it, else undecided. 98% is judged by what rounds to it, 0.975.
- Not comparable: another grid than the paper's 64 x 64, less than half of its 8 640 training samples, or another lambda; or, for
  the transition, mean concentrations more than 0.02 apart around it.
- Predictions that pass 1/2 nowhere, where the truth does, have no transition: the least that they are off is given.
- The paper's network is *L1 + GAN* with lambda = 1. Rows are of test samples that segregate, except those on who segregates.
- "Up to 98%" does not say of what: each quantity is judged on its own, and the best of those that the abstract names.
- The paper gives no number for how alike output and truth look; we ask for a correlation of 0.9.
- What needs no network stands in a column of its own, or after our number.
- A network's width, and how long it was trained, do not count: of one narrower than the paper's a "no" may be the smaller network's.
"""

DEFINITIONS = f"""\
- **Age** of a field: the time since it was mixed, uniform but for its noise (age 0, the input of the networks). Unless a run says
  otherwise fields are kept at age 0, at {GROWTH_TIMES} growth times of the fastest wave, {DOUBLINGS} times more at twice the age
  of the one before, and in the steady state.
- **Forward**: from the mixed field to the steady state; **reverse**: back. **L1**: mean |answer - truth| over the cells, what a
  network learns to lower. **GAN**: a second network, the discriminator, learns to tell answers from true fields; **lambda** weighs
  its verdict beside L1. **Conserving**: the answer's mean equals the input's by construction. **Epoch**: once through the training
  samples. **Width**: channels of the first layer, 64 in the paper's network. **Stepping (ours)**: linear theory while fluctuations
  are small, then one U-Net again and again, each time to the next age at which fields are kept, the last time to the steady state;
  conserving, L1 alone, on a grid as coarse as interfaces allow.
- **Segregated**: the variance over the cells is at least a quarter of m (1 - m), which pure phases with sharp interfaces have
  at a mean m; a few dots or tiles on a uniform answer do not count. Mixtures whose mean lies outside the
  **spinodal**, {SPINODAL[0]:.4f} to {SPINODAL[1]:.4f}, stay **uniform**, as do those just inside it whose
  growing waves are longer than the box; a constant predicts them, so counting them flatters every accuracy.
- **Correlation**: Pearson's, of answer and truth over the cells of a field, mean over samples. **Longest waves**: the same of the
  input's eight longest waves, those along the sides and diagonals of the box, and the steady state.
- **Accuracy** (the paper does not define it): 1 - median over samples of |predicted - true| / |true|. **Overlap**: common area of
  the histograms of truth and prediction, 20 equal bins and an open one on either side; *the training set itself*: what another set
  of samples reaches. Mean concentrations come in steps of 0.01: moved by less than a step, many of them change their bin.
- **Training set's mean**: the quantity's mean over segregated training samples; *at this mean concentration*: over those of
  the sample's own mean concentration. Run to their ends most mixtures of one mean become the same droplet or straight stripe, wherever
  it lies, and some a diagonal stripe, whose perimeter is 2^(1/2) times the straight one's: only what is better than the second
  baseline shows that a network read the field.
- **Quantities**: area where c > 1/2; perimeter of the line c = 1/2; chemical energy: integral of a c^2 (1 - c)^2; surface energy:
  integral of epsilon^2/2 |grad c|^2; free energy: both.
- **Structure factor** S(k): |c_k|^2 / L^2 (times the cell's area), mean over shells of k of width 2 pi / L. **Shorter waves**:
  the shells at large k that together hold at most a tenth of the truth's power; of one domain in the box these are its outline.
- **Phase transition**: its position is where the share of segregated samples passes 1/2, linear between mean concentrations, after a
  monotone fit.
- **Reverse** networks cannot give back the mixed state that a steady state came from, since many lead to it: they are judged by
  what all of these share, variance, power, mean and distribution.
- **How far ahead one can see** (predictability): test mixtures that segregate, at the ages at which fields are kept, run
  again from inputs with Gaussian noise of that rms. *Correlation*: of forecast and steady state over the cells. *Overlap*: area
  that is in the rarer phase of both over that of either, where the forecast is cut so that it has as much of that phase as the
  truth. **Coherence**: cosine of the angle between the amplitudes of the two longest waves, 0 by chance. **Linear theory**: every wave
  grown at its own rate for {FOLDINGS} growth times of the fastest.
- **Layers** (figure 1): input and encoder above, decoder and output below. Of each layer the 4 channels that vary most over the
  field, each from its smallest (black) to its largest value (white); of a layer of a single cell the values of its channels.
- **Errors** are one standard error. Of one run they come from a bootstrap over its test samples, and do not know what another
  training gives; of several runs, with data and trainings of their own seeds, they also come from the runs' scatter.
"""
