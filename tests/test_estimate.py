"""Numbers with errors in brackets."""

import math

import numpy as np
import pytest

from kernels.estimate import Estimate, mean_of


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (26.3123, 0.4218, "26.3(4)"),
        (26.3123, 0.0967, "26.31(10)"),  # 0.0967 is 0.10
        (1.04912, 0.00133, "1.0491(13)"),
        (1.08, 0.196, "1.1(2)"),
        (-0.51234, 0.0123, "-0.512(12)"),
        (5240.0, 104.0, "5240(100)"),
        (10432.0, 131.0, "10430(130)"),
        (10432.0, 210.0, "10400(200)"),
        (7.0, 31.0, "10(30)"),
        (-0.004, 2.2, "0(2)"),  # not -0
        (1.7632e6, 1.96e5, "1.8(2)e6"),
        (0.000123, 0.0000201, "1.2(2)e-4"),
        (-1.51e-9, 2.2e-10, "-1.5(2)e-9"),
        (999_999.7, 20, "1.00000(2)e6"),
        (999_960, 100, "9.9996(10)e5"),
        (0.5, 0.0, "0.5"),
        (math.nan, 0.1, "nan"),
        (math.inf, 1, "inf"),
        (0.5, math.nan, "0.5"),
    ],
)
def test_errors_stand_in_brackets(value, error, text):
    assert str(Estimate(value, error)) == text


def test_the_mean_of_samples():
    found = mean_of(np.array([1.0, 2.0, 3.0, 6.0]))
    assert found.value == 3
    assert found.error == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 3 / 4))
