"""Somebody is erased by one process while another moderates: the other forgets them, too."""

import asyncio
from dataclasses import replace
from pathlib import Path

from bot.app.application import Jikimi, application
from bot.app.chats import NETWORKS
from bot.config import Config, load
from bot.core.rules.policy import Watch
from bot.core.text import lately
from bot.core.text.catalogue import texts
from tests.builders import home, message
from tests.fakes.guarding import ScriptedGuard
from tests.flow.moderation.test_stopping import BAD, Chat
from tests.servers.command import run
from tests.servers.databases import sqlite_in
from tests.servers.waiting import until

HERE = home("cafe")


def configured(tmp_path: Path) -> tuple[Path, Config]:
    path = tmp_path / "config.toml"
    path.write_text(f'[storage]\nurl = "{sqlite_in(tmp_path)}"\n', "utf-8")
    return path, load(path, texts("ko"), NETWORKS, {})


async def command(path: Path, *words: str) -> str:
    """`jikimi` as a process of its own."""
    done = await asyncio.to_thread(run, path.parent, *words, "--config", str(path))
    assert done.returncode == 0, done.stderr
    return done.stdout


def minds(jikimi: Jikimi, member: str) -> bool:
    """Whether anything of somebody is in mind."""
    recent = jikimi.screener.recent
    members = {*recent._sent, *recent._fired, *(who for who, _ in recent._offences), *(who for who, _ in recent._said)}
    heard = {said.author for known in jikimi.screener.campaigns._heard.values() for said in known.all.values()}
    return (HERE, member) in members or member in heard


def test_a_process_that_moderates_forgets_whom_another_has_erased(tmp_path: Path) -> None:
    path, config = configured(tmp_path)

    async def scenario() -> None:
        chat = Chat()
        chat.go_on.set()
        guard = ScriptedGuard({BAD: 0.99})
        async with application(config, guard, lambda core: [chat], mode=Watch.LIVE) as jikimi:
            now = jikimi.clock.now()
            running = asyncio.create_task(jikimi.run())
            for who in ("minji", "jisu"):
                said = [message(f"{who} {number}", BAD, author=who, sent_at=now) for number in range(3)]
                chat.arriving.put_nowait([replace(one, author=replace(one.author, name=f"이름 {who}")) for one in said])
            await until(lambda: len(chat.performed) >= 6)
            assert minds(jikimi, "minji") and minds(jikimi, "jisu")
            chat.changed.clear()
            told = await command(path, "erase", "--community", "cafe", "--platform", "rehearsal", "--member", "minji")
            assert "영수증" in told or "Receipt" in told
            await until(lambda: not minds(jikimi, "minji"))
            assert minds(jikimi, "jisu")
            assert not any(one.cache_info().currsize for one in lately._remembering), "nor what their texts are read as"
            is_theirs, *_ = chat.forgotten  # once more where something of theirs had to stay at first
            assert is_theirs("minji") and not is_theirs("jisu")
            theirs = [one.id for one in await jikimi.incidents.between(now.replace(year=2020), now.replace(year=2100))
                      if not one.decision.message.author.id]  # fmt: skip
            assert theirs and set(theirs) <= set(chat.changed), "what was posted of theirs is drawn anew"
            chat.arriving.put_nowait(None)
            await running

    asyncio.run(scenario())


def test_a_process_that_moderates_forgets_a_community_that_another_has_erased(tmp_path: Path) -> None:
    path, config = configured(tmp_path)

    async def scenario() -> None:
        chat = Chat()
        chat.go_on.set()
        async with application(config, ScriptedGuard({BAD: 0.99}), lambda core: [chat], mode=Watch.LIVE) as jikimi:
            running = asyncio.create_task(jikimi.run())
            chat.arriving.put_nowait([message("1", BAD, sent_at=jikimi.clock.now())])
            await until(lambda: chat.performed)
            await command(path, "erase", "--community", "cafe", "--platform", "rehearsal", "--everything")
            await until(lambda: not minds(jikimi, "minji"))
            before = len(chat.performed)
            chat.arriving.put_nowait([message("2", BAD, sent_at=jikimi.clock.now())])
            await until(lambda: len(chat.performed) > before)
            chat.arriving.put_nowait(None)
            await running

    asyncio.run(scenario())
