"""A community or a member -> gone from every table at once; what counts against a member stays as a keyed hash."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, insert, not_, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.chat.message import CommunityRef, Platform
from bot.core.incidents.case import new_code
from bot.core.operations.erasing import Erased, Receipt
from storage import codec
from storage.columns import SaidIn, plain
from storage.community_key import community_of
from storage.database import Database
from storage.records.forgetting import PAUSE, erase, some, without_texts
from storage.records.rolls import NOT_KNOWN
from storage.settings.unnaming import unname
from storage.tables import (
    actions,
    amendments,
    appeals,
    cases,
    communities,
    erasures,
    incidents,
    links,
    looks,
    members,
    messages,
    metadata,
    policies,
    precedents,
    queue,
    reviews,
    sanctions,
)

#: The columns that name a member, by the column that their hash stands in, where there is one.
_MEMBERS = {"author": "author_hash", "member": "member_hash", "moderator": None, "taken_by": None, "imposed_by": None}

#: What an erased moderator is called who has looked at others; what of their hash follows tells them apart.
ERASED = "erased-"

#: When something was said or done, as far as a table tells.
_WHEN = ("sent_at", "opened_at", "begins_at", "at")

_SHOWN = 2_000  # incidents of one member whose cards are drawn anew
_LEFT = erasures.c.done_at.is_(None)


class SqlErasing:
    """Tables of later versions take part by their columns: `community`, those that name a member, foreign keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase_community(self, community: CommunityRef) -> Receipt | None:
        key, number = await self._database.keys.known(community), 0
        if key is None:
            return None
        for table in reversed(metadata.sorted_tables):
            if "community" in table.c:
                number += await erase(self._database, table, table.c.community == key)
        now, receipt = self._database.clock.now(), new_code()
        async with self._database.write() as connection:
            number += (await connection.execute(delete(communities).where(communities.c.key == key))).rowcount
            done = {"community": key, "asked_at": now, "done_at": now, "receipt": receipt}
            await connection.execute(insert(erasures).values(done))
        self._database.keys.forget()
        return Receipt(code=receipt, at=now, rows=number)

    async def erase_member(self, community: CommunityRef, member: str) -> Receipt | None:
        key = await self._database.keys.known(community)
        if key is None:
            return None
        now = self._database.clock.now()
        who = _Member(self._database, key, plain(member), self._database.sealing.member_hash(key, plain(member)), now)
        return await self._carry_out(who, await who.ask())

    async def _carry_out(self, who: "_Member", receipt: str) -> Receipt:
        """What waits to be judged is: nobody gets round that by being erased. It goes when `go_on` comes by."""
        names = await who.names()
        number = await who.forget_incidents() + await who.forget_objections()
        for table in metadata.sorted_tables:
            for column, hash_ in _MEMBERS.items():
                if column in table.c and table not in (queue, erasures):
                    number += await who.unname(table, column, hash_)
        number += (
            await who.forget_in_others()
            + await who.forget_the_rest(names)
            + await unname(self._database, who.community, who.id)
        )
        return Receipt(code=receipt, at=who.asked_at, rows=number, left=await who.close())

    async def go_on(self) -> int:
        number = 0
        async with self._database.read() as connection:
            left = (await connection.execute(select(erasures).where(_LEFT, erasures.c.member.is_not(None)))).all()
        for row in left:
            if row.member:  # its key may be gone
                who = _Member(self._database, row.community, row.member, row.member_hash, row.asked_at)
                number += (await self._carry_out(who, row.receipt)).rows
        return number

    async def since(self, moment: datetime) -> Sequence[Erased]:
        new = or_(erasures.c.asked_at >= moment, erasures.c.done_at >= moment)
        wanted = select(*erasures.c, *(one.label(f"its_{one.name}") for one in community_of(erasures)))
        found: list[Erased] = []
        async with self._database.read() as connection:
            for row in (await connection.execute(wanted.where(new).order_by(erasures.c.id))).all():
                place = self._database.keys.called(row.community)
                if row.its_platform is not None:
                    place = CommunityRef(Platform(row.its_platform), row.its_community)
                if place is None:
                    continue  # this process has never heard of it
                is_theirs = or_(*(one == row.member_hash for one in (incidents.c.author_hash, incidents.c.other_hash)))
                theirs = and_(incidents.c.community == row.community, is_theirs)
                shown = select(incidents.c.id).where(theirs).order_by(incidents.c.id.desc()).limit(_SHOWN)
                erased = Erased(
                    receipt=f"{row.receipt} {row.asked_at} {row.done_at}",
                    community=place,
                    is_theirs=partial(self._is, row.community, row.member_hash),
                    incidents=list((await connection.execute(shown)).scalars()) if row.member_hash else (),
                )
                found.append(erased)
        return found

    def _is(self, community: int, hashed: bytes | None, member: str) -> bool:
        return hashed is None or self._database.sealing.member_hash(community, plain(member)) == hashed


@dataclass(frozen=True, slots=True)
class _Member:
    """Of one community, by its key. `hash`: what is left of them. What they have said and done since they asked stays,
    however long something of before has to: else nothing of theirs could be looked at any more."""

    database: Database
    community: int
    id: str
    hash: bytes
    asked_at: datetime

    async def ask(self) -> str:
        """Written down before anything goes, so that what is broken off is gone on with. Gives the receipt."""
        theirs = and_(erasures.c.community == self.community, erasures.c.member_hash == self.hash, _LEFT)
        again = update(erasures).where(theirs).values(asked_at=self.asked_at).returning(erasures.c.receipt)
        async with self.database.write() as connection:
            if before := (await connection.execute(again)).first():
                return str(before.receipt)
            receipt, member = new_code(), SaidIn(self.community, self.id)
            asked = {"community": self.community, "member_hash": self.hash, "asked_at": self.asked_at}
            await connection.execute(insert(erasures).values(member=member, receipt=receipt, **asked))
        return receipt

    async def close(self) -> int:
        """How much still names them; where nothing does, the erasure is done."""
        named = and_(incidents.c.community == self.community, incidents.c.author == self.id, self._said_before)
        runs = and_(sanctions.c.community == self.community, sanctions.c.member == self.id, self._before(sanctions))
        waits = and_(queue.c.community == self.community, queue.c.author == self.id, self._before(queue))
        async with self.database.write() as connection:
            left = 0
            for table, theirs in ((incidents, named), (sanctions, runs), (queue, waits)):
                counted = select(func.count()).select_from(table).where(theirs)
                left += int((await connection.execute(counted)).scalar_one())
            if not left:
                this = and_(erasures.c.community == self.community, erasures.c.member_hash == self.hash, _LEFT)
                done = update(erasures).where(this).values(member=None, done_at=self.database.clock.now())
                await connection.execute(done)
        return left

    async def forget_incidents(self) -> int:
        """Evidence that is held stays until then, and so does whom something is still to be done to."""
        number = 0
        not_held = and_(
            or_(incidents.c.held_until.is_(None), incidents.c.held_until <= self.database.clock.now()),
            not_(exists().where(actions.c.incident == incidents.c.id, actions.c.finished_at.is_(None))),
        )
        theirs = and_(incidents.c.community == self.community, incidents.c.author == self.id, self._said_before)
        due = and_(theirs, not_held)
        while found := await some(self.database, select(incidents.c.id).where(due)):
            ids = [row.id for row in found]
            of_these = select(cases.c.id).where(cases.c.incident.in_(ids))
            async with self.database.write() as connection:
                await without_texts(connection, ids)
                await connection.execute(update(appeals).where(appeals.c.case.in_(of_these)).values(words=""))
                withdrawn = {"verdict": None, "text_hash": b"", "near_hash": b"", "at": self.database.clock.now()}
                await connection.execute(update(precedents).where(precedents.c.case.in_(of_these)).values(withdrawn))
                this = update(incidents).where(incidents.c.id.in_(ids))
                number += (await connection.execute(this.values(author=None, author_hash=self.hash))).rowcount
            await asyncio.sleep(PAUSE)
        return number

    async def forget_in_others(self) -> int:
        """Incidents of somebody else that name them, too."""
        named = and_(incidents.c.community == self.community, incidents.c.other_hash == self.hash, self._said_before)
        async with self.database.write() as connection:
            rows = (await connection.execute(select(incidents.c.id, incidents.c.decision).where(named))).all()
            for row in rows:
                without = SaidIn(self.community, codec.without_other(row.decision))
                await connection.execute(update(incidents).where(incidents.c.id == row.id).values(decision=without))
        return len(rows)

    async def forget_objections(self) -> int:
        """What they had to say to deeds by hand."""
        theirs = and_(cases.c.community == self.community, cases.c.member == self.id)
        by_hand = (theirs, cases.c.incident.is_(None), self._before(cases))
        async with self.database.write() as connection:
            said = update(appeals).where(appeals.c.case.in_(select(cases.c.id).where(*by_hand)))
            return (await connection.execute(said.values(words=""))).rowcount

    async def unname(self, table: Table, column: str, hash_: str | None) -> int:
        known = table.c[column]
        gone: dict[str, Any] = {column: None if known.nullable else ""}
        if hash_ and hash_ in table.c:
            gone[hash_] = self.hash
        if column == "moderator" and "moderator_name" in table.c:
            gone["moderator_name"] = ""
        if table is looks:  # that they have looked at others stays, under a word of their own
            gone[column] = f"{ERASED}{self.hash.hex()[:8]}"
        if (there := _there(table, self.community)) is None:
            return 0
        there = and_(there, self._before(table))
        if table is incidents:
            there = and_(there, incidents.c.body.is_(None), self._said_before)
        elif table is cases:  # while a sanction runs, somebody must be known to lift it from
            running = exists().where(sanctions.c.case == cases.c.id, sanctions.c.lifted_at.is_(None))
            kept = exists().where(incidents.c.id == cases.c.incident, incidents.c.author.is_not(None))
            if column == "member":
                gone["words"], there = None, and_(there, not_(running), not_(kept))
        elif table is sanctions and column == "member":
            there = and_(there, sanctions.c.lifted_at.is_not(None))
        async with self.database.write() as connection:
            if table is cases and column == "moderator":
                await self._unname_words(connection)
            return (await connection.execute(update(table).where(there, known == self.id).values(gone))).rowcount

    @property
    def _said_before(self) -> ColumnElement[bool]:
        return exists().where(messages.c.id == incidents.c.message, messages.c.sent_at <= self.asked_at)

    def _before(self, table: Table) -> ColumnElement[bool]:
        """That a row is not of later than when they asked."""
        at = next((table.c[name] for name in _WHEN if name in table.c), None)
        return true() if at is None else at <= self.asked_at

    async def names(self) -> frozenset[str]:
        """What they were called when they did something as moderators: their changes of settings know no more."""
        called = select(reviews.c.moderator_name).join(incidents).where(reviews.c.moderator == self.id)
        looked = select(looks.c.moderator_name).where(looks.c.community == self.community, looks.c.moderator == self.id)
        did = select(cases.c.words).where(cases.c.community == self.community, cases.c.moderator == self.id)
        async with self.database.read() as connection:
            names = set((await connection.execute(called.where(incidents.c.community == self.community))).scalars())
            names |= set((await connection.execute(looked)).scalars())
            names |= {codec.read_words(words).moderator for words in (await connection.execute(did)).scalars()}
        return frozenset(filter(None, names))

    async def forget_the_rest(self, names: frozenset[str]) -> int:
        """How much of theirs was counted, and what they are known again by; and their name where they have changed
        settings."""
        counted = and_(members.c.community == self.community, members.c.member_hash == self.hash)
        linked = and_(links.c.community == self.community, links.c.member_hash == self.hash)
        said = and_(messages.c.community == self.community, messages.c.author_hash == self.hash, self._before(messages))
        number = 0
        for table in (amendments, policies) if names else ():
            number += await self._unname_changes(table, names)
        async with self.database.write() as connection:
            number += (await connection.execute(update(messages).where(said).values(NOT_KNOWN))).rowcount
            number += (await connection.execute(delete(links).where(linked))).rowcount
            return number + (await connection.execute(delete(members).where(counted))).rowcount

    async def _unname_changes(self, table: Table, names: frozenset[str]) -> int:
        changed = select(table.c.id, table.c.by).where(table.c.community == self.community)
        async with self.database.read() as connection:
            theirs = [row.id for row in (await connection.execute(changed)).all() if row.by in names]
        async with self.database.write() as connection:
            unnamed = update(table).where(table.c.id.in_(theirs)).values(by=SaidIn(self.community, "-"))
            return (await connection.execute(unnamed)).rowcount

    async def _unname_words(self, connection: AsyncConnection) -> None:
        did = and_(cases.c.community == self.community, cases.c.moderator == self.id, cases.c.words.is_not(None))
        for row in (await connection.execute(select(cases.c.id, cases.c.words).where(did))).all():
            words = SaidIn(self.community, codec.without_moderator(row.words)) if row.words else None
            await connection.execute(update(cases).where(cases.c.id == row.id).values(words=words))


def _there(table: Table, community: int) -> ColumnElement[bool] | None:
    """The condition that a row is this community's; None: its rows are no community's."""
    if "community" in table.c:
        return table.c.community == community
    if "incident" in table.c:
        return table.c.incident.in_(select(incidents.c.id).where(incidents.c.community == community))
    return None
