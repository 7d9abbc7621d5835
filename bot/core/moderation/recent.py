"""Messages and decisions -> what an author did just before, for rules about repeats and cooldowns."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from bot.core.base.bounded import Bounded
from bot.core.chat.amounts import Amounts, amounts
from bot.core.chat.message import CommunityRef, Kind, Message, as_read
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import Part, Screening, Verdict
from bot.core.incidents.incident import Trace
from bot.core.rules.actions import Care, Weight
from bot.core.rules.conditions import Past
from bot.core.rules.conditions.conversation import REMEMBERED
from bot.core.rules.decision import Decision
from bot.core.rules.policy import Policy
from bot.core.text.views import canonical

WINDOW = timedelta(minutes=10)  # in which what somebody says again is a repetition
PIECES = 12  # messages of one member in one channel that are kept in words,
PIECE = 200  # and characters of each
RUDE = 0.1  # how likely something harmful must be for its author to be one whom others may quarrel with,
SPEAKERS = 8  # and how many such authors of a channel are known
LONG = 2_000  # characters from which on only the very same text is a repetition: taking disguises off takes time

Member = tuple[CommunityRef, str]  # and author
Place = tuple[Member, str]  # and channel
Known = TypeVar("Known")
Finds = tuple[datetime, Mapping[HarmKind, float]]  # when it was sent, how likely each kind of harm is


#: A message -> moments from before this process began, oldest first.
Moments = Callable[[Message], Sequence[datetime]]
#: A message, and authors who are known already -> by a mark of each other one, when they said the same last.
Echoes = Callable[[Message, Collection[str]], Mapping[str, datetime]]


class SaidBefore(NamedTuple):
    """Of a message, as the record knows: when its author said the same, when and how much they wrote that was new
    there, and who else of the community said the same."""

    same: Moments
    posted: Callable[[Message], Sequence[tuple[datetime, Amounts]]]  # oldest first
    others: Echoes = lambda *_: {}


def as_compared(message: Message) -> str:
    """What a message says, the same in every disguise that nobody sees. Nothing, where it says nothing."""
    text = message.read if message.typed is None else as_read(message.typed)
    return canonical(text) if len(text) <= LONG else text


@dataclass(slots=True)
class _Before:
    """`left`: communities that were another process's since: what is on record of them is read anew."""

    said: SaidBefore
    until: datetime
    left: set[CommunityRef] = field(default_factory=set)


class RecentActivity:
    """Bounded by time and by number of members. Lost with the process but for what the record knows."""

    def __init__(self, window: timedelta = WINDOW, members: int = 20_000, each: int = REMEMBERED) -> None:
        self._window, self.each = window, each
        self._before: list[_Before] = []
        self._sent = Bounded[Member, list[tuple[datetime, int]]](members)
        self._fired = Bounded[Member, dict[str, datetime]](members)
        self._offences = Bounded[Place, list[datetime]](members)
        self._found = Bounded[Place, dict[str, Finds]](members // 10)
        self._posted = Bounded[Member, list[tuple[datetime, Amounts]]](members)
        self._rude = Bounded[tuple[CommunityRef, str], dict[str, None]](members // 10)  # by channel, the newest last
        self._said = Bounded[Place, dict[str, tuple[datetime, str]]](members // 10)

    def hear(self, message: Message) -> tuple[datetime, ...]:
        """When the author sent the same text before, and remember this message."""
        member = _member(message)
        text = as_compared(message)
        sent = self._sent.refresh(member, [])
        while sent and message.sent_at - sent[0][0] > self._window:
            del sent[0]
        mark = hash(text)  # a long text is not kept alive for it
        known = self._on_record(message)
        earlier = [moment for before in known for moment in before.said.same(message)]
        said = (*earlier[-self.each :], *(moment for moment, other in sent if other == mark))
        repeats = tuple(one for one in said if one <= message.sent_at <= one + self._window)
        if message.kind is Kind.NEW and text:
            self._add(sent, (message.sent_at, mark))
        return repeats

    def _on_record(self, message: Message) -> Iterator[_Before]:
        if self._before and message.sent_at > self._before[0].until:
            del self._before[0]
        return (before for before in self._before if message.community not in before.left)

    def go_on_from(self, before: SaidBefore, until: datetime) -> None:
        """What is on record of communities of which this process has heard nothing yet; of that nothing is in the
        window any more after `until`."""
        self._before.append(_Before(before, until))

    def posted(self, message: Message) -> tuple[tuple[datetime, Amounts], ...]:
        """How much the author has posted before, message by message; and remember this one's."""
        if message.kind is not Kind.NEW or message.is_name:
            return ()
        posted = self._posted.refresh(_member(message), [])
        while posted and message.sent_at - posted[0][0] > self._window:
            del posted[0]
        earlier = [one for known in self._on_record(message) for one in known.said.posted(message)]
        unheard = sorted(one for one in earlier if message.sent_at - self._window <= one[0] <= message.sent_at)
        before = (*unheard[-self.each :], *posted)
        self._add(posted, (message.sent_at, amounts(message)))
        return before

    def echoed(self, message: Message, besides: Collection[str]) -> Mapping[str, datetime]:
        """Who said the very same before this process began with the community, but for its author and these: by a mark
        of each, when last."""
        known = (before.said.others(message, besides).items() for before in self._on_record(message))
        return {mark: at for some in known for mark, at in some if at <= message.sent_at}

    def join(self, message: Message, within: timedelta = timedelta(minutes=5)) -> tuple[tuple[datetime, str], ...]:
        """What the author said in this channel before it, as it reads now and in the order in which it was sent; and
        remember its words. They stay for as long as that, whoever writes next."""
        place = (_member(message), message.ref.channel_id)
        while self._said and all(message.sent_at - at > within for at, _ in next(iter(self._said.values())).values()):
            self._said.popitem(last=False)
        said = self._said.get(place, {})
        kept = {id_: one for id_, one in said.items() if message.sent_at - one[0] <= within}
        own = kept.pop(message.ref.message_id, None)
        at = own[0] if own else message.sent_at  # an edit stands where the message stood
        # What has the same moment stands as it was heard.
        before = tuple(sorted((one for one in kept.values() if one[0] <= message.sent_at), key=lambda one: one[0]))
        if message.kind is not Kind.DELETE and message.text and not message.is_name:
            kept[message.ref.message_id] = (at, message.text[:PIECE])
            self._said[place] = dict(sorted(kept.items(), key=lambda one: one[1][0])[-PIECES:])
        return before

    def forget(self, community: CommunityRef, is_theirs: Callable[[str], bool]) -> None:
        """Everything of these members of a community."""
        known = {member for member in (*self._sent, *self._fired, *self._posted) if member[0] == community}
        placed = (self._offences, self._said, self._found)
        known |= {member for places in placed for member, _ in places if member[0] == community}
        theirs = {member for member in known if is_theirs(member[1])}
        for members in (self._sent, self._fired, self._posted):
            for member in theirs & members.keys():
                del members[member]
        for places in placed:
            for place in [place for place in places if place[0] in theirs]:
                del places[place]
        for (where, _), speakers in self._rude.items():
            if where == community:
                for _, author in theirs:
                    speakers.pop(author, None)

    def leave(self, communities: Collection[CommunityRef]) -> None:
        """Everything of these: another process goes on from the record."""
        for before in self._before:
            before.left.update(communities)
        for members in (self._sent, self._fired, self._posted):
            for member in [member for member in members if member[0] in communities]:
                del members[member]
        for places in (self._offences, self._said, self._found):
            for place in [place for place in places if place[0][0] in communities]:
                del places[place]
        for channel in [channel for channel in self._rude if channel[0] in communities]:
            del self._rude[channel]

    def completed(self, heard: Past, message: Message, screening: Screening, policy: Policy) -> Past:
        """With what may change until the guard has answered."""
        found = self.found(message, screening) if policy.asks_what_was_found else ()
        others = self.others(message) if policy.asks_what_was_found else {}
        return replace(heard, found=found, others=others, fired=self.fired(message), offences=self.offences(message))

    def found(self, message: Message, screening: Screening) -> tuple[Finds, ...]:
        """What the guard found in what the author said in this channel before, as it reads now; and remember this."""
        known = self._found.refresh((_member(message), message.ref.channel_id), {})
        for id_ in [id_ for id_, (at, _) in known.items() if message.sent_at - at > self._window]:
            del known[id_]
        own, before = known.pop(message.ref.message_id, None), tuple(known.values())
        if message.kind is not Kind.DELETE and isinstance(screening, Verdict):
            at = own[0] if own else message.sent_at  # an edit stands where the message stood
            known[message.ref.message_id] = (at, screening.kinds.get(Part.PROMPT, {}))
            while len(known) > PIECES:
                del known[next(iter(known))]
            self._speaks(message, screening)
        return before

    def _speaks(self, message: Message, screening: Verdict) -> None:
        """Remember who is rude in this channel; what bots say is nobody's quarrel."""
        rude = max(screening.kinds.get(Part.PROMPT, {}).values(), default=0.0) >= RUDE
        if rude and not message.author.bot and not message.author.no_account:
            speakers = self._rude.refresh((message.community, message.ref.channel_id), {})
            speakers.pop(message.author.id, None)
            speakers[message.author.id] = None
            while len(speakers) > SPEAKERS:
                del speakers[next(iter(speakers))]

    def others(self, message: Message) -> Mapping[str, tuple[Finds, ...]]:
        """By author, what the guard found in what the last who were rude in this channel said there."""
        community, channel = message.community, message.ref.channel_id
        speakers = self._rude.get((community, channel), {}).keys() - {message.author.id}
        found = {one: tuple(self._found.get(((community, one), channel), {}).values()) for one in speakers}
        return {one: finds for one, finds in found.items() if finds}

    def fired(self, message: Message) -> Mapping[str, datetime]:
        """Since when the author is spared by each live rule, which took its course then."""
        return self._fired.get(_member(message), {})

    def offences(self, message: Message) -> tuple[datetime, ...]:
        """When the author said something in this channel that made a rule act."""
        return tuple(self._offences.get((_member(message), message.ref.channel_id), ()))

    def note(self, decision: Decision, at: datetime, policy: Policy) -> None:
        """Remember which live rules took their course with the author, and whether it was an offence: something was
        done, and not only because of earlier offences."""
        message = decision.message
        matched = {finding.rule for finding in decision.findings if finding.matched and finding.mode == "live"}
        acted = any(action.weight >= Weight.MESSAGE and not isinstance(action, Care) for action in decision.actions)
        place = (_member(message), message.ref.channel_id)
        self._note(place, matched, at, message.sent_at if acted else None, policy, held_back=bool(decision.withheld))

    def recall(self, trace: Trace, policy: Policy) -> None:
        """The same of what is on record, from before this process."""
        place = ((trace.community, trace.author_id), trace.channel_id)
        acted_on = trace.sent_at if trace.acted else None
        self._note(place, {trace.rule}, trace.decided_at, acted_on, policy, held_back=not trace.acted)

    def _note(
        self,
        place: Place,
        matched: set[str],
        at: datetime,
        acted_on: datetime | None,
        policy: Policy,
        *,
        held_back: bool,
    ) -> None:
        for_offences = {rule.name for rule in policy.rules if rule.is_about_offences}
        if matched - for_offences and acted_on is not None:
            self._add(self._offences.refresh(place, []), acted_on)
        if held_back or not matched:
            return  # what was only watched spares nobody
        member, _ = place
        known, rules = self._fired.get(member, {}), policy.by_name
        spared = {name for name in matched & rules.keys() & known.keys() if at - known[name] < rules[name].cooldown}
        self._fired[member] = known | dict.fromkeys(matched - spared, at)

    def _add(self, known: list[Known], one: Known) -> None:
        """At most `each` are known; most members have said one thing, for which a deque is ten times as large."""
        known.append(one)
        del known[: -self.each]


def _member(message: Message) -> Member:
    return (message.community, message.author.id)
