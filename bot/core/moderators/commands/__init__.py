"""Every command there is: a chapter a file, a class a command. To these the networks listen."""

from bot.core.moderators.command import Command
from bot.core.moderators.commands import (
    anybody,
    deeds,
    lists,
    members,
    overrides,
    overview,
    policy,
    raids,
    record,
    reports,
    settings,
    sharing,
    versions,
)


def _of(chapter: object) -> list[type[Command]]:
    found = [one for one in vars(chapter).values() if isinstance(one, type) and issubclass(one, Command)]
    return [one for one in found if one.__module__ == getattr(chapter, "__name__", "")]


#: In the order in which menus show them.
TABLE: tuple[type[Command], ...] = tuple(
    command
    for chapter in (
        overview,
        deeds,
        record,
        members,
        settings,
        policy,
        lists,
        overrides,
        versions,
        raids,
        sharing,
        reports,
        anybody,
    )
    for command in _of(chapter)
)
