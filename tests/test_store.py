"""The run store: what is kept is never drawn again, what is found is what was drawn, what is foreign stays as it is."""

from __future__ import annotations

import ast
import logging
import os
import shutil
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import estimators
import randtensor as rt
from estimators import RunStore, Workers, draw_samples
from estimators.store import database
from randtensor.errors import InputError, StoreError
from randtensor.quantity import Quantity
from theory_checks import Claim, verify

N = rt.Scale("n")
ROOT = np.random.SeedSequence(3)


class Law(Quantity):
    """Normal with standard deviation n^-1/2, which refuses to be drawn in vain."""

    scale_names, fingerprint = ("n",), "normal of variance 1/n"

    def block_length(self, sizes):
        return 16

    def evaluate(self, draw):
        if "RANDTENSOR_TEST_NO_DRAWING" in os.environ:
            raise AssertionError("drawn again")
        return draw.generator.standard_normal(draw.batch) / draw.sizes["n"] ** 0.5


class Pair(Law):
    """Two components with probes, of complex numbers."""

    shape, probes, fingerprint = (2,), 3, "pair"

    def evaluate(self, draw):
        return super().evaluate(draw)[:, None, None] * np.full((2, 3), 1 + 2j)


def drawn(store, counts=(100, 60), quantity=None, root=ROOT, jobs=2):
    sizes = [{"n": 4}, {"n": 9}]
    return draw_samples(quantity or Law(), sizes, counts, root, jobs=Workers(jobs, store=store))


def same(one, other):
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(one, other, strict=True))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs.sqlite"


@pytest.fixture
def no_drawing(monkeypatch):
    return lambda: monkeypatch.setenv("RANDTENSOR_TEST_NO_DRAWING", "1")


@pytest.mark.parametrize("quantity", [Law(), Pair()])
def test_what_is_kept_is_not_drawn_again(path, no_drawing, quantity):
    expected = drawn(None, quantity=quantity)
    with RunStore(path) as store:
        assert same(drawn(store, quantity=quantity), expected)
    no_drawing()
    with RunStore(path) as store:
        assert same(
            drawn(store, (90, 64), quantity=quantity), [expected[0][:90], drawn(store, (1, 64), quantity=quantity)[1]]
        )
        if isinstance(quantity, Pair):
            return
        with pytest.raises(AssertionError, match="drawn again"):
            drawn(store, (100, 65))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(1, 90), st.sampled_from([None, 1, 40])), min_size=1, max_size=4)
)
def test_any_ranges_in_any_order_make_the_same_samples(tmp_path_factory, ranges):
    whole = draw_samples(Law(), [{"n": 4}], [200], ROOT, jobs=1)[0]
    with RunStore(tmp_path_factory.mktemp("store") / "runs.sqlite") as store:
        wanted = set()
        for first, count, block_size in ranges:
            workers = Workers(2, store=store)
            (found,) = draw_samples(
                Law(), [{"n": 4}], [count], ROOT, jobs=workers, first=[first], block_size=block_size
            )
            assert np.array_equal(found, whole[first : first + count])
            wanted |= set(range(first // 16, -(-(first + count) // 16)))
        (stored,) = store.contents()
        assert stored.blocks == len(wanted) and stored.samples == 16 * len(wanted)


def test_estimates_and_scalings_are_those_of_one_run(path):
    length = rt.norm(rt.gaussian(N))
    with RunStore(path) as store:
        workers = Workers(2, store=store)
        for samples in (50, 400):
            found = estimators.scaling(length, n=[4, 16, 64], samples=samples, statistic="q90", rng=1, jobs=workers)
        assert (
            found.estimates
            == estimators.scaling(length, n=[4, 16, 64], samples=400, statistic="q90", rng=1, jobs=1).estimates
        )
        one = estimators.estimate(length, 4, samples=100, rng=1, jobs=workers).extend(length, 60, jobs=workers)
        assert one == estimators.estimate(length, 4, samples=100, rng=1).extend(length, 60)


def test_seed_sizes_and_quantity_tell_streams_apart(path):
    with RunStore(path) as store:
        for root in (ROOT, np.random.SeedSequence(4), np.random.SeedSequence(3, spawn_key=(1,))):
            assert same(drawn(store, root=root), drawn(None, root=root))
        assert len(store.contents()) == 6
        assert all(stored.current and stored.bytes == 8 * stored.samples for stored in store.contents())


def test_what_has_no_value_is_drawn_but_not_kept(path, caplog):
    law = Law()
    law.lock = threading.Lock()
    with RunStore(path) as store, caplog.at_level(logging.WARNING):
        assert same(drawn(store, quantity=law), drawn(None))
        assert not store.contents()
    assert "cannot be identified" in caplog.text and "are not kept" in caplog.text


# --- what is found


def test_other_bits_are_told(path):
    class Restless(Law):
        def evaluate(self, draw):
            return np.random.default_rng().standard_normal(draw.batch)

    with RunStore(path) as store:
        drawn(store, quantity=Restless())
        (stream,) = store.streams(Restless(), [{"n": 4}], ROOT)
        with pytest.raises(StoreError, match="block 0 of normal of variance 1/n was drawn with other bits before"):
            stream.write({0: np.zeros(16)})


@pytest.mark.parametrize("samples", [np.zeros(15), np.array([None] * 16), np.array(["x"] * 16)])
def test_only_blocks_of_numbers_are_kept(path, samples):
    with RunStore(path) as store:
        with pytest.raises(StoreError, match="expected 16 samples of numbers"):
            store.streams(Law(), [{"n": 4}], ROOT)[0].write({0: samples})
        assert not store.contents()


def test_what_other_installations_drew_is_shown_left_alone_and_collected(path, monkeypatch):
    with RunStore(path) as store:
        drawn(store)
    monkeypatch.setattr("estimators.store.runs.environment", lambda: "numpy 7.0")
    with RunStore(path) as store:
        assert not any(stored.current for stored in store.contents())
        assert same(drawn(store), drawn(None))
        assert [stored.current for stored in store.contents()] == [False, False, True, True]
        assert store.collect() == 112 + 64
        assert [stored.current for stored in store.contents()] == [True, True]
    assert os.listdir(path.parent) == [path.name]


def test_a_store_is_migrated_in_one_step(path, monkeypatch):
    with RunStore(path) as store:
        expected = drawn(store)
    monkeypatch.setattr(database, "_MIGRATIONS", (*database._MIGRATIONS, ("ALTER TABLE stream ADD note TEXT",)))
    monkeypatch.setattr(database, "VERSION", 2)
    with RunStore(path) as store:
        assert same(drawn(store), expected)
        assert store._connection.execute("SELECT note FROM stream").fetchall() == [(None,), (None,)]
    monkeypatch.undo()
    with pytest.raises(StoreError, match="has the schema 2, expected at most 1: a newer version wrote it"):
        RunStore(path)


# --- what is foreign or damaged


def database_of(path, *statements):
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


FOREIGN = {
    "text": (lambda path: path.write_text("n,value\n1,2\n"), "is not an SQLite database"),
    "zeros": (lambda path: path.write_bytes(bytes(4096)), "is not an SQLite database"),
    "header": (lambda path: path.write_bytes(b"SQLite format 3\0"), "is the database of another program"),
    "database": (lambda path: database_of(path, "CREATE TABLE t (x)"), "is the database of another program"),
    "tables": (
        lambda path: database_of(
            path, f"PRAGMA application_id = {database._APPLICATION}", "PRAGMA user_version = 1", "CREATE TABLE t (x)"
        ),
        "has other tables than the schema 1, expected",
    ),
    "folder": (lambda path: path.mkdir(), "is no file"),
    "link": (lambda path: path.symlink_to("nowhere"), "is no file"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_are_refused_and_left_as_they_are(path, kind):
    make, message = FOREIGN[kind]
    make(path)
    before = path.read_bytes() if path.is_file() else None
    for writable in (True, False):
        with pytest.raises(StoreError, match=message):
            RunStore(path, writable=writable)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER code AFTER INSERT ON block BEGIN DELETE FROM block; END",
        "CREATE VIEW more AS SELECT * FROM block",
        "CREATE INDEX more ON block (format)",
        "ALTER TABLE block ADD more TEXT",
        "DROP TABLE environment",
        "PRAGMA user_version = -1",
    ],
)
def test_stores_with_another_schema_are_refused(path, statement):
    with RunStore(path) as store:
        drawn(store)
    database_of(path, statement)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="has other tables than the schema"):
        RunStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        "stream SET sizes = '" + "[" * 10**5 + "'",
        "stream SET sizes = 'n = 4'",
        "stream SET sizes = '[4]'",
        """stream SET sizes = '{"n": 1e999}'""",
        "stream SET seed = CAST(x'ff' AS TEXT)",
        "block SET format = '<f8(999999999999999999)'",
        "block SET format = '|O(16)'",
        "block SET samples = zeroblob(0)",
        "block SET number = number + 1000000, checksum = x''",
    ],
)
def test_whatever_is_in_the_tables(path, change):
    with RunStore(path) as store:
        expected = drawn(store)
    database_of(path, f"UPDATE {change}")
    with RunStore(path) as store:
        try:
            assert same(drawn(store), expected)
            store.contents()
        except StoreError as error:
            assert str(path) in str(error)
        else:
            assert "number" in change


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "runs.sqlite"
    with RunStore(path) as store:
        expected = drawn(store, jobs=1)  # in order: the file has the same length each time
    return path.read_bytes(), expected


@settings(max_examples=80, deadline=None)
@given(
    cut=st.none() | st.floats(0.0, 1.0, exclude_max=True),
    changes=st.lists(st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=8),
)
def test_damaged_files_give_no_wrong_samples(tmp_path_factory, sound, cut, changes):
    content, expected = sound
    damaged = bytearray(content)
    for place, change in changes:
        damaged[int(place * len(content))] ^= change
    if cut is not None:
        damaged = content[: max(int(cut * len(content)), 1)]
    path = tmp_path_factory.mktemp("damaged") / "runs.sqlite"
    path.write_bytes(damaged)
    try:
        with RunStore(path) as store:
            assert same(drawn(store), expected)
            store.contents()
    except StoreError:
        pass
    try:
        RunStore(path, writable=False).close()
    except StoreError as error:
        refused = path.read_bytes()
        with pytest.raises(StoreError):
            RunStore(path)
        assert path.read_bytes() == refused and str(path) in str(error)
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("form", ["<f8(16,0,99999999999999999999)", "<f8(16" + ",1" * 99 + ")", f"<f8({'9' * 5000})"])
def test_shapes_that_no_array_has_are_refused_with_a_checksum_that_is_right(path, form):
    with RunStore(path) as store:
        drawn(store)
        (stream,) = store.streams(Law(), [{"n": 4}], ROOT)
    content = b"" if ",0," in form else bytes(128)
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE block SET format = ?, samples = ?, checksum = ? WHERE number = 2 AND stream = 1",
        (form, content, stream._checksum(2, form, content)),
    )
    connection.commit()
    connection.close()
    with RunStore(path) as store, pytest.raises(StoreError, match="is damaged in block 2"):
        drawn(store)


def test_a_block_with_other_bits_than_its_checksum_is_refused(path):
    with RunStore(path) as store:
        drawn(store)
    database_of(path, "UPDATE block SET samples = zeroblob(128) WHERE number = 2 AND stream = 1")
    with RunStore(path) as store, pytest.raises(StoreError, match="is damaged in block 2 of normal of variance 1/n"):
        drawn(store)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can make files")
def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(StoreError, match="cannot be written"), RunStore("/proc/runs.sqlite") as store:
        drawn(store)
    with pytest.raises(StoreError, match="does not exist"):
        RunStore(tmp_path / "none.sqlite", writable=False)
    with pytest.raises(StoreError, match="cannot be written"):
        RunStore(tmp_path / "none" / "runs.sqlite")


def test_a_store_that_fails_ends_the_run(path):
    claim = Claim("length", rt.norm(rt.gaussian(N)), predicted=rt.Theta(N**0.5), n=[4, 8, 16])
    with RunStore(path) as store:
        pass
    with pytest.raises(StoreError, match="is closed"):
        verify([claim], rng=0, jobs=Workers(1, store=store))
    with pytest.raises(InputError, match="time_budget is given together with a store"):
        verify([claim], rng=0, time_budget=1.0, jobs=Workers(1, store=store))
    with pytest.raises(InputError, match="store is 'runs', expected a RunStore"):
        Workers(1, store="runs")


def test_verdicts_are_those_of_an_unstored_run(path, no_drawing):
    claims = [Claim("law", Law(), statistic="rms", predicted=rt.Theta(N**-0.5), n=[4, 16, 64])]
    plain = verify(claims, rng=0, jobs=1).results[0].to_dict()
    for _ in range(2):
        with RunStore(path) as store:
            kept = verify(claims, rng=0, jobs=Workers(2, store=store)).results[0].to_dict()
        assert {**kept, "seconds": 0} == {**plain, "seconds": 0}
        no_drawing()


def test_data_are_never_code():
    for file in (Path(__file__).parents[1] / "estimators" / "store").glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and hasattr(node.func, "id")}
        assert not names & {"pickle", "marshal", "shelve", "cloudpickle"} and not called & {"eval", "exec", "compile"}
