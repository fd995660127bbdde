"""An exact value: nothing is fitted."""

from wide_network import n

import randtensor as rt
import theory_checks


def test_mean_of_the_tetrahedron(rate_check):
    T = rt.gaussian(n, n, n)
    tetrahedron = rt.einsum("abc,ade,fbe,fdc->", T, T, T, T)
    exact = theory_checks.Exact(3 * n**4, variance=tetrahedron.variance())
    rate_check(tetrahedron, statistic="mean", predicted=exact, n=[4, 8, 16], samples=2000)
