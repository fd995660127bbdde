"""Records of results: JSON has neither infinities nor arrays, and a reader must know what it reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from randtensor.errors import InputError

__all__ = ["matching_schema", "number", "plain"]


def plain(x: Any) -> Any:
    """``x`` with numbers that are not finite replaced by None.

    >>> plain([1.0, float("inf")])
    [1.0, None]
    """
    if isinstance(x, list):
        return [plain(item) for item in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x


def number(x: Any, missing: float) -> float:
    """The float that `plain` was given, if the only one it can have replaced is ``missing``."""
    return missing if x is None else float(x)


@contextmanager
def matching_schema(record: Mapping[str, Any], schema: str) -> Iterator[None]:
    """Refuse a record of something else, and say which field of a damaged one is missing."""
    found = record.get("schema") if isinstance(record, Mapping) else None
    if found != schema:
        raise InputError(f"record has the schema {found!r}, expected {schema!r}")
    try:
        yield
    except KeyError as error:
        raise InputError(f"record has no field {error}, expected a record made by to_dict") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"record cannot be read ({error}), expected a record made by to_dict") from None
