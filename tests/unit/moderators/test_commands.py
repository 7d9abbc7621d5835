"""Commands say all that the networks need of them, in both languages; what people type is read as they mean it."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from pkgutil import iter_modules
from string import Formatter
from typing import Any

import pytest

from adapters.chat.discord.errors import lacking
from bot.core.moderators import commands
from bot.core.moderators.answer import Channel, Lines, Member, said
from bot.core.moderators.argument import OneOf, Target, Text, arguments, is_about_incident
from bot.core.moderators.command import Command, Usage
from bot.core.moderators.commands import TABLE
from bot.core.moderators.commands.anybody import Appeal, Flag
from bot.core.moderators.commands.deeds import BanMember, Mute, PurgeMessages, Undo, WarnMember
from bot.core.moderators.commands.members import Exempt
from bot.core.moderators.commands.overrides import SetOverride
from bot.core.moderators.commands.overview import Setup, Try
from bot.core.moderators.commands.policy import HouseRules, Sensitivity
from bot.core.moderators.commands.raids import LockDown, LookUp
from bot.core.moderators.commands.record import Case, History, Search, Why
from bot.core.moderators.commands.reports import Report, ReportSchedule
from bot.core.moderators.commands.settings import Bots, Pause, Steps, Threshold
from bot.core.moderators.reading import as_typed, meant, names, read
from bot.core.rules.actions import AWAY, Refused
from bot.core.text.catalogue import LANGUAGES, Texts, texts, texts_on
from bot.wording.answered import lines, usage
from tests.builders import NOW

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("command", TABLE)
def test_a_command_has_its_words(command: type[Command]) -> None:
    kinds = [one.kind for one in arguments(command)]
    for say in map(texts, LANGUAGES):
        wanted = [f"command.{command.name}", f"command.{command.name}_does"]
        wanted += [f"command.{command.group}", f"command.{command.group}_does"] if command.group else []
        wanted += [f"command.{command.name}_menu"] if any(isinstance(kind, Target) for kind in kinds) else []
        window = [f"command.{command.name}_{part}" for part in ("title", "window")] if Text(lines=True) in kinds else []
        wanted += window
        shown = [one.name for one in arguments(command) if not isinstance(one.kind, Target)]
        wanted += [f"option.{name}{end}" for name in shown for end in ("", "_is")]
        assert [key for key in wanted if key not in say] == []
        assert all(len(say[key]) <= 100 for key in wanted if key.endswith(("_is", "_does")))  # Discord's most
        assert all(len(say[key]) <= 45 for key in window)
        called = say[f"command.{command.name}"]
        assert re.fullmatch(r"[-\w]{1,32}", called) and called == called.lower()


@pytest.mark.parametrize("command", TABLE)
def test_a_command_does_something_or_is_led_by_each_network(command: type[Command]) -> None:
    assert (command.run is Command.run) is command.led
    assert re.fullmatch(r"[a-z_]{1,32}", command.name)  # as Telegram wants it


def said_in(source: str) -> Iterator[tuple[str, set[str]]]:
    """The sentences that a use-case says and what it tells in them, as far as they are written out."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "said":
            key = call.args[0]
            for one in (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,):
                if isinstance(one, ast.Constant):
                    yield str(one.value), {str(fact.arg) for fact in call.keywords}


@pytest.mark.parametrize("chapter", [module.name for module in iter_modules(commands.__path__)])
def test_what_a_use_case_says_has_its_words_on_every_network(chapter: str) -> None:
    told = list(said_in((Path(commands.__path__[0]) / f"{chapter}.py").read_text("utf-8")))
    for (key, facts), network, language in product(told, ("discord", "telegram"), LANGUAGES):
        assert key in texts_on(network, language), key
        wanted = {name for _, name, _, _ in Formatter().parse(texts_on(network, language)[key]) if name}
        assert wanted <= facts, key


def test_every_chapter_is_in_the_table_and_no_name_means_two_commands() -> None:
    chapters = {command.__module__.rpartition(".")[2] for command in TABLE}
    assert chapters == {module.name for module in iter_modules(commands.__path__)}
    called = [name for command in TABLE for name in names(command)]
    assert len(called) == len(set(called))
    grouped = [command.group for command in TABLE if not (command.alone or command.doors)]
    assert len({*grouped} - {""}) + grouped.count("") <= 25  # in one group of Discord's, groups within it counted
    assert max(map(grouped.count, {*grouped} - {""})) <= 25


CHOICES = {"insult": "욕설 (insult) · 0.9", "harm": "유해한 글 (harm) · 0.8"}


def understood(name: str, rest: str, **known: Any) -> list[Command]:
    read_ = (read(command, words, known, lambda _: CHOICES, "77") for command, words in meant(name, rest, TABLE))
    return [found for found in read_ if found]


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("pause", Pause()),
        ("pause 2h", Pause(2 * HOUR)),
        ("일시정지 30분", Pause(HOUR / 2)),
        ("일시정지 2시간동안", Pause(2 * HOUR)),
        ("pause 2 hours", Pause(2 * HOUR)),
        ("멈춤 3일", Pause(72 * HOUR)),
        ("pause 9999d", Pause(30 * 24 * HOUR)),
        ("pause off", Pause(timedelta())),
        ("멈춤 해제", Pause(timedelta())),
        ("test 나쁜 말\n두 줄", Try("나쁜 말\n두 줄")),
        ("시험 글 12", Try("글 12")),
        ("why 12", Why(12)),
        ("이유 #12", Why(12)),
        ("history 12", History(incident=12)),
        ("history member 123456", History(Member("123456"))),
        ("warn 123456 도배", WarnMember(Member("123456"), "도배")),
        ("경고 123456", WarnMember(Member("123456"))),
        ("mute 2h 123456 광고 12번", Mute(Member("123456"), 2 * HOUR, "광고 12번")),
        ("타임아웃 123456 30분", Mute(Member("123456"), HOUR / 2)),
        ("ban 123456", BanMember(Member("123456"))),
        ("차단 7일 123456 사기", BanMember(Member("123456"), 7 * 24 * HOUR, "사기")),
        ("purge 20", PurgeMessages(20)),
        ("case #12", Case(12)),
        ("search 차단 moderator 123456", Search(kind="ban", moderator=Member("123456"))),
        ("undo 3", Undo(3)),
        ("appeal 12", Appeal("12")),
        ("threshold", Threshold()),
        ("policy threshold insult 0.7", Threshold("insult", 0.7)),
        ("정책 기준 욕설 0.7", Threshold("insult", 0.7)),
        ("threshold insult 0.7", Threshold("insult", 0.7)),
        ("기준 욕설 0.7", Threshold("insult", 0.7)),
        ("threshold 2", Threshold("harm")),
        ("bots on 1", Bots("insult", judged=True)),
        ("bots owner 1 me", Bots("insult", owner_channel=Channel("77"))),
        ("bots owner 1 -1001", Bots("insult", owner_channel=Channel("-1001"))),
        ("봇 끄기 2", Bots("harm", judged=False)),
        ("report", Report()),
        ("report 어제", Report("day")),
        ("보고 오늘", Report("today")),
        ("보고 이번주", Report("this_week")),
        ("report this month", Report("this_month")),
        ("보고 지난주 이름", Report("week", names=True)),
        ("report 2026-w20", Report("2026-W20")),
        ("report 2026-05-01~2026-05-14", Report("2026-05-01~2026-05-14")),
        ("보고 2026-05-01..2026-05-14", Report("2026-05-01..2026-05-14")),
        ("report range 2026-05-01 2026-05-14", Report(first="2026-05-01", last="2026-05-14")),
        ("report when", ReportSchedule()),
        ("보고 언제", ReportSchedule()),
        ("report on", ReportSchedule("on")),
        ("report off", ReportSchedule("off")),
        ("보고 켜기", ReportSchedule("on")),
        ("보고 끄기", ReportSchedule("off")),
        ("report at fri 18", ReportSchedule("friday", 18)),
        ("보고 시각 금 18시", ReportSchedule("friday", 18)),
        ("보고예약 월 9", ReportSchedule("monday", 9)),
        ("report at 7:00", ReportSchedule(hour=7)),
        ("report daily on", ReportSchedule(daily=True)),
        ("report alert 30", ReportSchedule(alert=30)),
        ("report alert off", ReportSchedule(alert=0)),
        ("따로 다른 곳과 같게", SetOverride("same")),
        ("따로 끄기 2h", SetOverride("off", lasting=2 * HOUR)),
        ("찾기 채팅 금지 이의 있음", Search(kind="mute", state="appealed")),
        ("찾기 차단 해제", Search(kind="unban")),
        ("단계제재 채팅 금지까지", Steps("timeout")),
        ("단계제재 끄기", Steps("off")),
        ("민감도 사기 찾지 않음", Sensitivity("fraud", "off")),
        ("차단목록 운영진에게 알림", LookUp("flag")),
        ("차단목록 끄기", LookUp("off")),
        ("raid_on 저속모드", LockDown("slow")),
        ("raid_on 저속 모드 2h 도배", LockDown("slow", lasting=2 * HOUR, reason="도배")),
        ("수칙 해제", HouseRules(off=True)),
        ("수칙 끄기", HouseRules(off=True)),
        ("수칙 지우기", HouseRules(off=True)),
        ("수칙 서로 존중합니다.", HouseRules("서로 존중합니다.")),
        ("settings", Setup()),
    ],
)
def test_what_is_typed_is_read(typed: str, command: Command) -> None:
    name, _, rest = typed.partition(" ")
    assert understood(name, rest)[0] == command


@pytest.mark.parametrize("name", ["ladder", "night", "quiet", "gate", "care", "newcomers", "tidy", "blocklist"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_how_a_command_is_written_may_be_typed_and_says_how_to_switch_off(name: str, language: str) -> None:
    examples = re.findall(r"\{command\} ([^,()]+)", texts(language)[f"telegram.usage.{name}"])
    typed = [understood(name, one.strip())[0] for one in examples]
    assert {one.name for one in typed} == {name} and len(set(typed)) == len(examples) > 1
    assert understood(name, "commands off" if name == "tidy" else "off")[0] in typed


@pytest.mark.parametrize("network", ["discord", "telegram"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_choice_is_called_may_be_typed(language: str, network: str) -> None:
    say = texts_on(network, language)
    choices = [(of, one.name, one.kind) for of in TABLE for one in arguments(of) if isinstance(one.kind, OneOf)]
    assert len(choices) > 10
    for command, name, kind in choices:
        for word in kind.words:
            known = {one.name: "" for one in arguments(command) if one.is_needed and one.name != name}
            found = read(command, say[f"{kind.family}{word}"], known, lambda _: {})
            assert getattr(found, name, None) == word, (command, word)


@pytest.mark.parametrize(
    "typed",
    [
        "warn",
        "mute 2h",
        "ban 도배",
        "pause 30",
        "pause soon",
        "pause 2 months",
        "why",
        "why soon",
        "why 12 13",
        "report sometime",
        "report at 월요일 25",
        "report at 24",
        "report on off",
        "report off on",
        "threshold insult 2 3",
        "nono",
    ],
)
def test_what_makes_no_command_is_not_guessed(typed: str) -> None:
    name, _, rest = typed.partition(" ")
    assert understood(name, rest) == []


def test_what_the_answered_message_says_need_not_be_typed() -> None:
    somebody = Member("7", "민지")
    assert understood("exempt", "", member=somebody)[0] == Exempt(somebody)
    assert understood("예외", "해제", member=somebody)[0] == Exempt(somebody, on=False)
    assert understood("flag", "") == [] and isinstance(understood("flag", "", target=object())[0], Flag)


class Plain:
    """A `Manner` without marks."""

    timezone, now = "Asia/Seoul", NOW

    def __init__(self, say: Texts) -> None:
        self.say = say

    def labelled(self, label: str, text: str) -> str:
        return f"{label}: {text}"

    def plain(self, text: str) -> str:
        return text.replace("*", "")

    def mention(self, whom: object) -> str:
        return f"<{getattr(whom, 'id', '')}>"

    def typed(self, command: type[Command]) -> str:
        return f"/{command.name}"


def test_an_answer_is_put_into_words() -> None:
    manner = Plain(texts("en"))
    whom = (Member("7"), Channel("9"))
    assert lines(Lines.of(said("exempt.on", whom=whom), None, "as it is*"), manner).endswith("to: <7>, <9>\nas it is*")
    assert lines(Lines.of(said("setting.is", label="setting.mode", value="*a*")), manner) == "Mode: a"
    assert lines(Usage(Pause), manner) == "Usage: /pause [lasting]"
    assert lines(Usage(Why), manner) == "Usage: /why incident"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_group_is_told_to_type_is_read_when_it_is_typed(language: str) -> None:
    say, tried = texts_on("telegram", language), 0
    examples = {
        r"사건번호|incident number|INCIDENT": "7", "번호|NUMBER": "1", r"(회원|운영자|USER_)ID": "123456",
        r" (를|가|shows|as|in) .*": "",
    }  # fmt: skip
    for name in ("bots", "why", "pause", "report", "purge", "search"):
        (command,) = (one for one in TABLE if one.name == name)
        for typed in re.findall(r"\{command\} ([^,.(;]+)", say[f"usage.{name}"]):
            for word, example in examples.items():
                typed = re.sub(word, example, f" {typed}")
            tried += 1
            assert understood(as_typed(command, say), typed.strip()), f"{name}: {typed}"
    assert tried > 20
    assert usage(Pause, Plain(say)).count("/pause ") == 3, "as it is called where it is typed"


def test_why_something_was_refused_is_said_in_the_language_of_whoever_asks() -> None:
    told, by = partial(said, "deed.refused", case=7), {language: Plain(texts(language)) for language in LANGUAGES}
    lacks = Lines.of(told(why=Refused(lacking(["ban_members", "manage_messages"]))))
    assert lines(lacks, by["ko"]) == "하지 못했습니다: 권한 없음: 멤버 차단하기, 메시지 관리하기 (기록 #7)"
    assert lines(lacks, by["en"]).startswith("It could not be done: missing permission: Ban Members, Manage Messages")
    assert "포기" in lines(Lines.of(told(why=Refused(AWAY))), by["ko"]), "no word of ours is left as it is"
    for words in ("Forbidden: no", "discord.missing {", "discord.missing", "deed.refused {}", "권한 없음: 차단"):
        assert f": {words} (" in lines(Lines.of(told(why=Refused(words))), by["en"]), (
            "a network's own words, or older ones"
        )


def test_who_names_an_incident_is_known() -> None:
    assert [command for command in TABLE if is_about_incident(command)] == [Why, History]
