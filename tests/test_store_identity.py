"""The key of a run store: the same for the same computation, in every process, and another for any other."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import estimators
import randtensor as rt
from estimators import RunStore, Workers
from estimators.store import identity
from randtensor.errors import StoreError
from theory_checks.loading import load_claims
from theory_checks.suites import SUITES, SuiteOptions

N = rt.Scale("n")
ROOT = np.random.SeedSequence(3)


def quantity_of(source, **given):
    namespace = {"rt": rt, "N": N, "np": np, **given}
    exec(source, namespace)
    return namespace["law"]


SOURCE = """
def helper(x):
    return 2 * x

@rt.quantity(N, name="law")
def law(n, batch, generator, power=1):
    return helper(generator.standard_normal(batch)) ** power + table[0]
"""


def test_code_defaults_and_globals_belong_to_the_identity():
    table = np.array([1.0, 2.0])
    first = identity(quantity_of(SOURCE, table=table))
    assert identity(quantity_of(SOURCE, table=table.copy())) == first
    assert identity(quantity_of("\n\n# moved\n" + SOURCE, table=table)) == first
    others = [
        quantity_of(SOURCE.replace("2 * x", "3 * x"), table=table),
        quantity_of(SOURCE.replace("power=1", "power=2"), table=table),
        quantity_of(SOURCE.replace("** power", "- power"), table=table),
        quantity_of(SOURCE, table=table + 1),
        quantity_of(SOURCE, table=table.astype(np.float32)),
        quantity_of(SOURCE.replace("return helper", "return abs"), table=table),
    ]
    assert len({first, *map(identity, others)}) == 1 + len(others)


WRAPPED = """
from functools import cache

@cache
def helper(x):
    try:
        return 2 * x
    except TypeError:
        return x

@rt.quantity(N, name="law")
def law(n, batch, generator):
    return helper(2.0) * generator.standard_normal(batch)
"""


def test_code_behind_a_cache_belongs_to_the_identity():
    sources = [WRAPPED, WRAPPED.replace("2 * x", "3 * x"), WRAPPED.replace("TypeError", "ValueError")]
    assert identity(quantity_of(WRAPPED)) == identity(quantity_of(WRAPPED))
    assert len({identity(quantity_of(source)) for source in sources}) == len(sources)


def test_arrays_in_another_order_of_memory_are_others():
    """A product with them may round differently."""
    table = np.arange(6.0).reshape(2, 3)
    tables = [table, np.asfortranarray(table), np.repeat(table, 2, axis=1)[:, ::2]]
    laws = [quantity_of(SOURCE.replace("table[0]", "table[0, 0]"), table=each) for each in tables]
    assert len(set(map(identity, laws))) == len(laws)


class Stubborn:
    def __reduce__(self):
        raise pickle.PicklingError("not today")


def test_what_refuses_to_be_taken_apart_has_no_identity():
    with pytest.raises(StoreError, match=r"law cannot be identified \(not today\)"):
        identity(quantity_of(SOURCE, table=[Stubborn()]))


def test_quantities_with_one_fingerprint_have_their_own_identities():
    norm = rt.norm(rt.gaussian(N, N))
    injective = rt.norm(rt.gaussian(N, N, N))
    G, H = rt.gaussian(N), rt.gaussian(N)
    assert injective.fingerprint == injective.upper().fingerprint
    laws = [norm, rt.einsum("a,a->", G, G), rt.einsum("a,a->", G, H), rt.combine(lambda x: x, norm, name="f")]
    laws += [rt.combine(lambda x: 2 * x, norm, name="f"), injective, injective.upper(), injective.upper(1e-3)]
    assert len(set(map(identity, laws))) == len(laws)


def test_runs_that_observe_other_things_do_not_share_samples(tmp_path):
    f = rt.networks.two_layer(inputs=1, width=N)
    with RunStore(tmp_path / "runs.sqlite") as store:
        for observe in ("loss", "outputs", "loss"):
            options = {"learning_rate": 0.1, "steps": 2, "n": 8, "samples": 3, "rng": 0, "observe": [observe]}
            kept = estimators.train(f, [[1.0]], [1.0], jobs=Workers(1, store=store), **options)
            plain = estimators.train(f, [[1.0]], [1.0], jobs=1, **options)
            assert np.array_equal(kept[observe], plain[observe])
        assert len(store.contents()) == 2


def test_an_identity_does_not_change_as_a_quantity_is_used():
    f = rt.networks.mlp(inputs=2, width=N, hidden_layers=2, activation="tanh")
    for law in (rt.correlation(f, 0, 2, [1.0, 0.0], [0.5, 1.0]), rt.norm(rt.goe(N)), rt.norm(f.derivative([1.0, 0.0]))):
        before = identity(law)
        law.sample(8, 2, rng=0)
        law.order(), law.describe(), law.block_length({"n": 8})
        assert identity(law) == before


PROGRAM = """
import randtensor as rt
from scipy.stats import expon
from estimators.store import identity
n = rt.Scale("n")
f = rt.networks.mlp(inputs=2, width=n, hidden_layers=2, activation="gelu")
print(identity(rt.correlation(f, 0, 2, [1.0, 0.0], [0.5, 1.0])), identity(rt.norm(rt.iid(expon(loc=-1), n))))
"""


def test_an_identity_is_the_same_in_every_process():
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(found) == 1 and len(found.pop().split()) == 2


@pytest.mark.slow
def test_the_identities_of_all_suites_are_stable():
    claims = [claim for loaded in load_claims(sorted(SUITES), SuiteOptions(quick=True)) for claim in loaded.claims]
    again = [claim for loaded in load_claims(sorted(SUITES), SuiteOptions(quick=True)) for claim in loaded.claims]
    for claim, other in zip(claims, again, strict=True):
        before = identity(claim.quantity)
        assert identity(other.quantity) == before, claim.label
        claim.quantity.sample_block(claim.sizes[0], 0, ROOT)
        assert identity(claim.quantity) == before, claim.label
