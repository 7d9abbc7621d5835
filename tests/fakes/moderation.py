"""The inbox and the outbox, in memory."""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, zip_longest

from bot.core.chat.amounts import Amounts, amounts
from bot.core.chat.message import Author, CommunityRef, Kind, Message, MessageRef, Platform
from bot.core.communities.journal import Aside, Tally
from bot.core.guarding.verdict import Verdict
from bot.core.incidents.incident import Incident, PlannedAction, Settlement
from bot.core.incidents.review import aftermath
from bot.core.moderation.ports import Member
from bot.core.moderation.recent import SaidBefore, as_compared
from bot.core.moderation.turns import Lane, UnderWay
from bot.core.operations.keys import API
from bot.core.rules.actions import Delete, Done, Outcome, Unconfirmed
from tests.builders import code_of
from tests.fakes.operations import MemoryShares
from tests.fakes.record import ActionRow, Record


class MemoryMemberRoll:
    def __init__(self, store: Record) -> None:
        self.store = store

    async def heard(self, members: Collection[Member]) -> Mapping[Member, int]:
        return {member: self.store.members[member][0] for member in members if member in self.store.members}

    async def watched_since(self, communities: Collection[CommunityRef]) -> Mapping[CommunityRef, datetime]:
        first: dict[CommunityRef, datetime] = {}
        for (community, _), (_, since) in self.store.members.items():
            if community in communities:
                first[community] = min(since, first.get(community, since))
        return first

    async def said_since(self, moment: datetime, shares: Collection[int] | None = None) -> SaidBefore:
        lately = [one for one in self.store.said if one.sent_at >= moment]
        known = [one for one in lately if self.store.in_shares(one.community, shares)]
        known.sort(key=lambda one: one.sent_at)

        def posted(message: Message) -> Sequence[tuple[datetime, Amounts]]:
            about = (message.community, message.author.id)
            theirs = [one for one in known if (one.community, one.author.id) == about]
            return [(one.sent_at, amounts(one)) for one in theirs if one.kind is Kind.NEW]

        def same(message: Message) -> Sequence[datetime]:
            about = (message.community, message.author.id, as_compared(message))
            theirs = [one for one in known if (one.community, one.author.id, as_compared(one)) == about]
            return [one.sent_at for one in theirs] if all(about) else []

        def others(message: Message, besides: Collection[str]) -> Mapping[str, datetime]:
            about = (message.community, as_compared(message))
            theirs = [
                one for one in known if (one.community, as_compared(one)) == about and one.kind is not Kind.DELETE
            ]
            named = {one.author.id: one.sent_at for one in theirs if all(about)}
            return {f"mark of {who}": at for who, at in named.items() if who not in (message.author.id, *besides)}

        return SaidBefore(same, posted, others)


class MemoryInbox:
    def __init__(self, store: Record, shares: MemoryShares | None = None) -> None:
        self.store, self.shares = store, shares
        self.stakes: dict[MessageRef, tuple[int, int]] = {}  # share and epoch of what was handed out
        self.aside: dict[MessageRef, datetime] = {}
        self.unjudged: set[MessageRef] = set()
        self.served = CommunityRef(API, "")  # the first of all

    async def keep(self, messages: Sequence[Message]) -> Sequence[bool]:
        fresh = []
        for message in messages:
            fresh.append(message.ref not in self.store.messages)
            if fresh[-1]:
                self.store.keep(message)
        return fresh

    async def claim(self, limit: int, *, fresh_since: datetime) -> Sequence[Message]:
        free = [
            message
            for ref, message in self.store.messages.items()
            if ref not in self.store.leased and ref not in self.store.settled
            if ref not in self.aside or ref in self.store.suspects.circles
            if self.shares is None or self.store.share_of(message.community) in self.shares.begun
        ]
        suspects, free = self.store.suspects.among(free)
        free.sort(key=lambda message: message.sent_at)
        room = max(0, limit - len(suspects))
        claimed = self._in_turns([message for message in free if message.sent_at >= fresh_since], room)
        stale = [message for message in free if message.sent_at < fresh_since]
        claimed += self._in_turns(stale, room - len(claimed))
        if claimed:
            self.served = claimed[-1].community
        return self._lease(suspects[:limit] + claimed)

    async def fault(self, ref: MessageRef) -> None:
        if ref in self.store.leased:
            self.store.leased.discard(ref)
            self.store.suspects.faults[ref] += 1

    async def given_up(self, limit: int) -> Sequence[Message]:
        taken = self.store.leased | self.store.settled
        faults = self.store.suspects.faults
        found = [one for ref, one in self.store.messages.items() if ref not in taken and 3 <= faults[ref] < 6]
        return self._lease(found[:limit])

    async def set_aside(self, refs: Sequence[MessageRef]) -> None:
        for ref in self.store.leased.intersection(refs):
            self.store.leased.discard(ref)
            self.aside.setdefault(ref, self.store.clock.now())
            self.store.suspects.circles.pop(ref, None)

    async def look_again(self, limit: int, *, sent_before: datetime) -> Sequence[Message]:
        free = self.aside.keys() - self.store.leased - self.store.settled
        due = [one for ref, one in self.store.messages.items() if ref in free and one.sent_at < sent_before]
        _, innocent = self.store.suspects.among(due)
        return self._lease(sorted(innocent, key=lambda message: message.sent_at, reverse=True)[:limit])

    async def were_aside(self, since: datetime) -> Mapping[CommunityRef, Aside]:
        found: dict[CommunityRef, list[Message]] = {}
        for ref, at in self.aside.items():
            if at >= since:
                message = self.store.messages[ref]
                found.setdefault(message.community, []).append(message)
        return {
            place: Aside(
                len(some),
                len({one.ref.channel_id for one in some}),
                sum(one.ref in self.unjudged for one in some),
            )
            for place, some in found.items()
        }

    def _lease(self, some: list[Message]) -> list[Message]:
        self.store.leased |= {message.ref for message in some}
        if self.shares:
            self.stakes |= {one.ref: self.shares.stake(self.store.share_of(one.community)) for one in some}
        return some

    def _in_turns(self, free: list[Message], limit: int) -> list[Message]:
        communities = sorted({message.community for message in free})
        next_ = bisect_right(communities, self.served)
        turns = communities[next_:] + communities[:next_]
        lines = [[m for m in free if m.community == community] for community in turns]
        newest = [one for one in chain.from_iterable(zip_longest(*map(reversed, lines))) if one is not None][:limit]
        rounds = zip_longest(*([m for m in line if m in newest] for line in lines))
        return [message for message in chain.from_iterable(rounds) if message is not None]

    def under_way(self, shares: Collection[int]) -> int:
        return sum(share in shares for share, _ in self.stakes.values())

    async def give_back(self, shares: Collection[int]) -> None:
        for ref in [ref for ref, (share, _) in self.stakes.items() if share in shares]:
            del self.stakes[ref]
            self.store.leased.discard(ref)

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[bool]:
        refs = [settlement.decision.message.ref for settlement in settlements]
        stand = [self.shares is None or self.shares.stands(self.stakes.pop(ref, None)) for ref in refs]
        self._settle([one for one, stands in zip(settlements, stand, strict=True) if stands])
        self.store.leased.difference_update(refs)
        return stand

    def _settle(self, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            ref = settlement.decision.message.ref
            if ref in self.store.messages and ref not in self.store.settled:
                self.store.settled.add(ref)
                if settlement.decision.message.kind is Kind.NEW:
                    self.store.said.append(settlement.decision.message)
                if not isinstance(settlement.decision.screening, Verdict):
                    self.unjudged.add(ref)
                self.store.count_bot(settlement)
                self.store.count_member(settlement)
                if settlement.decision.is_incident:
                    self._open(settlement)
                else:
                    self._erase(ref)
        for settlement in settlements:
            self._withdraw(settlement.decision.message.ref)

    def _open(self, settlement: Settlement) -> None:
        kept = self.store.messages[settlement.decision.message.ref]
        own = replace(settlement.decision.message, community_id=kept.community_id)  # it may have moved since
        id_ = len(self.store.opened) + 1
        decision = self.store.climb(replace(settlement, decision=replace(settlement.decision, message=own)), id_)
        there = sum(one.decision.message.community == own.community for one in self.store.opened.values())
        opened = Incident(
            id=id_, case=there + 1, code=code_of(id_),
            decision=decision, decided_at=settlement.decided_at, outcomes=(),
        )  # fmt: skip
        self.store.opened[decision.message.ref] = opened
        self.store.plan(opened, decision.actions)

    def _erase(self, ref: MessageRef) -> None:
        message = self.store.messages[ref]
        self.store.messages[ref] = Message(
            ref=ref,
            community_id=message.community_id,
            author=Author(id=""),
            sent_at=message.sent_at,
            kind=message.kind,
        )

    def _withdraw(self, ref: MessageRef) -> None:
        """Note on the incidents of a message that it was taken away, unless that was our own doing."""
        revisions = self.store.revisions[replace(ref, revision=0)]
        gone_at = [
            self.store.messages[other].sent_at
            for other in revisions
            if other in self.store.settled and self.store.messages[other].kind is Kind.DELETE
        ]
        for opened in [self.store.opened[other] for other in revisions if other in self.store.opened]:
            own = any(
                isinstance(action.outcome, Done) or (action.started and action.outcome is None)
                for action in self.store.actions.values()
                if action.planned.incident_id == opened.id and action.planned.action == Delete()
            )
            if gone_at and opened.withdrawn_at is None and not own:
                withdrawn = replace(opened, withdrawn_at=min(gone_at))
                self.store.opened[opened.decision.message.ref] = withdrawn

    async def settled(self, refs: Sequence[MessageRef]) -> Sequence[bool]:
        return [ref in self.store.settled for ref in refs]

    async def waiting(self) -> int:
        return len(self.store.messages.keys() - self.store.settled)

    async def recent(self, since: datetime) -> Sequence[Message]:
        found = [message for message in self.store.messages.values() if message.sent_at >= since]
        return sorted(found, key=lambda message: message.sent_at)

    async def tally(self, start: datetime, end: datetime, community: CommunityRef | None = None) -> Tally:
        sent = [
            message.ref
            for message in self.store.messages.values()
            if start <= message.sent_at < end and community in (None, message.community)
        ]
        return Tally(kept=len(sent), settled=sum(ref in self.store.settled for ref in sent))


class MemoryOutbox:
    def __init__(self, store: Record, shares: Mapping[Platform, MemoryShares] | None = None) -> None:
        self.store, self.shares = store, shares or {}
        self.served: dict[tuple[bool, Platform], str] = {}
        self.latest: datetime | None = None
        self.in_hand: set[int] = set()

    async def claim(
        self, limit: int, *, now: datetime, platforms: Collection[Platform], under_way: UnderWay | None = None
    ) -> Sequence[PlannedAction]:
        under_way = under_way or UnderWay(whole=limit, platform=limit, community=limit)
        jumped = self.latest is None or now < self.latest
        self.latest = now
        on = [one for one in self.store.actions.values() if one.planned.message.ref.platform in platforms]
        here = [one for one in on if self._is_ours(one.planned.message.community)]
        due = sorted((one for one in here if one.is_due(now, jumped=jumped)), key=lambda one: one.planned.attempts)
        due = [one for one in due if one.planned.id not in self.in_hand]
        for action in due:
            action.not_before = None
        suspects, free = self.store.suspects.among(due)
        faults = self.store.suspects.faults
        waiting: dict[Lane, list[ActionRow]] = {}
        for action in (*suspects, *(one for one in due if faults[one.planned.id] >= 3), *free):
            waiting.setdefault(Lane.of(action.planned), []).append(action)
        chosen = under_way.in_turns({lane: waiting[lane] for lane in sorted(waiting, key=self._turn)}, limit)
        for action in chosen:
            action.started, action.started_at = True, self.store.clock.now()
            defect = action.defect or "died" if faults[action.planned.id] >= 3 else ""
            card, appealed = self.store.shown_on(action.planned)
            action.planned = replace(
                action.planned, attempts=action.planned.attempts + 1, defect=defect, card=card, appealed=appealed
            )
            lane = Lane.of(action.planned)
            self.served[lane.protects, lane.community.platform] = lane.community.id
        self.in_hand.update(action.planned.id for action in chosen)
        return [action.planned for action in chosen]

    def under_way(self, platform: Platform, shares: Collection[int]) -> int:
        whose = (self.store.actions[one].planned.message.community for one in self.in_hand)
        return sum(one.platform == platform and self.store.share_of(one) in shares for one in whose)

    async def is_ours(self, community: CommunityRef) -> bool:
        return self._is_ours(community)

    def _is_ours(self, community: CommunityRef) -> bool:
        shares = self.shares.get(community.platform)
        return shares is None or self.store.share_of(community) in shares.begun

    def _turn(self, lane: Lane) -> tuple[bool, str]:
        id_ = lane.community.id
        return id_ <= self.served.get((lane.protects, lane.community.platform), ""), id_

    async def is_repeated(self, planned: PlannedAction, since: datetime) -> bool:
        def counts(one: ActionRow) -> bool:
            if isinstance(one.outcome, Done | Unconfirmed):
                return bool(one.finished_at and one.finished_at >= since)
            return one.outcome is None and one.started and one.planned.id < planned.id

        same = [
            one
            for one in self.store.actions.values()
            if one.planned.id != planned.id
            and one.planned.action.kind == planned.action.kind
            and one.planned.message.community == planned.message.community
            and one.planned.message.author.id == planned.message.author.id
        ]
        return any(map(counts, same))

    async def record(self, results: Sequence[tuple[PlannedAction, Outcome]]) -> None:
        for planned, outcome in results:
            self.in_hand.discard(planned.id)
            action = self.store.actions[planned.id]
            is_open = action.outcome is None or isinstance(action.outcome, Unconfirmed)
            if is_open and action.planned.attempts <= planned.attempts:
                action.finished_at = self.store.clock.now()
                action.outcome = replace(outcome, brief=False) if isinstance(outcome, Done) else outcome
                self.store.follow(action.planned.incident_id, self.store.clock.now())
                for follows, pause in aftermath(planned.action, outcome).items():
                    due = self.store.clock.now() + pause
                    self.store.plan(self.store.opened_as(planned.incident_id), (follows,), due)

    async def postpone(self, planned: PlannedAction, until: datetime, *, begun: str = "", defect: str = "") -> None:
        self.in_hand.discard(planned.id)
        action = self.store.actions[planned.id]
        if action.outcome is None and action.started and action.planned.attempts == planned.attempts:
            action.started, action.not_before, action.defect = False, until, defect
            action.planned = replace(action.planned, begun=begun or action.planned.begun)
            self.store.suspects.circles.pop(planned.id, None)
            self.store.suspects.faults[planned.id] += bool(defect)
            self.store.follow(action.planned.incident_id, self.store.clock.now())
