"""Commands: what people type to the bot comes in; whoever may gets an answer, and settings change.

A command is about one community: the group in which it is typed, or the one whose moderators' room that is. Whether
somebody may is asked of Telegram for each command."""

import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    CallbackQuery,
    Chat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    MessageEntity,
    User,
)
from telegram import (
    Message as TelegramMessage,
)
from telegram.error import BadRequest, Forbidden

from adapters.chat.telegram.errors import mapped
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import NEEDED, Members
from adapters.chat.telegram.moderators.appeals import Appeals
from adapters.chat.telegram.moderators.asking import KOREAN, Answers, Asked, parsed, rights_of
from adapters.chat.telegram.moderators.cards.board import CardBoard
from adapters.chat.telegram.moderators.flags import Flags
from adapters.chat.telegram.moderators.posting import Posting
from adapters.chat.telegram.moderators.reports import Reporting
from adapters.chat.telegram.moderators.setup import Setup, refused, spoken
from adapters.chat.telegram.receiving.reading import GROUPS
from adapters.chat.telegram.refs import TELEGRAM, group_ref
from bot.core.answers.bot import Bot as OtherBot
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import BotError, Unavailable
from bot.core.chat.message import Author, Message, MessageRef
from bot.core.chat.ports import Bookmarks
from bot.core.communities.community import Community
from bot.core.incidents.card import pressed
from bot.core.moderators.permissions import Deed, may
from bot.core.moderators.ports import Desk
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import LANGUAGES, Texts, texts
from bot.wording.cards import history_line
from bot.wording.reasons import deeds, reasons

#: Who sees which command.
FOR_ADMINS = (
    "setup", "status", "check", "test", "why", "history", "exempt", "pause", "bots", "report", "flag", "appeal",
    "privacy", "help",
)  # fmt: skip
FOR_MEMBERS = ("flag", "appeal", "privacy")
IN_PRIVATE = ("appeal", "why", "privacy", "help")

#: What each command of moderators asks for; the others are anybody's.
DEEDS = {
    "setup": Deed.SET_UP, "status": Deed.STATUS, "check": Deed.CHECK, "test": Deed.TEST, "why": Deed.EXPLAIN,
    "history": Deed.HISTORY, "exempt": Deed.EXEMPT, "pause": Deed.PAUSE, "bots": Deed.BOTS, "report": Deed.REPORT,
}  # fmt: skip
ANYBODYS = ("start", "help", "flag", "appeal", "privacy")

OLD = timedelta(minutes=5)  # of a command; then it is not what is wanted any more
IN_GROUP, IN_PRIVATE_CHAT = (1, 60.0), (20, 60.0)  # of each command of a member's, so many within so many seconds
REMEMBERED = 10_000  # members
SERVED = 64  # commands that may be delivered again after a crash
WAITING = 500  # commands of which the group is still to be chosen

_DURATION = re.compile(r"([0-9]{1,4})\s*([mhd분시일])\S*")
_UNITS = {"m": "minutes", "분": "minutes", "h": "hours", "시": "hours", "d": "days", "일": "days"}
_OFF = ("off", "끝", "해제")
_BOT_CHOICE = re.compile(r"(on|off|owner|켜기|끄기)\s+([0-9]{1,3})(?:\s+(-?[0-9]{1,18}|me|나))?")
_GROUP_CHOICE = re.compile(r"for:([0-9]{1,9}):(-[0-9]{1,18})")
_PLACE = "telegram/commands"


@dataclass(slots=True, kw_only=True)
class Commands:
    bot: Bot
    limiter: Limiter
    members: Members
    cards: CardBoard
    desk: Desk
    clock: Clock
    posting: Posting
    answers: Answers
    setup: Setup
    flags: Flags
    appeals: Appeals
    me: int
    bookmarks: Bookmarks | None = None
    username: str = ""
    _handlers: dict[str, Callable[[Asked], Awaitable[str | None]]] = field(init=False)
    _taken: Bounded[tuple[int, int, str], deque[float]] = field(default_factory=lambda: Bounded(REMEMBERED))
    _served: Bounded[str, None] = field(default_factory=lambda: Bounded(SERVED))
    _waiting: Bounded[int, Asked] = field(default_factory=lambda: Bounded(WAITING))
    _number: int = 0

    def __post_init__(self) -> None:
        self._handlers = {
            "setup": self._setup, "status": self._status, "check": self._check, "test": self._test, "why": self._why,
            "history": self._history, "exempt": self._exempt, "pause": self._pause, "bots": self._bots,
            "report": self._report, "start": self._start, "help": self._help, "flag": self._flag,
            "appeal": self._appeal, "privacy": self._privacy,
        }  # fmt: skip

    async def begin(self) -> None:
        """What an earlier process served, so that Telegram may deliver it again."""
        place = await self.bookmarks.place(_PLACE) if self.bookmarks else None
        self._served.update(dict.fromkeys((place or "").split()))

    async def announce(self) -> None:
        """Tell Telegram what the menus of commands show, in both languages."""
        scopes: dict[BotCommandScope, tuple[str, ...]] = {
            BotCommandScopeAllChatAdministrators(): FOR_ADMINS,
            BotCommandScopeAllGroupChats(): FOR_MEMBERS,
            BotCommandScopeAllPrivateChats(): IN_PRIVATE,
        }
        for scope, names in scopes.items():
            for language in (None, *LANGUAGES):
                say = texts(language or "en")
                shown = [BotCommand(name, say[f"telegram.command.{name}"]) for name in names]
                with mapped(self.limiter.say):
                    await self.bot.set_my_commands(shown, scope, language)

    # ---- what comes in ----------------------------------------------------------------------------------------------

    async def serve(self, message: TelegramMessage) -> None:
        """Answer where the message is a command for this bot and whoever wrote it may use it. Never another bot: two
        that answer each other do not stop (T59)."""
        asked = parsed(message, self.username, self._language(message))
        if asked is None or (asked.user and asked.user.is_bot and not message.sender_chat):
            return
        key = f"{asked.chat_id}/{message.message_id}"
        if key in self._served:
            return
        try:
            if asked.name in DEEDS:
                await self._serve_moderator(asked)
            elif asked.name in ANYBODYS:
                if (asked.name == "start" and asked.in_group) or self._has_room(asked):
                    await self._answer(asked, lane=Lane.NOTICE)
            elif asked.in_private and self._has_room(asked):
                await self._say(asked, asked.say["telegram.hello"])
        except Unavailable:
            with suppress(BotError):
                await self._say(asked, asked.say["card.try_again"])
            raise
        await self._remember(key)

    async def hear(self, message: TelegramMessage) -> None:
        """What is no command: an answer to one of our notices, or something written to us in private."""
        say = self._language(message)
        notice = message.reply_to_message
        is_ours = notice is not None and notice.from_user is not None and notice.from_user.id == self.me
        if message.chat.type != Chat.PRIVATE and not is_ours:
            return
        asked = Asked("", "", message, say, message.from_user)
        if not self._has_room(asked) or await self.appeals.hear(message, say):
            return
        if asked.in_private:
            await self._say(asked, say["telegram.hello"])

    async def press(self, query: CallbackQuery) -> bool:
        """A button of the set-up menu, or one that says which group a command is about; False: it is neither."""
        if (choice := _GROUP_CHOICE.fullmatch(query.data or "")) is None:
            return await self.setup.press(query)
        asked = self._waiting.get(int(choice[1]))
        if asked is None:
            await self.setup.answer_press(query, texts(spoken(query.from_user.language_code))["telegram.ask_again"])
        elif not asked.is_anonymous and asked.user_id != query.from_user.id:
            await self.setup.answer_press(query, asked.say["telegram.not_your_command"])
        elif not (rights := await self.members.rights(int(choice[2]), query.from_user.id)):
            await self.setup.answer_press(query, refused(rights, asked.say))
        else:
            del self._waiting[int(choice[1])]
            await self.setup.answer_press(query, "")
            asked = replace(asked, group=choice[2], user=query.from_user)
            if asked.name == "start":
                await self._say(asked, await self.setup.bind(asked, asked.rest.partition("_")[0]), lane=Lane.ANSWER)
            else:
                await self._serve_in(asked)
        return True

    # ---- who may, and about which group -----------------------------------------------------------------------------

    async def _serve_moderator(self, asked: Asked) -> None:
        groups = await self._groups(asked)
        if len(groups) == 1 and not (asked.is_anonymous and groups[0] != str(asked.chat_id)):
            await self._serve_in(replace(asked, group=groups[0]))
        elif groups:
            await self._let_choose(asked, groups)
        elif asked.in_private and self._has_room(asked):
            is_about_one = asked.name in ("why", "history")
            await self._say(asked, asked.say["card.not_found" if is_about_one else "telegram.hello"])

    async def _groups(self, asked: Asked) -> Sequence[str]:
        """The communities that a command may be about."""
        here = str(asked.chat_id)
        if asked.in_group:
            known = self.desk.communities(TELEGRAM)
            groups = [one.id for one in known if one.moderators_channel == here != one.id] or [here]
        else:
            groups = [str(group) for group in self.members.groups_of(asked.user_id)]
        if asked.name in ("why", "history") and asked.numbered:
            whose = await self.desk.whose(TELEGRAM, asked.numbered[0])
            if whose and (asked.in_private or whose.id in groups):
                return [whose.id]
        return groups

    async def _let_choose(self, asked: Asked, groups: Sequence[str]) -> None:
        """Buttons, of which one is pressed by the person who asked; a press also tells who an anonymous admin is."""
        if asked.is_anonymous and not self._has_room(asked):
            return
        self._number += 1
        self._waiting[self._number] = asked
        keys = []
        for group in groups[:20]:
            name = self.desk.community(group_ref(group)).name or await self.setup.title(group)
            keys.append([InlineKeyboardButton(name, callback_data=f"for:{self._number}:{group}")])
        text = asked.say["telegram.who_are_you" if asked.is_anonymous else "telegram.which_group"]
        await self.answers.say(asked, text, InlineKeyboardMarkup(keys))

    async def _serve_in(self, asked: Asked) -> None:
        """A moderator's command, now that its group is known. Who is no admin there learns nothing, not even which
        incidents there are."""
        rights = await rights_of(asked, int(asked.group), self.members)
        if not rights:
            await self._serve_member(asked)
        elif not may(rights, DEEDS[asked.name]):
            await self._say(asked, refused(rights, asked.say), lane=Lane.ANSWER, quietly=True)
        elif (age := self.clock.now() - asked.message.date) > OLD:
            minutes = int(age.total_seconds() // 60)
            await self._say(asked, asked.say("telegram.old_command", minutes=minutes), lane=Lane.ANSWER, quietly=True)
        else:
            await self._answer(asked, lane=Lane.ANSWER, quietly=str(asked.chat_id) == asked.group)

    async def _serve_member(self, asked: Asked) -> None:
        """A moderator's command by somebody who is none in that group."""
        if asked.name == "report" and asked.message.reply_to_message:
            asked = replace(asked, name="flag")
            if self._has_room(asked):
                await self._answer(asked, lane=Lane.NOTICE)
        elif asked.name not in ("why", "history") or asked.chat_id == int(asked.group) or not self._has_room(asked):
            return
        elif asked.name == "history" or not await self.appeals.tell(asked):
            await self._say(asked, asked.say["card.not_found"])

    async def _answer(self, asked: Asked, *, lane: Lane, quietly: bool = False) -> None:
        if answer := await self._handlers[asked.name](asked):
            await self._say(asked, answer, lane=lane, quietly=quietly)

    def _has_room(self, asked: Asked) -> bool:
        """Members' commands are served so often that nobody fills a chat by them."""
        most, within = IN_PRIVATE_CHAT if asked.in_private else IN_GROUP
        key, now = (asked.chat_id, asked.speaker_id, asked.name), self.clock.monotonic()
        taken = self._taken.refresh(key, deque())
        while taken and taken[0] <= now - within:
            taken.popleft()
        if len(taken) >= most:
            return False
        taken.append(now)
        return True

    async def _remember(self, key: str) -> None:
        self._served[key] = None
        if self.bookmarks:
            await self.bookmarks.put(_PLACE, " ".join(self._served))

    async def _say(self, asked: Asked, text: str, *, lane: Lane = Lane.NOTICE, quietly: bool = False) -> None:
        await self.answers.say(asked, text, lane=lane, quietly=quietly)

    # ---- for anybody ------------------------------------------------------------------------------------------------

    async def _start(self, asked: Asked) -> str | None:
        """/start, also as it follows a link: setup_GROUP or appeal_INCIDENT in private, mods_GROUP or report_GROUP in
        the group that becomes a room."""
        purpose, _, number = asked.rest.partition("_")
        if purpose == "appeal" and asked.in_private:
            await self.appeals.serve(replace(asked, rest=number))
            return None
        if not re.fullmatch(r"-[0-9]{1,18}", number):
            return asked.say["telegram.hello"] if asked.in_private else None
        asked = replace(asked, group=number)
        if purpose in ("mods", "report") and asked.in_group:
            if asked.is_anonymous and number != str(asked.chat_id):
                await self._let_choose(asked, [number])
                return None
            looks_after = may(await rights_of(asked, asked.chat_id, self.members), Deed.BIND_ROOM)
            return await self.setup.bind(asked, purpose) if looks_after or self._has_room(asked) else None
        if purpose == "setup" and asked.in_private:
            rights = await rights_of(asked, int(number), self.members)
            if not may(rights, Deed.SET_UP):
                return refused(rights, asked.say)
            await self.setup.open(asked)
        return None

    async def _help(self, asked: Asked) -> str | None:
        return asked.say["telegram.hello"] if asked.in_private else None

    async def _flag(self, asked: Asked) -> str | None:
        """A member reports the message that they answer; not before the eyes of the others."""
        target, say = asked.message.reply_to_message, asked.say
        if target is None or not asked.in_group or not _is_somebodys(target, self.me) or asked.user is None:
            return say["telegram.usage.flag"]
        if self.desk.community(group_ref(asked.chat_id)).moderators_channel is None:
            return say["telegram.no_moderators_chat"]
        is_taken = self.flags.take(asked.user, target, say)
        with suppress(BadRequest, Forbidden, BotError):
            async with self.limiter.turn(asked.chat_id, Lane.MODERATION):
                await self.bot.delete_message(asked.chat_id, asked.message.message_id)
        if is_taken:
            await self._say(asked, say["telegram.thanks"], quietly=True)
        return None

    async def _appeal(self, asked: Asked) -> None:
        await self.appeals.serve(asked)

    async def _privacy(self, asked: Asked) -> str:
        return asked.say["telegram.privacy"]

    # ---- for moderators ---------------------------------------------------------------------------------------------

    async def _setup(self, asked: Asked) -> None:
        if asked.in_private:
            await self.setup.open(asked)
        else:
            await self.setup.invite(asked)

    async def _status(self, asked: Asked) -> str:
        return f"{await self.setup.overview(asked.group, asked.say)}\n{await self._check(asked)}"

    async def _check(self, asked: Asked) -> str:
        missing = await self.members.missing_rights(int(asked.group))
        lines = [asked.say(f"telegram.without.{right}") for right in missing]
        if not asked.group.startswith("-100") and asked.message.chat.type == Chat.GROUP:
            lines.append(asked.say["telegram.supergroups_only"])
        return "\n".join(lines) or asked.say["telegram.all_rights"]

    async def _test(self, asked: Asked) -> str:
        if not asked.rest:
            return asked.say["telegram.usage.test"]
        message = Message(
            ref=MessageRef(TELEGRAM, asked.group, "test"),
            community_id=asked.group,
            author=Author(id="0"),
            sent_at=self.clock.now(),
            text=asked.rest,
        )
        decision = await self.desk.judge(message)
        wanted = (*decision.actions, *decision.withheld)
        if not wanted:
            return asked.say["telegram.tested_nothing"]
        watching = asked.say["telegram.tested_watching"] if self.desk.policy(message).mode is Watch.WATCH else ""
        head = asked.say("telegram.tested", actions=deeds(wanted, asked.say)) + watching
        return "\n".join(filter(None, (head, reasons(decision, asked.say))))

    async def _why(self, asked: Asked) -> str | None:
        """An incident's card, in the moderators' room or in private: never in front of the group."""
        if asked.numbered is None:
            return asked.say["telegram.usage.why"]
        found = await self.desk.look_up(group_ref(asked.group), asked.numbered[0])
        if asked.chat_id == int(asked.group):
            return asked.say["telegram.not_here"]
        if found is None:
            return asked.say["card.not_found"]
        text, entities, keyboard = self.cards.content(*found)
        async with self.limiter.turn(asked.chat_id, Lane.ANSWER):
            await self.bot.send_message(
                asked.chat_id, text, entities=entities, reply_markup=keyboard,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )  # fmt: skip
        return None

    async def _history(self, asked: Asked) -> str | None:
        if asked.numbered is None:
            return asked.say["telegram.usage.history"]
        found = await self.desk.look_up(group_ref(asked.group), asked.numbered[0])
        if asked.chat_id == int(asked.group):
            return asked.say["telegram.not_here"]
        if found is None:
            return asked.say["card.not_found"]
        incident, history = found
        return history_line(history, asked.say, self.desk.policy(incident.decision.message).timezone)

    async def _exempt(self, asked: Asked) -> str:
        """As an answer to a message or to a card: no rule applies to its author any more; with "off" all do again."""
        if asked.rest.lower() not in ("", "on", "켜기", *_OFF) or (target := asked.message.reply_to_message) is None:
            return asked.say["telegram.usage.exempt"]
        if (who := await self._whom(asked, target)) is None:
            return asked.say["telegram.usage.exempt"]
        id_, name = who
        is_on = asked.rest.lower() not in _OFF

        def edit(now: Community) -> Community:
            return replace(now, exempt_roles=now.exempt_roles | {id_} if is_on else now.exempt_roles - {id_})

        await self.desk.change(group_ref(asked.group), edit, by=asked.by)
        return asked.say("telegram.exempted" if is_on else "telegram.no_longer_exempt", name=name)

    async def _whom(self, asked: Asked, target: TelegramMessage) -> tuple[str, str] | None:
        """Whose words a message holds: a restored one is posted by us and names its author, a card its incident."""
        if target.from_user and target.from_user.id == self.me:
            for row in target.reply_markup.inline_keyboard if target.reply_markup else ():
                for button in row:
                    press = pressed(button.callback_data) if isinstance(button.callback_data, str) else None
                    found = press and await self.desk.look_up(group_ref(asked.group), press[1])
                    if found:
                        author = found[0].decision.message.author
                        return author.id, author.name or author.id
            named = (one.user for one in target.entities if one.type == MessageEntity.TEXT_MENTION and one.user)
            return next(((str(one.id), one.full_name) for one in named), None)
        if not _is_somebodys(target, self.me) or asked.chat_id != int(asked.group):
            return None
        who: Chat | User | None = target.sender_chat or target.from_user
        return (str(who.id), getattr(who, "full_name", None) or str(who.id)) if who else None

    async def _pause(self, asked: Asked) -> str:
        if asked.rest.lower() in _OFF:
            community = await self.setup.change(asked, paused_until=None)
            await self._tell_room(asked, community, "telegram.room_resumed")
            return asked.say["telegram.resumed"]
        if not (given := _DURATION.fullmatch(asked.rest.lower() or "1h")):
            return asked.say["telegram.usage.pause"]
        lasting = min(timedelta(**{_UNITS[given[2]]: int(given[1])}), timedelta(days=30))
        until = self.clock.now() + lasting
        community = await self.setup.change(asked, paused_until=until)
        at = self._at(until, community)
        await self._tell_room(asked, community, "telegram.room_paused", until=at)
        return asked.say("telegram.paused", until=at)

    async def _tell_room(self, asked: Asked, community: Community, key: str, **facts: object) -> None:
        if str(asked.chat_id) != community.moderators_channel:
            await self.setup.tell_room(community, key, by=asked.by, **facts)

    def _at(self, moment: datetime, community: Community) -> str:
        timezone = self.desk.schedule(community.ref).timezone
        return moment.astimezone(ZoneInfo(timezone)).strftime("%m-%d %H:%M")

    async def _bots(self, asked: Asked) -> str:
        """The other bots of the group; "on 1", "off 1" or "owner 1 CHAT" chooses for one of them."""
        community = self.desk.community(group_ref(asked.group))
        seen = self.desk.bots(community.ref)
        if asked.rest:
            if (chosen := _BOT_CHOICE.fullmatch(asked.rest.lower())) is None:
                return asked.say["bots.usage"]
            what, number, chat_id = chosen.groups()
            if not 1 <= int(number) <= len(seen) or (what == "owner") is not bool(chat_id):
                return asked.say("bots.unknown", given=number) if not chat_id else asked.say["bots.usage"]
            chat_id = str(asked.user_id) if chat_id in ("me", "나") else chat_id
            if what == "owner" and not await self._may_be_told(asked, int(chat_id)):
                return asked.say["telegram.not_your_chat"]
            bot, _ = seen[int(number) - 1]

            def edit(now: Community) -> Community:
                if what == "owner":
                    return replace(now, bot_owners={**now.bot_owners, bot.id: chat_id})
                return replace(now, bots={**now.bots, bot.id: what in ("on", "켜기")})

            community = await self.desk.change(community.ref, edit, by=asked.by)
            seen = self.desk.bots(community.ref)
        return "\n".join(_listed(seen, community, asked.say))

    async def _may_be_told(self, asked: Asked, chat_id: int) -> bool:
        """A chat to write to belongs to who chooses it: else anybody with a group writes to strangers by our hand."""
        if chat_id > 0:
            return chat_id == asked.user_id and not asked.is_anonymous
        return may(await rights_of(asked, chat_id, self.members), Deed.BIND_ROOM)

    async def _report(self, asked: Asked) -> str | None:
        rights = await rights_of(asked, int(asked.group), self.members)
        reporting = Reporting(desk=self.desk, clock=self.clock, posting=self.posting)
        community = self.desk.community(group_ref(asked.group))
        words = asked.rest.lower().split()
        if (deed := reporting.deed(words, community)) and not may(rights, deed):
            return refused(rights, asked.say)
        return await reporting.serve(words, community, asked.chat_id, asked.say, by=asked.by)

    def _language(self, message: TelegramMessage) -> Texts:
        """The group's language; in private the person's."""
        if message.chat.type in GROUPS and (language := self.desk.community(group_ref(message.chat.id)).language):
            return texts(language)
        return texts(spoken(message.from_user.language_code if message.from_user else None))


async def invitation(token: str, api_url: str, say: Texts) -> str:
    """The link that adds the bot to a group with the rights it needs; asks Telegram for the bot's name. Raises `Broken`
    and `Unavailable`."""
    with mapped(say):
        async with Bot(token, base_url=f"{api_url.rstrip('/')}/bot") as bot:
            rights = "+".join(right.removeprefix("can_") for right in NEEDED)
            return f"https://t.me/{bot.username}?startgroup=true&admin={rights}"


def _is_somebodys(target: TelegramMessage, me: int) -> bool:
    """Not our own, and not the service message that everything in a forum's topic "answers"."""
    return target.forum_topic_created is None and not (target.from_user and target.from_user.id == me)


def _listed(seen: Sequence[tuple[OtherBot, bool]], community: Community, say: Texts) -> Iterator[str]:
    yield say["bots.title"]
    for number, (bot, judged) in enumerate(seen, 1):
        state, name = say["bots.on" if judged else "bots.off"], bot.name or bot.id
        line = say("bots.line", state=state, name=name, messages=bot.messages, answers=bot.answers)
        owner = community.bot_owners.get(bot.id)
        yield f"{number}. {line}" + (f" · {say('bots.owner', channel=owner)}" if owner else "")
    if not seen:
        yield say["bots.none"]
    yield say["bots.how"]
    yield say["bots.usage"]


__all__ = ["FOR_ADMINS", "KOREAN", "Commands", "invitation"]
