"""A chat network is declared once, by its package; what must know the networks derives it from there."""

import asyncio
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from pkgutil import iter_modules

import pytest

import adapters.chat
from adapters.chat.discord import Discord
from adapters.chat.rehearsal import REHEARSAL
from adapters.chat.telegram import Telegram
from bot.app.chats import NETWORKS, PLATFORMS, address, wanted
from bot.cli.operations import keys
from bot.cli.settings import invite
from bot.config import Config, load
from bot.core.base.errors import Broken
from bot.core.chat.message import CommunityRef, Platform
from bot.core.moderators.network import Network
from bot.core.operations.keys import API
from bot.core.text.catalogue import LANGUAGES, texts
from tests.contracts.chats import PLACES

ROOT = Path(__file__).parents[3]


def test_every_package_is_a_network_of_its_name() -> None:
    packages = {one.name for one in iter_modules(adapters.chat.__path__) if one.ispkg}
    assert {one.platform for one in NETWORKS} == packages - {REHEARSAL}, "what was recorded is no network"


def test_no_two_things_bear_one_name() -> None:
    names = [*PLATFORMS, API, *Config.model_fields]
    assert len(set(names)) == len(names)


def test_every_network_is_under_contract() -> None:
    assert set(PLACES) == set(PLATFORMS)


@pytest.mark.parametrize("network", NETWORKS)
def test_people_can_read_what_it_is_called_and_how_its_bot_is_made(network: type[Network]) -> None:
    for language in LANGUAGES:
        say = texts(language)
        assert say[f"{network.platform}.title"] and network().steps(say).strip()


@pytest.mark.parametrize("network", NETWORKS)
def test_what_may_hold_a_password_is_not_shown(network: type[Network]) -> None:
    shown = {one.name for one in fields(network) if one.repr}
    assert not {name for name in shown if "token" in name or "url" in name or "password" in name}


def test_a_network_brings_its_library_only_when_it_is_connected() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    libraries = {
        library
        for one in contracts
        if any(home.startswith("adapters.chat") for home in one.get("allowed_importers", ()))
        for library in one["protected_modules"]
    }
    told = "import sys, bot.app.chats; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert libraries and not libraries & set(done.stdout.split())


def test_a_message_opens_where_its_network_can_open_it() -> None:
    server, group = CommunityRef(Discord.platform, "1"), CommunityRef(Telegram.platform, "-1007")
    assert address(server, "2", "3") == "https://discord.com/channels/1/2/3"
    assert address(group, "-1007", "3") == address(group, "-1007", "3.1") == "https://t.me/c/7/3"
    for place, channel, message in (
        (server, "2", ""), (server, "2/../..", "3"), (server, "2", "a name"), (group, "-7", "3"), (group, "-1007", ""),
        (group, "-100", "3"), (CommunityRef(REHEARSAL, "1"), "2", "3"), (CommunityRef(Platform("gone"), "1"), "2", "3"),
    ):  # fmt: skip
        assert address(place, channel, message) == ""


def test_what_has_a_token_is_wanted(tmp_path: Path) -> None:
    say = texts("en")
    assert wanted(Config(), say) == wanted(load(None, say, NETWORKS, {}), say) == []
    tokens = {"JIKIMI_DISCORD_TOKEN": "a.b.sesame", "JIKIMI_TELEGRAM_TOKEN": "1:sesame"}
    assert [type(one) for one in wanted(load(None, say, NETWORKS, tokens), say)] == list(NETWORKS)
    (path := tmp_path / "mine.toml").write_text(
        "[discord]\ntoken = 'a.b.c'\nshard_ids = [0, 2]\nshard_count = 3", "utf-8"
    )
    assert wanted(load(path, say, NETWORKS, {}), say) == [Discord(token="a.b.c", shard_ids=(0, 2), shard_count=3)]
    path.write_text("[discord]\ntoken = 'a.b.c'\nshard_ids = [0, 2]", "utf-8")
    with pytest.raises(Broken, match="shard_count"):
        wanted(load(path, say, NETWORKS, {}), say)
    for network in NETWORKS:
        with pytest.raises(Broken, match="does not look like a token"):
            wanted(load(None, say, NETWORKS, {f"JIKIMI_{network.platform.upper()}_TOKEN": "이상한토큰"}), say)


@pytest.mark.parametrize(
    ("content", "key", "hint"),
    [
        ("[discrod]", "discrod", "discord"),
        ("[discord]\ntokne = 'a'", "discord.tokne", "token"),
        ("token = 'a'", "token", "[discord], [telegram]"),
        ("[discord]\ntoken = 1", "discord.token", "string"),
        ("[discord]\nshard_count = -1", "discord.shard_count", "0"),
        ("[discord]\nshard_ids = ['0']", "discord.shard_ids[1]", "whole number"),
        ("[discord]\nmember_names = 1", "discord.member_names", "true"),
        ("[telegram]\napi_url = 'api.telegram.org'", "telegram.api_url", "http"),
    ],
)
def test_what_is_wrong_in_its_section_is_named(tmp_path: Path, content: str, key: str, hint: str) -> None:
    (path := tmp_path / "mine.toml").write_text(content, "utf-8")
    with pytest.raises(Broken) as refused:
        load(path, texts("en"), NETWORKS, {})
    assert key in str(refused.value) and hint in str(refused.value)


def test_commands_name_the_networks_that_there_are() -> None:
    say, config = texts("en"), Config()
    known = ", ".join(one.platform for one in NETWORKS)
    with pytest.raises(Broken, match=known):
        asyncio.run(invite.invite("icq", config, say))
    with pytest.raises(Broken, match="application id is a number"):
        asyncio.run(invite.invite("discord", config, say, "jikimi"))
    with pytest.raises(Broken, match="no bot is called that"):
        asyncio.run(invite.invite("telegram", config, say, "t.me/x&admin=all"))
    with pytest.raises(Broken, match=f"{known}, {API}"):
        asyncio.run(keys.create("key", "cafe", "icq", config, say, as_json=False))
