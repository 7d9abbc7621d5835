"""`jikimi init`: five questions -> a configuration that `run` takes, and what to type next."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.line import DEFAULT_CONFIG, Line
from bot.core.base.errors import Broken, reason
from bot.core.text.catalogue import LANGUAGES, Texts, texts

if TYPE_CHECKING:
    from bot.core.moderators.network import Network

API = "127.0.0.1:8080"  # where nothing but the HTTP API is wanted
MODEL = "wildguard-ko"  # what a guard's server serves, where nobody says otherwise

#: What was typed -> what it means, or None: then it is asked once more.
Read = Callable[[str], Any]


def declare(line: Line) -> None:
    @line.app.command("init", help=line.say["help.init"])
    def command(file: Annotated[Path, typer.Argument(help=line.say["help.init_file"])] = DEFAULT_CONFIG) -> None:
        init(file, line.say)


def init(file: Path, say: Texts) -> None:
    """Raises `Broken` where there is a file already, or the answers end too early; then nothing is written."""
    from bot.app import chats, guards
    from bot.config import load

    if file.exists():
        raise Broken(say("init.exists", path=file))
    if not file.parent.is_dir():
        raise Broken(say("init.no_folder", path=file.parent))
    networks = {str(one.platform): one for one in chats.NETWORKS}
    say, answers = _answers(say, networks)
    _write(file, f"# {say['init.heading']}\n\n{_toml(answers)}", say)
    print()
    print(say("init.written", path=file))
    named = "" if file == DEFAULT_CONFIG else f" --config {file}"
    for network in (one for one in networks if one in answers):
        if "token" not in answers[network]:
            print(f"  export {_variable(network)}=…")
        print(f"  jikimi invite {network}{named}")
    if command := guards.server_command(load(file, say, chats.NETWORKS)):
        print(f"  {command}")
    print(f"  jikimi check-config{named}\n  jikimi run{named}")


def _answers(say: Texts, networks: "Mapping[str, type[Network]]") -> tuple[Texts, Mapping[str, Any]]:
    """In the language that was chosen first, section by section."""
    from bot.core.communities.community import PRESETS

    languages = {one: say[f"report.value.language.{one}"] for one in LANGUAGES}
    language = _ask(say("init.language"), say, _one_of(languages), say.language)
    say, names = texts(language), list(networks)
    called = {name: say[f"{name}.title"] for name in names}
    chosen = _ask(say("init.networks", names=", ".join(names)), say, _some_of(called), names[0])
    sections: dict[str, Any] = {}
    for name in chosen:
        token = _token(networks[name], say)
        sections[name] = {"token": token} if token else {}
    strictness: dict[str, str] = {one: say[f"preset.{one}"].partition(":")[0] for one in PRESETS}
    preset = _ask(say["init.preset"], say, _one_of(strictness), "balanced")
    server = _ask(say["init.server"], say, _server, "")
    sections["defaults"] = {"language": language, "preset": preset, "mode": "watch"}
    if server:
        sections["guard"] = {"name": MODEL, "servers": [server]}
    if not chosen:
        sections["http"] = {"listen": API}
    return say, sections


def _token(network: "type[Network]", say: Texts) -> str:
    """Empty: it is given in the environment."""
    facts = {"network": say[f"{network.platform}.title"], "variable": _variable(network.platform)}
    while True:
        token: str = _ask(say("init.token", **facts), say, str.strip, "", hidden=True)
        objection = network(token=token).objection(say) if token else None
        if not objection:
            return token
        print(objection)


def _ask(question: str, say: Texts, read: Read, default: str, *, hidden: bool = False) -> Any:
    hidden = (
        hidden and sys.stdin.isatty()
    )  # what comes through a pipe nobody sees, and getpass would say that it may be
    while True:
        try:
            typed = typer.prompt(question, default=default, hide_input=hidden, show_default=bool(default))
        except typer.Abort:
            raise Broken("\n" + say["init.broken_off"]) from None
        if (meant := read(typed)) is not None:
            return meant
        print(say("init.again", given=typed))


def _one_of(choices: Mapping[str, str]) -> Read:
    """What is chosen -> how people call it: either is taken, and its place among them."""
    meant = _meant(choices)
    return lambda typed: meant.get(typed.strip().lower())


def _some_of(choices: Mapping[str, str]) -> Read:
    """Of one word that is none of them, "-", nothing is wanted."""
    meant = _meant(choices)

    def read(typed: str) -> list[str] | None:
        words = typed.lower().replace(",", " ").split()
        if words == ["-"]:
            return []
        wanted = {meant.get(word) for word in words}
        return [one for one in choices if one in wanted] if wanted and None not in wanted else None

    return read


def _meant(choices: Mapping[str, str]) -> Mapping[str, str]:
    return {
        word.lower(): one
        for place, (one, called) in enumerate(choices.items(), 1)
        for word in (one, called, str(place))
    }


def _server(typed: str) -> str | None:
    """Whatever stands in a configuration for a server, over http:// where it does not say; one beyond this machine over
    https:// alone."""

    from bot.config import GuardSettings

    if not (address := typed.strip()):
        return ""
    address = address if "://" in address else f"http://{address}"
    try:
        asked = GuardSettings(servers=[address])
    except ValueError:
        return None
    return None if asked.beyond("http") else address


def _variable(network: str) -> str:
    from bot.config import token_variable

    return token_variable(network)


def _toml(sections: Mapping[str, Any]) -> str:
    from bot.config.writing import toml

    return toml({name: keys for name, keys in sections.items() if keys}).lstrip() + "\n"


def _write(file: Path, content: str, say: Texts) -> None:
    """For its owner's eyes: it may hold tokens."""
    try:
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(content, "utf-8")
    except FileExistsError:
        raise Broken(say("init.exists", path=file)) from None
    except OSError as error:
        raise Broken(f"{file}: {say.why(reason(error))}") from None
