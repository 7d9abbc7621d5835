"""A year and a half of chat in small, through the whole flow: what is left of it afterwards, searched, and how much.

Members write, object, ask to be erased; moderators judge and do things by hand; a community leaves; keys change by
themselves, back-ups and reports are made, and each day is a process of its own.
"""

import asyncio
import gc
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from sqlalchemy import text

from bot.app import keeping
from bot.app.application import Jikimi, application
from bot.app.chats import NETWORKS
from bot.app.parts import Core, Stores
from bot.config import Config, load
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Author, CommunityRef, Message, MessageRef
from bot.core.communities.policies import Policies
from bot.core.incidents.case import CaseKind, Order, Person
from bot.core.incidents.review import Call
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Warn
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import texts
from storage.database import Database
from storage.records.incidents import SqlIncidents
from tests.builders import REHEARSAL
from tests.fakes.chat import ScriptedPlatform
from tests.fakes.guarding import ScriptedGuard

BEGINS = datetime(2026, 1, 5, 3, tzinfo=UTC)
DAY = timedelta(days=1)
WORDS, NAME, OBJECTION, REASON, MODERATOR = "심어둔나쁜말", "심어둔회원이름", "심어둔이의", "심어둔까닭", "심어둔운영자"
TOKENS = ("planted-discord-token", "planted-telegram-token", "planted-guard-token")
PLANTED = (WORDS, NAME, OBJECTION, REASON, MODERATOR, *TOKENS)
HERE, LEAVING = CommunityRef(REHEARSAL, "cafe"), CommunityRef(REHEARSAL, "leaving")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`apart`: days between two that are played; everything is kept as long as it is by default."""

    days: int = 600
    apart: int = 1
    messages: int = 40  # a day and community; every fourth is against the rules


@dataclass(slots=True, kw_only=True)
class Remains:
    """`pages`: of the database after each day, those in use; `problems`: broken promises, a sentence each."""

    pages: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    erased: dict[str, int] = field(default_factory=dict)  # who, and on which day


class DayClock:
    """The world's, but on another day."""

    def __init__(self) -> None:
        self.today = BEGINS

    def now(self) -> datetime:
        return self.today

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Guard(ScriptedGuard):
    def _answer(self, exchange):  # type: ignore[no-untyped-def]
        self.answers[exchange.prompt] = 0.99 if WORDS in exchange.prompt else 0.07
        return super()._answer(exchange)


class Chat(ScriptedPlatform):
    """Says what the day has, and ends once `over` is set."""

    def __init__(self, said: Sequence[Message]) -> None:
        super().__init__(said)
        self.over = asyncio.Event()

    async def messages(self):  # type: ignore[no-untyped-def]
        async for batch in super().messages():
            yield batch
        await self.over.wait()


def configured(folder: Path) -> Config:
    path = folder / "config.toml"
    path.write_text(f'[storage]\nurl = "sqlite:///{folder / "jikimi.db"}"\n[report]\nday = "off"\n', "utf-8")
    names = ("JIKIMI_DISCORD_TOKEN", "JIKIMI_TELEGRAM_TOKEN", "JIKIMI_GUARD_TOKEN")
    return load(path, texts("ko"), NETWORKS, dict(zip(names, TOKENS, strict=True)))


def said(day: int, now: datetime, community: str, number: int) -> Iterator[Message]:
    for one in range(number):
        who, bad = f"member-{day}-{one % 12}-", one % 4 == 0
        yield Message(
            ref=MessageRef(REHEARSAL, f"{community}/general", f"{day}-{one}"),
            community_id=community,
            author=Author(id=who, name=f"{NAME}{one % 12}"),
            sent_at=now - timedelta(minutes=one % 30),
            text=f"{WORDS} {day} {one}" if bad else f"안녕하세요 {NAME} {day} {one}",
            channel_name="잡담",
        )


async def soak(folder: Path, plan: Plan) -> Remains:
    config, clock, remains = configured(folder), DayClock(), Remains()
    with logged(folder / "log"):
        for day in range(0, plan.days, plan.apart):
            clock.today = BEGINS + day * DAY
            await live(config, clock, day, plan, remains)
            gc.collect()  # what a process was broken off in ends with it; here it holds the file until then
            await settle_down(config, clock, remains)
            if day // plan.apart % 5 == 0:
                (folder / "back-ups").mkdir(exist_ok=True)
                keeping.back_up(config, folder / "back-ups" / f"{day:04}.db")
        remains.problems += await old_copies(config, clock, folder / "back-ups")
    remains.problems += found_in(folder)
    remains.problems += found_of_the_erased(folder, remains, until=plan.days - 60)
    remains.problems += grown(remains.pages, plan)
    return remains


@contextmanager
def logged(path: Path) -> Iterator[None]:
    before = structlog.get_config()
    with path.open("a", encoding="utf-8") as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file), cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.configure(**before)


async def live(config: Config, clock: DayClock, day: int, plan: Plan, remains: Remains) -> None:
    """One day of one process."""
    there = ["cafe", "leaving"] if day < plan.days // 3 else ["cafe"]
    today = [one for community in there for one in said(day, clock.now(), community, plan.messages)]
    chat, core = Chat(today), list[Core]()

    def connect(given: Core) -> Sequence[ScriptedPlatform]:
        core.append(given)
        return [chat]

    async with application(config, Guard(), connect, mode=Watch.LIVE, clock=clock) as jikimi:
        running = asyncio.create_task(jikimi.run())
        while not all(await jikimi.inbox.settled([one.ref for one in today])):
            assert not running.done(), running.result()
            await asyncio.sleep(0.005)
        await moderate(core[0].desk, jikimi, clock, day)
        if day // plan.apart % 3 == 0:
            who = f"member-{day}-4-"
            erased = await core[0].desk.privacy.erase(REHEARSAL, who)
            assert erased and erased.receipts
            remains.erased[who] = day
        if "leaving" not in there:
            left = partial(replace, left_at=clock.now())
            with suppress(Unavailable):  # it is just being forgotten
                await core[0].desk.change(LEAVING, lambda one: one if one.left_at else left(one), by="-")
        chat.over.set()
        await running


async def moderate(desk: Desk, jikimi: Jikimi, clock: DayClock, day: int) -> None:
    incidents = await jikimi.incidents.between(clock.now() - DAY, clock.now() + DAY, HERE)
    assert incidents, "something was against the rules"
    calls = (Call.RIGHT, Call.WRONG)
    for place, incident in enumerate(incidents[:4]):
        await desk.appeal(HERE, incident.id, f"{OBJECTION} {day}")
        await desk.call(
            HERE, incident.id, calls[place % 2], moderator_id=f"staff-{day}-", moderator_name=f"{MODERATOR} {day}"
        )
    member, by = Person(f"member-{day}-7-", NAME), Person(f"staff-{day}-", MODERATOR)
    order = Order(
        kind=CaseKind.WARN, member=member, moderator=by, at=clock.now(), words=f"{REASON} {day}", actions=(Warn(),)
    )
    await desk.deeds.carry_out(HERE, order)
    await desk.change(HERE, lambda one: replace(one, name=f"{NAME} 모임", preset="strict"), by=f"{MODERATOR} {day}")


async def settle_down(config: Config, clock: DayClock, remains: Remains) -> None:
    """What services do now and then is done once, to its end; and it is counted what is left."""
    async with keeping.opened(config, clock) as database:
        stores = Stores.over(database)
        policies = Policies(store=stores.communities, build=config.policy_of, clock=clock)
        await policies.load()
        await stores.cases.end(clock.now(), 1000)
        await keeping.retention(config, database, policies, lambda *_: None).turn()
        await keeping.rotation(database, stores.bookmarks, clock).throw_away()
        async with database.read() as connection:
            used = "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count"
            remains.pages.append((await connection.execute(text(used))).scalar_one())


async def old_copies(config: Config, clock: DayClock, folder: Path) -> list[str]:
    """With today's keyring, those of more than 200 days ago."""
    problems = []
    for copy in made_before(clock.now() - 200 * DAY, folder):
        with TemporaryDirectory() as place:
            opened = shutil.copy(copy, Path(place) / "jikimi.db")
            async with Database.visit(f"sqlite:///{opened}", clock, keeping.sealing(config, clock)) as database:
                found = await SqlIncidents(database).between(BEGINS, clock.now())
        told = [one for one in found if one.decision.message.text or (one.appeal and one.appeal.words)]
        if told or not found:
            problems.append(f"{copy.name} still says what was said in {len(told)} of {len(found)} incidents")
    return problems


def made_before(moment: datetime, folder: Path) -> Sequence[Path]:
    return [copy for copy in sorted(folder.glob("*.db")) if BEGINS + int(copy.stem) * DAY < moment]


def found_in(folder: Path) -> list[str]:
    """What was planted, in any file but the one that is told of the tokens."""
    wanted = {word: (word.encode(), word.encode("unicode_escape"), word.encode("utf-16-le")) for word in PLANTED}
    return [
        f"{path.relative_to(folder)} holds {word!r}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for content in [path.read_bytes()]
        for word, spellings in wanted.items()
        if any(one in content for one in spellings)
    ]


def found_of_the_erased(folder: Path, remains: Remains, until: int) -> list[str]:
    """Not even their ids are in the database or its log. Whom something ran against on their last day is left out."""
    content = b"".join(path.read_bytes() for path in folder.glob("jikimi.db*"))
    return [
        f"the database names {who}" for who, day in remains.erased.items() if day < until and who.encode() in content
    ]


def grown(pages: Sequence[int], plan: Plan) -> list[str]:
    """From when the first cases are gone on, it stays as it is."""
    steady = pages[(365 + 60) // plan.apart :]
    if len(steady) < 4 or max(steady) <= 1.1 * steady[0]:
        return []
    return [f"the database grows: {steady[0]} pages, then {max(steady)}"]
