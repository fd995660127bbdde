"""The file of a run store: an SQLite database in write-ahead mode, and whether a file is one.

A file is judged by reading it. Only one that is a sound run store, or is empty, is ever opened for writing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from randtensor.errors import StoreError

__all__ = ["VERSION", "check", "connect", "reported", "transaction"]

_MAGIC = b"SQLite format 3\0"
_APPLICATION = 0x72746E73  # "rtns", in bytes 68 to 71 of the file
_PATIENCE = 60.0  # seconds that another process may hold the lock

#: scripts that lead from each schema version to the next; an empty file has version 0
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE environment (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT",
        """CREATE TABLE stream (
            id INTEGER PRIMARY KEY,
            key BLOB NOT NULL UNIQUE,
            quantity TEXT NOT NULL,
            sizes TEXT NOT NULL,
            seed TEXT NOT NULL,
            length INTEGER NOT NULL,
            environment INTEGER NOT NULL REFERENCES environment (id)
        ) STRICT""",
        """CREATE TABLE block (
            stream INTEGER NOT NULL REFERENCES stream (id),
            number INTEGER NOT NULL,
            format TEXT NOT NULL,
            samples BLOB NOT NULL,
            checksum BLOB NOT NULL,
            PRIMARY KEY (stream, number)
        ) STRICT""",
    ),
)

#: of the schema that this version of the library writes
VERSION = len(_MIGRATIONS)


def check(path: Path, *, writable: bool = True) -> None:
    """Refuse a place where no store can be or be made, by reading alone; for reading only, there has to be one.

    Raises
    ------
    StoreError : a file that is something else, damaged, or of a newer schema; a place that cannot be written.
    """
    exists = path.exists() or path.is_symlink()
    if exists:
        _inspect(path)
    elif not writable:
        raise StoreError(f"store {path} does not exist, expected a run store")
    folder = path.absolute().parent
    if writable and not (os.access(folder, os.W_OK | os.X_OK) and (not exists or os.access(path, os.W_OK))):
        raise StoreError(f"store {path} cannot be written, expected a place where files can be made")


def connect(path: Path, *, writable: bool = True) -> sqlite3.Connection:
    """A connection to the store at ``path``, which is made if there is none. It is for a place that was checked.

    Raises
    ------
    StoreError : what went wrong all the same.
    """
    with reported(path):
        connection = _open(path, "rwc" if writable else "ro")
        try:
            if writable:
                _migrate(connection)
                connection.execute("PRAGMA journal_mode = WAL")
                # a commit survives the end of the process at once, and that of the machine from the next checkpoint on
                connection.execute("PRAGMA synchronous = NORMAL")
            return connection
        except BaseException:
            connection.close()
            raise


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """SQLite's errors as sentences."""
    try:
        yield
    except (UnicodeDecodeError, sqlite3.Error) as error:
        code = str(getattr(error, "sqlite_errorname", ""))
        if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
            reason = f"cannot grow ({error}), expected space on the disk: what is in it is kept, free some and resume"
        elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            reason = f"is locked by another process for {_PATIENCE:g} s, expected it to be free now and then"
        elif isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error):  # of a name, or in a message
            reason = "is damaged (a text in it is not UTF-8), expected a run store"
        elif code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            reason = f"is damaged ({error}), expected a run store"
        elif code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            reason = f"cannot be written ({error}), expected a place where files can be made"
        else:
            reason = f"cannot be used ({error}), expected a run store"
        raise StoreError(f"store {path} {reason}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, also when it is interrupted; waits for other writers."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _open(path: Path, mode: str) -> sqlite3.Connection:
    if mode == "ro" and os.path.exists(f"{path}-journal"):
        mode = "rw"  # a process was killed while it made the store: SQLite has to undo that before it can read
    # without a log beside it nobody is writing, and a file that is said not to change is not touched by reading it
    still = mode == "ro" and not os.path.exists(f"{path}-wal")
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}{'&immutable=1' if still else ''}"
    connection = sqlite3.connect(uri, uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _inspect(path: Path) -> None:
    """Refuse what is no sound run store, by reading alone."""
    if not path.is_file():
        raise StoreError(f"store {path} is no file, expected a run store or a name that is free")
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise StoreError(f"store {path} cannot be read ({error.strerror or error}), expected a run store") from error
    # an empty file is what is left when a process is killed while it makes one, or a journal that says how to undo it
    if not header or (not header.strip(b"\0") and os.path.exists(f"{path}-journal")):
        return
    if header[:16] != _MAGIC:
        raise StoreError(f"store {path} is not an SQLite database, expected a run store")
    if len(header) < 100 or int.from_bytes(header[68:72], "big") != _APPLICATION:
        raise StoreError(f"store {path} is the database of another program, expected a run store")
    with reported(path), closing(_open(path, "ro")) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StoreError(
                f"store {path} has the schema {version}, expected at most {VERSION}: a newer version wrote it"
            )
        if _schema(connection) != _schema_of(version):
            raise StoreError(f"store {path} has other tables than the schema {version}, expected a run store")
        # last, since the constraints of a foreign schema are expressions that it would evaluate
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StoreError(f"store {path} is damaged ({' '.join(found.split())}), expected a run store")


def _schema(connection: sqlite3.Connection) -> set[tuple[str, str, str | None]]:
    """Everything that is defined in a database: a trigger in it would be code."""
    return set(connection.execute("SELECT type, name, sql FROM sqlite_schema"))


def _schema_of(version: int) -> set[tuple[str, str, str | None]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in (statement for script in _MIGRATIONS[:version] for statement in script):
            connection.execute(statement)
        return _schema(connection)


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date, in one transaction; making a store is the migration of an empty file."""
    if connection.execute("PRAGMA user_version").fetchone() == (VERSION,):
        return
    with transaction(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()  # another process may have been faster
        for script in _MIGRATIONS[version:]:
            for statement in script:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
