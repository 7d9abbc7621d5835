"""What members ask about what was done to them: what became of it, and their objection, which moderators see."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from telegram import ForceReply
from telegram import Message as TelegramMessage

from adapters.chat.telegram.acting.notices import measures
from adapters.chat.telegram.limits import Lane
from adapters.chat.telegram.moderators.asking import Answers, Typed
from adapters.chat.telegram.refs import TELEGRAM
from bot.core.base.bounded import Bounded
from bot.core.base.clock import Clock
from bot.core.chat.message import CommunityRef
from bot.core.incidents.case import Case
from bot.core.incidents.incident import Incident
from bot.core.incidents.review import Call, Filed
from bot.core.moderators.ports import Desk
from bot.core.text.catalogue import Texts
from bot.wording.times import moment

ASKED_FOR = 900.0  # seconds in which what somebody writes in private is what they want to say about their incident
REMEMBERED = 10_000  # members who were asked for their words

#: In what we say to a member, and in the links of its buttons.
_ABOUT = re.compile(r"(?:/appeal[ _]|start=appeal_)([0-9]{1,18})")


#: Behind the link under what was done by hand.
_DEED = re.compile(r"(-[0-9]{1,18})_([0-9]{1,18})")


class Deed(NamedTuple):
    group: str
    number: int


@dataclass(slots=True, kw_only=True)
class Appeals:
    desk: Desk
    answers: Answers
    clock: Clock
    me: int
    _asked_for: Bounded[int, tuple[int, float]] = field(default_factory=lambda: Bounded(REMEMBERED))  # incident, when
    _asked_about: Bounded[int, tuple[Deed, float]] = field(default_factory=lambda: Bounded(REMEMBERED))

    async def serve(self, typed: Typed) -> None:
        """/appeal NUMBER words, or the button that leads here: without words they are asked for."""
        if typed.numbered is None:
            await self._say(typed, typed.say["telegram.usage.appeal"])
            return
        incident_id, words = typed.numbered
        incident = await self.desk.mine(TELEGRAM, str(typed.speaker_id), incident_id)
        if incident is None:
            await self._say(typed, typed.say["telegram.usage.appeal"])
        elif words:
            await self._say(typed, await self._file(incident, words, typed.say))
        else:
            self._asked_for[typed.speaker_id] = (incident_id, self.clock.monotonic())
            self._asked_about.pop(typed.speaker_id, None)
            text = f"{self.case(incident, typed.say)}\n\n{typed.say('telegram.say_why', id=incident_id)}"
            await self.answers.say(typed, text, ForceReply(selective=True), lane=Lane.NOTICE)

    async def ask(self, typed: Typed, deed: str) -> None:
        """The button under what was done by hand leads here: they are asked for their words."""
        found = _DEED.fullmatch(deed)
        case = await self._theirs(typed, Deed(found[1], int(found[2]))) if found else None
        if case is None or found is None:
            await self._say(typed, typed.say["telegram.usage.appeal"])
            return
        self._asked_about[typed.speaker_id] = Deed(found[1], case.number), self.clock.monotonic()
        self._asked_for.pop(typed.speaker_id, None)
        text = typed.say("telegram.say_why_case", case=case.number, kind=typed.say[f"case_kind.{case.kind}"])
        await self.answers.say(typed, text, ForceReply(selective=True), lane=Lane.NOTICE)

    async def _theirs(self, typed: Typed, deed: "Deed") -> Case | None:
        case = await self.desk.deeds.cases.get(CommunityRef(TELEGRAM, deed.group), deed.number)
        return case if case and case.member.id == str(typed.speaker_id) and case.kind.strikes else None

    async def _object(self, typed: Typed, words: str) -> bool:
        """What they write who were asked for it just before."""
        deed, at = self._asked_about.get(typed.speaker_id, (None, 0.0))
        if deed is None or not typed.in_private or not words or self.clock.monotonic() - at > ASKED_FOR:
            return False
        self._asked_about.pop(typed.speaker_id, None)
        group = CommunityRef(TELEGRAM, deed.group)
        filed = await self.desk.deeds.appeal(group, deed.number, str(typed.speaker_id), words)
        await self._say(typed, typed.say[f"appeal.{filed}" if filed else "telegram.usage.appeal"])
        return True

    async def tell(self, typed: Typed) -> bool:
        """/why NUMBER by the author of the message: what was done, and what became of it; never who did it."""
        if typed.numbered is None or not typed.in_private:
            return False
        incident = await self.desk.mine(TELEGRAM, str(typed.speaker_id), typed.numbered[0])
        if incident is None:
            return False
        await self._say(typed, self.case(incident, typed.say))
        return True

    async def hear(self, message: TelegramMessage, say: Texts) -> bool:
        """What a member says in answer to a notice of ours, or in private when asked for it, is their objection."""
        person = message.from_user
        if person is None or (person.is_bot and not message.sender_chat):
            return False
        typed = Typed("appeal", "", message, say, person)
        words = (message.text or message.caption or "").strip()
        if await self._object(typed, words):
            return True
        for incident_id in self._about(typed):
            incident = await self.desk.mine(TELEGRAM, str(typed.speaker_id), incident_id)
            if incident is not None and words:
                self._asked_for.pop(typed.speaker_id, None)
                await self._say(typed, await self._file(incident, words, say))
                return True
        return False

    def _about(self, typed: Typed) -> list[int]:
        notice = typed.message.reply_to_message
        if notice and notice.from_user and notice.from_user.id == self.me:
            rows = notice.reply_markup.inline_keyboard if notice.reply_markup else ()
            links = (button.url or "" for row in rows for button in row)
            return [int(number) for number in _ABOUT.findall("\n".join((notice.text or "", *links)))]
        incident_id, at = self._asked_for.get(typed.speaker_id, (0, 0.0))
        is_awaited = incident_id and typed.in_private and self.clock.monotonic() - at <= ASKED_FOR
        return [incident_id] if is_awaited else []

    async def _file(self, incident: Incident, words: str, say: Texts) -> str:
        community = self.desk.community(incident.decision.message.community)
        filed = await self.desk.appeal(community.ref, incident.id, words)
        if filed is Filed.HEARD and community.moderators_channel is None:
            return say["telegram.appeal_kept"]
        return say[f"appeal.{filed}" if filed else "telegram.usage.appeal"]

    def case(self, incident: Incident, say: Texts) -> str:
        """An incident as its author may know it."""
        message, reason = incident.decision.message, incident.decision.reason
        timezone = self.desk.policy(message).timezone
        return say(
            "telegram.case",
            id=incident.id,
            group=message.channel_name or say["telegram.a_group"],
            at=moment(message.sent_at, timezone),
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
