"""What a database, two networks and the logs say in the end -> which promises were broken, a sentence each."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

from bot.core.rules.actions import ACTIONS
from tests.chaos.world import TOO_OFTEN, World
from tests.courses.places import Place

#: Actions that nobody does twice: where it cannot be known whether one was done, it stays unconfirmed.
ONCE = frozenset(action.kind for action in ACTIONS if not action.repeatable)
#: What is written so is found harmful, and so is not; everything else is odd, and only has to be settled.
HARMFUL, HARMLESS = "나쁜 말", "좋은 말"
LINES = 3.0  # of the logs for each message that was written, at most
AWHILE = timedelta(minutes=2)  # in which who floods is told once, and what a loaded machine adds to it
PROMPT = timedelta(seconds=3)  # from sending to settling: who decides so fast has everything before it in mind
READ_BACK = timedelta(seconds=5)  # after which a new holder knows what the last one knew
COOLDOWN = timedelta(minutes=1)
QUEUE = 64 << 20  # bytes of the table that everything passes through, emptied

_MESSAGES = """
    SELECT platform, message, count(*) AS times, bool_and(settled) AS settled, bool_or(score IS NOT NULL) AS judged
    FROM (
        SELECT platform, message, kind, score, true AS settled FROM messages
        UNION ALL SELECT platform, message, kind, NULL, false FROM queue
    ) AS every WHERE kind = 'new' GROUP BY platform, message
"""
_ACTIONS = """
    SELECT m.platform, m.message, i.id AS incident, c.number, c.code, a.kind, a.state, a.reason, a.attempts,
        i.author, to_timestamp(a.finished_at / 1e6) AS at, to_timestamp(m.sent_at / 1e6) AS sent
    FROM incidents i JOIN messages m ON m.id = i.message JOIN cases c ON c.incident = i.id
    JOIN actions a ON a.incident = i.id
"""


#: What is said again, when each was sent and settled, and whether the rule of floods found it, and warned.
_FLOODS = """
    SELECT m.platform, m.message, to_timestamp(m.sent_at / 1e6) AS sent, to_timestamp(m.settled_at / 1e6) AS settled,
        coalesce(i.rule = 'flood', false) AS hit, i.author,
        EXISTS (SELECT 1 FROM actions a WHERE a.incident = i.id AND a.kind = 'warn') AS warned
    FROM messages m LEFT JOIN incidents i ON i.message = m.id WHERE m.kind = 'new'
"""


@dataclass(frozen=True, slots=True)
class Said:
    """One of several times."""

    sent: datetime
    settled: datetime
    hit: bool
    author: str = ""
    warned: bool = False

    @property
    def is_prompt(self) -> bool:
        """And no clock was wrong."""
        return abs(self.settled - self.sent) < PROMPT


@dataclass(frozen=True, slots=True)
class Planned:
    """One action that was decided, and what came of it."""

    message: str
    incident: int
    number: int
    code: str
    kind: str
    state: str
    reason: str = ""
    attempts: int = 1
    author: str = ""
    at: datetime | None = None
    sent: datetime | None = None  # its message, by the network's clock, which is never wrong

    def is_near(self, other: "Planned") -> bool:
        times = ((self.at, other.at), (self.sent, other.sent))
        return any(one and another and abs(one - another) <= AWHILE for one, another in times)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One network. `kept`: message -> how often it is there, whether settled, whether judged."""

    written: Mapping[str, str]
    kept: Mapping[str, tuple[int, bool, bool]]
    actions: Sequence[Planned]
    left: Collection[str]
    warnings: Mapping[str, int] = field(default_factory=dict)
    cards: Mapping[int, Collection[str]] = field(default_factory=dict)
    alarms: Sequence[str] = ()
    outages: int = 0  # of the guard
    processes: int = 1
    floods: Sequence[Sequence[Said]] = ()
    handed_over: Sequence[tuple[datetime, datetime]] = ()


def problems(seen: Seen) -> Iterator[str]:
    harmful = {id_ for id_, text in seen.written.items() if text.startswith(HARMFUL)}
    harmless = {id_ for id_, text in seen.written.items() if text.startswith(HARMLESS)}
    plain = harmful | harmless
    yield from _some("never kept", seen.written.keys() - seen.kept.keys())
    yield from _some("kept twice", [id_ for id_, (times, _, _) in seen.kept.items() if times > 1])
    yield from _some("not settled", [id_ for id_, (_, settled, _) in seen.kept.items() if not settled])
    yield from _some("unjudged", [id_ for id_, (_, _, judged) in seen.kept.items() if id_ in plain and not judged])
    yield from _decided(seen, harmful, harmless)
    yield from _said(seen)
    yield from _shown(seen)
    yield from _flooded(seen)


def floods(seen: Seen) -> tuple[list[Sequence[Said]], list[Sequence[Said]]]:
    """Which were decided as one process decides, from the time that is too often on; and which were not."""
    as_one, off = list[Sequence[Said]](), list[Sequence[Said]]()
    for said in seen.floods:
        right = [one.hit for one in said] == [number >= TOO_OFTEN for number in range(1, len(said) + 1)]
        (as_one if right else off).append(said)
    return as_one, off


def _flooded(seen: Seen) -> Iterator[str]:
    """What is decided late, by a wrong clock, or in the seconds of a hand-over, may be decided otherwise."""
    _, off = floods(seen)
    alone = [said for said in off if all(one.is_prompt for one in said) and not _handed_over(seen, said)]
    yield from (f"a flood of {said[0].sent:%T} was not taken for one: {[one.hit for one in said]}" for said in alone)
    warned = [one for said in seen.floods for one in said if one.warned and one.is_prompt]
    for author in {one.author for one in warned}:
        theirs = sorted((one for one in warned if one.author == author), key=lambda one: one.settled)
        for one, next_ in pairwise(theirs):
            if next_.settled - one.settled < COOLDOWN and not _handed_over(seen, (one, next_)):
                yield f"{author} was warned of a flood at {one.settled:%T} and again at {next_.settled:%T}"


def _handed_over(seen: Seen, said: Sequence[Said]) -> bool:
    first, last = min(one.sent for one in said), max(one.settled for one in said)
    return any(begin - PROMPT <= last and first <= end + READ_BACK for begin, end in seen.handed_over)


def _decided(seen: Seen, harmful: Collection[str], harmless: Collection[str]) -> Iterator[str]:
    incidents = {one.incident: one.message for one in seen.actions}
    yield from _some("harmful without an incident", set(harmful) - set(incidents.values()))
    yield from _some("with two incidents", [id_ for id_, n in Counter(incidents.values()).items() if n > 1])
    yield from _some("harmless with an incident", set(incidents.values()) & set(harmless))
    for one in seen.actions:
        match one.state:
            case "done" | "gone":
                pass
            case "refused" if one.reason:
                pass
            case "unconfirmed" if one.kind in ONCE:
                pass
            case state:
                why = one.reason or "-"
                yield f"{one.kind} of {one.message} is {state}, after {one.attempts} tries, because: {why}"
    done = {one.message for one in seen.actions if one.kind == "delete" and one.state in ("done", "gone")}
    yield from _some("deleted on record only", done & set(seen.left))
    yield from _some("harmless and gone", set(harmless) - set(seen.left))


def _said(seen: Seen) -> Iterator[str]:
    yield from _some("warned twice", [code for code, times in seen.warnings.items() if times > 1])
    warned = [one for one in seen.actions if one.kind == "warn" and one.state == "done"]
    told = [one for one in warned if one.code in seen.warnings]
    unsaid = [one for one in warned if one.code not in seen.warnings]
    # Who floods is told once in a while, and that counts for all.
    alone = [one.code for one in unsaid if not any(one.author == other.author and one.is_near(other) for other in told)]
    yield from _some("warned on record only", alone)
    may = {one.code for one in seen.actions if one.kind == "warn" and one.state in ("done", "unconfirmed")}
    yield from _some("warned, and not on record", seen.warnings.keys() - may)
    guard = [one for one in seen.alarms if one.startswith("guard")]
    again = Counter(one for one, next_ in pairwise(guard) if one == next_)
    for one, other in permutations(("guard_away", "guard_back")):
        missing = seen.outages - guard.count(other)  # by who died before it was said
        if again[one] > missing or guard.count(one) > seen.outages:
            yield f"moderators were told twice: {one}"
    database = [one for one in seen.alarms if one.startswith("database")]
    run, before = 0, ""
    for one in database:  # each process tells of it, for it cannot be asked who does
        run, before = (run + 1 if one == before else 1), one
        if run == seen.processes + 1:
            yield f"moderators were told more often than there are processes: {one}"


def _shown(seen: Seen) -> Iterator[str]:
    """A card whose posting was not heard of, or not on record when a process died, may be posted again."""
    flags = {one.number: one for one in seen.actions if one.kind in ("flag", "escalate")}
    shown = {number for number, one in flags.items() if one.state == "done"}
    yield from _some("shown on no card", shown - seen.cards.keys())
    again = {number for number, one in flags.items() if one.attempts > 1}
    yield from _some("shown on two cards", {n for n, cards in seen.cards.items() if len(cards) > 1} - again)


def logged(logs: Iterable[Path], written: int) -> Iterator[str]:
    """Logs say nothing of what people say, and not too much."""
    lines = 0
    for path in logs:
        text = path.read_text("utf-8", errors="replace")
        lines += text.count("\n")
        if said := next((word for word in (HARMFUL, HARMLESS) if word in text), None):
            yield f"{path.name} says what somebody wrote ({said})"
    if lines > LINES * written:
        yield f"{lines} lines were logged of {written} messages"


async def seen(world: World) -> Mapping[str, Seen]:
    messages, actions, said = await world.ask(_MESSAGES), await world.ask(_ACTIONS), await world.ask(_FLOODS)
    outages = len(await world.ask("SELECT began_at FROM outages"))
    found = {
        name: _seen(place, world, [row for row in messages if row["platform"] == name], actions, said)
        for name, place in world.places.items()
    }
    return {name: replace(one, outages=outages) for name, one in found.items()}


def _seen(place: Place, world: World, messages: Sequence[Any], actions: Sequence[Any], said: Sequence[Any]) -> Seen:
    platform = place.community.platform
    known = {
        row["message"]: Said(*(row[name] for name in ("sent", "settled", "hit", "author", "warned")))
        for row in said
        if row["platform"] == platform
    }
    columns = ("message", "incident", "number", "code", "kind", "state", "reason", "attempts", "author", "at", "sent")
    return Seen(
        written=world.written.get(platform, {}),
        kept={row["message"]: (row["times"], row["settled"], row["judged"]) for row in messages},
        actions=[Planned(*(row[name] for name in columns)) for row in actions if row["platform"] == platform],
        left=place.left().keys(),
        warnings=place.warnings(),
        cards=place.cards(),
        alarms=place.alarms(),
        processes=len(world.crew.workers),
        floods=[[known[id_] for id_ in said] for said in world.floods.get(platform, ()) if known.keys() >= set(said)],
        handed_over=world.handed_over.get(platform, ()),
    )


async def sizes(world: World) -> Iterator[str]:
    """What grows with what was done, and must not."""
    await world.ask("VACUUM queue")
    (row,) = await world.ask(
        "SELECT (SELECT count(*) FROM queue) AS queue, (SELECT count(*) FROM holders) AS holders,"
        " (SELECT count(*) FROM actions WHERE finished_at IS NULL) AS open,"
        " pg_total_relation_size('queue') AS bytes"
    )
    found = []
    if row["queue"] or row["open"]:
        found.append(f"{row['queue']} messages wait and {row['open']} actions are open")
    if row["bytes"] > QUEUE:
        found.append(f"the emptied queue takes {row['bytes'] >> 20} MiB")
    if row["holders"] > 3 * len(world.crew.workers):
        found.append(f"{row['holders']} processes are on record, {len(world.crew.workers)} live")
    found += [f"{worker.log.name} grew to {worker.memory[-1]:.0f} MiB" for worker in world.crew.workers if worker.grew]
    return iter(found)


def _some(what: str, which: Collection[Any]) -> Iterator[str]:
    if which:
        yield f"{len(which)} {what} ({', '.join(map(str, sorted(which, key=str)[:5]))})"
