"""A language's sentences -> the typer applications that commands declare themselves on, and the options they share."""

from collections.abc import Sequence
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bot.core.base.errors import Broken
from bot.core.chat.message import CommunityRef, Platform
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:  # pydantic, and what reads texts: not for `--help`
    from bot.config import Config
    from bot.core.communities.community import Community
    from bot.core.incidents.case import Person

DEFAULT_CONFIG = Path("config.toml")
DEFAULT_SCORES = Path("jikimi-scores")


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


def place_of(community: str, platform: str | None, known: "Sequence[Community]", say: Texts) -> CommunityRef:
    """A slip of the pen must not take away, or give, what is another's. Raises Broken."""
    found = [one for one in known if one.id == community and platform in (None, one.platform)]
    if len(found) > 1:
        platforms = ", ".join(one.platform for one in found)
        raise Broken(say("keys.which_platform", community=community, platforms=platforms))
    if found:
        return found[0].ref
    if platform:
        return CommunityRef(Platform(platform), community)
    names = ", ".join(f"{one.id} ({one.name or one.platform})" for one in known) or "-"
    raise Broken(say("keys.no_community", community=community, known=names))
