"""A database -> everything that is kept in it; and what chat networks and the HTTP API are built with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from bot.config import Config
from bot.core.answers.ports import BotRoll
from bot.core.base.clock import Clock
from bot.core.chat.message import Platform
from bot.core.chat.ports import Bookmarks
from bot.core.communities.policies import Policies
from bot.core.communities.ports import Communities, Journal
from bot.core.guarding.queue import GuardQueue
from bot.core.incidents.ports import (
    Cases,
    Feedback,
    Flags,
    Incidents,
    Links,
    Opinions,
    Precedents,
    Reviews,
    SharedBans,
    Webhooks,
)
from bot.core.incidents.raids.ports import Raids
from bot.core.incidents.reviewing import Reviewer
from bot.core.moderation.ports import Inbox, MemberRoll, Outbox, Trials
from bot.core.moderators.network import Context
from bot.core.moderators.ports import Desk
from bot.core.operations.alarm import Alarm
from bot.core.operations.outside.standing import Standings
from bot.core.operations.ports import ApiKeys, HealthSource
from bot.core.operations.sealing import Sealing
from bot.core.reporting.ports import Deliveries, ReportQueries
from bot.core.text.catalogue import Texts
from storage.database import Database
from storage.flow.inbox import SqlInbox
from storage.flow.leases.shares import SqlShares
from storage.flow.outbox import SqlOutbox
from storage.records.deeds import SqlCases
from storage.records.incidents import SqlIncidents
from storage.records.precedents import SqlPrecedents
from storage.records.raids import SqlRaids
from storage.records.reviews import SqlReviews
from storage.records.rolls import SqlBotRoll, SqlMemberRoll
from storage.reports.deliveries import SqlDeliveries
from storage.reports.queries import SqlReportQueries
from storage.reports.standing import SqlStandings
from storage.reports.trials import SqlTrials
from storage.settings.api_keys import SqlApiKeys
from storage.settings.bookmarks import SqlBookmarks
from storage.settings.communities import SqlCommunities
from storage.settings.feedback import SqlFeedback
from storage.settings.flags import SqlFlags
from storage.settings.journal import SqlJournal
from storage.settings.opinions import SqlOpinions
from storage.settings.sharing import SqlLinks, SqlSharedBans
from storage.settings.webhooks import SqlWebhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Every port over one database."""

    inbox: Inbox
    outbox: Outbox
    incidents: Incidents
    reviews: Reviews
    precedents: Precedents
    cases: Cases
    raids: Raids
    shared_bans: SharedBans
    links: Links
    flags: Flags
    opinions: Opinions
    bots: BotRoll
    members: MemberRoll
    trials: Trials
    communities: Communities
    journal: Journal
    bookmarks: Bookmarks
    keys: ApiKeys
    report_queries: ReportQueries
    deliveries: Deliveries
    webhooks: Webhooks
    feedback: Feedback
    standings: Standings

    @classmethod
    def over(
        cls, database: Database, shares: SqlShares | None = None, acting: Mapping[Platform, SqlShares] | None = None
    ) -> Self:
        """`shares`: of which messages are claimed, if not of all communities; `acting`: and actions, by platform."""
        return cls(
            inbox=SqlInbox(database, shares),
            outbox=SqlOutbox(database, acting),
            incidents=SqlIncidents(database),
            reviews=SqlReviews(database),
            precedents=SqlPrecedents(database),
            cases=SqlCases(database),
            raids=SqlRaids(database),
            shared_bans=SqlSharedBans(database),
            links=SqlLinks(database),
            flags=SqlFlags(database),
            opinions=SqlOpinions(database),
            bots=SqlBotRoll(database),
            members=SqlMemberRoll(database),
            trials=SqlTrials(database),
            communities=SqlCommunities(database),
            journal=SqlJournal(database),
            bookmarks=SqlBookmarks(database),
            keys=SqlApiKeys(database),
            report_queries=SqlReportQueries(database),
            deliveries=SqlDeliveries(database),
            webhooks=SqlWebhooks(database),
            feedback=SqlFeedback(database),
            standings=SqlStandings(database),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What chat platforms are built with: the record for their commands, the desk for their buttons."""

    config: Config
    clock: Clock
    desk: Desk
    bookmarks: Bookmarks
    inbox: Inbox
    incidents: Incidents
    reviewer: Reviewer
    policies: Policies
    queue: GuardQueue
    keys: ApiKeys
    webhooks: Webhooks
    feedback: Feedback
    sealing: Sealing
    alarm: Alarm
    health_source: HealthSource
    hears: bool = True
    among: Callable[[Platform], int] = lambda _: 1
    serving: Callable[[], int] = lambda: 1  # processes that answer over HTTP

    def context(self, say: Texts) -> Context:
        """What a chat network is connected with."""
        return Context(
            desk=self.desk, inbox=self.inbox, bookmarks=self.bookmarks, clock=self.clock, say=say, hears=self.hears,
            among=self.among,
        )  # fmt: skip
