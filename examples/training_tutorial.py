"""How far is a wide network from its linearisation? A tutorial in cells, for an editor or for ``python`` as it is.

Run it with ``python examples/training_tutorial.py`` (under a minute on two cores).
"""

# %% [markdown]
# A network F(theta) is trained by gradient descent. Its linearisation F_lin starts from the same parameters and keeps
# its initial gradients. For widths n -> infinity the two agree. The question is how fast.

# %%
import numpy as np

import estimators
import randtensor as rt
import theory_checks

n = rt.Scale("n")
f = rt.networks.mlp(inputs=4, width=n, hidden_layers=2, activation="tanh")

X = np.array([[1, 1, 1, 1], [1, 1, 1, -1], [1.6, -0.8, 0.8, -0.4], [-0.4, 1.6, 0.4, 1.08]])
y = np.array([1.0, -0.5, 0.5, -1.0])

# %% [markdown]
# **One run.** Sixteen thousand units per layer: a dense hidden matrix would have 268 million entries. It is never
# drawn; only its products with the vectors that training meets are.

# %%
run = estimators.train(f, X, y, learning_rate=0.5, steps=20, batch="cyclic", n=2**14, samples=8, rng=0)
print(run)
for step in (0, 5, 10, 20):
    loss, error = run.loss[:, step].mean(), np.sqrt((run.linearization_error[:, step] ** 2).mean())
    print(f"step {step:2d}: loss {loss:.4f}, departure from linearity {error:.2e}")

# %% [markdown]
# **Why 1/n.** The first step departs from linearity by C^{0,2} C'^2: the second derivative, closed with two gradients,
# times the squared derivative of the loss. Its order is predicted and measured at initialisation, without training.

# %%
c02 = rt.correlation(f, 0, 2, X[0], X[0])
print(c02.order())
print(
    estimators.scaling(
        c02, statistic="L1", n=[64, 256, 1024, 4096], samples=[8000, 4000, 2000, 1000], correction=1.0, rng=0
    )
)

# %% [markdown]
# **The rate after twenty steps.** The departure has heavy tails over networks, so the mean of its size is a better
# statistic than the mean of its square.

# %%
training = estimators.Training(f, X, y, learning_rate=0.5, steps=20, batch="cyclic")
departure = estimators.TrainingQuantity(training, "linearization_error")
claim = theory_checks.Claim(
    "departure from linearity",
    departure,
    statistic="L1",
    predicted=rt.Theta(n**-1),
    correction=1.0,
    n=[64, 256, 1024, 4096],
    samples=[4000, 1000, 400, 100],
)
result = theory_checks.check(claim, rng=0)
print(result.verdict, "-", result.reason)

# %% [markdown]
# **A smaller learning rate.** With eta = 0.5 r and r = n^{-1/2}, a step departs by r^2/n = n^{-2}, not by r/n.

# %%
slow = estimators.Training(f, X, y, learning_rate=0.5 * n**-0.5, steps=1, batch="cyclic")
slope = estimators.scaling(
    estimators.TrainingQuantity(slow, "linearization_error"),
    statistic="L1",
    n=[64, 256, 1024, 4096],
    samples=[4000, 1000, 400, 100],
    correction=1.0,
    rng=0,
)
low, high = slope.interval(0.95)
print(f"exponent {slope.exponent:.3f}, 95 % interval [{low:.3f}, {high:.3f}]")
