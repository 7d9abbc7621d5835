"""The set-up menu in private, and rooms chosen by links: presses and commands come in, settings change."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from telegram import (
    Bot,
    CallbackQuery,
    ChatMember,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
)
from telegram.error import BadRequest

from adapters.chat.telegram.errors import mapped
from adapters.chat.telegram.limits import Lane, Limiter
from adapters.chat.telegram.members import Members
from adapters.chat.telegram.moderators.asking import Typed, refused, rights_of, spoken
from adapters.chat.telegram.moderators.commands.drawing import Drawing
from adapters.chat.telegram.refs import group_ref
from bot.core.base.bounded import Bounded
from bot.core.base.errors import Unavailable
from bot.core.communities.community import IGNORED, PRESETS, Community
from bot.core.communities.hours import Hours, Night
from bot.core.guarding.kinds import HarmKind
from bot.core.moderators.commands import overview, reports
from bot.core.moderators.permissions import Deed, may
from bot.core.moderators.ports import Desk
from bot.core.reporting.delivery.schedule import DAYS
from bot.core.rules.policy import Watch
from bot.core.text.catalogue import LANGUAGES, Texts, texts

REMEMBERED = 1000  # menus that are written anew when something is chosen elsewhere

_CHOICE = re.compile(
    r"setup:(-[0-9]{1,18}):(preset|mode|language|report|daily|urgent|policy|kind|night|quiet):(\w{1,32})", re.ASCII
)
#: The kinds that people say to each other; all others by command.
KINDS = tuple(HarmKind)[:10]
SAME = "same"
LEVELS = (SAME, *PRESETS, IGNORED)
_KIND = re.compile(f"({'|'.join(KINDS)})__({'|'.join(LEVELS)})")
NIGHT = Night(hours=Hours(start=23, end=7), preset="strict")  # what the button means; other hours by command
QUIET = Hours(start=23, end=8)
_URGENT = re.compile(r"(on|off)([0-9]{1,18})", re.ASCII)

Menu = tuple[str, InlineKeyboardMarkup]


@dataclass(slots=True, kw_only=True)
class Setup:
    bot: Bot
    limiter: Limiter
    members: Members
    drawing: Drawing
    desk: Desk
    username: str = ""
    _menus: Bounded[int, tuple[int, int]] = field(default_factory=lambda: Bounded(REMEMBERED))  # chat, message

    # ---- the menu ---------------------------------------------------------------------------------------------------

    async def invite(self, typed: Typed) -> None:
        """/setup in a group: the way to the menu, which is in private."""
        link = f"https://t.me/{self.username}?start=setup_{typed.group}"
        button = InlineKeyboardButton(typed.say["telegram.open_setup"], url=link)
        await self.drawing.answers.say(typed, typed.say["telegram.setup_in_private"], InlineKeyboardMarkup([[button]]))

    async def open(self, typed: Typed) -> None:
        sent = await self.drawing.answers.say(typed, *await self.menu(typed.group, typed.say))
        self._menus[int(typed.group)] = (sent.chat.id, sent.message_id)

    async def press(self, query: CallbackQuery) -> bool:
        """A button of the menu; False: it is not one. What it says is set, whatever was set before."""
        if (choice := _CHOICE.fullmatch(query.data or "")) is None:
            return False
        group, what, value = choice.groups()
        say = texts(self.desk.community(group_ref(group)).language or spoken(query.from_user.language_code))
        right = (reports.ReportSchedule if what in ("report", "daily") else overview.Setup).right
        rights = await self.members.rights(int(group), query.from_user.id)
        if not may(rights, right):
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
            page = Setup.menu if value == "back" else _PAGES.get(what, Setup.menu)
            await self.rewrite(query.message.chat.id, query.message.message_id, await page(self, group, say))
        if community.mode != before.mode:
            mode = say[f"telegram.mode.{community.mode}"]
            await self.drawing.rooms.tell(community, "telegram.room_mode", by=query.from_user.full_name, mode=mode)
        return True

    async def rewrite(self, chat_id: int, message_id: int, menu: Menu) -> None:
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

    async def bind(self, typed: Typed, purpose: str) -> str:
        """The chat in which this was typed becomes a group's moderators' room ("mods"), or where its reports come
        ("report"). Who binds must look after both, or anybody could bind where they merely may write."""
        say, room = typed.say, typed.chat_id
        for place in (int(typed.group), room):
            if not may(rights := await rights_of(typed, place, self.members), Deed.BIND_ROOM):
                return refused(rights, say) if place == int(typed.group) else say["telegram.only_admins_of_both"]
        if purpose == "mods" and room == int(typed.group):
            return say["telegram.not_the_group_itself"]
        before = self.desk.community(group_ref(typed.group))
        name = await self.drawing.rooms.title(typed.group)
        if purpose == "mods":
            community = await self.change(typed, moderators_channel=str(room))
            if before.moderators_channel not in (None, str(room)):
                await self.drawing.rooms.tell(before, "telegram.room_moved", by=typed.by)
            told = say("telegram.moderators_chat_set", group=name)
            if typed.message.chat.username:
                told += "\n" + say["telegram.room_is_public"]
        else:
            community = await self.change(typed, report_channel=str(room))
            told = say("telegram.report_chat_set", group=name)
        if menu := self._menus.get(int(typed.group)):
            await self.rewrite(*menu, await self.menu(community.id, texts(community.language or say.language)))
        return told

    async def change(self, typed: Typed, **changes: Any) -> Community:
        def edit(now: Community) -> Community:
            return replace(now, **changes)

        return await self.desk.change(group_ref(typed.group), edit, by=typed.by)

    # ---- what is shown ----------------------------------------------------------------------------------------------

    async def menu(self, group: str, say: Texts) -> Menu:
        community, policy = self.desk.community(group_ref(group)), self.drawing.policy(group)
        chosen = {
            "preset": community.preset or policy.preset,
            "mode": community.mode or policy.mode,
            "language": policy.language,
        }

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
                [
                    button("urgent", "menu", say["telegram.choose_urgent"]),
                    button("policy", "menu", say["telegram.choose_policy"]),
                ],
                [InlineKeyboardButton(say["telegram.all_groups"], callback_data="panel:all")],
            ]
        )
        return await self.drawing.overview(group, say), keyboard

    async def _policy_menu(self, group: str, say: Texts) -> Menu:
        """How strict to be with each kind of harm, at night, and when cards make no sound: each button says what it
        makes of it, and shows what holds."""
        now, rows = self.desk.community(group_ref(group)), []
        for kind in KINDS:
            level = now.kinds.get(kind, SAME)
            label = f"{say[f'kind.{kind}']}: {say[f'telegram.level.{level}']}"
            data = f"setup:{group}:kind:{kind}__{LEVELS[(LEVELS.index(level) + 1) % len(LEVELS)]}"
            rows.append(InlineKeyboardButton(label, callback_data=data))
        keys = [rows[place : place + 2] for place in range(0, len(rows), 2)]
        for what, hours in (("night", now.night and now.night.hours), ("quiet", now.quiet)):
            label = say(f"telegram.{what}_on", hours=hours) if hours else say[f"telegram.{what}_off"]
            data = f"setup:{group}:{what}:{'off' if hours else 'on'}"
            keys.append([InlineKeyboardButton(label, callback_data=data)])
        keys.append([InlineKeyboardButton(say["telegram.back"], callback_data=f"setup:{group}:policy:back")])
        return say("telegram.policy_menu", name=await self.drawing.rooms.title(group)), InlineKeyboardMarkup(keys)

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
        return say("telegram.urgent_menu", name=await self.drawing.rooms.title(group)), InlineKeyboardMarkup(rows)


#: What is shown after a choice; for all others the first page.
_PAGES = {
    "urgent": Setup._urgent_menu,
    **dict.fromkeys(("policy", "kind", "night", "quiet"), Setup._policy_menu),
}


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
        case "kind" if chosen := _KIND.fullmatch(value):
            left = {kind: level for kind, level in community.kinds.items() if kind != chosen[1]}
            return replace(community, kinds=left if chosen[2] == SAME else {**left, chosen[1]: chosen[2]})
        case "night":
            return replace(community, night=NIGHT if value == "on" else None)
        case "quiet":
            return replace(community, quiet=QUIET if value == "on" else None)
        case "urgent" if person := _URGENT.fullmatch(value):
            others = tuple(one for one in community.urgent if one != person[2])
            return replace(community, urgent=(*others, person[2]) if person[1] == "on" else others)
    return community
