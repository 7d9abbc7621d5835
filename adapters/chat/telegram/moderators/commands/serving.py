"""What people type to the bot comes in; whoever may gets an answer, and settings change.

A command is about one community: the group in which it is typed, or the one whose moderators' room that is. Whether
somebody may is asked of Telegram for each command."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from difflib import get_close_matches
from functools import cache
from re import fullmatch

from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    CallbackQuery,
    Chat,
)
from telegram import Message as TelegramMessage

from adapters.chat.telegram.errors import mapped
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import NEEDED, Members
from adapters.chat.telegram.moderators.appeals import Appeals
from adapters.chat.telegram.moderators.asking import Typed, parsed, refused, rights_of, spoken
from adapters.chat.telegram.moderators.commands.arguments import OFFERED, Arguments
from adapters.chat.telegram.moderators.commands.choosing import CHOICE, Choosing, Crowd
from adapters.chat.telegram.moderators.commands.drawing import Drawing
from adapters.chat.telegram.moderators.commands.links import Links
from adapters.chat.telegram.moderators.commands.panel import Panel
from adapters.chat.telegram.moderators.commands.pressing import Advising
from adapters.chat.telegram.moderators.flags import Flags
from adapters.chat.telegram.moderators.setup import Setup
from adapters.chat.telegram.moderators.wishes import Wishes, pressed
from adapters.chat.telegram.receiving.reading import GROUPS
from adapters.chat.telegram.refs import group_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Broken, Unavailable
from bot.core.chat.ports import Bookmarks
from bot.core.chat.rights import Right
from bot.core.moderators.argument import is_about_incident
from bot.core.moderators.command import Command, Seen, Usage
from bot.core.moderators.commands import anybody, overview, record, reports
from bot.core.moderators.permissions import may
from bot.core.moderators.ports import Desk
from bot.core.moderators.reading import meant, names, phrases
from bot.core.text.catalogue import LANGUAGES, Texts, texts, texts_on

#: What only Telegram has: the beginning of a private chat.
OWN = ("start", "help")

OLD = timedelta(minutes=5)  # of a command; then it is not what is wanted any more
SLIP = 0.7  # how like a command of ours something must be to be taken for one that was mistyped
SERVED = 64  # commands that may be delivered again after a crash

_PLACE = "telegram/commands"
_HELP = frozenset({"help", *(texts(language)["command.help"] for language in LANGUAGES)})


@cache
def own_names() -> frozenset[str]:
    """Everything that people type after a slash for this bot."""
    return frozenset({*OWN, *_HELP}).union(*map(names, OFFERED), *map(phrases, OFFERED))


def nearest(name: str) -> str:
    """What a slip of the pen was meant to be; empty: nobody knows, and it may be another bot's."""
    return next(iter(get_close_matches(name, sorted(own_names() - {"start"}), n=1, cutoff=SLIP)), "")


@dataclass(slots=True, kw_only=True)
class Commands:
    bot: Bot
    limiter: Limiter
    members: Members
    desk: Desk
    clock: Clock
    drawing: Drawing
    setup: Setup
    flags: Flags
    appeals: Appeals
    me: int
    bookmarks: Bookmarks | None = None
    username: str = ""
    crowd: Crowd = field(init=False)
    _choosing: Choosing = field(init=False)
    _links: Links = field(init=False)
    _wishes: Wishes = field(init=False)
    _arguments: Arguments = field(init=False)
    _advising: Advising = field(init=False)
    _led: Mapping[type[Command], Callable[[Typed], Awaitable[None]]] = field(init=False)
    _served: Bounded[str, None] = field(default_factory=lambda: Bounded(SERVED))

    def __post_init__(self) -> None:
        self.crowd = Crowd(clock=self.clock)
        self._choosing = Choosing(
            desk=self.desk, members=self.members, rooms=self.drawing.rooms, answers=self.drawing.answers,
            crowd=self.crowd,
        )  # fmt: skip
        self._wishes = Wishes(desk=self.desk, drawing=self.drawing)
        self._links = Links(
            members=self.members, answers=self.drawing.answers, setup=self.setup, appeals=self.appeals,
            choosing=self._choosing, crowd=self.crowd, wishes=self._wishes,
            panel=Panel(members=self.members, setup=self.setup), serve_in=self._serve_in,
        )  # fmt: skip
        self._arguments = Arguments(
            desk=self.desk, clock=self.clock, members=self.members, drawing=self.drawing, me=self.me
        )
        self._advising = Advising(members=self.members, arguments=self._arguments, drawing=self.drawing)
        self._led = {
            overview.Setup: lambda typed: self.setup.open(typed) if typed.in_private else self.setup.invite(typed),
            anybody.Appeal: self.appeals.serve,
            anybody.Flag: self.flags.flag,
        }

    async def begin(self) -> None:
        """What an earlier process served, so that Telegram may deliver it again."""
        place = await self.bookmarks.place(_PLACE) if self.bookmarks else None
        self._served.update(dict.fromkeys((place or "").split()))

    async def announce(self) -> None:
        """Tell Telegram what the menus of commands show, in both languages."""
        for_members = tuple(command.name for command in OFFERED if command.right is None)
        scopes: dict[BotCommandScope, tuple[str, ...]] = {
            BotCommandScopeAllChatAdministrators(): (*(command.name for command in OFFERED), "help"),
            BotCommandScopeAllGroupChats(): for_members,
            BotCommandScopeAllPrivateChats(): ("why", *for_members, "help"),
        }
        for scope, shown in scopes.items():
            for language in (None, *LANGUAGES):
                say = texts_on("telegram", language or "en")
                commands = [BotCommand(name, say[f"command.{name}_does"]) for name in shown]
                with mapped(self.limiter.say):
                    await self.bot.set_my_commands(commands, scope, language)

    # ---- what comes in ----------------------------------------------------------------------------------------------

    async def serve(self, message: TelegramMessage) -> bool:
        """Answer where the message is a command for this bot and whoever wrote it may use it; whether it is one. Never
        another bot: two that answer each other do not stop (T59)."""
        typed = parsed(message, self.username, self._language(message))
        if typed is None or (typed.user and typed.user.is_bot and not message.sender_chat):
            return False
        if (key := f"{typed.chat_id}/{message.message_id}") in self._served:
            return True
        try:
            await self._serve(typed)
        except Unavailable:
            with suppress(BotError):
                await self._say(typed, typed.say["card.try_again"])
            raise
        await self._remember(key)
        return typed.name in own_names()

    async def _serve(self, typed: Typed) -> None:
        command = next((command for command, _ in meant(typed.name, typed.rest, OFFERED)), None)
        if command and command.right:
            await self._serve_moderator(typed, command)
        elif typed.name == "start":
            if typed.in_group or self.crowd.has_room(typed):
                await self._links.follow(typed)
        elif command:
            if self.crowd.has_room(typed):
                await self._answer(typed, command, frozenset(), lane=Lane.NOTICE)
        else:
            await self._choosing.answer_unknown(typed, nearest)

    async def hear(self, message: TelegramMessage) -> None:
        """What is no command: an answer to one of our notices, or something written to us in private."""
        say = self._language(message)
        notice = message.reply_to_message
        is_ours = notice is not None and notice.from_user is not None and notice.from_user.id == self.me
        typed = Typed("", "", message, say, message.from_user)
        if await self.flags.hear(typed, self.crowd.has_room) or not (message.chat.type == Chat.PRIVATE or is_ours):
            return
        if not self.crowd.has_room(typed) or await self.appeals.hear(message, say):
            return
        if typed.in_private:
            await self._say(typed, say["telegram.hello"])

    async def press(self, query: CallbackQuery) -> bool:
        """A button of the set-up menu, one that says which group a command is about, or one that asks about oneself;
        False: it is none of them."""
        if mine := pressed(query, texts(spoken(query.from_user.language_code))):
            await self.setup.answer_press(query, "")
            if self.crowd.has_room(mine[0]):
                await self._wishes.grant(*mine)
            return True
        if (told := await self._advising.press(query)) is not None:
            await self.setup.answer_press(query, told)
            return True
        if (choice := CHOICE.fullmatch(query.data or "")) is None:
            return await self._links.panel.press(query) or await self.setup.press(query)
        typed = await self._choosing.chosen(int(choice[1]), choice[2], query)
        await self.setup.answer_press(query, typed if isinstance(typed, str) else "")
        if isinstance(typed, str):
            return True
        if typed.name == "start":
            await self._say(typed, await self.setup.bind(typed, typed.rest.partition("_")[0]), lane=Lane.ANSWER)
        else:
            (command, _), *_ = meant(typed.name, typed.rest, OFFERED)
            await self._serve_in(typed, command)
        return True

    # ---- who may, and about which group -----------------------------------------------------------------------------

    async def _serve_moderator(self, typed: Typed, command: type[Command]) -> None:
        groups = await self._choosing.groups(typed)
        is_members = (
            command is record.Why and typed.coded and not (groups and typed.numbered)
        )  # moderators go by numbers
        if is_members and self.crowd.has_room(typed) and await self.appeals.tell(typed):
            return
        if len(groups) == 1 and not (typed.is_anonymous and groups[0] != str(typed.chat_id)):
            await self._serve_in(replace(typed, group=groups[0]), command)
        elif groups:
            await self._choosing.ask(typed, groups)
        elif typed.in_private and self.crowd.has_room(typed):
            await self._say(typed, typed.say["card.not_found" if is_about_incident(command) else "telegram.hello"])

    async def _serve_in(self, typed: Typed, command: type[Command]) -> None:
        """A moderator's command, now that its group is known. Who is no admin there learns nothing, not even which
        incidents there are."""
        rights = await rights_of(typed, int(typed.group), self.members)
        if not rights:
            await self._serve_member(typed, command)
        elif (age := self.clock.now() - typed.message.date) > OLD:
            minutes = int(age.total_seconds() // 60)
            await self._say(typed, typed.say("telegram.old_command", minutes=minutes), lane=Lane.ANSWER, quietly=True)
        else:
            await self._answer(typed, command, rights, lane=Lane.ANSWER)

    async def _serve_member(self, typed: Typed, command: type[Command]) -> None:
        """A moderator's command by somebody who is none in that group."""
        if command is reports.Report and typed.message.reply_to_message:
            typed = replace(typed, name=anybody.Flag.name)
            if self.crowd.has_room(typed):
                await self._led[anybody.Flag](typed)
        elif not is_about_incident(command) or typed.chat_id == int(typed.group) or not self.crowd.has_room(typed):
            return
        elif command is not record.Why or not await self.appeals.tell(typed):
            await self._say(typed, typed.say["card.not_found"])

    async def _answer(self, typed: Typed, command: type[Command], rights: frozenset[Right], *, lane: Lane) -> None:
        is_before_all = str(typed.chat_id) == typed.group
        asked = await self._arguments.asked(typed, rights)
        command, filled = await self._arguments.filled(typed, asked, command)
        if not (filled.rights <= rights if filled else may(rights, command.right)):
            await self._say(typed, refused(rights, typed.say), lane=lane, quietly=True)
        elif command.led:
            await self._led[command](typed)
        elif filled and command.seen is Seen.MODERATORS and is_before_all:
            await self._say(typed, typed.say["answer_to.not_here"], lane=lane, quietly=True)
        else:
            answer = await filled.run(asked, self.desk) if filled else Usage(command)
            quietly = is_before_all and command.seen is not Seen.ANYBODY
            await self.drawing.show(typed, answer, lane=lane, quietly=quietly)

    async def _remember(self, key: str) -> None:
        self._served[key] = None
        if self.bookmarks:
            await self.bookmarks.put(_PLACE, " ".join(self._served))

    async def _say(self, typed: Typed, text: str, *, lane: Lane = Lane.NOTICE, quietly: bool = False) -> None:
        await self.drawing.answers.say(typed, text, lane=lane, quietly=quietly)

    def _language(self, message: TelegramMessage) -> Texts:
        """The group's language; in private the person's."""
        if message.chat.type in GROUPS and (language := self.desk.community(group_ref(message.chat.id)).language):
            return texts(language)
        return texts(spoken(message.from_user.language_code if message.from_user else None))


async def name_of(token: str, api_url: str, say: Texts) -> str:
    """Asks Telegram. Raises `Broken` and `Unavailable`."""
    with mapped(say):
        async with Bot(token, base_url=f"{api_url.rstrip('/')}/bot") as bot:
            return bot.username


def invitation(name: str) -> str:
    """The link that adds the bot to a group with the rights it needs. Raises `Broken` where no bot can be called so."""
    if not fullmatch(r"[A-Za-z0-9_]{5,32}", name):
        raise Broken("{given}: no bot is called that (BotFather tells its name, which ends in bot)", given=name)
    rights = "+".join(right.removeprefix("can_") for right in NEEDED)
    return f"https://t.me/{name}?startgroup=true&admin={rights}"
