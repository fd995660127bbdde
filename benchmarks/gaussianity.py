"""Coverage of the intervals of cumulants and of distances to Gaussian laws: the tables of docs/cumulants.md.

python -m benchmarks.gaussianity
"""

from __future__ import annotations

import numpy as np

from estimators.cumulants import cumulant, joint_cumulant
from estimators.gaussianity import distance_to_gaussian
from estimators.statistics import Summary

CUMULANTS = {"normal": {2: 1, 3: 0, 4: 0, 5: 0, 6: 0}, "exponential": {2: 1, 3: 2, 4: 6, 5: 24, 6: 120}}
COUNTS = (100, 1000, 10_000)
DISTANCES = {
    "kolmogorov": 0.0667000,
    "wasserstein": 0.1608001,
    "characteristic": 0.0088095,
    "characteristic-sup": 0.1941387,
}


def draw(law, shape, rng):
    """Samples of mean 0 and variance 1, but for the exponential law's mean."""
    match law:
        case "normal":
            return rng.standard_normal(shape)
        case "exponential":
            return rng.exponential(size=shape)
    return (rng.gamma(4, size=shape) - 4) / 2


def covered(interval, truth):
    """Whether an interval holds the truth."""
    return interval[0] <= truth <= interval[1]


def cumulants(counts=COUNTS, sets=600):
    """Rows of law, samples, order, coverage with both errors, and the bias of the jackknife's variance.

    The joint cumulants are those of x, x, x + y, and of x, x, x + y, x + y, for independent x and y.
    """
    for law, truths in CUMULANTS.items():
        for count in counts:
            first, second = draw(law, (2, sets, count), np.random.default_rng([0, count]))
            for order, truth in truths.items():
                print(cumulant_row(f"{law}, {count} | {order}", truth, [cumulant(x, order) for x in first]), flush=True)
            for order in (3, 4):
                found = [joint_cumulant([x, x, *[x + y] * (order - 2)]) for x, y in zip(first, second, strict=True)]
                print(cumulant_row(f"{law}, {count} | {order}, joint", truths[order], found), flush=True)


def cumulant_row(name, truth, found):
    """Coverage with both errors where there are two, and the mean of the jackknife's variance over the true one."""
    jackknife = 100 * np.mean([covered(each.interval(), truth) for each in found])
    ratio = np.mean([each.error**2 for each in found]) / np.var([each.value for each in found])
    plain = ""
    if found[0].sums is not None and found[0].order <= 4:
        plain = f"{100 * np.mean([covered(unbiased_interval(each), truth) for each in found]):.1f}"
    return f"| {name} | {jackknife:.1f} | {plain} | {ratio:.2f} |"


def unbiased_interval(found):
    """The interval with the unbiased variance, where that is positive."""
    unbiased = found.sums.unbiased_variance(found.order)
    return Summary(found.value, unbiased**0.5 if unbiased > 0 else found.error, found.dof, False).interval()


def distances(sets=300):
    """Rows of law, samples, kind of variance, and the coverage for each distance."""
    rng = np.random.default_rng(1)
    for law in ("gamma(4)", "normal"):
        for count in (200, 2000):
            data = draw(law, (sets, count), rng)
            for variance in (None, "fitted"):
                cells = []
                for kind, distance in DISTANCES.items():
                    truth = 0.0 if law == "normal" else distance
                    found = [distance_to_gaussian(samples, kind, variance=variance) for samples in data]
                    cells.append(f"{100 * np.mean([covered(each.interval(), truth) for each in found]):.1f}")
                print(f"| {law}, {count} | {variance or 'given'} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    cumulants()
    distances()
