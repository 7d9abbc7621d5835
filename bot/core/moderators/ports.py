"""A chat network in all its roles, and what it asks the core while moderators press and type.

Every method may raise `Unavailable` (try again later) or `Broken` (never again in this process); nothing else
crosses a port.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bot.core.answers.bot import Bot
from bot.core.chat.message import CommunityRef, Message, Platform
from bot.core.chat.ports import MessageSource
from bot.core.chat.post import Post
from bot.core.communities.community import Community
from bot.core.communities.ports import Owners, PolicyFiles
from bot.core.communities.versions import Version
from bot.core.incidents.case import CaseKind
from bot.core.incidents.deeds import Deeds
from bot.core.incidents.elsewhere.sharing import Sharing
from bot.core.incidents.incident import Incident
from bot.core.incidents.ports import CardBoard, Precedents
from bot.core.incidents.raids.watch import RaidWatch
from bot.core.incidents.review import Call, Filed, History
from bot.core.incidents.reviewing import Reviewed
from bot.core.moderation.flagging import Flagging
from bot.core.moderation.ports import ActionExecutor
from bot.core.moderators.answer import Channel, Member, Said
from bot.core.operations.privacy import Privacy
from bot.core.reporting.delivery.schedule import Schedule
from bot.core.reporting.figures import TrialFigures
from bot.core.reporting.ports import Poster
from bot.core.reporting.what_if import WhatIf
from bot.core.rules.actions import Lock, Means
from bot.core.rules.conditions import NOTHING_BEFORE, Past
from bot.core.rules.decision import Decision
from bot.core.rules.policy import Policy, Rule


class Desk(Protocol):
    """What a chat platform asks the core while moderators press buttons and type commands. Who may, is the
    platform's to check, every time."""

    @property
    def deeds(self) -> Deeds:
        """What they do by hand, and what is counted."""
        ...

    @property
    def raids(self) -> RaidWatch:
        """What many do at once, and what is done about that."""
        ...

    @property
    def sharing(self) -> Sharing:
        """What communities of one owner share."""
        ...

    @property
    def flagging(self) -> Flagging:
        """What members point to."""
        ...

    @property
    def precedents(self) -> Precedents:
        """What their calls mean for what is said again."""
        ...

    @property
    def privacy(self) -> Privacy:
        """What is kept of members, for themselves."""
        ...

    @property
    def anomalies(self) -> int:
        """Answers of the guard, since the start, that were odd or no verdict."""
        ...

    @property
    def reads_house_rules(self) -> bool:
        """Whether a guard reads what communities have written down."""
        ...

    def community(self, ref: CommunityRef) -> Community:
        """The settings, empty ones where nothing was set."""
        ...

    def communities(self, platform: Platform) -> Sequence[Community]:
        """All that have set something."""
        ...

    def schedule(self, community: CommunityRef) -> Schedule:
        """When a community gets which report."""
        ...

    def is_quiet(self, community: CommunityRef) -> bool:
        """Whether what calls nobody makes no sound there now."""
        ...

    def policy(self, message: Message) -> Policy:
        """The rules that a message is under, now."""
        ...

    @property
    def policy_files(self) -> PolicyFiles:
        """Policies as files."""
        ...

    async def versions(self, community: CommunityRef) -> Sequence[Version]:
        """See `Communities.versions`."""
        ...

    async def change(self, community: CommunityRef, edit: Callable[[Community], Community], *, by: str) -> Community:
        """See `Communities.change`."""
        ...

    def bots(self, community: CommunityRef) -> Sequence[tuple[Bot, bool]]:
        """The other bots that were seen there, and whether what each says is judged as answers."""
        ...

    async def move(self, community: CommunityRef, new_id: str) -> None:
        """See `Communities.move`."""
        ...

    async def look_up(self, community: CommunityRef, incident_id: int, *folded: int) -> tuple[Incident, History] | None:
        """An incident as it is now, and what else is on record about its author, but for those `folded` into its card;
        None also where it is another community's."""
        ...

    async def history(self, community: CommunityRef, member_id: str) -> History:
        """What is on record about a member."""
        ...

    async def shown_with(self, incident: Incident, receipt: str) -> Sequence[int]:
        """This incident and all that are on record as shown on that card, oldest first."""
        ...

    async def numbers(self, community: CommunityRef, incidents: Sequence[int]) -> Mapping[int, int]:
        """See `Incidents.numbers`."""
        ...

    async def numbered(self, community: CommunityRef, numbers: Sequence[int]) -> Mapping[int, int]:
        """See `Incidents.numbered`."""
        ...

    async def whose(self, platform: Platform, incident_id: int) -> CommunityRef | None:
        """The community that an incident is of: to ask there what somebody may do, and for nothing else."""
        ...

    async def mine(self, platform: Platform, author_id: str, code: str) -> Incident | None:
        """An incident about a member's own message by `CODE`, wherever they ask; None also where it is somebody
        else's."""
        ...

    async def call(
        self,
        community: CommunityRef,
        incident_id: int,
        call: Call,
        *,
        moderator_id: str,
        moderator_name: str,
    ) -> Reviewed | None:
        """A moderator's call; what follows from it is planned, unless somebody else came first. None where the
        community has no such incident."""
        ...

    async def appeal(self, community: CommunityRef, incident_id: int, words: str) -> Filed | None:
        """The author of an incident's message objects: that is written down, and shown to the moderators on its card.
        Nothing follows where they had done so before, or too often, or (None) it is another community's incident. Who
        objects, is the platform's to check (`mine`)."""
        ...

    async def judge(self, message: Message, past: Past = NOTHING_BEFORE) -> Decision:
        """What would be decided about a message, after what is told of its author. Nothing is kept and nothing is
        done."""
        ...

    async def what_if(self, community: CommunityRef, rule: Rule, score: float) -> WhatIf | None:
        """What another threshold of a rule would have meant in the last 30 days; None: it asks for no score."""
        ...

    async def trials(self, community: CommunityRef) -> Sequence[TrialFigures]:
        """What guards on trial would have found in the last 30 days, one a guard."""
        ...

    async def report(
        self, community: CommunityRef, period: str | None = None, *, unmasked: bool = False
    ) -> Post | None:
        """A report on a community, made now, in its language: of last week, or of the period of that name
        (`Period.name`); None where there is no such period. `unmasked`: with members' names, for moderators only."""
        ...


class Host(Protocol):
    """What a command asks of the network that hosts its community, in the language of who asks."""

    has_native_filter: bool
    restricts_newcomers: bool  # the network itself, where a community has set that
    first_means: Means  # by which a community is locked where nobody says another
    locks_apart: bool  # its means do not touch each other, and several may be on at a time

    async def problems(self) -> Sequence[str]:
        """What the bot lacks there and what will not work for that, or one line that all is well."""
        ...

    async def tell_moderators(self, said: Said) -> None:
        """In their room, if there is one and it was not asked there, in the community's language. One that cannot be
        reached is passed over."""
        ...

    async def obstacle(self, channel: Channel) -> Said | None:
        """Why who asks may not have messages sent to a channel, or None."""
        ...

    async def obstacle_over(self, member: Member, kind: CaseKind) -> Said | None:
        """Why who asks may not do that to a member, asked of the network now: it is they themselves, the bot, staff or
        somebody above them; or why it cannot be done: nobody of that number is there. Otherwise None."""
        ...

    async def lately(self, most: int, member: Member | None, since: Message | None) -> Sequence[str] | Said:
        """The newest messages of the channel where was asked, by their ids: of a member, from one message on. As far as
        the network lets them be deleted; or why not."""
        ...

    def obstacle_to_filter(self) -> Said | None:
        """Why the network's own filter is out of reach, or None."""
        ...

    async def follow_filter(self) -> Sequence[Said]:
        """Make the network's own filter what the community has set; what came of it."""
        ...

    async def obstacle_to_lock(self, lock: Lock) -> Said | None:
        """Why who asks, or the bot, may not lock by that, or the network has no such means; or None."""
        ...

    async def obstacles_to_gate(self) -> Sequence[Said]:
        """What keeps us from letting people in."""
        ...


class ChatPlatform(MessageSource, ActionExecutor, CardBoard, Poster, Owners, Protocol):
    """One chat network in all its roles."""
