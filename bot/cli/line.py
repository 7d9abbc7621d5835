"""A language's sentences -> the typer applications that commands declare themselves on, and the options they share."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from getpass import getuser
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bot.core.base.errors import Broken
from bot.core.chat.message import CommunityRef, Platform
from bot.core.operations.keys import API
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:  # pydantic, and what reads texts: not for `--help`
    from bot.config import Config
    from bot.core.communities.community import Community
    from bot.core.incidents.case import Person

DEFAULT_CONFIG = Path("config.toml")
DEFAULT_SCORES = Path("jikimi-scores")
MOST_SHOWN = 5  # communities, of those that are not the one


class Line:
    """`app` holds the commands and the groups `rules`, `policy`, `keys`, `webhooks`, `encryption` and `bench`;
    `config`, `json`, `guard` and `scores` are options: Annotated[Path | None, line.config]."""

    def __init__(self, say: Texts) -> None:
        self.say = say
        self.app = typer.Typer(
            help=say["help.app"],
            no_args_is_help=True,
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,  # it prints local variables: messages and tokens
        )
        self.rules, self.policy, self.keys = self._group("rules"), self._group("policy"), self._group("keys")
        self.webhooks, self.encryption, self.bench = (self._group(one) for one in ("webhooks", "encryption", "bench"))
        self.config = typer.Option("--config", help=say["help.config"], show_default=False)
        self.json = typer.Option("--json", help=say["help.json"])
        self.guard = typer.Option("--guard", help=say["help.judge_guard"], show_default=False)
        self.scores = typer.Option("--scores", help=say["help.eval_scores"])

    def _group(self, name: str) -> typer.Typer:
        group = typer.Typer(help=self.say[f"help.{name}"], no_args_is_help=True)
        self.app.add_typer(group, name=name)
        return group

    def settings(self, path: Path | None) -> "Config":
        """What a command was given with `config`, else what lies here, else the defaults."""
        from bot.app.chats import NETWORKS
        from bot.config import load

        return load(path or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None), self.say, NETWORKS)


def operator() -> "Person":
    """Who types at this terminal, for the record of who has looked at it."""
    from bot.core.incidents.case import Person

    try:
        return Person("operator", getuser())
    except OSError:  # a container may know nobody by that number
        return Person("operator")


def place_of(wanted: str, platform: str | None, known: "Sequence[Community]", say: Texts) -> CommunityRef:
    """A slip of the pen must not take away, or give, what is another's. Raises Broken."""
    found = sought(wanted, [one for one in known if platform in (None, one.platform)])
    if len(found) > 1:
        raise Broken(say("keys.which_platform", community=wanted, known=listed(found)))
    if found:
        return found[0].ref
    if platform or wanted == API:
        return CommunityRef(Platform(platform or API), wanted)
    raise Broken(say("keys.no_community", community=wanted, known=listed(known, wanted)))


def sought(wanted: str, known: "Sequence[Community]") -> "Sequence[Community]":
    """By id, or by platform and id; else by name, which anybody may choose."""
    by_id = [one for one in known if wanted in (one.id, f"{one.platform}:{one.id}")]
    return by_id or [one for one in known if wanted == one.name]


def listed(known: "Sequence[Community]", wanted: str = "") -> str:
    """As they can be typed, with their names: those that are most like what was."""

    def likeness(one: "Community") -> float:
        return max(SequenceMatcher(None, wanted, called).ratio() for called in (one.id, one.name))

    shown = nlargest(MOST_SHOWN, known, key=likeness)
    told = [f"{one.platform}:{one.id}" + (f" ({one.name})" if one.name else "") for one in shown]
    return ", ".join([*told, *(["…"] if len(known) > len(shown) else [])]) or "-"
