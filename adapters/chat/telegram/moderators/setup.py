"""The set-up menu in private, and rooms chosen by links: presses and commands come in, settings change."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from telegram import (
    Bot,
    CallbackQuery,
    ChatMember,
    ChatMemberAdministrator,
    ChatMemberUpdated,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
)
from telegram.error import BadRequest, ChatMigrated, Forbidden

from adapters.chat.telegram.errors import mapped
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import NEEDED, Members
from adapters.chat.telegram.moderators.asking import Answers, Asked, rights_of
from adapters.chat.telegram.moderators.cards.board import CardBoard
from adapters.chat.telegram.moving import Moves
from adapters.chat.telegram.receiving.reading import GROUPS
from adapters.chat.telegram.refs import TELEGRAM, group_ref
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.base.errors import Unavailable
from bot.core.chat.message import Author, Message, MessageRef
from bot.core.chat.rights import Right
from bot.core.communities.community import Community
from bot.core.moderators.permissions import Deed, may
from bot.core.moderators.ports import Desk
from bot.core.reporting.delivery.schedule import DAYS
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import LANGUAGES, Texts, texts
from bot.wording.schedules import schedule_line

PRESETS = ("gentle", "balanced", "strict")
SETTLES = 3.0  # seconds after which a group that was added as somebody's room is known as one
REMEMBERED = 1000  # menus that are written anew when something is chosen elsewhere

_CHOICE = re.compile(r"setup:(-[0-9]{1,18}):(preset|mode|language|report|daily|urgent):(\w{1,24})", re.ASCII)
_URGENT = re.compile(r"(on|off)([0-9]{1,18})", re.ASCII)
_OUTSIDE = (ChatMember.LEFT, ChatMember.BANNED)

_log = structlog.get_logger(__name__)
Menu = tuple[str, InlineKeyboardMarkup]


@dataclass(slots=True, kw_only=True)
class Setup:
    bot: Bot
    limiter: Limiter
    members: Members
    moves: Moves
    cards: CardBoard
    desk: Desk
    answers: Answers
    clock: Clock
    username: str = ""
    _menus: Bounded[int, tuple[int, int]] = field(default_factory=lambda: Bounded(REMEMBERED))  # chat, message

    # ---- the menu ---------------------------------------------------------------------------------------------------

    async def invite(self, asked: Asked) -> None:
        """/setup in a group: the way to the menu, which is in private."""
        link = f"https://t.me/{self.username}?start=setup_{asked.group}"
        button = InlineKeyboardButton(asked.say["telegram.open_setup"], url=link)
        await self.answers.say(asked, asked.say["telegram.setup_in_private"], InlineKeyboardMarkup([[button]]))

    async def open(self, asked: Asked) -> None:
        sent = await self.answers.say(asked, *await self._menu(asked.group, asked.say))
        self._menus[int(asked.group)] = (sent.chat.id, sent.message_id)

    async def press(self, query: CallbackQuery) -> bool:
        """A button of the menu; False: it is not one. What it says is set, whatever was set before."""
        if (choice := _CHOICE.fullmatch(query.data or "")) is None:
            return False
        group, what, value = choice.groups()
        say = texts(self.desk.community(group_ref(group)).language or spoken(query.from_user.language_code))
        deed = Deed.SCHEDULE if what in ("report", "daily") else Deed.SET_UP
        rights = await self.members.rights(int(group), query.from_user.id)
        if not may(rights, deed):
            await self.answer_press(query, refused(rights, say))
            return True
        try:
            before = self.desk.community(group_ref(group))
            community = await self.desk.change(
                group_ref(group), lambda now: _chosen(now, what, value), by=query.from_user.full_name
            )
        except Unavailable:
            await self.answer_press(query, say["card.try_again"])
            return True
        say = texts(community.language or say.language)
        await self.answer_press(query, say["telegram.saved"] if community != before else "")
        if query.message:
            people = what == "urgent" and value != "back"
            menu = await (self._urgent_menu(group, say) if people else self._menu(group, say))
            await self._rewrite(query.message.chat.id, query.message.message_id, menu)
        if community.mode != before.mode:
            mode = say[f"telegram.mode.{community.mode}"]
            await self.tell_room(community, "telegram.room_mode", by=query.from_user.full_name, mode=mode)
        return True

    async def _rewrite(self, chat_id: int, message_id: int, menu: Menu) -> None:
        text, keyboard = menu
        try:
            async with self.limiter.turn(chat_id, Lane.ANSWER):
                await self.bot.edit_message_text(text, chat_id=chat_id, message_id=message_id, reply_markup=keyboard)
        except BadRequest as error:
            if "not modified" not in error.message:
                raise

    async def answer_press(self, query: CallbackQuery, text: str) -> None:
        try:
            with mapped(self.limiter.say):
                await self.bot.answer_callback_query(query.id, text)
        except (BadRequest, Unavailable):
            pass  # too late to answer; what was chosen counts

    # ---- rooms ------------------------------------------------------------------------------------------------------

    async def bind(self, asked: Asked, purpose: str) -> str:
        """The chat in which this was asked becomes a group's moderators' room ("mods"), or where its reports come
        ("report"). Who binds must look after both, or anybody could bind where they merely may write."""
        say, room = asked.say, asked.chat_id
        for place in (int(asked.group), room):
            if not may(rights := await rights_of(asked, place, self.members), Deed.BIND_ROOM):
                return refused(rights, say) if place == int(asked.group) else say["telegram.only_admins_of_both"]
        if purpose == "mods" and room == int(asked.group):
            return say["telegram.not_the_group_itself"]
        before = self.desk.community(group_ref(asked.group))
        name = await self.title(asked.group)
        if purpose == "mods":
            community = await self.change(asked, moderators_channel=str(room))
            if before.moderators_channel not in (None, str(room)):
                await self.tell_room(before, "telegram.room_moved", by=asked.by)
            told = say("telegram.moderators_chat_set", group=name)
            if asked.message.chat.username:
                told += "\n" + say["telegram.room_is_public"]
        else:
            community = await self.change(asked, report_channel=str(room))
            told = say("telegram.report_chat_set", group=name)
        if menu := self._menus.get(int(asked.group)):
            await self._rewrite(*menu, await self._menu(community.id, texts(community.language or say.language)))
        return told

    async def tell_room(self, community: Community, key: str, **facts: object) -> None:
        """Whoever reads the cards of a group knows when something changes about them."""
        if community.moderators_channel is None:
            return
        text = texts(community.language or "ko")(key, group=await self.title(community.id), **facts)

        async def tell(room: int) -> None:
            async with self.limiter.turn(room, Lane.CARD):
                await self.bot.send_message(room, text)

        try:
            await self.moves.follow(int(community.moderators_channel), tell)
        except (BadRequest, Forbidden, ChatMigrated, Unavailable) as error:
            _log.warning("moderators not told of a change", community=community.id, error=type(error).__name__)

    async def change(self, asked: Asked, **changes: Any) -> Community:
        edit: Callable[[Community], Community] = lambda now: replace(now, **changes)  # noqa: E731
        return await self.desk.change(group_ref(asked.group), edit, by=asked.by)

    # ---- what befalls the bot itself -------------------------------------------------------------------------------

    async def changed(self, change: ChatMemberUpdated) -> None:
        """The bot's own place in a group: it welcomes a group once; the moderators hear when it loses what it needs."""
        if change.chat.type not in GROUPS:
            return
        if change.old_chat_member.status in _OUTSIDE and change.new_chat_member.status not in _OUTSIDE:
            await self._welcome(change)
        community = self.desk.community(group_ref(change.chat.id))
        if change.new_chat_member.status in _OUTSIDE:
            await self.tell_room(community, "telegram.removed", by=change.from_user.full_name)
            return
        had, has = _useful(change.old_chat_member), _useful(change.new_chat_member)
        self.cards.forgive(community.id)  # what is told once is told again when it happens again
        if lost := [right for right in NEEDED if right in had - has]:
            say = texts(community.language or "ko")
            problems = " ".join(say[f"telegram.missing.{right}"] for right in lost)
            await self.tell_room(community, "telegram.demoted", by=change.from_user.full_name, problems=problems)

    async def _welcome(self, change: ChatMemberUpdated) -> None:
        await self.clock.sleep(SETTLES)
        chat_id = str(change.chat.id)
        community = self.desk.community(group_ref(chat_id))
        is_room = any(one.moderators_channel == chat_id for one in self.desk.communities(TELEGRAM))
        if community.welcomed or is_room:
            return
        say = texts(community.language or spoken(change.from_user.language_code))
        async with self.limiter.turn(change.chat.id, Lane.NOTICE):
            await self.bot.send_message(change.chat.id, say["telegram.welcome"])
        name = change.chat.title or ""
        await self.desk.change(group_ref(chat_id), lambda now: replace(now, name=name, welcomed=True), by="")

    # ---- what is shown ----------------------------------------------------------------------------------------------

    async def title(self, chat_id: str | None) -> str:
        """What a chat is called, as far as we may know."""
        if chat_id is None:
            return "-"
        try:
            async with self.limiter.turn(int(chat_id), Lane.MODERATION):
                return (await self.bot.get_chat(int(chat_id))).title or chat_id
        except (BadRequest, Forbidden, ChatMigrated):
            return chat_id

    async def overview(self, group: str, say: Texts) -> str:
        community = self.desk.community(group_ref(group))
        policy = self.desk.policy(about(community, self.clock))
        return say(
            "telegram.overview",
            name=await self.title(community.id),
            mode=say[f"telegram.mode.{policy.mode}"],
            preset=say[f"telegram.preset.{community.preset}"] if community.preset else say["telegram.by_default"],
            language=say[f"in_language.{policy.language}"],
            moderators=await self.title(community.moderators_channel),
            report=await self.title(community.report_channel),
            schedule=schedule_line(self.desk.schedule(community.ref), say),
        )

    async def _menu(self, group: str, say: Texts) -> Menu:
        community = self.desk.community(group_ref(group))
        policy = self.desk.policy(about(community, self.clock))
        chosen = {"preset": community.preset, "mode": community.mode or policy.mode, "language": policy.language}

        def button(what: str, value: str, text: str) -> InlineKeyboardButton:
            mark = "✓ " if chosen.get(what) == value else ""
            return InlineKeyboardButton(mark + text, callback_data=f"setup:{community.id}:{what}:{value}")

        def choose_chat(purpose: str) -> InlineKeyboardButton:
            link = f"https://t.me/{self.username}?startgroup={purpose}_{community.id}"
            return InlineKeyboardButton(say[f"telegram.choose_{purpose}"], url=link)

        schedule = self.desk.schedule(community.ref)
        weekly, daily = "monday" if schedule.weekday is None else "off", "off" if schedule.daily else "on"
        keyboard = InlineKeyboardMarkup(
            [
                [choose_chat("mods"), choose_chat("report")],
                [button("preset", name, say[f"telegram.preset.{name}"]) for name in PRESETS],
                [button("mode", mode, say[f"telegram.mode.{mode}"]) for mode in Watch],
                [button("language", "ko", "한국어"), button("language", "en", "English")],
                [
                    button("report", weekly, say[f"telegram.report_{'off' if weekly == 'off' else 'on'}"]),
                    button("daily", daily, say[f"telegram.daily_{daily}"]),
                ],
                [button("urgent", "menu", say["telegram.choose_urgent"])],
            ]
        )
        return await self.overview(group, say), keyboard

    async def _urgent_menu(self, group: str, say: Texts) -> Menu:
        """The group's admins, and which of them are called when something cannot wait."""
        community, rows = self.desk.community(group_ref(group)), []
        admins: Sequence[ChatMember] = await self.members.administrators(int(group))
        for admin in admins:
            is_called = str(admin.user.id) in community.urgent
            data = f"setup:{group}:urgent:{'off' if is_called else 'on'}{admin.user.id}"
            label = ("✓ " if is_called else "") + admin.user.full_name
            rows.append([InlineKeyboardButton(label, callback_data=data)])
        rows.append([InlineKeyboardButton(say["telegram.back"], callback_data=f"setup:{group}:urgent:back")])
        return say("telegram.urgent_menu", name=await self.title(group)), InlineKeyboardMarkup(rows)


def _useful(member: ChatMember) -> set[str]:
    """The rights of NEEDED that the bot has."""
    return {right for right in NEEDED if isinstance(member, ChatMemberAdministrator) and getattr(member, right)}


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
        case "urgent" if person := _URGENT.fullmatch(value):
            others = tuple(one for one in community.urgent if one != person[2])
            return replace(community, urgent=(*others, person[2]) if person[1] == "on" else others)
    return community


def refused(rights: frozenset[Right], say: Texts) -> str:
    """What somebody hears who may not: an admin, which right they lack."""
    return say["telegram.lacking" if rights else "telegram.only_admins"]


def spoken(code: str | None) -> str:
    """A person's language as far as we speak it."""
    return "en" if code and not code.startswith("ko") else "ko"


def about(community: Community, clock: Clock) -> Message:
    """Stands for any message of this community."""
    return Message(
        ref=MessageRef(TELEGRAM, community.id, "0"), community_id=community.id, author=Author(id="0"),
        sent_at=clock.now(),
    )  # fmt: skip
