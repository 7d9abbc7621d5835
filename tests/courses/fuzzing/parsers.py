"""Everything that reads what others have written: a value of JSON in, nothing out, and nothing raised but what is said.

What a parser cannot read it refuses in its own words (`refuses`); whatever else it raises is a fault of ours.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import discord
from pydantic import BaseModel
from telegram import Bot, Update
from telegram.error import TelegramError

from adapters.chat.discord.moderators import appeals as discord_appeals
from adapters.chat.discord.moderators import wishes as discord_wishes
from adapters.chat.discord.moderators.cards import pressing
from adapters.chat.discord.receiving.arrivals import Arrivals as DiscordArrivals
from adapters.chat.discord.receiving.hearing import Hearing as DiscordHearing
from adapters.chat.discord.receiving.names import Names
from adapters.chat.discord.receiving.pairing import Pairs as DiscordPairs
from adapters.chat.rehearsal import RehearsalChat
from adapters.chat.telegram.moderators import setup as telegram_setup
from adapters.chat.telegram.receiving.albums import Albums
from adapters.chat.telegram.receiving.arrivals import parsed as update_of
from adapters.chat.telegram.receiving.hearing import Hearing
from adapters.chat.telegram.receiving.pairing import Pairs
from adapters.chat.telegram.receiving.reading import Staff, message_ids
from adapters.chat.telegram.requests import AiohttpRequest
from adapters.guards.dialects import DIALECTS
from adapters.guards.vllm_replicas import NOT_ITS_SHAPE, NoAnswer
from adapters.guards.vllm_server import VllmServers
from adapters.http_api.compatible.moderations import ModerationRequest
from adapters.http_api.compatible.perspective import AnalyzeCommentRequest
from adapters.http_api.webhooks import WebhookRequest
from adapters.http_api.wire import reading as wire
from adapters.http_api.wire.problems import Problem
from adapters.http_api.wire.shapes import BatchRequest, CheckRequest, FeedbackRequest, StreamPiece, StreamStart
from adapters.keyring import Keyring, master_key
from bot.app.chats import NETWORKS
from bot.config import load, policy_file
from bot.core.base.errors import BotError, Broken
from bot.core.chat.message import Message
from bot.core.communities.community import Community
from bot.core.guarding.verdict import Exchange
from bot.core.incidents.card import pressed
from bot.core.incidents.webhooks.webhook import host_of, is_address
from bot.core.moderators import reading as commands
from bot.core.moderators.commands import TABLE
from bot.core.text.catalogue import texts
from storage import codec
from storage.columns import microseconds
from tests.builders import DISCORD, NOW, message
from tests.courses.fuzzing.changing import Value
from tests.fakes.clock import ManualClock

SAY = texts("en")


@dataclass(frozen=True, slots=True)
class Parser:
    reads: Callable[[Value], object]
    refuses: tuple[type[Exception], ...] = ()

    def run(self, value: Value) -> None:
        with suppress(*self.refuses):
            self.reads(value)


def storable(read: Message) -> None:
    """Whatever is read is kept: nobody's odd message may hold up the others."""
    body = codec.write_body(read)
    platform, channel, name, revision = codec.key(read.ref)
    assert -(2**63) <= revision < 2**63 and isinstance(microseconds(read.sent_at), int)
    row = SimpleNamespace(
        platform=platform, channel=channel, message=name, revision=revision, community=read.community_id,
        author=read.author.id, kind=read.kind.value, sent_at=read.sent_at, body=body,
    )  # fmt: skip
    codec.read_message(row)  # type: ignore[arg-type]


# ---- chats


class _Nobody:
    async def known_staff(self, chat_id: int) -> Staff:
        return Staff()


def telegram_update(value: Value) -> None:
    if not isinstance(value, dict) or not isinstance(value.get("update_id"), int):
        return  # it is left out before, for it cannot be confirmed

    async def noticed(update: Update) -> None: ...

    clock = ManualClock()
    hearing = Hearing(
        members=_Nobody(),  # type: ignore[arg-type]
        pairs=Pairs(clock=clock),
        albums=Albums(clock=clock),
        notice=noticed,
        me=42,
    )
    for read in asyncio.run(hearing.take([update_of(value, _bot())])):
        storable(read)
        message_ids(read)


@cache
def _bot() -> Bot:
    return Bot("42:token")


def telegram_answer(value: Value) -> None:
    AiohttpRequest.parse_json_payload(_bytes(value))


def discord_event(value: Value) -> None:
    """As far as discord.py makes something of it."""
    state, heard = _discord()
    heard.clear()
    kind, payload = (value.get("t"), value.get("d")) if isinstance(value, dict) else (None, None)
    parse = getattr(state, f"parse_{kind.lower()}", None) if isinstance(kind, str) and kind.isascii() else None
    try:
        if parse:
            parse(payload)
    except Exception:
        return  # discord.py says so, and there is nothing to read
    for read in asyncio.run(_discord_heard(heard)):
        storable(read)


class _Anything:
    def is_news(self, *_: object) -> bool:
        return True


async def _discord_heard(events: Sequence[tuple[str, Any]]) -> list[Message]:
    clock = ManualClock()
    arrivals = DiscordArrivals(clock)
    hearing = DiscordHearing(
        arrivals=arrivals,
        pairs=DiscordPairs(clock=clock),
        names=Names(),
        automod=_Anything(),  # type: ignore[arg-type]
        own_webhooks=set(),
        clock=clock,
    )
    for event, *told in events:
        if listener := getattr(hearing, f"on_{event}", None):
            await listener(*told)
    await asyncio.gather(*hearing._tasks)
    arrivals.end()
    return [message async for batch in arrivals.batches() for message in batch]


@cache
def _discord() -> tuple[Any, list[Any]]:
    state: Any = discord.Client(intents=discord.Intents.all())._connection
    heard: list[Any] = []
    state.dispatch = lambda *told: heard.append(told)
    channels = [{"id": "2", "type": 0, "name": "잡담", "position": 0, "permission_overwrites": []}]
    channels.append({**channels[0], "id": "3", "type": 15})
    guild = {
        "id": "1", "name": "카페", "owner_id": "9", "roles": [{"id": "1", "name": "@everyone", "permissions": "0",
        "position": 0, "color": 0, "hoist": False, "managed": False, "mentionable": False}], "channels": channels,
        "members": [], "threads": [], "member_count": 1,
    }  # fmt: skip
    state._add_guild(discord.Guild(data=guild, state=state))  # type: ignore[arg-type]
    return state, heard


def press(value: Value) -> None:
    """What buttons carry, on both networks."""
    carried = str(value)
    pressed(carried)
    if choice := telegram_setup._CHOICE.fullmatch(carried):
        telegram_setup._chosen(Community(platform=DISCORD, id="1"), choice[2], choice[3])
    for button in _buttons():
        if match := button.__discord_ui_compiled_template__.fullmatch(carried):
            asyncio.run(button.from_custom_id(None, None, match))


@cache
def _buttons() -> tuple[Any, ...]:
    nobody: Any = None
    chapters = (discord_appeals, discord_wishes, pressing)
    return *(chapter._button_of(nobody) for chapter in chapters), discord_appeals._objection_of(nobody)


def command(value: Value) -> None:
    name, _, rest = str(value).removeprefix("/").partition(" ")
    for meant, left in commands.meant(name, rest, TABLE):
        commands.read(meant, left, {}, lambda kind: {"욕설": "insult", "insult": "insult"}, me="7")


def transcript(value: Value) -> None:
    storable(RehearsalChat("-", SAY, ManualClock())._message(_bytes(value), 1))


# ---- the API, guards, files


def _bytes(value: Value) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogatepass")


SHAPES: dict[str, type[BaseModel]] = {
    shape.__name__: shape
    for shape in (
        CheckRequest, BatchRequest, StreamStart, StreamPiece, FeedbackRequest, WebhookRequest, ModerationRequest,
        AnalyzeCommentRequest,
    )
}  # fmt: skip


def api_body(value: Value) -> None:
    """{"shape": …, "body": …}"""
    known = value if isinstance(value, dict) else {}
    wire.wanted({"accept-language": str(known.get("language"))})
    asked = wire.parsed(_bytes(known.get("body")), SHAPES.get(str(known.get("shape")), CheckRequest))
    if isinstance(asked, WebhookRequest) and is_address(asked.url):
        host_of(asked.url)


class _Answers:
    """Instead of a server, gives these one after the other."""

    def __init__(self, answers: list[Value]) -> None:
        self._answers = answers

    async def ask(self, _: object, tokens: int, read: Callable[[Any], object], *, alone: object) -> object:
        try:
            return read(json.loads(_bytes(self._answers.pop(0)) if self._answers else b""))
        except NOT_ITS_SHAPE:
            return NoAnswer.NO_SENSE

    async def look_up(self, *_: object) -> None:
        return None


def guard_answer(value: Value) -> None:
    """{"dialect": …, "answers": […]}"""
    known = value if isinstance(value, dict) else {}
    dialect = DIALECTS.get(str(known.get("dialect")), DIALECTS["wildguard-ko"])
    answers = known.get("answers")
    guard = VllmServers(servers=["http://127.0.0.1:1"], dialect=dialect, clock=ManualClock())
    guard._replicas = _Answers(list(answers) if isinstance(answers, list) else [answers])  # type: ignore[assignment]
    asyncio.run(guard.judge([Exchange(prompt="안녕", response="반가워요")]))


def configuration(value: Value) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(_bytes(value))
        load(path, SAY, NETWORKS, {})


def policy(value: Value) -> None:
    """What is read fits into the settings of a community, and is written again."""
    read = policy_file.read(_bytes(value), SAY)
    if isinstance(read, Community):
        codec.write_settings(read)
        assert policy_file.read(policy_file.written(read).encode("utf-8", "surrogatepass"), SAY) == read


def keyring(value: Value) -> None:
    with TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "keyring").write_bytes(_bytes(value))
        Keyring(place, master_key(place, {}), ManualClock())


def stored_row(value: Value) -> None:
    """{"what": …, "stored": …}"""
    known = value if isinstance(value, dict) else {}
    stored = _bytes(known.get("stored")).decode("utf-8", "replace")
    about = message()
    row: Any = SimpleNamespace(
        platform="discord", channel="1", message="1", revision=0, community="1", author="1", kind="new", sent_at=NOW,
        body=stored,
    )  # fmt: skip
    match known.get("what"):
        case "message":
            storable(codec.read_message(row))
        case "decision":
            codec.write_decision(codec.read_decision(stored, about))
            codec.without_words(stored)
        case "settings":
            codec.write_settings(codec.read_settings(stored))
        case "words":
            codec.without_moderator(stored)
        case "action":
            codec.write_action(codec.read_action(stored))
        case "gist":
            codec.read_gist(stored, stored)
        case "cause":
            codec.read_cause(stored)
        case _:
            list(codec.read_kinds(stored))


PARSERS: dict[str, Parser] = {
    "telegram_updates": Parser(telegram_update),
    "telegram_answers": Parser(telegram_answer, (TelegramError,)),
    "discord_events": Parser(discord_event),
    "presses": Parser(press),
    "commands": Parser(command),
    "transcripts": Parser(transcript, (Broken,)),
    "api_bodies": Parser(api_body, (Problem,)),
    "guard_answers": Parser(guard_answer, (BotError,)),
    "configurations": Parser(configuration, (Broken,)),
    "policies": Parser(policy),
    "keyrings": Parser(keyring, (Broken,)),
    "stored_rows": Parser(stored_row, (Broken,)),
}
