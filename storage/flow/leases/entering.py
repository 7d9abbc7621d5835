"""What comes into the queue, or back into it -> a mark by which who reads it as a log finds what is new to him."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

#: The number of the transaction, which says exactly from when on others see its rows.
POSTGRESQL = "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"
#: One transaction follows the other here: behind every id that was given until now.
SQLITE = "(SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'queue')"


class _Entering(FunctionElement[int]):
    type = BigInteger()
    inherit_cache = True


@compiles(_Entering, "postgresql")
def _by_transaction(*_: Any, **__: Any) -> str:
    return POSTGRESQL


@compiles(_Entering, "sqlite")
def _by_id(*_: Any, **__: Any) -> str:
    return SQLITE


ENTERING = _Entering()
#: What whoever gives a message back to the queue sets.
FREE: Mapping[str, Any] = {"holder": None, "entered": ENTERING}
