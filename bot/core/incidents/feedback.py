"""A judgement that was given over HTTP -> a code for it; the code, and what its receiver says -> a precedent.

It holds for what is asked over HTTP: what is done in a chat is its moderators' to say, and their calls go first.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.core.base.clock import Clock
from bot.core.chat.message import Author, CommunityRef, Message
from bot.core.incidents.ports import Feedback
from bot.core.rules.decision import Decision
from bot.core.rules.policy import Mode
from bot.core.rules.precedent import Judged, Mark, Precedent, Ruling, likeness

OPEN_FOR = timedelta(days=7)  # for so long a judgement may be spoken about
HOLDS = timedelta(days=180)
LONGEST_CODE = 4000  # characters
MOST_PIECES = 150  # of a text that a code holds: of longer ones it recognises the very same alone


def said_in(message: Message) -> Message:
    """As it is recognised: an answer is another one where something else was asked."""
    if message.prompt is None:
        return message
    author = Author(id=message.author.id)
    return replace(message, author=author, prompt=None, text=f"{message.prompt}\n{message.text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Codes of what live rules have found; of nothing else can anybody say that it was right or wrong."""

    feedback: Feedback
    mark: Mark
    clock: Clock

    async def code(self, decisions: Iterable[Decision]) -> str | None:
        """Of what was judged together, recognised by the last of those in which something was found."""
        found: set[str] = set()
        said: Message | None = None
        for decision in decisions:
            if rules := {one.rule for one in decision.findings if one.matched and one.mode is Mode.LIVE}:
                found, said = found | rules, said_in(decision.message)
        seen = likeness(said, self.mark) if said else None
        if said is None or seen is None:
            return None
        if len(seen.pieces) > MOST_PIECES:
            seen = replace(seen, pieces=frozenset())
        about = Judged(rules=frozenset(found), likeness=seen, at=self.clock.now())
        return await self.feedback.code(said.community, about)

    async def hear(self, community: CommunityRef, code: str, ruling: Ruling, *, by: str) -> bool | None:
        """Whether that changes anything: it may have been said before. None where the community was given no such
        judgement, or too long ago. `by`: the key that speaks."""
        about, now = await self.feedback.read(community, code), self.clock.now()
        if about is None or now - about.at > OPEN_FOR:
            return None
        precedent = Precedent(
            incident_id=None, ruling=ruling, rules=about.rules, likeness=about.likeness, until=now + HOLDS
        )
        return await self.feedback.take(community, code, precedent, by=by)
