"""A rate: measured at several widths, fitted, and compared with the claim."""

from wide_network import hessian_along_gradients, n

import randtensor as rt


def test_curvature_along_gradients_vanishes_with_the_width(rate_check):
    curvature = hessian_along_gradients([1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0])
    result = rate_check(
        curvature,
        predicted=rt.Theta(n**-1),
        statistic="rms",
        n=[64, 256, 1024, 4096],
        samples=[4096, 2048, 1024, 512],
    )
    assert result.detectable < 0.5  # a wrong exponent would have been noticed
