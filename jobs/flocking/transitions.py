"""Transition temperatures from the phases of configurations, with errors by drawing their replicas
again.
"""

import numpy as np
from sklearn.isotonic import IsotonicRegression


def boundaries(
    phase: np.ndarray,
    temperature: np.ndarray,
    replica: np.ndarray,
    bootstraps: int,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """T of L -> L+G and of L+G -> G, float (2,), and their standard errors, from phases, T and
    replicas of configurations (n,).

    Where the share of L, made never to rise with T, and that of G, never to fall, cross 1/2
    (isotonic regression, then linear).  Errors: replicas drawn again, at each T as many as there
    are, and the spacing of T there over sqrt(12).  nan: a share that does not cross.
    """
    if not len(phase):
        return np.full(2, np.nan), np.full(2, np.nan)
    first, at = np.unique(replica, return_index=True)
    t_of, member = temperature[at], np.searchsorted(first, replica)
    size = np.bincount(member, minlength=len(first))
    shares = [np.bincount(member, phase == which, len(first)) for which in (2, 0)]
    levels, level = np.unique(t_of, return_inverse=True)

    def crossings(times: np.ndarray) -> list[float]:
        count = np.bincount(level, times * size, len(levels))
        seen = count > 0
        mean = [
            np.bincount(level, times * each, len(levels))[seen] / count[seen] for each in shares
        ]
        return [
            crossing(levels[seen], share, count[seen], rises)
            for share, rises in zip(mean, (False, True), strict=True)
        ]

    best, drawn = crossings(np.ones(len(first))), []
    groups = [np.flatnonzero(level == each) for each in range(len(levels))]
    for _ in range(bootstraps):
        again = np.concatenate([random.choice(group, len(group)) for group in groups])
        drawn.append(crossings(np.bincount(again, minlength=len(first))))
    by_boundary = np.array(drawn).T
    errors = [
        np.nanstd(each) if np.isfinite(each).sum() > bootstraps / 2 else np.nan
        for each in by_boundary
    ]
    after = np.searchsorted(levels, best).clip(1, max(1, len(levels) - 1))
    spacing = levels[after.clip(max=len(levels) - 1)] - levels[after - 1]
    return np.array(best), np.hypot(
        errors, np.where(np.isfinite(best), spacing, np.nan) / np.sqrt(12)
    )


def crossing(t: np.ndarray, share: np.ndarray, weight: np.ndarray, rises: bool) -> float:
    """T where a monotone share crosses 1/2; the middle of a stretch at 1/2; nan where it does not
    cross.
    """
    if len(t) < 2:
        return np.nan
    fitted = (
        IsotonicRegression(increasing=rises).fit_transform(t, share, sample_weight=weight) - 0.5
    )
    below, above = (fitted < 0, fitted > 0) if rises else (fitted > 0, fitted < 0)
    if not below.any() or not above.any():
        return np.nan
    i, j = np.flatnonzero(below)[-1], np.flatnonzero(above)[0]
    return (
        float(t[i] + (t[j] - t[i]) * fitted[i] / (fitted[i] - fitted[j]))
        if j == i + 1
        else float((t[i] + t[j]) / 2)
    )
