"""Exact expectations at finite size: the ground truth that estimators are held to.

Every quantity has ``expectation()``, ``variance()`` and ``cumulant(k)``; this package is what they rest on.

Invariants of a tensor of order three with i.i.d. normal entries, and their fluctuations:

>>> import randtensor as rt
>>> n = rt.Scale("n")
>>> def invariant(equation, tensor):
...     return rt.einsum(equation, *[tensor] * (equation.count(",") + 1))
>>> T = rt.gaussian(n, n, n)
>>> print(invariant("abc,ade,fbe,fdc->", T).expectation())  # tetrahedron
3 n^4
>>> print(invariant("abc,ade,fbe,fdc->", T).variance())
4 n^6 + 72 n^5 + 12 n^4 + 8 n^3
>>> print(invariant("abc,ade,fbe,fgh,idh,igc->", T).expectation())  # prism
n^6 + 9 n^5 + 3 n^4 + 2 n^3
>>> print(invariant("adg,aei,beh,bfg,cfi,cdh->", T).expectation())  # complete bipartite graph K_{3,3}
3 n^6 + 3 n^5 + 9 n^4
>>> pillow = "abc,abd,efd,efc->"
>>> print(invariant(pillow, rt.symmetric_gaussian(n, 3)).expectation())  # n (n + 2) (n^3 + 6 n^2 + 13 n + 16) / 36
1/36 n^5 + 2/9 n^4 + 25/36 n^3 + 7/6 n^2 + 8/9 n

Moments of the Gaussian orthogonal and unitary ensembles:

>>> def moment(matrix, k):
...     letters = "abcdefgh"[:k]
...     terms = [a + b for a, b in zip(letters, letters[1:] + "a")]
...     return rt.einsum(",".join(terms) + "->", *[matrix] * k).expectation()
>>> print(moment(rt.goe(n), 8))
14 n^5 + 93 n^4 + 374 n^3 + 690 n^2 + 509 n
>>> print(moment(rt.gue(n), 8))
14 n^5 + 70 n^3 + 21 n

Wishart moments, E tr (G G^T)^k:

>>> print(moment(rt.wishart(n, n), 5))
42 n^6 + 130 n^5 + 305 n^4 + 320 n^3 + 148 n^2

Outputs of wide networks, and the series of their law around the Gaussian limit:

>>> f = rt.networks.two_layer(inputs=1, width=n, activation="relu", readout="exponential")
>>> print(rt.exact.output_cumulant(f, [[1.0]] * 4))
51/4 n^{-1}
>>> print(rt.exact.edgeworth(f, [[1.0]], order=2).expectation((4,)))
3/4 + 51/4 n^{-1}
"""

from randtensor.exact.derivatives.one_hidden_layer import OneHiddenLayer
from randtensor.exact.gaussianity.characteristic import characteristic_function
from randtensor.exact.gaussianity.cumulants import output_cumulant
from randtensor.exact.gaussianity.edgeworth import EdgeworthSeries, edgeworth
from randtensor.exact.haar.weingarten import Weingarten, weingarten
from randtensor.exact.moments import joint_cumulant

__all__ = [
    "EdgeworthSeries",
    "OneHiddenLayer",
    "Weingarten",
    "characteristic_function",
    "edgeworth",
    "joint_cumulant",
    "output_cumulant",
    "weingarten",
]
