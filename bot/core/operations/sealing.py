"""What people say <-> the bytes that are stored of it; and what is left of it to be recognised by, keyed hashes.

The first byte says how the rest is sealed: 0 not at all, 1 with the key of a period, whose number the next two name.
"""

import hashlib
import hmac
from collections.abc import Collection
from enum import StrEnum
from typing import Protocol

from bot.core.base.errors import Broken

OPEN, KIND = b"\0", b"\1"
HEADER = 3  # bytes

#: What an empty text becomes, always: there is nothing in it to hide.
NOTHING = OPEN


class Span(StrEnum):
    """How long what is sealed is needed: that decides how soon its key is thrown away."""

    PASSING = "passing"  # what waits to be judged
    KEPT = "kept"


def header(period: int) -> bytes:
    return KIND + period.to_bytes(2, "big")


class Sealing(Protocol):
    """Keys that texts are sealed with, and that hashes are made with. Nothing here waits."""

    @property
    def name(self) -> str:
        """Of the keys, said to nobody; empty: there are none, and everything is stored as it is."""
        ...

    def seal(self, text: str, community: int = 0, span: Span = Span.KEPT) -> bytes:
        """`community`: the number of the one it was said in; 0: of none."""
        ...

    def unseal(self, sealed: bytes) -> str | None:
        """None: its key is not there any more. Broken: a newer version has sealed it."""
        ...

    def community_of(self, sealed: bytes) -> int:
        """The one that it was sealed for."""
        ...

    def member_hash(self, community: int, member: str) -> bytes:
        """Another one in every community: two of them cannot compare."""
        ...

    def text_hash(self, text: str) -> bytes: ...

    def outdated(self) -> Collection[int]:
        """Periods that nothing should be sealed in any more."""
        ...

    def earlier(self) -> Collection[int]:
        """All periods but the present ones."""
        ...

    def rotate(self) -> None:
        """New periods begin."""
        ...

    def throw_away(self, numbers: Collection[int]) -> None:
        """The keys of these periods; what is sealed in them nobody reads again."""
        ...


class Openly:
    """Nothing is sealed: for rehearsals and tests, whose texts are made up and gone afterwards."""

    name = ""

    def seal(self, text: str, community: int = 0, span: Span = Span.KEPT) -> bytes:
        return OPEN + text.encode("utf-8")

    def unseal(self, sealed: bytes) -> str | None:
        if not sealed.startswith(OPEN):
            raise Broken("The database holds sealed text, and there is no keyring.")
        return sealed[1:].decode("utf-8")

    def community_of(self, sealed: bytes) -> int:
        return 0

    def member_hash(self, community: int, member: str) -> bytes:
        return hmac.digest(b"%d" % community, member.encode("utf-8"), "sha256")[:16]

    def text_hash(self, text: str) -> bytes:
        return hashlib.sha256(text.encode("utf-8")).digest()[:16]

    def outdated(self) -> Collection[int]:
        return ()

    def earlier(self) -> Collection[int]:
        return ()

    def rotate(self) -> None: ...

    def throw_away(self, numbers: Collection[int]) -> None: ...
