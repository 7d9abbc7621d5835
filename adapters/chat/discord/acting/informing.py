"""Members have pointed to a message, and moderators have looked at it -> a word to each in private about that."""

from contextlib import suppress

from adapters.chat.discord.acting.private import ClosedDoor, PrivateMessages
from adapters.chat.discord.errors import outcome_of
from bot.core.incidents.incident import PlannedAction
from bot.core.moderators.ports import Desk
from bot.core.rules.actions import Done, Inform, Outcome
from bot.core.text.catalogue import Texts
from bot.wording.cards import informed


async def inform(private: PrivateMessages, desk: Desk, planned: PlannedAction, given: Inform, say: Texts) -> Outcome:
    """As many as may be written to now. Who was told is not told again, wherever this breaks off."""
    community = planned.message.community
    for flag, member in await desk.flagging.untold(community, planned.incident_id):
        private.make_room(community.id, member, planned.planned_at or planned.message.sent_at)
        word = informed(desk.community(community), given, say)
        with suppress(ClosedDoor):
            await outcome_of(private.send(community.id, member, word, nonce=f"flag-{flag}"), say, needs="send_messages")
        await desk.flagging.told(flag)
    return Done()
