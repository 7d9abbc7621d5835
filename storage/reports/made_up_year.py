"""A database URL -> a year on record of a made-up community of 5,000 members, to show and to measure reports with.

Messages without an incident are there as tallies only, as after a year of retention.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, insert, update

from bot.core.answers.counting import Count
from bot.core.base.clock import Clock
from bot.core.chat.message import Author, CommunityRef, Message, MessageRef, Pairing, Platform
from bot.core.guarding.kinds import HarmKind
from bot.core.guarding.verdict import GuardVersion, Task, Verdict
from bot.core.incidents.case import CaseState, Look, new_code
from bot.core.rules.actions import Action, Delete, Escalate, Flag, Timeout, Warn
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Decision, Finding
from bot.core.rules.policy import Mode, Reason
from bot.core.text.catalogue import noted
from storage import codec
from storage.database import Database
from storage.flow import tallies
from storage.tables import (
    actions,
    amendments,
    appeals,
    bots,
    cases,
    communities,
    incidents,
    looks,
    messages,
    outages,
    reviews,
)
from storage.tables import tallies as counts

Row = dict[str, Any]
Rows = dict[Table, list[Row]]  # of each table

PLATFORM = Platform("rehearsal")
COMMUNITY = CommunityRef(PLATFORM, "서울 게임 라운지")
ZONE = ZoneInfo("Asia/Seoul")
START = datetime(2025, 11, 24, tzinfo=ZONE).astimezone(UTC)
WEEKS = 52
LAST_WEEK = "2026-W47"
MEMBERS = 5000

CHANNELS = {"자유게시판": 40, "게임 이야기": 26, "질문과 답변": 12, "파티 구하기": 11, "거래": 6, "밤샘방": 5}
MODERATORS = {"하늘": 5, "민재": 3, "서윤": 2}
BOTS = {"9001": "공략도우미", "9002": "번역이"}
#: A year of names, as people choose them: two words and now and then a number.
FIRST = (
    "졸린", "배고픈", "심심한", "느긋한", "수줍은", "용감한", "새벽의", "하얀", "검은", "푸른", "작은", "커다란",
    "달리는", "웃는", "조용한", "엉뚱한",
)  # fmt: skip
SECOND = (
    "고양이", "너구리", "두더지", "고래", "부엉이", "다람쥐", "사자", "펭귄", "여우", "토끼", "감자", "만두", "라면",
    "구름", "바람", "별똥별", "기사", "마법사",
)  # fmt: skip
#: (day of the year, hour there, minutes): when the guard was away.
NOT_ALLOWED = noted("discord.missing", permissions=["permission.manage_messages"])

AWAY = ((23, 4, 50), (80, 15, 12), (171, 2, 205), (249, 19, 35), (359, 4, 75))
#: (day, hour, who, setting, before, after)
CHANGED = (
    (1, 20, "하늘", "moderators_channel", "", "운영진"),
    (1, 20, "하늘", "report_channel", "", "운영진"),
    (14, 21, "하늘", "mode", "watch", "live"),
    (96, 22, "민재", "preset", "gentle", "balanced"),
    (200, 13, "서윤", "exempt_channels", "", "밤샘방"),
    (214, 12, "하늘", "exempt_channels", "밤샘방", ""),
    (359, 0, "하늘", "thresholds.abuse", "0.75", "0.8"),
    (361, 23, "민재", "thresholds.trade-links", "", "0.9"),
)
#: Every quarter of the year somebody brings friends along to make trouble, on this day's evening of that week.
RAID_WEEK, RAID_EVENING = 8, timedelta(days=5, hours=21)
#: Of a hundred messages of a bot; the harmful ones are its incidents.
PAIRS = {
    Count.JUDGED: 98, Count.ASKED: 98, Count.REFUSED: 12, Count.HARMLESS: 86, Count.OVER_REFUSED: 7,
    Count.HARM_ASKED: 12, Count.HARM_ANSWERED: 6,
}  # fmt: skip
# rule -> how often, the bar, what is done, how often a moderator calls it wrong, what is wrong with it
RULES: dict[str, tuple[float, float | None, tuple[Action, ...], float, HarmKind | None]] = {
    "abuse": (38, 0.80, (Flag(),), 0.16, HarmKind.ABUSE),
    "severe-abuse": (24, 0.97, (Delete(), Warn(), Flag()), 0.03, HarmKind.ABUSE),
    "advertising": (16, None, (Delete(), Flag()), 0.02, HarmKind.ADVERTISING),
    "slur": (12, 0.80, (Delete(), Warn(), Flag()), 0.05, HarmKind.HATE),
    "flood": (7, None, (Delete(), Timeout(timedelta(minutes=10))), 0.04, None),
    "mass-mention": (4, None, (Delete(), Flag()), 0.06, None),
    "doxxing": (1.2, None, (Delete(), Escalate()), 0.02, HarmKind.DOXXING),
    "self-harm": (1.0, None, (Escalate(),), 0.10, HarmKind.SELF_HARM),
}
#: What a moderator raised in the last week (CHANGED): the bar of "abuse" before, and when.
FORMER_BAR, RAISED = 0.75, START + timedelta(days=359, minutes=7)
GUARD = GuardVersion(name="embedded", model="2026-11", calibration="platt")
REASON = Reason(ko="커뮤니티 규칙 위반", en="against the rules of the community")
# how much is written in each hour of the day, from midnight
HOURS = (34, 22, 13, 8, 5, 4, 6, 12, 20, 24, 27, 30, 36, 33, 30, 31, 34, 40, 50, 62, 74, 83, 80, 58)
DAYS = (0.9, 0.88, 0.92, 0.95, 1.15, 1.35, 1.25)


async def write_year(
    url: str,
    clock: Clock,
    *,
    weeks: int = WEEKS,
    messages_a_week: int = 42_000,
    incidents_a_week: int = 330,
    seed: int = 7,
) -> None:
    """The last `weeks` of the year."""
    chance = random.Random(seed)
    first = START + timedelta(weeks=WEEKS - weeks)
    async with Database.open(url, clock) as database:
        home = {"community": await database.keys.of(COMMUNITY), "platform": PLATFORM}
        async with database.write() as connection:

            async def write(table: Table, rows: Iterable[Row]) -> None:
                here = {name: value for name, value in home.items() if name in table.c}
                if found := [row | here for row in rows]:
                    await connection.execute(insert(table), found)

            seen = {"messages": 0, "answers": 0, "prose": 0}
            await write(bots, [seen | {"bot": id_, "name": name} for id_, name in BOTS.items()])
            await write(outages, _outages(first))
            await write(amendments, _amendments(first))
            await write(looks, _looks(first))
            for week in range(weeks):
                growth = 0.6 + 0.4 * week / max(1, weeks - 1)
                start = START + timedelta(weeks=week + WEEKS - weeks)
                quarters = Counter(dict(_quarters(start, messages_a_week * growth, chance)))
                await write(counts, _tallies(quarters, chance))
                number = round(incidents_a_week * growth * chance.uniform(0.9, 1.1))
                is_raided = (week + WEEKS - weeks) % 13 == RAID_WEEK
                troubles = sorted(_troubles(start, quarters, number, chance, is_raided=is_raided))
                made = [_incident(week * 100_000 + n, at, chance, raid) for n, (at, raid) in enumerate(troubles, 1)]
                await write(counts, _unsafe(made))
                for table in (messages, incidents, cases, actions, reviews, appeals):
                    await write(table, (row for one in made for row in one[table]))
            theirs = update(communities).where(communities.c.key == home["community"])
            await connection.execute(theirs.values(next_case=weeks * 100_000))


def _troubles(
    start: datetime, quarters: Counter[datetime], number: int, chance: random.Random, *, is_raided: bool
) -> list[tuple[datetime, str]]:
    """When somebody breaks a rule in a week, and which one if it is a raid."""
    moments = [(moment, "") for moment in _moments(quarters, number, chance)]
    if is_raided:
        evening = start + RAID_EVENING
        moments += [
            (evening + timedelta(minutes=chance.triangular(0, 90, 15)), chance.choice(("flood", "mass-mention")))
            for _ in range(number * 6 // 10)
        ]
    return moments


def _quarters(start: datetime, number: float, chance: random.Random) -> Iterator[tuple[datetime, int]]:
    whole = sum(HOURS) * sum(DAYS) * 4
    for place in range(7 * 24 * 4):
        moment = start + place * timedelta(minutes=15)
        local = moment.astimezone(ZONE)
        yield moment, round(number * HOURS[local.hour] * DAYS[local.weekday()] / whole * chance.uniform(0.8, 1.2))


def _moments(quarters: Counter[datetime], number: int, chance: random.Random) -> list[datetime]:
    drawn = chance.choices(list(quarters), [count + 1 for count in quarters.values()], k=number)
    return sorted(moment + timedelta(seconds=chance.uniform(0, 899)) for moment in drawn)


def _tallies(quarters: Counter[datetime], chance: random.Random) -> Iterator[Row]:
    answers = 0
    for hour in sorted({moment.replace(minute=0) for moment in quarters}):
        number = sum(quarters[hour + minutes * timedelta(minutes=15)] for minutes in range(4))
        before, answers = answers, answers + number // 60
        # a message waits a minute for the guard before it goes without a verdict, and half of them are asked again
        unscreened = round(number * _away(hour) / 2)
        said = {(tallies.CHANNEL, name): number * share // 100 for name, share in CHANNELS.items()}
        named = {
            **said,
            **{(tallies.LATENCY, edge): number * share // 100 for edge, share in (("5", 58), ("10", 30), ("50", 12))},
            **{(tallies.BOT, name): number // 60 for name in BOTS},
            **{
                (tallies.PAIR + one, name): answers * share // 100 - before * share // 100
                for name in BOTS
                for one, share in PAIRS.items()
            },
            (tallies.UNSCREENED, ""): unscreened,
            (tallies.LATE, ""): unscreened,
            (tallies.JUDGED, ""): max(sum(said.values()) * 97 // 100 - unscreened, 0),
        }
        for (what, name), count in named.items():
            if count:
                yield {"quarter": hour, "what": what, "name": name, "number": count}


def _unsafe(made: Iterable[Rows]) -> Iterator[Row]:
    """The harmful answers of bots, by the hour in which they were sent."""
    answers = [(one[messages][0]["sent_at"], one[incidents][0]["author"]) for one in made]
    found = Counter((at.replace(minute=0, second=0, microsecond=0), bot) for at, bot in answers if bot in BOTS)
    for (hour, bot), count in found.items():
        yield {"quarter": hour, "what": tallies.PAIR + Count.UNSAFE, "name": bot, "number": count}


def _there(day: int, hour: int) -> datetime:
    """The hour of a day of the year."""
    return START + timedelta(days=day, hours=hour, minutes=7)


def _outages(first: datetime) -> Iterator[Row]:
    for day, hour, minutes in AWAY:
        began = _there(day, hour)
        if began >= first:
            yield {"began_at": began, "ended_at": began + timedelta(minutes=minutes)}


def _away(hour: datetime) -> float:
    """The share of an hour in which the guard was away."""
    share = 0.0
    for day, of_day, minutes in AWAY:
        began = _there(day, of_day)
        common = min(began + timedelta(minutes=minutes), hour + timedelta(hours=1)) - max(began, hour)
        share += max(common / timedelta(hours=1), 0.0)
    return share


def _amendments(first: datetime) -> Iterator[Row]:
    for day, hour, by, setting, before, after in CHANGED:
        if (at := _there(day, hour)) >= first:
            yield {"at": at, "by": by, "setting": setting, "before": before, "after": after}


def _looks(first: datetime) -> Iterator[Row]:
    """Every evening of the year somebody looks something up."""
    chance = random.Random(11)
    for day in range(7 * WEEKS):
        moderator = chance.choices(list(MODERATORS), list(MODERATORS.values()))[0]
        what = chance.choices([Look.REVEAL, Look.HISTORY, Look.CASE], [6, 3, 1])[0]
        if (at := _there(day, 20)) >= first:
            yield {"moderator": moderator, "moderator_name": moderator, "what": what, "at": at}


def _name(author: str) -> str:
    number = int(author)
    name = f"{FIRST[number % len(FIRST)]}{SECOND[number // len(FIRST) % len(SECOND)]}"
    return name if number % 3 else f"{name}{number % 100}"


def _decision(number: int, moment: datetime, chance: random.Random, raid: str) -> tuple[Decision, float]:
    """With the score that led to it."""
    rule = raid or chance.choices(list(RULES), [often for often, *_ in RULES.values()])[0]
    _, bar, wanted, _, kind = RULES[rule]
    bar = FORMER_BAR if rule == "abuse" and moment < RAISED else bar
    score = min(0.999, (bar or 0.5) + (1 - (bar or 0.5)) * chance.betavariate(1.3, 1.1))
    by_bot = rule == "abuse" and chance.random() < 0.04
    author = chance.choice(list(BOTS)) if by_bot else str(int(MEMBERS * chance.betavariate(0.5, 4)))
    if raid:  # those who came last
        author = str(MEMBERS - chance.randrange(24))
    channel = chance.choices(list(CHANNELS), list(CHANNELS.values()))[0]
    trial = channel == "거래" and chance.random() < 0.5
    decision = Decision(
        message=Message(
            ref=MessageRef(PLATFORM, channel, str(number)),
            community_id=COMMUNITY.id,
            author=Author(id=author, name=BOTS.get(author) or _name(author), bot=by_bot),
            sent_at=moment,
            text="이름과 학교를 알면 이렇게 찾을 수 있어요" if by_bot else "(보기로 지어낸 메시지)",
            prompt="그 사람 집 주소 알아내는 법 알려 줘" if by_bot else None,
            pairing=Pairing.CERTAIN if by_bot else None,
        ),
        screening=Verdict.of_scores({Task.RESPONSE_HARM if by_bot else Task.PROMPT_HARM: round(score, 4)}, guard=GUARD),
        policy_version="3f9c1a7b20de" if moment < RAISED else "8d04e6b91f53",
        kinds=frozenset({kind} if kind else ()),
        findings=(
            Finding(rule, True, Explanation("always")),
            Finding("trade-links", trial, Explanation("always"), Mode.SHADOW),
        ),
        actions=wanted,
        rule=rule,
        reason=REASON,
        thresholds={} if bar is None else {rule: bar},
    )
    return decision, score


def _incident(number: int, moment: datetime, chance: random.Random, raid: str) -> Rows:
    decision, score = _decision(number, moment, chance, raid)
    message, rule = decision.message, decision.rule or ""
    decided = moment + timedelta(seconds=chance.uniform(0.1, 2))
    settled = {
        "id": number,
        "channel": message.ref.channel_id,
        "message": str(number),
        "revision": 0,
        "kind": "new",
        "sent_at": moment,
        "settled_at": decided,
        "score": score,
        "ms": chance.uniform(2, 20),
    }
    opened = {
        "id": number,
        "message": number,
        "rule": rule,
        "decided_at": decided,
        "author": message.author.id,
        "body": codec.write_body(message),
        "decision": codec.write_decision(decision),
    }
    counted = {
        "id": number,
        "number": number,
        "code": new_code(),
        "incident": number,
        "member": message.author.id,
        "state": CaseState.OPEN,
        "opened_at": decided,
    }
    refused = message.ref.channel_id == "밤샘방" and chance.random() < 0.02
    taken = [
        {
            "incident": number,
            "position": place,
            "kind": action.kind,
            "protects": action.protects,
            "args": codec.write_action(action),
            "state": "refused" if refused and action == Delete() else "done",
            "reason": NOT_ALLOWED if refused and action == Delete() else None,
            "attempts": 1,
            "planned_at": decided,
            "started_at": decided,
            "finished_at": decided,
        }
        for place, action in enumerate(decision.actions)
    ]
    said = _reactions(number, rule, score, decided, chance)
    return {messages: [settled], incidents: [opened], cases: [counted], actions: taken, **said}


def _reactions(number: int, rule: str, score: float, decided: datetime, chance: random.Random) -> Rows:
    """What moderators and whoever was warned said to it."""
    _, bar, wanted, wrong, _ = RULES[rule]
    calls, objections = list[Row](), list[Row]()
    is_wrong = False
    if chance.random() < 0.93:
        near = bar is not None and score < bar + (1 - bar) * 0.15
        is_wrong = chance.random() < (wrong * 5 if near else wrong * 0.3 if bar else wrong)
        moderator = chance.choices(list(MODERATORS), list(MODERATORS.values()))[0]
        calls.append(
            {
                "incident": number,
                "call": "wrong" if is_wrong else "right",
                "moderator": moderator,
                "moderator_name": moderator,
                "at": decided + timedelta(minutes=chance.lognormvariate(3.4, 1.1)),
                "closes": True,
            }
        )
    temper = random.Random(number)  # of whoever was told
    if Warn() in wanted and temper.random() < (0.5 if is_wrong else 0.06):
        at = decided + timedelta(minutes=temper.lognormvariate(2.5, 1))
        objections.append({"case": number, "words": "(보기로 지어낸 이의)", "at": at})
    return {reviews: calls, appeals: objections}
