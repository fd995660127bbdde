"""What is wrong in a file of claims: everything at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from randtensor.errors import InputError, RandtensorError

__all__ = ["ClaimFileError", "Problem", "Problems"]


@dataclass(frozen=True, order=True)
class Problem:
    """One sentence about one line."""

    line: int
    message: str


class ClaimFileError(InputError):
    """A file of claims that cannot be used; ``problems`` has every sentence with its line, in the order of the lines.

    The message has one line for each.
    """

    def __init__(self, name: str, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(f"{name}, line {problem.line}: {problem.message}" for problem in problems))
        self.name = name
        self.problems = problems


class Problems:
    """Collects what is wrong, so that a reader goes on to the next entry.

    >>> problems = Problems()
    >>> with problems.at(3, "samples "):
    ...     raise InputError("is 0, expected a positive integer")
    >>> problems.found
    [Problem(line=3, message='samples is 0, expected a positive integer')]
    """

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, line: int, message: str) -> None:
        """Note one."""
        self.found.append(Problem(line, " ".join(message.split())))

    @contextmanager
    def at(self, line: int, context: str = "") -> Iterator[None]:
        """Turn what the library refuses into a problem of this line."""
        try:
            yield
        except RandtensorError as error:
            self.add(line, f"{context}{error}")

    def check(self, name: str) -> None:
        """Raise `ClaimFileError` if there is any."""
        if self.found:
            raise ClaimFileError(name, tuple(sorted(set(self.found))))
