"""`jikimi policy lint`: the file of a community's policy -> whether it can be taken in, and what is odd about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.line import Line
from bot.core.base.errors import Broken
from bot.core.communities.ports import Unfit
from bot.core.text.catalogue import Texts

if TYPE_CHECKING:
    from bot.core.communities.community import Community


def declare(line: Line) -> None:
    say = line.say

    @line.policy.command("lint", help=say["help.policy_lint"])
    def lint_command(
        file: Annotated[Path, typer.Argument(help=say["help.policy_file"], show_default=False)],
        config: Annotated[Path | None, line.config] = None,
    ) -> None:
        lint(file, config, line)


def lint(file: Path, config: Path | None, line: Line) -> None:
    """Raises `Broken` where it cannot be taken in."""
    from bot.config import policy_file

    policy = taken_from(file, line.say)
    for remark in policy_file.remarks(policy, line.settings(config), line.say):
        print(f"{file}: {remark}")
    words = len(policy.lists.forbidden_words)
    print(line.say("policy_file.fine", path=file, rules=len(policy.rules), words=words))


def taken_from(file: Path, say: Texts) -> "Community":
    """What a file says. Raises `Broken`."""
    from bot.config import policy_file

    try:
        policy = policy_file.read(file.read_bytes(), say)
    except OSError as error:
        raise Broken(say("check.problem", path=file, key="-", why=error.strerror)) from None
    if isinstance(policy, Unfit):
        raise Broken(f"{file}: {policy.why}")
    return policy
