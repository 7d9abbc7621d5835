"""The commands as a newcomer types them: a process of its own, real files, exit codes and streams."""

import ast
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bot.cli.app import COMMANDS
from bot.cli.rehearsal.progress import Summary
from bot.cli.rehearsal.views import TerminalView
from bot.config import Config
from bot.core.guarding.verdict import TOO_LONG
from bot.core.rules.actions import Delete, Flag, Warn
from bot.core.rules.conditions import Explanation
from bot.core.rules.decision import Finding
from bot.core.text.catalogue import texts
from tests.builders import message as said
from tests.builders import settlement
from tests.servers.command import run
from tests.servers.postgres import Postgres

ROOT = Path(__file__).parents[3]
KEPT = ("--database", "sqlite:///jikimi.db")
LINES = files("bot.cli.rehearsal").joinpath("transcript.jsonl").read_text("utf-8").splitlines()


def jikimi(
    folder: Path, *words: str, stdin: str | bytes = "", language: str = "ko_KR.UTF-8"
) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "LANG": language, "LC_ALL": language, "COLUMNS": "140", "PYTHONUTF8": "1"}
    environment.pop("JIKIMI_DISCORD_TOKEN", None)
    environment.pop("JIKIMI_TELEGRAM_TOKEN", None)
    given = stdin.encode() if isinstance(stdin, str) else stdin
    return run(folder, *words, stdin=given, environment=environment)


def output(folder: Path, *words: str, stdin: str = "") -> list[dict[str, Any]]:
    done = jikimi(folder, *words, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def line(number: int, **other: object) -> str:
    row = {"at": f"2026-05-15T19:00:{number % 60:02}+09:00", "community": "모임", "channel": "수다"}
    return json.dumps(
        row | {"author": "밤톨", "message": f"m{number}", "text": "안녕하세요"} | other, ensure_ascii=False
    )


HEAVY = {
    *("adapters", "storage", "sqlalchemy", "pydantic", "rich", "structlog", "aiohttp", "discord", "telegram"),
    *("numpy", "matplotlib", "jinja2", "starlette", "re2", "bidi"),
}
HELP = """
import sys
from bot.__main__ import main
sys.argv = ["jikimi", "--help"]
try:
    main()
except SystemExit as end:
    assert not end.code
print(*sys.modules)
"""


def test_help_imports_nothing_that_only_commands_need(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    *shown, imported = done.stdout.splitlines()
    assert any("rehearse" in line for line in shown)
    assert not {name.partition(".")[0] for name in imported.split()} & HEAVY
    assert {name for name in imported.split() if name.startswith(("bot.app", "bot.config"))} == set()


def test_every_module_that_declares_a_command_is_on_the_line() -> None:
    declaring = {
        str(path.relative_to(ROOT).with_suffix("")).replace(os.sep, ".")
        for path in (ROOT / "bot" / "cli").rglob("*.py")
        if any(
            isinstance(node, ast.FunctionDef) and node.name == "declare" for node in ast.parse(path.read_text()).body
        )
    }
    assert {getattr(command, "__name__", "") for command in COMMANDS} == declaring


def test_the_shipped_rehearsal_from_nothing_to_a_digest(tmp_path: Path) -> None:
    *messages, last = output(tmp_path, "rehearse", "--json", *KEPT)
    summary = last["summary"]
    assert set(summary) == {"kept", "settled", "incidents", "unscreened", "per_second"}
    assert summary["kept"] == summary["settled"] == len(LINES) == len(messages)
    assert [message["message"] for message in messages] == [json.loads(row)["message"] for row in LINES]
    for message in messages:
        assert set(message) == {"message", "revision", "screening", "decision", "ms"}
        assert set(message["screening"]) == {"guard", "scores", "kinds", "unscreened"}
        assert set(message["decision"]) == {"actions", "rule", "findings"}
        assert all(set(finding) == {"rule", "matched", "why"} for finding in message["decision"]["findings"])
        assert all(0 <= score <= 1 for score in message["screening"]["scores"].values())
    with closing(sqlite3.connect(tmp_path / "jikimi.db")) as database:
        (incidents,) = database.execute("select count(*) from incidents").fetchone()
        (texts,) = database.execute("select count(body) from incidents").fetchone()
    assert incidents == texts == summary["incidents"] > 20
    said = [json.loads(row)["text"] for row in LINES]
    stored = (tmp_path / "jikimi.db").read_bytes()
    assert not [text for text in said if len(text) > 10 and text.encode() in stored], "sealed: it may have been said"
    digest = (tmp_path / "jikimi-digest.md").read_text("utf-8")
    numbered = [(one[1], int(one[2])) for one in re.finditer(r"^\| ([^|]+) \| (\d+) \|", digest, re.MULTILINE)]
    assert len(numbered) == incidents and numbered == sorted(numbered), "each community numbers its own"
    assert digest.startswith("# 지킴이 요약 보고서") and f"{incidents}건이 규칙에 걸렸습니다" in digest
    assert "sure-abuse" not in digest and "확실한 욕설·모욕" in digest
    assert "\n| 커뮤니티 |" in digest, "several have a number 1"


def test_what_a_careful_moderator_would_say(tmp_path: Path) -> None:
    expected = [
        json.loads(row) for row in files("bot.cli.rehearsal").joinpath("expected.jsonl").read_text().splitlines()
    ]
    *messages, _ = output(tmp_path, "rehearse", "--json")
    done = Counter[tuple[str, str]]()
    for message, judgement in zip(messages, expected, strict=True):
        actions = {action.split()[0] for action in message["decision"]["actions"]}
        strongest = next((one for one in ("escalate", "delete", "flag") if one in actions), "fine")
        done[judgement["expect"], strongest] += 1
    assert done["fine", "delete"] == 0, "nobody innocent loses a message"
    assert done["fine", "flag"] + done["fine", "escalate"] <= 5
    assert done["escalate", "escalate"] == sum(row["expect"] == "escalate" for row in expected)
    assert done["delete", "fine"] <= 1
    assert done["delete", "delete"] + done["delete", "escalate"] >= 0.8 * sum(
        row["expect"] == "delete" for row in expected
    )
    assert done["flag", "fine"] <= 0.6 * sum(row["expect"] == "flag" for row in expected)


def test_the_terminal_view_names_the_files_and_a_second_run_says_so(tmp_path: Path) -> None:
    first = jikimi(tmp_path, "rehearse", *KEPT)
    assert first.returncode == 0, first.stderr
    assert "지킴이 리허설" in first.stdout and "긴급 호출" in first.stdout and "시1발" in first.stdout
    assert "jikimi.db" in first.stdout and "jikimi-digest.md" in first.stdout
    second = jikimi(tmp_path, "rehearse", *KEPT, language="en_US.UTF-8")
    assert "earlier run" in second.stdout
    both = jikimi(tmp_path, "rehearse", "--fresh", *KEPT)
    assert both.returncode == 2 and both.stderr.count("--database") and "Traceback" not in both.stderr


@pytest.mark.parametrize("words", [(), ("--fresh",)])
def test_a_rehearsal_never_touches_the_database_that_the_bot_works_with(tmp_path: Path, words: tuple[str, ...]) -> None:
    key = jikimi(tmp_path, "keys", "create", "mine", "--platform", "api")
    assert key.returncode == 0, key.stderr
    before = (tmp_path / "jikimi.db").read_bytes()
    with closing(sqlite3.connect(tmp_path / "jikimi.db", isolation_level=None)) as bot:  # is running
        bot.execute("BEGIN EXCLUSIVE")
        for _ in range(2):
            done = jikimi(tmp_path, "rehearse", *words)
            assert done.returncode == 0, done.stderr
            assert "이전 실행" not in done.stdout and "jikimi.db" not in done.stdout
    assert (tmp_path / "jikimi.db").read_bytes() == before and not list(tmp_path.glob("jikimi.db.*"))
    assert "mine" in jikimi(tmp_path, "keys", "list").stdout


def test_an_edited_transcript_is_judged_anew(tmp_path: Path) -> None:
    chat = tmp_path / "chat.jsonl"
    chat.write_text(line(1), "utf-8")
    assert output(tmp_path, "rehearse", "chat.jsonl", "--json")[-1]["summary"]["incidents"] == 0
    chat.write_text(line(1, text="시1발 꺼져"), "utf-8")
    assert output(tmp_path, "rehearse", "chat.jsonl", "--json")[-1]["summary"]["incidents"] == 1


def test_a_bad_line_is_named_and_what_came_before_is_kept(tmp_path: Path) -> None:
    chat = tmp_path / "chat.jsonl"
    chat.write_text("\n".join([line(1), line(2), "", line(3, at="2026-05-15T19:00:00"), line(4)]), "utf-8")
    done = jikimi(tmp_path, "--lang", "en", "rehearse", "chat.jsonl", "--json", *KEPT)
    assert done.returncode == 2
    *_, sentence = done.stderr.splitlines()  # behind where the keys lie
    assert sentence.startswith("chat.jsonl: line 4: at must be")
    assert [json.loads(row).get("message") for row in done.stdout.splitlines()[:2]] == ["m1", "m2"]
    with closing(sqlite3.connect(tmp_path / "jikimi.db")) as database:
        assert database.execute("select (select count(*) from messages), (select count(*) from queue)").fetchone() == (
            2,
            0,
        )


@pytest.mark.parametrize(
    ("bad", "hint"),
    [
        ("{nonsense", "JSON"),
        (line(1, text=None), "text"),
        (line(1, colour="red"), "colour"),
        (line(1, kind="shout"), "kind"),
        (line(1, roles="admin"), "roles"),
        (line(1, roles=[1]), "roles"),
        (line(1, message=""), "message"),
        (line(1, author="\ud800"), "author"),
        (line(1, reply_to=3), "reply_to"),
        ('{"at": "2026-05-15T19:00:00+09:00"}', "community"),
        ('{"text": ' + "[" * 100_000, "JSON"),
    ],
)
def test_every_bad_line_has_a_reason(tmp_path: Path, bad: str, hint: str) -> None:
    escaped = bad.encode("utf-8", "backslashreplace").decode()
    done = jikimi(tmp_path, "--lang", "en", "rehearse", "-", "--json", stdin=escaped + "\n")
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert "line 1" in sentence and hint in sentence


def test_a_text_on_a_pipe_is_read_as_windows_writes_it_or_not_judged(tmp_path: Path) -> None:
    for words in (("judge", "-"), ("rules", "explain", "-")):
        for encoding in ("utf-8", "cp949", "utf-16"):
            done = jikimi(tmp_path, *words, "--json", stdin="시1발 꺼져\r\n".encode(encoding))
            assert "delete" in done.stdout, (encoding, done.stderr)
        done = jikimi(tmp_path, *words, stdin=b"\xff\x80\xff")
        assert done.returncode == 2 and "UTF-8" in done.stderr and not done.stdout


@pytest.mark.parametrize(
    "words", [("judge", " \n"), ("judge", "-"), ("judge", "", "--response", " "), ("rules", "explain", "")]
)
def test_nothing_is_not_called_safe(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = jikimi(tmp_path, *words, stdin="\n")
    assert done.returncode == 2 and "판정할 글이 없습니다" in done.stderr and not done.stdout


def test_a_response_without_words_is_none(tmp_path: Path) -> None:
    alone, empty = (output(tmp_path, "judge", "시1발 꺼져", *more, "--json") for more in ((), ("--response", " ")))
    assert alone == empty and "response_harm" not in empty[0]["screening"]["scores"]


def test_a_transcript_on_standard_input_with_edits_and_deletions(tmp_path: Path) -> None:
    rows = [
        line(1, text="시1발 진짜 뒤질래?"),
        line(1, kind="edit", text="미안합니다"),
        line(1, kind="delete", text=""),
        line(2, roles=["moderator"], text="병신새끼라고 하지 마세요"),
        line(3, author="책봇", bot=True, reply_to="m2", text="네 알겠습니다"),
    ]
    *messages, last = output(tmp_path, "rehearse", "-", "--json", stdin="\n".join(rows))
    assert [(message["message"], message["revision"]) for message in messages] == [
        ("m1", 0), ("m1", 1), ("m1", 2), ("m2", 0), ("m3", 0)
    ]  # fmt: skip
    bad, good, gone, staff, bot = messages
    assert "delete" in bad["decision"]["actions"] and good["decision"]["actions"] == []
    assert gone["screening"]["scores"] == {}
    assert (staff["decision"]["actions"] == [] and "staff" in json.dumps(staff)) or staff["decision"]["rule"] is None
    assert set(bot["screening"]["scores"]) == {"prompt_harm", "response_harm"}
    assert last["summary"]["kept"] == last["summary"]["settled"] == 5


def test_the_same_command_again_counts_the_whole_transcript(tmp_path: Path) -> None:
    chat = tmp_path / "chat.jsonl"
    chat.write_text("\n".join(line(number, text=f"시발 {number}") for number in range(5)), "utf-8")
    assert output(tmp_path, "rehearse", "chat.jsonl", "--json", *KEPT)[-1]["summary"]["settled"] == 5
    with chat.open("a", encoding="utf-8") as stream:
        stream.write("\n" + line(7, text="시발 7"))
    *messages, last = output(tmp_path, "rehearse", "chat.jsonl", "--json", *KEPT)
    assert [message["message"] for message in messages] == ["m7"]
    assert (last["summary"]["kept"], last["summary"]["settled"], last["summary"]["incidents"]) == (6, 6, 6)


def test_a_rehearsal_over_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    kept = ("--database", postgres.create())
    assert output(tmp_path, "rehearse", "--json", *kept)[-1]["summary"]["settled"] == len(LINES)
    assert output(tmp_path, "rehearse", "--json", *kept)[-1]["summary"]["settled"] == len(LINES)
    assert not (tmp_path / "jikimi.db").exists()


def test_own_rules_decide(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[[rules]]\nname = "no-hello"\nwhen.text = { any_of = ["안녕"] }\nthen = ["timeout 10m", "delete"]\n', "utf-8"
    )
    message, _ = output(tmp_path, "rehearse", "-", "--json", stdin=line(1))
    assert message["decision"]["rule"] == "no-hello"
    assert message["decision"]["actions"] == ["delete", "timeout 10m"]


def test_judge_and_explain_say_why(tmp_path: Path) -> None:
    (verdict,) = output(tmp_path, "judge", "시1발 진짜 뒤질래?", "--json")
    assert verdict["screening"]["scores"]["prompt_harm"] > 0.9
    (pair,) = output(tmp_path, "judge", "노인은 왜 그래?", "--response", "틀딱충들이라 그래", "--json")
    assert set(pair["screening"]["scores"]) >= {"prompt_harm", "response_harm"}
    shown = jikimi(tmp_path, "judge", "시1발 진짜 뒤질래?").stdout
    assert "유해 발언" in shown and "삭제" in shown
    assert "raw" not in verdict
    (raw,) = output(tmp_path, "judge", "시1발", "--response", "안녕", "--raw", "--json")
    assert [(one["asked"], one["labels"].keys()) for one in raw["raw"]] == [
        (part, {"embedded"}) for part in ("prompt", "response")
    ]
    (explained,) = output(tmp_path, "rules", "explain", "시발점은 거기였다", "--json")
    assert explained["actions"] == [] and len(explained["findings"]) > 8
    assert "sure-abuse" in jikimi(tmp_path, "rules", "explain", "안녕").stdout
    assert jikimi(tmp_path, "judge", "안녕", "--guard", "nobody").returncode == 2
    assert jikimi(tmp_path, "judge", "-", "--json", stdin="가" * 100_000).returncode == 0


def test_help_in_both_languages(tmp_path: Path) -> None:
    assert "관리 봇" in jikimi(tmp_path, "--help").stdout
    assert "moderation bot" in jikimi(tmp_path, "--help", language="en_US.UTF-8").stdout
    assert "관리 봇" in jikimi(tmp_path, "--lang", "ko", "--help", language="C.UTF-8").stdout
    assert "판정기" in jikimi(tmp_path, "guards", "--lang", "ko", language="C.UTF-8").stdout
    about = jikimi(tmp_path, "guards", "wildguard-ko", "--lang", "en").stdout
    assert "6.4 GB" in about and "vllm serve iknow-lab/" in about and "chat()" in about
    assert "대화 기록" in jikimi(tmp_path, "rehearse", "--help").stdout


def test_run_without_a_token_says_how_to_begin(tmp_path: Path) -> None:
    done = jikimi(tmp_path, "run")
    assert done.returncode == 2 and "jikimi rehearse" in done.stderr and "JIKIMI_DISCORD_TOKEN" in done.stderr


def test_check_config(tmp_path: Path) -> None:
    example = Path(__file__).parents[3] / "config.example.toml"
    assert "문제없습니다" in jikimi(tmp_path, "check-config", str(example)).stdout
    (tmp_path / "bad.toml").write_text("[defaults]\npresett = 'strict'", "utf-8")
    done = jikimi(tmp_path, "check-config", "bad.toml")
    assert done.returncode == 2 and "bad.toml: defaults.presett" in done.stderr and "preset" in done.stderr
    assert jikimi(tmp_path, "check-config", "none.toml").returncode == 2


def test_a_transcript_cannot_write_to_the_terminal_what_it_likes(tmp_path: Path) -> None:
    """Nor stop it with half a character."""
    texts = ["\x1b[2J\x1b]0;PWNED\x07 안녕", "\u009b31m 빨강", "\u202e발시", "깨진 글"]
    lines = [line(number, text=text) for number, text in enumerate(texts)]
    lines[-1] = lines[-1].replace("깨진 글", "\\ud800 깨진 글")
    (tmp_path / "rude.jsonl").write_text("\n".join(lines), "utf-8")
    done = jikimi(tmp_path, "rehearse", "rude.jsonl")
    assert done.returncode == 0, done.stderr
    assert "PWNED" in done.stdout and "\ufffd 깨진 글" in done.stdout
    for sign in ("\x1b]", "\x1b[2J", "\u009b", "\u202e"):
        assert sign not in done.stdout
    assert len(output(tmp_path, "rehearse", "rude.jsonl", "--json")) == len(texts) + 1


def test_what_is_too_long_to_be_read_whole_is_shown_to_people(tmp_path: Path) -> None:
    long = "안녕하세요 " * 5_000
    lines = [line(1, text=long), line(2, text=f"{long} 죽여버릴테니"), line(3, text="안녕하세요")]
    unread, threat, short, _ = output(tmp_path, "rehearse", "-", "--json", stdin="\n".join(lines))
    assert unread["screening"]["unscreened"] == TOO_LONG and unread["decision"]["rule"] == "unscreened"
    assert threat["decision"]["rule"] == "threat" and "escalate" in threat["decision"]["actions"]
    assert short["screening"]["unscreened"] is None and short["decision"]["rule"] is None


def test_check_config_warns_of_expressions_that_may_take_for_ever(tmp_path: Path) -> None:
    rule = "[[rules]]\nname = '느린'\nthen = ['flag']\nwhen.text.any_of = ['/(?<!가)나/']"
    (tmp_path / "old.toml").write_text(rule, "utf-8")
    done = jikimi(tmp_path, "check-config", "old.toml")
    assert done.returncode == 0 and "old.toml: 규칙 느린" in done.stdout and "문제없습니다" in done.stdout
    (verdict, *_) = output(tmp_path, "rehearse", "-", "--json", "--config", "old.toml", stdin=line(1, text="나"))
    assert verdict["decision"]["rule"] == "느린"


def test_odd_surroundings_get_one_sentence(tmp_path: Path) -> None:
    assert jikimi(tmp_path, "rehearse", "none.jsonl").returncode == 2
    assert jikimi(tmp_path, "rehearse", ".").returncode == 2
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe{}")
    assert jikimi(tmp_path, "rehearse", "latin.jsonl").returncode == 2
    done = jikimi(tmp_path, "rehearse", "--database", "sqlite:///nowhere/at/all.db")
    assert done.returncode == 2 and "폴더가 없습니다" in done.stderr and "nowhere" in done.stderr
    assert "--database" in done.stderr and "[storage]" not in done.stderr
    (tmp_path / "empty.jsonl").touch()
    assert output(tmp_path, "rehearse", "empty.jsonl", "--json")[-1]["summary"]["kept"] == 0


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_a_terminal_however_narrow_shows_what_is_done(columns: int) -> None:
    shown = StringIO()
    view = TerminalView(texts("ko"), Config(), "-", Console(width=columns, file=shown))
    view.earlier(said("시바견 카페에 다녀왔어요 " * 10), None)
    (line,) = shown.getvalue().splitlines()
    assert texts("ko")["rehearsal.earlier"][:8] in line


@pytest.mark.parametrize(("columns", "wanted"), [(80, "삭제 · 경고 · 검토 요청"), (110, "문구 ‘병신’ (쓰인 그대로)")])
def test_all_that_is_done_has_room_and_where_there_is_more_the_reason(columns: int, wanted: str) -> None:
    shown = StringIO()
    view = TerminalView(texts("ko"), Config(), "-", Console(width=columns, file=shown))
    found = Finding("sure-abuse", True, Explanation("text_found", {"found": "병신", "view": "plain"}))
    settled = settlement(said("이 병신들아 그만 좀 해라 " * 5), Delete(), Warn(), Flag())
    view.settlement(replace(settled, decision=replace(settled.decision, findings=(found,))))
    (line,) = shown.getvalue().splitlines()
    assert wanted in line and "삭제 · 경고 · 검토 요청" in line


def test_where_nothing_was_judged_that_is_said_and_nothing_else() -> None:
    shown = StringIO()
    view = TerminalView(texts("ko"), Config(), "-", Console(width=80, file=shown))
    view.summary(Summary(kept=0, settled=0, incidents=0, unscreened=0, per_second=0, earlier=0), Config())
    assert shown.getvalue().strip() == texts("ko")["rehearsal.nothing"]
