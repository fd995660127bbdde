"""Coverage of the intervals of cumulants and of distances to Gaussian laws: the tables of docs/cumulants.md.

python benchmarks/gaussianity.py
"""

from __future__ import annotations

import numpy as np

from estimators.cumulants import cumulant
from estimators.gaussianity import distance_to_gaussian
from estimators.power_sums import PowerSums
from estimators.statistics import Summary

CUMULANTS = {"normal": {2: 1, 3: 0, 4: 0}, "exponential": {2: 1, 3: 2, 4: 6}}
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


def cumulants(sets=600):
    """Rows of law, samples, order, coverage with both errors, and the bias of the jackknife's variance."""
    rng = np.random.default_rng(0)
    for law, truths in CUMULANTS.items():
        for count in (100, 1000):
            for order, truth in truths.items():
                hits, values, squares = np.zeros(2), [], []
                for samples in draw(law, (sets, count), rng):
                    found = cumulant(samples, order)
                    unbiased = PowerSums.of(samples, order).unbiased_variance(order)
                    error = unbiased**0.5 if unbiased > 0 else found.error
                    other = Summary(found.value, error, found.dof, False).interval()
                    hits += covered(found.interval(), truth), covered(other, truth)
                    values.append(found.value)
                    squares.append(found.error**2)
                jackknife, plain = 100 * hits / sets
                ratio = np.mean(squares) / np.var(values)
                print(f"| {law}, {count} | {order} | {jackknife:.1f} | {plain:.1f} | {ratio:.2f} |")


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
