"""The API on a free port of this machine, before a scripted guard and a database of its own."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, ClientSession

from bot.app import operations
from bot.app.application import application
from bot.app.parts import Core
from bot.app.runner import Service
from bot.config import Config, HttpSettings, RuleSettings, StorageSettings
from bot.core.chat.message import CommunityRef
from bot.core.communities.community import Community
from bot.core.guarding.ports import Guard
from bot.core.operations.keys import ApiKey, Scope, digest, written
from tests.builders import DISCORD, NOW, put_settings
from tests.fakes.guarding import ScriptedGuard
from tests.servers.databases import sqlite_in

KEY = ApiKey(
    id="a1",
    digest=digest("secret"),
    community=CommunityRef(DISCORD, "100"),
    name="도우미",
    created_at=NOW,
    scope=frozenset(Scope),
)
OTHER = replace(KEY, id="b2", digest=digest("hidden"), community=CommunityRef(DISCORD, "200"), name="다른 봇")
WRITTEN = written("a1", "secret")
WRITTEN_OTHER = written("b2", "hidden")

#: Harm from 0.8 on, and a word that is forbidden whatever the guard says; a rule on trial.
RULES = [
    {"name": "harm", "when": {"score": {"task": "prompt_harm", "at_least": 0.8}}, "then": ["delete"]},
    {"name": "harmful-answer", "when": {"score": {"task": "response_harm", "at_least": 0.8}}, "then": ["delete"]},
    {"name": "word", "when": {"text": {"any_of": ["금지어"]}}, "then": ["delete"]},
    {"name": "trial", "when": {"text": {"any_of": ["시험어"]}}, "then": ["flag"], "mode": "shadow"},
    {"name": "again", "when": {"repeats": {"times": 3, "within": "1m"}}, "then": ["delete"]},
    {"name": "pieces", "when": {"pieces": {"any_of": ["죽여버린다"], "within": "2m"}}, "then": ["flag"]},
    {"name": "unscreened", "when": {"unscreened": True}, "then": ["flag"]},
]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Stage:
    guard: Any
    core: Core
    session: ClientSession
    port: int
    running: "asyncio.Task[None]"
    answers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def post(self, path: str, content: Any, key: str | None = WRITTEN, **more: Any) -> tuple[ClientResponse, Any]:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        given = {"data": content} if isinstance(content, bytes) else {"json": content}
        if isinstance(content, bytes):
            headers["Content-Type"] = "application/json"
        async with self.session.post(path, headers=headers | more.pop("headers", {}), **given, **more) as answer:
            return answer, await answer.json()

    async def check(self, prompt: str, response: str | None = None, **more: Any) -> tuple[int, dict[str, Any]]:
        answer, content = await self.post("/v1/check", {"prompt": prompt, "response": response}, **more)
        return answer.status, content

    async def get(self, path: str) -> tuple[ClientResponse, str]:
        async with self.session.get(path) as answer:
            return answer, await answer.text()

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.wait([self.running])


@asynccontextmanager
async def stage(folder: Path, guard: Guard | None = None, language: str = "ko", **http: Any) -> AsyncIterator[Stage]:
    port = free_port()
    settings = {"listen": f"127.0.0.1:{port}", "per_second": 1000, **http}
    config = Config(
        storage=StorageSettings(url=sqlite_in(folder)),
        http=HttpSettings.model_validate(settings),
        rules=[RuleSettings.model_validate(rule) for rule in RULES],
        defaults=Config().defaults.model_copy(update={"disabled_rules": _shipped()}),
    )
    cores: list[Core] = []
    guard = guard or ScriptedGuard()

    def serve(core: Core) -> Sequence[Service]:
        cores.append(core)
        return [operations.http_api(core)]

    async with application(config, guard, lambda core: [], serve=serve) as jikimi:
        (core,) = cores
        await core.keys.add(KEY)
        await core.keys.add(OTHER)
        await put_settings(core.desk, Community(platform=DISCORD, id="100", language=language))
        running = asyncio.ensure_future(jikimi.run())
        async with ClientSession(f"http://127.0.0.1:{port}") as session:
            playing = Stage(guard=guard, core=core, session=session, port=port, running=running)
            await _up(playing)
            yield playing
        await playing.stop()


def _shipped() -> list[str]:
    return [rule.name for rule in Config().policy.rules]


async def _up(playing: Stage) -> None:
    while not playing.running.done():
        try:
            answer, _ = await playing.get("/healthz")
        except OSError:
            await asyncio.sleep(0.02)
        else:
            assert answer.status == 200
            return
    await playing.running
