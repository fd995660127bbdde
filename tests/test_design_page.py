"""The drawings of docs/design.md show what is there."""

from __future__ import annotations

import importlib
import inspect

import pytest

from docs import life, structure

IMAGES = structure.ROOT / "docs" / "images"


def test_every_module_stands_in_one_room():
    modules = structure.module_names()
    assert [m for m in modules if structure.room_of(m) is None] == list(structure.PACKAGES)
    entries = [entry for room in structure.ROOMS.values() for entry in room]
    assert len(entries) == len(set(entries))
    # an entry is a module, or a folder of them
    assert not [entry for entry in entries if not any(f"{m}.".startswith(f"{entry}.") for m in modules)]


def test_imports_between_rooms_point_down():
    places, graph = structure.places(), structure.rooms_imported()
    assert set(places) == set(structure.ROOMS)
    assert all(places[room][1] < places[target][1] for room, targets in graph.items() for target in targets)


def test_rooms_know_their_imports():
    graph = structure.rooms_imported()
    assert "orders" in graph["tensors"] and "sampling" in graph["estimates"]
    assert "prediction" in graph["suites"]  # through the front of the package
    assert graph["errors"] == set()


@pytest.mark.parametrize(("drawing", "name"), [(structure, "structure"), (life, "life_of_a_claim")])
def test_the_drawings_are_up_to_date(drawing, name):
    drawn = (IMAGES / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn == drawing.picture(), f"run python -m {drawing.__name__} docs/images/{name}.svg"


def test_a_claim_passes_the_stations_in_order():
    assert life.passed() == [(module, name) for module, name, _ in life.STATIONS]


def test_stations_are_documented():
    for module, name, _ in life.STATIONS:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        assert inspect.getdoc(found)


def test_rooms_that_import_each_other_are_told():
    with pytest.raises(ValueError, match="import each other"):
        structure.depths({"orders": {"errors"}, "errors": {"orders"}})
