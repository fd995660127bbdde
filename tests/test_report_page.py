"""Accessibility of report.html, as far as a machine can tell: structure, descriptions, and contrast (WCAG 2.2)."""

import re
from itertools import pairwise

import pytest
from html_elements import Elements

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("latex2mathml")
pytest.importorskip("pylatexenc")

import randtensor as rt
from theory_checks import Claim, Exact, NoDefiniteBound, verify
from theory_checks.rendering import render
from theory_checks.rendering.figures import figure_of

n = rt.Scale("n")


@pytest.fixture(scope="module")
def record():
    g = rt.gaussian(n)
    claims = [
        Claim("length", rt.norm(g), predicted=rt.Theta(n**0.5), n=[16, 64, 256, 1024], samples=100, id="L"),
        Claim("wrong", rt.norm(g), predicted=rt.Theta(n), n=[16, 64, 256, 1024], samples=100),
        Claim("few", rt.norm(g), predicted=rt.Theta(n**0.5), n=[4, 8], samples=4, margin=0.01),
        Claim("square", rt.einsum("a,a->", g, g), statistic="mean", predicted=Exact(n), n=[4, 16], samples=100),
        Claim("quantiles", rt.norm(g), predicted=NoDefiniteBound(), n=[16, 64, 256], samples=1000),
    ]
    record = verify(claims, rng=0, jobs=1).to_dict()
    assert {result["verdict"] for result in record["results"]} == {"consistent", "refuted", "inconclusive"}
    return record


@pytest.fixture(scope="module")
def page(record):
    return render(record, ["html"])["report.html"].decode()


@pytest.fixture(scope="module")
def elements(page):
    return Elements(page)


def test_language_title_and_viewport(elements):
    (root,), (title,) = elements.of("html"), elements.of("title")
    assert root["lang"] == "en" and title["text"]
    viewport = next(each for each in elements.of("meta") if each.get("name") == "viewport")
    assert "width=device-width" in viewport["content"] and "scalable=no" not in viewport["content"]


def test_headings_go_down_one_level_at_a_time(elements):
    levels = [int(each["tag"][1]) for each in elements.all if re.fullmatch("h[1-6]", each["tag"])]
    assert levels[0] == 1 and levels.count(1) == 1 and len(levels) > 5
    assert all(below <= above + 1 for above, below in pairwise(levels))
    assert all(each["text"].strip() for each in elements.of("h1", "h2", "h3"))


def test_regions_have_names(elements):
    named = {each["id"]: each["text"] for each in elements.all if "id" in each and each["tag"] in ("h1", "h2")}
    assert all(named[section["aria-labelledby"]] for section in elements.of("section"))
    assert len(elements.of("main")) == 1
    # what scrolls is reached by the keyboard, and says what it is
    scrolls = [each for each in elements.of("div") if "wide" in each.get("class", "")]
    assert scrolls and all(each["tabindex"] == "0" and each["aria-label"] for each in scrolls)


def test_figures_are_described(elements):
    drawn = [each for each in elements.all if each.get("role") == "img"]
    assert len(drawn) == 5 and len(elements.of("svg")) == 10  # a column of panels each
    assert all(len(each["aria-label"]) > 40 for each in drawn)


def test_panels_show_what_is_predicted_and_what_was_fitted(record):
    result = next(result for result in record["results"] if result["verdict"] == "refuted")
    _, slopes, _, models = figure_of(result).axes
    for panel in (slopes, models):
        low, high = panel.get_ylim()
        assert low < result["predicted_exponent"] < high and low < result["measured"] < high
    low, high = models.get_xlim()
    assert all(low * 1.1 < size < high / 1.1 for line in models.lines for size in line.get_xdata() if size > 1)


def test_tables_have_no_empty_columns(page):
    tables = [table for table in re.findall(r"<table.*?</table>", page, re.DOTALL) if "At every size" in table]
    assert [">score<" in table for table in tables] == [False, False, False, True, False]
    assert [">expected<" in table for table in tables] == [False, False, False, True, False]


def test_tables_have_headers_and_links_have_words(page, elements):
    assert elements.of("table") and all(each.get("scope") in ("col", "row") for each in elements.of("th"))
    assert all(each["text"].strip() for each in elements.of("th", "caption", "a", "summary"))
    tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
    assert len(tables) > 5 and all("<thead" in table and "<caption" in table for table in tables)


def test_a_verdict_is_not_told_by_its_colour_alone(page, elements):
    shown = {
        each["class"]: each["text"] for each in elements.of("span") if each.get("class") in ("good", "bad", "open")
    }
    assert set(shown) == {"good", "bad", "open"} and len(set(shown.values())) == 3
    signs = re.findall(r'\.(good|bad|open)::before \{ content: "(.)', page)
    assert len({sign for _, sign in signs}) == 3


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    """WCAG 2.2, "contrast ratio"."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_known_pairs():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(page, scheme):
    blocks = re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{3,6});", blocks[["light", "dark"].index(scheme)]))
    assert set(colours) == {
        "paper", "ink", "soft", "line", "wash", "fit", "guide", "predicted", "violet", "green", "ochre",
        "good", "bad", "open",
    }  # fmt: skip
    for name, colour in colours.items():
        if name in ("paper", "line", "wash"):  # decoration and backgrounds
            continue
        # what is read has 4.5, lines of a figure 3 (success criteria 1.4.3 and 1.4.11)
        least = 3 if name in ("guide", "predicted", "violet", "green", "ochre") else 4.5
        assert contrast(colour, colours["paper"]) >= least, f"{name} on paper: {contrast(colour, colours['paper']):.2f}"


def test_no_colour_is_fixed_outside_of_the_scheme(page):
    body = page[page.index("<body>") :]
    assert not re.findall(r"(?:fill|stroke|color)\s*[:=]\s*\"?#[0-9a-fA-F]{3,6}\b", body)
