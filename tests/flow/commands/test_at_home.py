"""What every program of its kind has: a first configuration, a version, a language, completion."""

import os
import re
import stat
from importlib.metadata import version
from pathlib import Path
from select import select

import pytest
from typer.testing import CliRunner, Result

from adapters.guards.policy.harmony import NOT_INSTALLED as HARMONY
from adapters.guards.vllm_start import NOT_INSTALLED as VLLM
from bot.app.chats import NETWORKS
from bot.cli.app import build, wanted_language
from bot.cli.app import typed as typed_in
from bot.config import load
from bot.core.base.errors import Broken
from bot.core.text.catalogue import LANGUAGES, texts
from tests.servers.command import run
from tests.servers.command import typed as typed_here
from tests.servers.forks import Fork


def typed(*words: str, answers: str = "", language: str = "en", **environment: str) -> Result:
    return CliRunner(env=environment).invoke(build(language), words, input=answers, prog_name="jikimi")


def typed_at(terminal: str, *words: str) -> None:
    """In a process of its own, which the terminal is the only one of."""
    os.setsid()
    for number in range(3):
        os.dup2(os.open(terminal, os.O_RDWR), number)
    typed_here(*words)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JIKIMI_LANG", raising=False)
    return tmp_path


@pytest.mark.parametrize("language", LANGUAGES)
def test_five_questions_make_a_configuration_that_check_config_takes(home: Path, language: str) -> None:
    answers = [language, "telegram, discord", "nonsense", "a.b.SESAME", "nonsense", "12:SESAME", "3", "localhost:8000"]
    done = typed("init", answers="\n".join(answers) + "\n", language="ko" if language == "en" else "en")
    assert done.exit_code == 0, done.output
    for number in range(1, 6):
        assert f"{number}/5" in done.output
    for network in ("discord", "telegram"):
        assert texts(language)[f"{network}.no_token"] in done.output, "asked once more"
    file = home / "config.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    config = load(file, texts(language), NETWORKS, {})
    assert (config.defaults.language, config.defaults.preset, config.defaults.mode) == (language, "strict", "watch")
    assert config.guard.name == "wildguard-ko" and config.guard.servers == ["http://localhost:8000"]
    assert typed("check-config").exit_code == 0
    for command in (
        "jikimi invite discord",
        "jikimi invite telegram",
        "vllm serve",
        "jikimi check-config\n",
        "jikimi run",
    ):
        assert f"  {command}" in done.output
    assert wanted_language(["run"], {}) == language, "what was chosen is what the screen speaks from now on"


def test_what_is_left_empty_comes_from_the_environment(home: Path) -> None:
    done = typed("init", "mine.toml", answers="en\n\n\n\n\n")
    assert done.exit_code == 0, done.output
    for line in (
        "export JIKIMI_DISCORD_TOKEN=…",
        "jikimi invite discord --config mine.toml",
        "jikimi check-config --config mine.toml",
        "jikimi run --config mine.toml",
    ):
        assert f"  {line}" in done.output
    assert "token" not in (home / "mine.toml").read_text("utf-8").partition("\n")[2]
    for named in (["mine.toml"], ["--config", "mine.toml"]):  # a word is how it was asked for once
        done = typed("check-config", *named, JIKIMI_DISCORD_TOKEN="a.b.c")
        assert done.exit_code == 0 and "mine.toml: " in done.output
    assert typed("check-config", "mine.toml", "--config", "mine.toml").exit_code == 2


def test_a_token_is_not_shown_on_a_terminal_and_nothing_is_said_of_it_on_a_pipe(home: Path) -> None:
    answers = b"en\ntelegram\n12:SESAME\n\n\n"
    piped = run(home, "init", "piped.toml", stdin=answers)
    assert piped.returncode == 0 and not piped.stderr and "SESAME" not in piped.stdout
    ours, theirs = os.openpty()
    shown = b""
    with Fork(typed_at, os.ttyname(theirs), "init", "typed.toml", folder=home) as process:
        for number, answer in enumerate(answers.splitlines(keepends=True), 1):
            while not (b"%d/5" % number in shown and shown.endswith(b": ")):
                assert process.returncode is None, process.stderr
                if select([ours], [], [], 0.05)[0]:
                    shown += os.read(ours, 4096)
            os.write(ours, answer)
        assert process.wait() == 0
        shown += os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert b"SESAME" not in shown and "SESAME" in (home / "typed.toml").read_text("utf-8")


def test_the_http_api_alone_is_an_answer_and_others_are_asked_again(home: Path) -> None:
    done = typed("init", answers="fr\nen\nirc\n-\nharsh\n\nhttp://far.example\n\n")
    assert done.exit_code == 0, done.output
    assert [one in done.output for one in ("fr is", "irc is", "harsh is", "http://far.example is")] == [True] * 4
    assert load(home / "config.toml", texts("en"), NETWORKS, {}).http.listen


@pytest.mark.parametrize("answers", ["", "en\n", "en\ndiscord\nSESAME\n"])
def test_what_is_broken_off_writes_nothing(home: Path, answers: str) -> None:
    done = typed("init", answers=answers)
    assert isinstance(done.exception, Broken) and "nothing was written" in str(done.exception)
    assert list(home.iterdir()) == []


def test_nothing_is_overwritten_nor_asked_for_in_vain(home: Path) -> None:
    file = home / "config.toml"
    file.write_text("# mine")
    done = typed("init", answers="en\n\n\n\n\n")
    assert isinstance(done.exception, Broken) and "not overwritten" in str(done.exception)
    assert "1/5" not in done.output and file.read_text() == "# mine"
    nowhere = typed("init", "no/such/folder.toml", answers="en\n\n\n\n\n")
    assert isinstance(nowhere.exception, Broken) and "1/5" not in nowhere.output


def test_answers_are_taken_as_people_say_them(home: Path) -> None:
    done = typed("init", answers="한국어\n2\n\n엄격하게\n\n", language="ko")
    assert done.exit_code == 0, done.output
    config = load(home / "config.toml", texts("ko"), NETWORKS, {"JIKIMI_TELEGRAM_TOKEN": "12:a"})
    assert (config.defaults.language, config.defaults.preset) == ("ko", "strict")
    assert "telegram" in done.output and "discord" not in done.output.partition("config.toml")[2]


def test_the_version() -> None:
    done = typed("--version")
    assert done.exit_code == 0 and done.output.split() == ["jikimi", version("jikimi")]


def test_the_language_is_what_was_said_nearest(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    (home / "other.toml").write_text('[defaults]\nlanguage = "ko"\n', "utf-8")
    for arguments, environment, language in (
        ([], {}, "en"),
        (["run", "--config", "other.toml"], {}, "ko"),
        (["run", "--config=other.toml"], {"JIKIMI_LANG": "en_GB.UTF-8"}, "en"),
        (["judge", "x"], {"JIKIMI_LANG": "ko"}, "ko"),
        (["judge", "x"], {"JIKIMI_LANG": "tlh"}, "en"),
        (["judge", "--lang", "en"], {"JIKIMI_LANG": "ko"}, "en"),
    ):
        assert wanted_language(arguments, environment) == language, (arguments, environment)
    file = home / "config.toml"
    for content, language in (('defaults.language = "ko"', "ko"), ('defaults = "ko"', "en"), ("language =", "en")):
        file.write_text(content)
        assert wanted_language(["judge", "x"], {}) == language
    file.write_bytes("[defaults]\nlanguage = '한'".encode("cp949"))
    assert wanted_language([], {}) == "en"


def test_shells_complete_commands_and_options() -> None:
    for shell, facts in (
        ("bash", {"COMP_WORDS": "jikimi check", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "jikimi check"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "jikimi check", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ):
        done = typed(_JIKIMI_COMPLETE=f"complete_{shell}", **facts)
        assert "check-config" in done.output, shell
    assert "자동 완성" in typed("--help", language="ko").output


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_command_line_that_cannot_be_read_is_told_so_in_the_users_language(
    language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say = texts(language)
    for words, wanted in (
        (
            ["check-confg"],
            say("typed.no_command", given="check-confg", hint=say("check.unknown_hint", name="check-config")),
        ),
        (["run", "--confg", "x"], say("typed.no_option", given="--confg", hint="")),
        (["judge"], say("typed.missing", name="'text'")),
        (["judge", "오늘", "저녁"], say("typed.extra", given="저녁")),
        (["run", "--role", "boss"], say("check.choice", given="boss", choices="chat, guard, act, report, api, all")),
        (["keys", "create", "x", "--days", "0"], say("typed.bad", name="'--days'", why=say("typed.least", bound=1))),
        (["bench", "flow", "--messages", "many"], say("typed.kind", kind=say["check.whole"])),
        (["bench", "flow", "--messages", "10"], say("typed.least", bound=100)),
        (["eval", "f", "--threshold", "2"], say("typed.most", bound=1)),
        (["keys", "create", "x", "--days", "0"], say("typed.least", bound=1)),
        (["--log", "x", "status"], say["typed.variable"]),
    ):
        assert typed_in(["--lang", language, *words]) == 2
        said = capsys.readouterr()
        assert wanted in said.err and "--help)" in said.err and not said.out, said.err
        assert ("쓰는 법" in said.err) is (language == "ko")
    assert typed_in(["--lang", language, "selftest", "mars", "1"]) == 2
    assert say("check.choice", given="mars", choices="discord, telegram") in capsys.readouterr().err
    for words, wanted in (
        (["eval", "--compare", "a"], say("typed.needs", name="--compare", count=2)),
        (["eval", "--limit"], say("typed.needs", name="--limit", count=1)),
        (["eval", "--json=yes"], say("typed.needs_none", name="--json")),
    ):
        assert typed_in(["--lang", language, *words]) == 2 and capsys.readouterr().err == wanted + "\n"
    assert typed_in(["--lang", "fr", "keys"]) == 2 and "fr" in capsys.readouterr().err
    assert typed_in(["--lang", language, "keys"]) == 2 and "revoke" in capsys.readouterr().err
    assert typed_in(["--lang", language, "--version"]) == 0
    assert typed_in(["--lang", language, "check-config", "none.toml"]) == 2
    assert "jikimi init" in capsys.readouterr().err
    for given, wanted in (("-1001234567890", say("selftest.off", platform="telegram")), ("--ot", "--ot")):
        assert typed_in(["--lang", language, "selftest", "telegram", given]) == 2
        assert wanted in capsys.readouterr().err, given


@pytest.mark.parametrize("words", [["eval"], ["calibrate"], ["bench", "cascade"]])
def test_every_form_of_labelled_data_that_is_read_is_named(words: list[str]) -> None:
    for language in LANGUAGES:
        shown = typed(*words, "--help", language=language).output
        assert all(form in shown for form in ("JSON", "CSV", "TSV", "Parquet")), shown


def test_what_is_missing_is_installed_wherever_jikimi_lies() -> None:
    for language in LANGUAGES:
        wanted = [said for said in texts(language).sentences.values() if "pip install" in said]
        assert wanted and all(re.search(r'pip install "jikimi\[\w+\]"', said) for said in wanted)
    assert all('pip install "jikimi[' in said for said in (VLLM, HARMONY))


@pytest.mark.parametrize("language", LANGUAGES)
def test_why_the_system_does_not_give_a_file_is_said_in_the_users_language(
    home: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say = texts(language)
    missing, folder = (say.why(one) for one in ("No such file or directory", "Is a directory"))
    assert (missing == "No such file or directory") is (language == "en")
    labelled = Path(__file__).parents[2] / "data" / "labelled.jsonl"
    for words, wanted in (
        (["policy", "lint", "none.toml"], f"none.toml: {missing}"),
        (["policy", "lint", "."], f".: {folder}"),
        (["check-config", "."], f".: {folder}"),
        (["bench", "fresh", "none.jsonl"], f"none.jsonl: {missing}"),
        (["eval", "."], say.why(Broken("{file} cannot be read: {why}", file=".", why="Is a directory"))),
        (["eval", str(labelled), "--limit", "2", "--markdown", "none/x.md"], f"none/x.md: {missing}"),
    ):
        assert typed_in(["--lang", language, *words]) == 2
        assert capsys.readouterr().err.splitlines()[-1] == wanted


@pytest.mark.parametrize(
    ("content", "place", "why"),
    [
        ("a b", (1, 3), "equals"),
        ("a = 1\na = 2\n", (2, 6), "twice"),
        ("[a", None, "open"),
        ('a = "b\n', (1, 7), "odd"),
        ("a = ?", (1, 5), "odd"),
        ("a = [1", None, "open"),
        ("[a]\n[a]", (2, 3), "twice"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_where_a_file_is_no_toml_is_said_in_the_users_language(
    home: Path, language: str, capsys: pytest.CaptureFixture[str], content: str, place: tuple[int, int] | None, why: str
) -> None:
    say = texts(language)
    (home / "x.toml").write_text(content)
    at = say("toml.at", line=place[0], column=place[1], why=say[f"toml.{why}"]) if place else ""
    for words in (["check-config", "x.toml"], ["policy", "lint", "x.toml"]):
        assert typed_in(["--lang", language, *words]) == 2
        assert (at or say("toml.at_end", why=say[f"toml.{why}"])) in capsys.readouterr().err
