"""What notebooks show: tables whose words are escaped, and a progress bar."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
import rich.console

import estimators
import randtensor as rt
from theory_checks import Claim, check, verify

n = rt.Scale("n")
SIZES = [16, 64, 256]
length = rt.norm(rt.gaussian(n))
claim = Claim("a <b> & c", length, predicted=rt.Theta(n**0.5), n=SIZES, samples=100)


def shown():
    yield estimators.estimate(length, 16, samples=50, rng=0), "50 samples"
    yield estimators.scaling(length, n=SIZES, samples=100, rng=0), "256"
    yield estimators.fit_rate(SIZES, [4.0, 8.0, 16.0], [0.1, 0.1, 0.1]), "local slope"
    yield check(claim, rng=0, jobs=1), "consistent"
    yield verify(claim, rng=0, jobs=1), "seed 0"
    yield rt.einsum("a,a->", rt.gaussian(n), rt.gaussian(n)).explain(), "rule"


@pytest.mark.parametrize(("found", "part"), list(shown()), ids=lambda value: type(value).__name__)
def test_results_are_well_formed_and_escaped(found, part):
    text = found._repr_html_()
    root = ET.fromstring(text)  # raises on anything that is not well-formed
    assert part in "".join(root.itertext())
    assert "<b>" not in text


@pytest.mark.parametrize("found", [n**-0.5, rt.Theta(n), 3 * n**4, rt.Expansion.of(n) + 1], ids=str)
def test_orders_are_formulas(found):
    text = found._repr_latex_()
    assert text.startswith("$") and text.endswith("$") and "n" in text


@pytest.mark.parametrize(("notebook", "asked", "started"), [(True, True, 1), (False, True, 0), (True, False, 0)])
def test_progress_bars_in_notebooks_and_nowhere_else(monkeypatch, notebook, asked, started):
    from rich.progress import Progress

    began = []
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: notebook)
    monkeypatch.setattr(Progress, "start", lambda self: began.append(self))
    monkeypatch.setattr(Progress, "stop", lambda self: None)
    monkeypatch.setattr(Progress, "refresh", lambda self: None)
    assert verify(claim, rng=0, jobs=1, progress=asked).results[0].verdict == "consistent"
    assert len(began) == started
    assert all(bar.tasks[0].finished for bar in began)


def test_a_prompt_shows_results_as_they_are_printed():
    scaling = estimators.scaling(length, n=SIZES, samples=50, rng=0)
    contraction = rt.einsum("a,a->", rt.gaussian(n), rt.gaussian(n))
    results = [scaling, scaling.fit, scaling.estimates[0], check(claim, rng=0), verify(claim, rng=0)]
    for value in [*results, contraction.explain()]:
        assert repr(value) == str(value)
