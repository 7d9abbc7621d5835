"""A master key and a file -> texts sealed with the key of their period and community, and keyed hashes.

AES-GCM of `cryptography`, in envelopes: the master key seals the file, the file holds a key for each period, and of
that each community's is derived. What was sealed in a period whose key is thrown away nobody can read any more, not
here and not in an old copy of the database.
"""

import base64
import hmac
import json
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from adapters.keyring.files import KEYRING, locked, private_folder, replace_file
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Broken, reason
from bot.core.operations.sealing import HEADER, KIND, NOTHING, OPEN, Span, header

#: After how long a new key begins, and how long after that the old one is thrown away: what must be kept for longer
#: is sealed anew before (storage/records/resealing.py).
LASTS = {Span.PASSING: timedelta(hours=6), Span.KEPT: timedelta(days=7)}
STAYS = {Span.PASSING: timedelta(hours=12), Span.KEPT: timedelta(days=90)}

#: How often it is looked whether another process has begun a period.
LOOKS = timedelta(seconds=1)

_MOST_CIPHERS = 20_000
_NONCE = 12
_PLACE = HEADER + 4  # behind the header stands the community's number

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Period:
    number: int
    span: Span
    began_at: datetime
    key: bytes = field(repr=False)


class Keyring:
    """Of several processes that share the file, each sees within LOOKS what another has changed."""

    def __init__(self, folder: Path, master: bytes, clock: Clock) -> None:
        """Broken: it cannot be read, or not with this master key. One that is not there is made."""
        self._path, self._lock = folder / KEYRING, folder / "lock"
        self._master, self._clock = AESGCM(master), clock
        self._periods: dict[int, Period] = {}
        self._newest: dict[Span, Period] = {}
        self._ciphers: Bounded[tuple[int, int], AESGCM] = Bounded(_MOST_CIPHERS)
        self._members: Bounded[int, bytes] = Bounded(_MOST_CIPHERS)
        self._read_as: tuple[int, int] | None = None
        self._looked_at = clock.now()
        self.name, self._root, self._texts = "", b"", b""
        private_folder(folder)
        if not self._path.exists():
            self._make()
        self._read()

    def seal(self, text: str, community: int = 0, span: Span = Span.KEPT) -> bytes:
        if not text:
            return NOTHING
        period = self._current(span)
        begin = header(period.number) + community.to_bytes(4, "big")
        nonce = os.urandom(_NONCE)
        sealed = self._cipher(period, community).encrypt(nonce, text.encode("utf-8"), begin)
        return b"".join((begin, nonce, sealed))

    def unseal(self, sealed: bytes) -> str | None:
        if sealed.startswith(OPEN):
            return sealed[1:].decode("utf-8")
        if not sealed.startswith(KIND):
            raise Broken("The database holds sealed text that this version cannot read.")
        period = self._period(int.from_bytes(sealed[1:HEADER], "big"))
        if period is None:
            return None
        begin, nonce, rest = sealed[:_PLACE], sealed[_PLACE : _PLACE + _NONCE], sealed[_PLACE + _NONCE :]
        try:
            cipher = self._cipher(period, int.from_bytes(begin[HEADER:], "big"))
            return cipher.decrypt(nonce, rest, begin).decode("utf-8")
        except (InvalidTag, ValueError):
            return None

    def community_of(self, sealed: bytes) -> int:
        return int.from_bytes(sealed[HEADER:_PLACE], "big") if sealed.startswith(KIND) else 0

    def member_hash(self, community: int, member: str) -> bytes:
        if community not in self._members:
            self._members[community] = _derived(self._root, b"members %d" % community)
        return hmac.digest(self._members[community], member.encode("utf-8"), "sha256")[:16]

    def text_hash(self, text: str) -> bytes:
        return hmac.digest(self._texts, text.encode("utf-8"), "sha256")[:16]

    def outdated(self) -> Collection[int]:
        """Periods whose keys are due to be thrown away."""
        now, found = self._now(), []
        for span in Span:
            self._current(span)  # where nobody writes, a period ends all the same
            periods = [one for one in self._periods.values() if one.span is span]  # in the order of time
            for one, successor in pairwise(periods):
                if now - successor.began_at >= STAYS[span]:
                    found.append(one.number)
        return found

    def earlier(self) -> Collection[int]:
        self._look()
        return [one.number for one in self._periods.values() if one not in self._newest.values()]

    def rotate(self) -> None:
        """New periods begin now."""
        self._begin(*Span)

    def throw_away(self, numbers: Collection[int]) -> None:
        with locked(self._lock):
            self._read()
            kept = [one for one in self._periods.values() if one.number not in numbers or one in self._newest.values()]
            self._write(kept)

    def _now(self) -> datetime:
        self._look()
        return self._clock.now()

    def _look(self) -> None:
        """After what another process has changed. A clock that was put back looks, too."""
        if self._clock.now() - self._looked_at >= LOOKS or self._clock.now() < self._looked_at:
            self._looked_at = self._clock.now()
            self._read_if_changed()

    def _read_if_changed(self) -> None:
        """What cannot be read now may be again later: until then, what is known holds."""
        try:
            if self._read_as != self._stamp():
                self._read()
        except (OSError, Broken) as error:
            _log.error("keyring cannot be read again", reason=error)

    def _current(self, span: Span) -> Period:
        now, newest = self._now(), self._newest[span]
        # One that begins in the future was begun by a clock that has been put back since.
        if now - newest.began_at >= LASTS[span] or newest.began_at - now > LASTS[span]:
            try:
                self._begin(span, unless_younger=LASTS[span])
            except (OSError, Broken) as error:  # a disk that is full: then the period lasts longer
                _log.error("keyring cannot be written", reason=error)
        return self._newest[span]

    def _period(self, number: int) -> Period | None:
        if number not in self._periods:
            self._read_if_changed()
        return self._periods.get(number)

    def _cipher(self, period: Period, community: int) -> AESGCM:
        place = period.number, community
        if place not in self._ciphers:
            self._ciphers[place] = AESGCM(_derived(period.key, b"community %d" % community))
        return self._ciphers[place]

    def _begin(self, *spans: Span, unless_younger: timedelta | None = None) -> None:
        with locked(self._lock):
            self._read()
            now = self._clock.now()
            # A moment in the future counts as now, or keys of a clock that ran ahead would stay for years.
            periods = [Period(one.number, one.span, min(one.began_at, now), one.key) for one in self._periods.values()]
            for span in spans:
                newest = self._newest.get(span)
                if newest and unless_younger and timedelta(0) <= now - newest.began_at < unless_younger:
                    continue  # another process was faster
                periods.append(Period(_free({one.number for one in periods}), span, now, os.urandom(32)))
            self._write(periods)

    def _make(self) -> None:
        with locked(self._lock):
            if self._path.exists():
                return
            self.name, self._root = os.urandom(8).hex(), os.urandom(32)
            now = self._clock.now()
            try:
                self._write([Period(number, span, now, os.urandom(32)) for number, span in enumerate(Span, 1)])
            except OSError as error:
                raise Broken("The keyring {path} is not saved ({why}).", path=self._path, why=reason(error)) from None

    def _stamp(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_mtime_ns, status.st_ino

    def _read(self) -> None:
        try:
            stamp = self._stamp()
            content = json.loads(self._path.read_bytes())
            sealed = base64.b64decode(content["sealed"])
            if content["v"] != 1:
                raise Broken("A newer version of Jikimi has written the keyring {path}.", path=self._path)
            inside = json.loads(self._master.decrypt(sealed[:_NONCE], sealed[_NONCE:], b"jikimi keyring 1"))
        except OSError as error:
            raise Broken("The keyring {path} cannot be read ({why}).", path=self._path, why=reason(error)) from None
        except InvalidTag:
            raise Broken("The keyring {path} lies under another master key; give that one.", path=self._path) from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Broken("The keyring {path} is damaged; restore it from a copy.", path=self._path) from None
        self._take(inside)
        self._read_as = stamp

    def _take(self, inside: dict[str, Any]) -> None:
        self.name, self._root = inside["name"], base64.b64decode(inside["root"])
        self._texts = _derived(self._root, b"texts")
        self._periods = {
            one["number"]: Period(
                one["number"],
                Span(one["span"]),
                datetime.fromisoformat(one["began_at"]),
                base64.b64decode(one["key"]),
            )
            for one in inside["periods"]
        }
        self._newest = {one.span: one for one in self._periods.values()}
        for place in [place for place in self._ciphers if place[0] not in self._periods]:
            del self._ciphers[place]

    def _write(self, periods: Collection[Period]) -> None:
        """In order: the last of each span is the one that texts are sealed in."""
        inside = {
            "name": self.name,
            "root": base64.b64encode(self._root).decode(),
            "periods": [
                {
                    "number": one.number,
                    "span": one.span,
                    "began_at": one.began_at.isoformat(),
                    "key": base64.b64encode(one.key).decode(),
                }
                for one in periods
            ],
        }
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._master.encrypt(nonce, json.dumps(inside).encode(), b"jikimi keyring 1")
        replace_file(self._path, json.dumps({"v": 1, "sealed": base64.b64encode(sealed).decode()}).encode())
        self._take(inside)
        self._read_as = self._stamp()


def _derived(key: bytes, what: bytes) -> bytes:
    return HKDFExpand(algorithm=hashes.SHA256(), length=32, info=b"jikimi " + what).derive(key)


def _free(numbers: Collection[int]) -> int:
    """The one behind the highest; after 65,535 the lowest that is free."""
    after = max(numbers, default=0) + 1
    return after if after < 2**16 else next(one for one in range(1, 2**16) if one not in numbers)
