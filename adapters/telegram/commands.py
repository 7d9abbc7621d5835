"""Commands and the set-up menu: what people type to the bot comes in, an answer goes out in the same chat."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import structlog
from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    CallbackQuery,
    Chat,
    ChatMemberUpdated,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    ReplyParameters,
)
from telegram import (
    Message as TelegramMessage,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.telegram.acting import LONGEST, cut
from adapters.telegram.cards import Cards
from adapters.telegram.errors import mapped
from adapters.telegram.limiting import Lane, Limiter
from adapters.telegram.members import NEEDED, Members
from adapters.telegram.moving import Moves
from adapters.telegram.posting import Posting
from adapters.telegram.reading import GROUPS
from adapters.telegram.reporting import Reporting
from bot.domain.bots import Bot as OtherBot
from bot.domain.community import Community
from bot.domain.message import Author, Message, MessageRef, Platform
from bot.domain.rules import Watch
from bot.domain.schedule import DAYS
from bot.errors import Unavailable
from bot.ports import Clock, Desk
from bot.texts import LANGUAGES, Texts, deeds, reasons, texts
from bot.texts.cards import history_line
from bot.texts.schedules import schedule_line

#: Who sees which command. Names are Telegram's: a-z; the Korean ones are understood, too.
FOR_ADMINS = (
    "setup", "status", "check", "test", "why", "history", "exempt", "pause", "bots", "report", "flag", "appeal",
    "privacy",
)  # fmt: skip
FOR_MEMBERS = ("flag", "appeal", "privacy")
IN_PRIVATE = ("appeal", "privacy")
KOREAN = {
    "설정": "setup", "상태": "status", "점검": "check", "시험": "test", "이유": "why", "이력": "history",
    "예외": "exempt", "멈춤": "pause", "봇": "bots", "신고": "flag", "이의": "appeal", "개인정보": "privacy",
    "보고": "report",
}  # fmt: skip

PRESETS = ("gentle", "balanced", "strict")
_COMMAND = re.compile(r"/([a-z]+|[가-힣]+)(?:@(\w+))?(?:\s+(.*))?", re.DOTALL)
_DURATION = re.compile(r"(\d{1,4})\s*([mhd분시일])\S*")
_UNITS = {"m": "minutes", "분": "minutes", "h": "hours", "시": "hours", "d": "days", "일": "days"}
_BOT_CHOICE = re.compile(r"(on|off|owner|켜기|끄기)\s+(\d{1,3})(?:\s+(-?\d{1,18}))?")
_CHOICE = re.compile(r"setup:(-\d+):(preset|mode|language|report|daily):(\w+)")

_ABOUT = re.compile(r"/appeal (\d{1,18})")  # in every notice to a member

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as it was typed."""

    name: str
    rest: str
    message: TelegramMessage
    say: Texts

    @property
    def chat_id(self) -> int:
        return self.message.chat.id

    @property
    def user_id(self) -> int:
        return self.message.from_user.id if self.message.from_user else 0

    @property
    def speaker_id(self) -> int:
        """Of the person, or of the channel that they speak as."""
        return self.message.sender_chat.id if self.message.sender_chat else self.user_id

    @property
    def by(self) -> str:
        """How the person, or who they speak as, is called."""
        if self.is_anonymous_admin:
            return self.message.author_signature or self.message.chat.title or ""
        return self.message.from_user.full_name if self.message.from_user else ""

    @property
    def is_anonymous_admin(self) -> bool:
        speaker = self.message.sender_chat
        return speaker is not None and speaker.id == self.chat_id


@dataclass(slots=True, kw_only=True)
class Commands:
    bot: Bot
    limiter: Limiter
    members: Members
    moves: Moves
    cards: Cards
    desk: Desk
    clock: Clock
    posting: Posting
    me: int
    username: str = ""
    _served: dict[str, tuple[Callable[[Asked], Awaitable[str | None]], bool]] = field(init=False)

    def __post_init__(self) -> None:
        self._served = {  # command -> (what serves it, whether only for a group's admins)
            "start": (self._start, False), "setup": (self._setup, True), "status": (self._status, True),
            "check": (self._check, True), "test": (self._test, True), "why": (self._why, False),
            "history": (self._history, False), "exempt": (self._exempt, True), "pause": (self._pause, True),
            "bots": (self._bots, True), "report": (self._report, False), "flag": (self._flag, False),
            "appeal": (self._appeal, False), "privacy": (self._privacy, False),
        }  # fmt: skip

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
        """Answer where the message is a command for this bot and whoever wrote it may use it."""
        typed = _COMMAND.fullmatch((message.text or "").strip())
        if typed is None or (typed[2] or self.username).lower() != self.username.lower():
            return
        name = KOREAN.get(typed[1], typed[1])
        if name not in self._served or (message.from_user and message.from_user.is_bot and not message.sender_chat):
            return  # never answer another bot: two that answer each other do not stop (T59)
        serve, only_admins = self._served[name]
        asked = Asked(name, (typed[3] or "").strip(), message, self._language(message))
        in_group = message.chat.type in GROUPS
        if only_admins and (not in_group or not await self._is_admin(asked, asked.chat_id)):
            return
        if answer := await serve(asked):
            await self._answer(asked, answer)

    async def answered(self, message: TelegramMessage) -> None:
        """What a member says in answer to a notice of ours is their appeal."""
        notice = message.reply_to_message
        if notice is None or notice.from_user is None or notice.from_user.id != self.me:
            return
        if (about := _ABOUT.search(notice.text or "")) and not (message.from_user and message.from_user.is_bot):
            asked = Asked("appeal", "", message, self._language(message))
            words = (message.text or message.caption or "").strip()
            if told := await self._appeal_against(int(about[1]), words, asked):
                await self._answer(asked, told)

    async def press(self, query: CallbackQuery) -> bool:
        """A button of the set-up menu; False: it is not one."""
        if (choice := _CHOICE.fullmatch(query.data or "")) is None:
            return False
        community = self.desk.community(Platform.TELEGRAM, choice[1])
        say = texts(community.language or _spoken(query.from_user.language_code))
        if not await self.members.is_admin(int(choice[1]), query.from_user.id):
            await self._answer_press(query, say["card.not_allowed"])
            return True
        community = await self.desk.change(
            Platform.TELEGRAM, choice[1], lambda now: _chosen(now, choice[2], choice[3]), by=query.from_user.full_name
        )
        say = texts(community.language or say.language)
        await self._answer_press(query, say["telegram.saved"])
        if query.message:
            try:
                async with self.limiter.turn(query.message.chat.id, Lane.NOTICE):
                    await self.bot.edit_message_text(
                        await self._overview(community, say), chat_id=query.message.chat.id,
                        message_id=query.message.message_id, reply_markup=self._menu(community, say),
                    )  # fmt: skip
            except BadRequest as error:
                if "not modified" not in error.message:
                    raise
        return True

    async def joined(self, change: ChatMemberUpdated) -> None:
        """The bot has come into a group: a short welcome, once."""
        community = self.desk.community(Platform.TELEGRAM, str(change.chat.id))
        if change.chat.type not in GROUPS or community.welcomed:
            return
        say = texts(community.language or _spoken(change.from_user.language_code))
        async with self.limiter.turn(change.chat.id, Lane.NOTICE):
            await self.bot.send_message(change.chat.id, say["telegram.welcome"])
        title = change.chat.title or ""
        await self.desk.change(
            Platform.TELEGRAM, community.id, lambda now: replace(now, name=title, welcomed=True), by=""
        )

    # ---- commands ---------------------------------------------------------------------------------------------------

    async def _start(self, asked: Asked) -> str | None:
        """/start, also as it follows a link: setup_GROUP in private, mods_GROUP or report_GROUP in a group."""
        purpose, _, group = asked.rest.partition("_")
        if not re.fullmatch(r"-\d{1,18}", group):
            return asked.say["telegram.hello"] if asked.message.chat.type == Chat.PRIVATE else None
        in_private = asked.message.chat.type == Chat.PRIVATE
        places = {int(group)} if in_private else {int(group), asked.chat_id}  # else anybody binds where they only read
        if not all([await self._is_admin(asked, place) for place in places]):
            return asked.say["card.not_allowed"]
        community = self.desk.community(Platform.TELEGRAM, group)
        match purpose:
            case "setup" if in_private:
                await self._answer(asked, await self._overview(community, asked.say), self._menu(community, asked.say))
            case "mods" if not in_private:
                await self._set(group, asked, moderators_channel=str(asked.chat_id))
                return asked.say["telegram.moderators_chat_set"]
            case "report" if not in_private:
                await self._set(group, asked, report_channel=str(asked.chat_id))
                return asked.say["telegram.report_chat_set"]
        return None

    async def _setup(self, asked: Asked) -> None:
        link = f"https://t.me/{self.username}?start=setup_{asked.chat_id}"
        button = InlineKeyboardButton(asked.say["telegram.open_setup"], url=link)
        await self._answer(asked, asked.say["telegram.setup_in_private"], InlineKeyboardMarkup([[button]]))

    async def _status(self, asked: Asked) -> str:
        community = self.desk.community(Platform.TELEGRAM, str(asked.chat_id))
        overview, rights = await self._overview(community, asked.say), await self._check(asked)
        return f"{overview}\n{rights}"

    async def _check(self, asked: Asked) -> str:
        missing = await self.members.missing_rights(asked.chat_id, self.me)
        lines = [asked.say(f"telegram.without.{right}") for right in missing]
        if asked.message.chat.type != Chat.SUPERGROUP:
            lines.append(asked.say["telegram.supergroups_only"])
        return "\n".join(lines) or asked.say["telegram.all_rights"]

    async def _test(self, asked: Asked) -> str:
        if not asked.rest:
            return asked.say["telegram.usage.test"]
        decision = await self.desk.judge(
            Message(
                ref=MessageRef(Platform.TELEGRAM, str(asked.chat_id), "test"),
                community_id=str(asked.chat_id),
                author=Author(id="0"),
                sent_at=self.clock.now(),
                text=asked.rest,
            )
        )
        wanted = deeds((*decision.actions, *decision.withheld), asked.say)
        return "\n".join(filter(None, (asked.say("telegram.tested", actions=wanted), reasons(decision, asked.say))))

    async def _why(self, asked: Asked) -> str | None:
        """An incident's card, in the moderators' chat or in private: never in front of the group."""
        if not asked.rest.lstrip("#").isdigit():
            return asked.say["telegram.usage.why"]
        incident_id = int(asked.rest.lstrip("#"))
        whose = await self.desk.whose(Platform.TELEGRAM, incident_id)
        found = whose and await self.desk.look_up(Platform.TELEGRAM, whose, incident_id)
        if not whose or not found:
            return asked.say["card.not_found"]
        group = int(whose)
        if asked.chat_id == group or not await self._is_admin(asked, group):
            return asked.say["telegram.not_here"]
        text, entities, keyboard = self.cards.content(*found)
        async with self.limiter.turn(asked.chat_id, Lane.NOTICE):
            await self.bot.send_message(
                asked.chat_id, text, entities=entities, reply_markup=keyboard,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )  # fmt: skip
        return None

    async def _history(self, asked: Asked) -> str | None:
        if not asked.rest.lstrip("#").isdigit():
            return asked.say["telegram.usage.history"]
        incident_id = int(asked.rest.lstrip("#"))
        whose = await self.desk.whose(Platform.TELEGRAM, incident_id)
        found = whose and await self.desk.look_up(Platform.TELEGRAM, whose, incident_id)
        if not whose or not found:
            return asked.say["card.not_found"]
        incident, history = found
        group = int(whose)
        if asked.chat_id == group or not await self._is_admin(asked, group):
            return asked.say["telegram.not_here"]
        return history_line(history, asked.say, self.desk.policy(incident.decision.message).timezone)

    async def _exempt(self, asked: Asked) -> str:
        """As a reply: no rule applies to this member or channel any more, or all do again."""
        target = asked.message.reply_to_message
        who = target and (target.sender_chat or target.from_user)
        if not who:
            return asked.say["telegram.usage.exempt"]
        id_ = str(who.id)
        community = await self.desk.change(
            Platform.TELEGRAM,
            str(asked.chat_id),
            lambda now: replace(now, exempt_roles=now.exempt_roles ^ {id_}),
            by=asked.by,
        )
        return asked.say["telegram.exempted" if id_ in community.exempt_roles else "telegram.no_longer_exempt"]

    async def _pause(self, asked: Asked) -> str:
        if asked.rest in ("off", "끝", "해제"):
            await self._set(str(asked.chat_id), asked, paused_until=None)
            return asked.say["telegram.resumed"]
        if not (span := _DURATION.fullmatch(asked.rest or "1h")):
            return asked.say["telegram.usage.pause"]
        lasting = min(timedelta(**{_UNITS[span[2]]: int(span[1])}), timedelta(days=30))
        await self._set(str(asked.chat_id), asked, paused_until=self.clock.now() + lasting)
        return asked.say("telegram.paused", minutes=int(lasting.total_seconds() // 60))

    async def _bots(self, asked: Asked) -> str:
        """The other bots of the group; "on 1", "off 1" or "owner 1 CHAT" chooses for one of them."""
        community = self.desk.community(Platform.TELEGRAM, str(asked.chat_id))
        seen = self.desk.bots(Platform.TELEGRAM, community.id)
        if asked.rest:
            if (chosen := _BOT_CHOICE.fullmatch(asked.rest)) is None:
                return asked.say["bots.usage"]
            what, number, chat_id = chosen.groups()
            if not 1 <= int(number) <= len(seen) or (what == "owner") is not bool(chat_id):
                return asked.say("bots.unknown", given=number) if not chat_id else asked.say["bots.usage"]
            bot, _ = seen[int(number) - 1]

            def edit(now: Community) -> Community:
                if what == "owner":
                    return replace(now, bot_owners={**now.bot_owners, bot.id: chat_id})
                return replace(now, bots={**now.bots, bot.id: what in ("on", "켜기")})

            community = await self.desk.change(Platform.TELEGRAM, community.id, edit, by=asked.by)
            seen = self.desk.bots(Platform.TELEGRAM, community.id)
        return "\n".join(_listed(seen, community, asked.say))

    async def _flag(self, asked: Asked) -> str | None:
        """A member reports the message that they reply to."""
        target, say = asked.message.reply_to_message, asked.say
        if target is None or asked.message.chat.type not in GROUPS:
            return say["telegram.usage.flag"]
        who = target.sender_chat or target.from_user
        text = say(
            "telegram.flagged",
            by=asked.message.from_user.full_name if asked.message.from_user else "",
            author=getattr(who, "full_name", None) or getattr(who, "title", None) or "",
            link=target.link or "",
        )
        told = await self._tell_moderators(str(asked.chat_id), text)
        return say["telegram.thanks" if told else "telegram.no_moderators_chat"]

    async def _report(self, asked: Asked) -> str | None:
        """In the group, or in its moderators' chat; who is no admin there and answers a message, reports that one."""
        here = str(asked.chat_id)
        known = self.desk.communities(Platform.TELEGRAM)
        looked_after = [community for community in known if community.moderators_channel == here != community.id]
        if len(looked_after) > 1:
            return asked.say["telegram.several_groups"]
        community = looked_after[0] if looked_after else self.desk.community(Platform.TELEGRAM, here)
        if asked.message.chat.type not in GROUPS or not await self._is_admin(asked, int(community.id)):
            return await self._flag(asked) if asked.message.reply_to_message else None
        reporting = Reporting(desk=self.desk, clock=self.clock, posting=self.posting)
        return await reporting.serve(asked.rest.lower().split(), community, asked.chat_id, asked.say, by=asked.by)

    async def _appeal(self, asked: Asked) -> str:
        """A member objects to what was done about a message of theirs."""
        number, _, words = asked.rest.lstrip("#").partition(" ")
        told = await self._appeal_against(int(number), words.strip(), asked) if number.isdigit() else None
        return told or asked.say["telegram.usage.appeal"]

    async def _appeal_against(self, incident_id: int, words: str, asked: Asked) -> str | None:
        """None where it is not about them."""
        incident = await self.desk.mine(Platform.TELEGRAM, str(asked.speaker_id), incident_id)
        if incident is None:
            return None
        community = self.desk.community(Platform.TELEGRAM, incident.decision.message.community_id)
        if community.moderators_channel is None:
            return asked.say["telegram.no_moderators_chat"]
        is_first = await self.desk.appeal(Platform.TELEGRAM, community.id, incident_id, words)
        return asked.say["telegram.appeal_sent" if is_first else "telegram.appeal_already"]

    async def _privacy(self, asked: Asked) -> str:
        return asked.say["telegram.privacy"]

    # ---- shared -----------------------------------------------------------------------------------------------------

    async def _set(self, group: str, asked: Asked, **changes: Any) -> None:
        await self.desk.change(Platform.TELEGRAM, group, lambda now: replace(now, **changes), by=asked.by)

    async def _is_admin(self, asked: Asked, group: int) -> bool:
        if asked.is_anonymous_admin:  # known to be an admin of the chat that they write in, and of no other
            return asked.chat_id == group
        return await self.members.is_admin(group, asked.user_id)

    async def _tell_moderators(self, community_id: str, text: str) -> bool:
        channel = self.desk.community(Platform.TELEGRAM, community_id).moderators_channel
        if channel is None:
            return False

        async def tell(id_: int) -> None:
            async with self.limiter.turn(id_, Lane.NOTICE):
                await self.bot.send_message(id_, text, link_preview_options=LinkPreviewOptions(is_disabled=True))

        try:
            await self.moves.follow(int(channel), tell)
        except (BadRequest, Forbidden, ChatMigrated):
            return False
        return True

    async def _answer(self, asked: Asked, text: str, menu: InlineKeyboardMarkup | None = None) -> None:
        async with self.limiter.turn(asked.chat_id, Lane.NOTICE):
            await self.bot.send_message(
                asked.chat_id, cut(text, LONGEST), reply_markup=menu,
                message_thread_id=asked.message.message_thread_id if asked.message.is_topic_message else None,
                reply_parameters=ReplyParameters(asked.message.message_id, allow_sending_without_reply=True)
                if asked.message.chat.type in GROUPS else None,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )  # fmt: skip

    async def _answer_press(self, query: CallbackQuery, text: str) -> None:
        try:
            with mapped(self.limiter.say):
                await self.bot.answer_callback_query(query.id, text)
        except (BadRequest, Unavailable):
            pass  # too late to answer; what was chosen counts

    def _language(self, message: TelegramMessage) -> Texts:
        """The group's language; in private the person's."""
        if message.chat.type in GROUPS and (
            language := self.desk.community(Platform.TELEGRAM, str(message.chat.id)).language
        ):
            return texts(language)
        return texts(_spoken(message.from_user.language_code if message.from_user else None))

    async def _title(self, chat_id: str | None) -> str:
        """What a chat is called, as far as we may know."""
        if chat_id is None:
            return "-"
        try:
            async with self.limiter.turn(int(chat_id), Lane.MODERATION):
                return (await self.bot.get_chat(int(chat_id))).title or chat_id
        except (BadRequest, Forbidden, ChatMigrated):
            return chat_id

    async def _overview(self, community: Community, say: Texts) -> str:
        policy = self.desk.policy(_about(community, self.clock))
        return say(
            "telegram.overview",
            name=await self._title(community.id),
            mode=say[f"telegram.mode.{policy.mode}"],
            preset=say[f"telegram.preset.{community.preset}"] if community.preset else "-",
            language=say[f"in_language.{policy.language}"],
            moderators=await self._title(community.moderators_channel),
            report=await self._title(community.report_channel),
            schedule=schedule_line(self.desk.schedule(Platform.TELEGRAM, community.id), say),
        )

    def _menu(self, community: Community, say: Texts) -> InlineKeyboardMarkup:
        policy = self.desk.policy(_about(community, self.clock))
        chosen = {"preset": community.preset, "mode": policy.mode, "language": policy.language}

        def button(what: str, value: str, text: str) -> InlineKeyboardButton:
            mark = "✓ " if chosen.get(what) == value else ""
            return InlineKeyboardButton(mark + text, callback_data=f"setup:{community.id}:{what}:{value}")

        def choose_chat(purpose: str) -> InlineKeyboardButton:
            link = f"https://t.me/{self.username}?startgroup={purpose}_{community.id}"
            return InlineKeyboardButton(say[f"telegram.choose_{purpose}"], url=link)

        schedule = self.desk.schedule(Platform.TELEGRAM, community.id)
        weekly, daily = "monday" if schedule.weekday is None else "off", "off" if schedule.daily else "on"
        return InlineKeyboardMarkup(
            [
                [choose_chat("mods"), choose_chat("report")],
                [button("preset", name, say[f"telegram.preset.{name}"]) for name in PRESETS],
                [button("mode", mode, say[f"telegram.mode.{mode}"]) for mode in Watch],
                [button("language", "ko", "한국어"), button("language", "en", "English")],
                [
                    button("report", weekly, say[f"telegram.report_{'off' if weekly == 'off' else 'on'}"]),
                    button("daily", daily, say[f"telegram.daily_{daily}"]),
                ],
            ]
        )


async def invitation(token: str, api_url: str, say: Texts) -> str:
    """The link that adds the bot to a group with the rights it needs; asks Telegram for the bot's name. Raises `Broken`
    and `Unavailable`."""
    with mapped(say):
        async with Bot(token, base_url=f"{api_url.rstrip('/')}/bot") as bot:
            rights = "+".join(right.removeprefix("can_") for right in NEEDED)
            return f"https://t.me/{bot.username}?startgroup=true&admin={rights}"


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


def _chosen(community: Community, what: str, value: str) -> Community:
    match what:
        case "preset" if value in PRESETS:
            return replace(community, preset=value)
        case "mode" if value in tuple(Watch):
            return replace(community, mode=Watch(value))
        case "language" if value in LANGUAGES:
            return replace(community, language=value)
        case "report" if value in (*DAYS, "off"):
            return replace(community, report_day=value)
        case "daily" if value in ("on", "off"):
            return replace(community, daily_digest=value == "on")
    return community


def _spoken(code: str | None) -> str:
    """A person's language as far as we speak it."""
    return "en" if code and not code.startswith("ko") else "ko"


def _about(community: Community, clock: Clock) -> Message:
    """Stands for any message of this community."""
    return Message(
        ref=MessageRef(Platform.TELEGRAM, community.id, "0"), community_id=community.id, author=Author(id="0"),
        sent_at=clock.now(),
    )  # fmt: skip
