"""What bots' owners say of the judgements that they were given: by a code that holds all that is needed, and then as
hashes, to recognise the same again."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Hashable, Sequence
from datetime import datetime

from sqlalchemy import delete, select

from bot.core.chat.message import CommunityRef
from bot.core.incidents.feedback import LONGEST_CODE
from bot.core.incidents.ports import MOST
from bot.core.rules.precedent import Judged, Precedent, Ruling
from storage.columns import instant, microseconds
from storage.community_key import community_of, read_community
from storage.database import Database
from storage.records.precedents import read_likeness, write_near
from storage.tables import feedback

_TAG = 16  # bytes


class SqlFeedback:
    """A code is sealed, so that nobody learns from it how we recognise texts, and signed, so that nobody makes one. So
    nothing is stored of a judgement of which nobody says anything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def code(self, community: CommunityRef, about: Judged) -> str:
        key = await self._database.keys.of(community)
        near = write_near(about.likeness)
        letters = about.likeness.letters[:16]
        content = [key, microseconds(about.at), sorted(about.rules), letters.hex(), urlsafe_b64encode(near).decode()]
        sealed = self._database.sealing.seal(json.dumps(content, ensure_ascii=False), key)
        return urlsafe_b64encode(self._tag(sealed) + sealed).decode().rstrip("=")

    async def read(self, community: CommunityRef, code: str) -> Judged | None:
        if len(code) > LONGEST_CODE:
            return None
        try:
            given = urlsafe_b64decode(code + "=" * (-len(code) % 4))
        except ValueError:
            return None
        tag, sealed = given[:_TAG], given[_TAG:]
        if not hmac.compare_digest(tag, self._tag(sealed)):
            return None
        if (content := self._database.sealing.unseal(sealed)) is None:
            return None
        key, at, rules, letters, near = json.loads(content)
        if key != await self._database.keys.known(community):
            return None
        alike = read_likeness(bytes.fromhex(letters), urlsafe_b64decode(near))
        return Judged(rules=frozenset(rules), likeness=alike, at=instant(at))

    async def take(self, community: CommunityRef, code: str, precedent: Precedent, *, by: str) -> bool:
        key = await self._database.keys.of(community)
        values = {
            "community": key,
            "key": by,
            "verdict": precedent.ruling.value,
            "rules": json.dumps(sorted(precedent.rules), ensure_ascii=False),
            "text_hash": precedent.likeness.letters[:16],
            "near_hash": write_near(precedent.likeness),
            "at": self._database.clock.now(),
            "until": precedent.until,
        }
        put = self._database.insert(feedback).values(code=self._name(code), **values)
        other = feedback.c.verdict != precedent.ruling.value
        put = put.on_conflict_do_update(index_elements=[feedback.c.code], set_=values, where=other)
        theirs = feedback.c.community == key
        newest = select(feedback.c.code).where(theirs).order_by(feedback.c.at.desc()).limit(MOST)
        async with self._database.write() as connection:
            if (await connection.execute(put.returning(feedback.c.code))).first() is None:
                return False
            await connection.execute(delete(feedback).where(theirs, feedback.c.code.not_in(newest)))
            return True

    async def since(self, moment: datetime) -> Sequence[tuple[CommunityRef, Hashable, Precedent | None]]:
        f = feedback.c
        wanted = select(*community_of(feedback), f.code, f.verdict, f.rules, f.text_hash, f.near_hash, f.until)
        async with self._database.read() as connection:
            rows = (await connection.execute(wanted.where(f.at >= moment).order_by(f.at, f.code))).all()
        return [
            (
                read_community(row),
                row.code,
                Precedent(
                    incident_id=None,
                    ruling=Ruling(row.verdict),
                    rules=frozenset(json.loads(row.rules)),
                    likeness=read_likeness(row.text_hash, row.near_hash),
                    until=row.until,
                ),
            )
            for row in rows
        ]

    def _tag(self, sealed: bytes) -> bytes:
        return self._database.sealing.text_hash(f"judged {sealed.hex()}")[:_TAG]

    def _name(self, code: str) -> bytes:
        return self._database.sealing.text_hash(f"code {code.rstrip('=')}")
