"""A claim that is wrong by half a power: ``randtensor verify examples/wrong_claim.py`` refutes it, exit status 1."""

import randtensor as rt
from theory_checks import Claim

n = rt.Scale("n")
network = rt.networks.mlp(inputs=4, width=n, hidden_layers=2, activation="tanh")

claims = [
    Claim(
        "C^(0,2) of a wide tanh network",
        rt.correlation(network, 0, 2, [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0]),
        id="C02",
        predicted=rt.Theta(n**-0.5),
        n=[128, 512, 2048, 8192],
        samples=[4096, 2048, 1024, 512],
    ),
]
