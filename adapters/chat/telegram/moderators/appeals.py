"""What members ask about what was done to them: what became of it, and their objection, which moderators see."""

import re
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from telegram import ForceReply
from telegram import Message as TelegramMessage

from adapters.chat.telegram.acting.notices import measures, notice_by_hand
from adapters.chat.telegram.limits import Lane
from adapters.chat.telegram.moderators.asking import Answers, Typed
from adapters.chat.telegram.moderators.rooms import Rooms
from adapters.chat.telegram.refs import TELEGRAM
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import CODE, Case
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call, Filed
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts
from bot.wording.times import moment

ASKED_FOR = 900.0  # seconds in which what somebody writes in private is what they want to say about their case
REMEMBERED = 10_000  # members who were asked for their words

#: In what we say to a member, and in the links of its buttons.
_ABOUT = re.compile(rf"(?:/appeal[ _]|start=appeal_)({CODE})(?![0-9A-Z])")

#: Behind the link that earlier versions put under what was done by hand.
_DEED = re.compile(r"(-[0-9]{1,18})_([0-9]{1,18})")

#: An incident, or a deed by hand and where it was done.
Theirs: TypeAlias = Incident | tuple[CommunityRef, Case]


@dataclass(slots=True, kw_only=True)
class Appeals:
    desk: Desk
    answers: Answers
    rooms: Rooms
    clock: Clock
    me: int
    _asked_for: Bounded[int, tuple[str, float]] = field(default_factory=lambda: Bounded(REMEMBERED))  # code, when

    async def serve(self, typed: Typed) -> None:
        """/appeal CODE words, or the button that leads here: without words they are asked for."""
        code, words = typed.coded or ("", "")
        theirs = await self._theirs(typed, code) if code else None
        if theirs is None:
            await self._say(typed, typed.say["telegram.usage.appeal"])
        elif words:
            await self._say(typed, await self._file(typed, theirs, words))
        else:
            code = (theirs if isinstance(theirs, Incident) else theirs[1]).code
            self._asked_for[typed.speaker_id] = (code, self.clock.monotonic())
            text = f"{await self._told(theirs, typed.say)}\n\n{typed.say('telegram.say_why', code=code)}"
            await self.answers.say(typed, text, ForceReply(selective=True), lane=Lane.NOTICE)

    async def object(self, typed: Typed, deed: str) -> None:
        """As `serve`, by the link of an earlier version."""
        found = _DEED.fullmatch(deed)
        group = CommunityRef(TELEGRAM, found[1] if found else "")
        case = await self.desk.deeds.cases.get(group, int(found[2])) if found else None
        await self.serve(replace(typed, rest=case.code if case else ""))

    async def _theirs(self, typed: Typed, code: str) -> Theirs | None:
        member = str(typed.speaker_id)
        incident = await self.desk.mine(TELEGRAM, member, code)
        return incident or await self.desk.deeds.cases.mine(TELEGRAM, member, code)

    async def tell(self, typed: Typed) -> bool:
        """/why CODE by whose case it is: what was done, and what became of it; never who did it."""
        if typed.coded is None or not typed.in_private:
            return False
        theirs = await self._theirs(typed, typed.coded[0])
        if theirs is None:
            return False
        await self._say(typed, await self._told(theirs, typed.say))
        return True

    async def hear(self, message: TelegramMessage, say: Texts) -> bool:
        """What a member says in answer to a notice of ours, or in private when asked for it, is their objection."""
        person = message.from_user
        if person is None or (person.is_bot and not message.sender_chat):
            return False
        typed = Typed("appeal", "", message, say, person)
        words = (message.text or message.caption or "").strip()
        for code in self._about(typed):
            theirs = await self._theirs(typed, code)
            if theirs is not None and words:
                self._asked_for.pop(typed.speaker_id, None)
                await self._say(typed, await self._file(typed, theirs, words))
                return True
        return False

    def _about(self, typed: Typed) -> list[str]:
        notice = typed.message.reply_to_message
        if notice and notice.from_user and notice.from_user.id == self.me:
            rows = notice.reply_markup.inline_keyboard if notice.reply_markup else ()
            links = (button.url or "" for row in rows for button in row)
            return _ABOUT.findall("\n".join((notice.text or "", *links)))
        code, at = self._asked_for.get(typed.speaker_id, ("", 0.0))
        is_awaited = code and typed.in_private and self.clock.monotonic() - at <= ASKED_FOR
        return [code] if is_awaited else []

    async def _file(self, typed: Typed, theirs: Theirs, words: str) -> str:
        if isinstance(theirs, Incident):
            community = self.desk.community(theirs.decision.message.community)
            filed = await self.desk.appeal(community.ref, theirs.id, words)
        else:
            community = self.desk.community(theirs[0])
            filed = await self.desk.deeds.appeal(theirs[0], theirs[1].number, str(typed.speaker_id), words)
        if filed is Filed.HEARD and community.moderators_channel is None:
            return typed.say["telegram.appeal_kept"]
        return typed.say[f"appeal.{filed}" if filed else "telegram.usage.appeal"]

    async def _told(self, theirs: Theirs, say: Texts) -> str:
        if isinstance(theirs, Incident):
            return self.case(theirs, say)
        group, case = theirs
        timezone = self.desk.schedule(group).timezone
        return notice_by_hand(case, case.words, await self.rooms.title(group.id), timezone, say)

    def case(self, incident: Incident, say: Texts) -> str:
        """An incident as its author may know it."""
        message, reason = incident.decision.message, incident.decision.reason
        timezone = self.desk.policy(message).timezone
        return say(
            "telegram.case",
            code=incident.code,
            group=message.channel_name or say["telegram.a_group"],
            at=moment(message.sent_at, timezone, self.clock.now()),
            deeds=measures(incident, say),
            reason=reason.in_(say.language) if reason else "-",
            state=say[f"telegram.state.{_state(incident)}"],
        )

    async def _say(self, typed: Typed, text: str) -> None:
        await self.answers.say(typed, text, lane=Lane.NOTICE)


def _state(incident: Incident) -> str:
    if incident.awaits_answer:
        return "appealed"
    if incident.review is None:
        return "open"
    return {Call.WRONG: "undone", Call.LIFT: "lifted", Call.SOFTEN: "lifted"}.get(incident.review.call, "upheld")
