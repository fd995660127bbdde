"""pytest plugin: claims about scaling as tests, with one error budget per run and a summary at its end.

Loaded by pytest through an entry point wherever the distribution is installed, so that it does nothing until a test
asks for ``rate_check``: the packages that sample and decide are imported then.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

__all__ = ["rate_check"]

_PROPERTY = "randtensor"  # under this name verdicts travel in a report: from an xdist worker, into JUnit XML
_SEED = pytest.StashKey[int]()
_LEVELS = pytest.StashKey[dict[str, float]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("randtensor", "claims about scaling (randtensor)")
    group.addoption("--randtensor-rng", type=_seed, metavar="SEED", help="integer seed of all claims (0)")
    group.addoption(
        "--randtensor-vary-rng", action="store_true", help="draw a fresh seed for this run, and print it in the summary"
    )
    group.addoption(
        "--randtensor-budget", type=_positive, default=1.0, metavar="FACTOR", help="factor on the samples (1)"
    )
    group.addoption(
        "--randtensor-false-refutation",
        type=_probability,
        default=1e-4,
        metavar="P",
        help="probability that the run refutes any true claim, split over its tests and their assertions (1e-4)",
    )
    group.addoption(
        "--randtensor-inconclusive",
        choices=("fail", "skip", "warn"),
        default="fail",
        help="what an inconclusive claim does to its test (fail)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "scaling: checks a claim by sampling; set on every test that uses rate_check")
    chosen, varied = config.getoption("randtensor_rng"), config.getoption("randtensor_vary_rng")
    if varied and chosen is not None:
        raise pytest.UsageError(
            f"--randtensor-rng={chosen} is given together with --randtensor-vary-rng, expected one of the two"
        )
    given = getattr(config, "workerinput", {}).get(_PROPERTY)
    drawn = secrets.randbits(32) if varied else chosen or 0
    config.stash[_SEED] = drawn if given is None else given
    config.stash[_LEVELS] = {}


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Workers of pytest-xdist take the seed that was drawn for the run."""
    node.workerinput[_PROPERTY] = node.config.stash[_SEED]


def pytest_report_header(config: pytest.Config) -> str | None:
    varied = config.getoption("randtensor_vary_rng")
    return f"randtensor: drawn seed, --randtensor-rng={config.stash[_SEED]} repeats the run" if varied else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the tests that check claims and gives each its share of the error budget.

    This comes before ``-k`` and ``-m`` deselect tests, and every xdist worker collects all of them, so that neither
    changes a share.
    """
    users = [item for item in items if "rate_check" in getattr(item, "fixturenames", ())]
    for item in users:
        item.add_marker(pytest.mark.scaling)
        config.stash[_LEVELS][item.nodeid] = config.getoption("randtensor_false_refutation") / len(users)


@pytest.fixture
def rate_check(request: pytest.FixtureRequest) -> Any:
    """Check a claim by sampling, and fail the test unless it holds.

    ``rate_check(claim)`` takes a ``theory_checks.Claim``; ``rate_check(quantity, predicted=..., n=..., samples=...,
    statistic=...)`` takes what makes one. Returns the ``theory_checks.Result``.
    """
    config, node = request.config, request.node
    levels = config.stash[_LEVELS]
    if node.nodeid not in levels:
        raise pytest.UsageError(
            f"rate_check is requested by {node.nodeid} while it runs, expected an argument of the test: "
            "the error budget is split over the tests that name it"
        )
    support = importlib.import_module("theory_checks.pytest_support")
    return support.RateCheck(
        nodeid=node.nodeid,
        rng=config.stash[_SEED],
        budget=config.getoption("randtensor_budget"),
        level=levels[node.nodeid],
        run_level=config.getoption("randtensor_false_refutation"),
        inconclusive=config.getoption("randtensor_inconclusive"),
        path=str(node.path),
        record=lambda verdict: node.user_properties.append((_PROPERTY, json.dumps(verdict))),
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    verdicts = list(_verdicts(terminalreporter))
    if not verdicts:
        return
    level = config.getoption("randtensor_false_refutation")
    spent = math.fsum(verdict["false_refutation"] for verdict in verdicts)
    terminalreporter.section("claims about scaling")
    widths = [max(len(verdict[key]) for verdict in verdicts) for key in ("outcome", "measured", "predicted")]
    for verdict in verdicts:
        cells = [verdict[key] for key in ("outcome", "measured", "predicted")]
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        colour = {"green": verdict["good"], "red": verdict["bad"]}
        colour["yellow"] = not any(colour.values())
        claim, nodeid = verdict["claim"], verdict["nodeid"]
        named_by_test = nodeid.endswith(claim.partition(" #")[0])
        terminalreporter.write_line(f"{line}  {claim}" + ("" if named_by_test else f"  ({nodeid})"), **colour)
    terminalreporter.write_line(
        f"rng {config.stash[_SEED]}; a true claim is refuted with probability at most {spent:.2g} "
        f"(error budget {level:g}, {len(verdicts)} {'assertion' if len(verdicts) == 1 else 'assertions'})"
    )


def _verdicts(terminalreporter: pytest.TerminalReporter) -> Iterator[dict[str, Any]]:
    """What was recorded, test by test; the reports of a test's phases repeat each other, and the last has it all."""
    recorded: dict[str, list[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            properties = getattr(report, "user_properties", ())
            found = [value for name, value in properties if name == _PROPERTY]
            if found and len(found) > len(recorded.get(report.nodeid, ())):
                recorded[report.nodeid] = found
    for nodeid in sorted(recorded):
        for text in recorded[nodeid]:
            yield {"nodeid": nodeid, **json.loads(text)}


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"it is {text!r}, expected a non-negative integer seed")
    return int(text)


def _positive(text: str) -> float:
    return _number(text, math.inf, "a positive number")


def _probability(text: str) -> float:
    return _number(text, 1.0, "a probability between 0 and 1")


def _number(text: str, below: float, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < below:
        raise argparse.ArgumentTypeError(f"it is {text!r}, expected {expected}")
    return value
