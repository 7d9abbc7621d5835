"""The schema as Core tables, long because it is one; migrations/versions/ builds the same (docs/schema.md)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TextClause,
    UniqueConstraint,
    text,
)

from bot.core.operations.sealing import Span
from storage.columns import Id, Instant, Sealed, Words

metadata = MetaData()

#: What is left of a decision whose key is gone.
_UNKNOWN = """
    {"v": 1, "screening": {"guard": {"name": ""}, "unscreened": "unreadable"}, "policy_version": "", "language": "ko"}
"""


def _index(name: str, *columns: Column[object], where: TextClause | None = None, unique: bool = False) -> None:
    Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


#: One row for each community that anything is known of. Its key never changes and is never given twice; everything
#: that belongs to it refers to that, so that a group whose id changes is one changed row.
communities = Table(
    "communities",
    metadata,
    Column("key", Id, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("settings", Sealed(lost=None)),  # settings/communities.py; NULL: has set nothing
    Column("version", BigInteger, nullable=False),  # the number of the change that wrote its settings
    Column("next_case", BigInteger, nullable=False, server_default="1"),
    UniqueConstraint("platform", "id", name="communities_place"),
    sqlite_autoincrement=True,
)
_index("communities_version", communities.c.version)


def _community(*, primary_key: bool = False) -> Column[int]:
    return Column("community", BigInteger, ForeignKey("communities.key"), nullable=False, primary_key=primary_key)


#: One row for each process that leases work. On PostgreSQL it must be renewed before `alive_until` (the database's
#: clock), or others take the work over; a SQLite file has one process at a time and no need for that.
holders = Table(
    "holders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("alive_until", BigInteger),  # microseconds since 1970
    sqlite_autoincrement=True,  # a number is never given twice: the dead must not pass for the living
)

#: One row for each kind of work that a process takes part in,
workers = Table(
    "workers",
    metadata,
    Column("work", Text, primary_key=True),
    Column("holder", Id, ForeignKey("holders.id", ondelete="CASCADE"), primary_key=True),
)
#: and one for each share of it that was ever held. `epoch` counts how often it was taken: what was begun before counts
#: no more.
shares = Table(
    "shares",
    metadata,
    Column("work", Text, primary_key=True),
    Column("share", SmallInteger, primary_key=True, autoincrement=False),
    Column("holder", BigInteger),
    Column("epoch", BigInteger, nullable=False),
)


def _suspicion() -> tuple[Column[int], Column[int]]:
    """leases/suspects.py explains them. `circle`: how many were suspected with it when their process died; NULL: not
    suspected of that. `faults`: NULL where there was never a reason to suspect it."""
    return Column("circle", Integer), Column("faults", Integer)


_suspected = text("faults IS NOT NULL")

#: One row for each revision of a message that is not settled; while `holder` is set, somebody works on it. The name of
#: a revision is the platform's own and says nothing of the community.
queue = Table(
    "queue",
    metadata,
    Column("id", Id, primary_key=True),  # goes on in `messages`: never given twice
    Column("platform", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    _community(),
    Column("author", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("kept_at", Instant, nullable=False),
    Column("body", Sealed(Span.PASSING, lost=None), nullable=False),  # the rest of the message (codec.write_body)
    Column("share", SmallInteger, nullable=False),  # 0..63, of the community: which process works it
    Column("entered", BigInteger),  # when it came in, or back (leases/entering.py)
    Column("holder", BigInteger),
    Column("aside_at", Instant),  # when it was looked at while the guard was away, to be looked at again
    *_suspicion(),
    UniqueConstraint("platform", "channel", "message", "revision", name="queue_revision"),
    sqlite_autoincrement=True,
    # Rows change in their own page and go soon: room for that, and a sweeping that does not wait for a share of them.
    postgresql_with={"fillfactor": 70, "autovacuum_vacuum_scale_factor": 0, "autovacuum_vacuum_threshold": 2000},
)
_index("queue_entered", queue.c.entered, queue.c.id, where=text("aside_at IS NULL"))
_index("queue_aside", queue.c.sent_at, where=text("aside_at IS NOT NULL"))
_index("queue_suspects", queue.c.faults, where=_suspected)

#: One row for each settled revision: that it was there, never what it said or who said it.
messages = Table(
    "messages",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("platform", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("community", BigInteger, nullable=False),
    Column("author_hash", LargeBinary),
    Column("text_hash", LargeBinary),
    Column("amounts", BigInteger),  # how much was in it (codec/messages.py)
    Column("kind", Text, nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("settled_at", Instant, nullable=False),
    Column("aside_at", Instant),
    Column("score", Float),  # the worst harm score, 0..1
    Column("ms", Float),  # from taking up to deciding, milliseconds
    Column("forget_at", Instant),
    UniqueConstraint("platform", "channel", "message", "revision", name="messages_revision"),
)
_index("messages_sent", messages.c.sent_at, messages.c.community)
_index(
    "messages_author",
    messages.c.community,
    messages.c.author_hash,
    messages.c.sent_at,
    where=text("author_hash IS NOT NULL"),
)
_index("messages_once_aside", messages.c.aside_at, where=text("aside_at IS NOT NULL"))

#: One row for each decision in which a rule matched. It has the text of its own, as it was judged.
incidents = Table(
    "incidents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("message", BigInteger, ForeignKey("messages.id"), nullable=False),
    _community(),
    Column("author", Text),
    Column("author_hash", LargeBinary),
    Column("rule", Text),
    Column("decided_at", Instant, nullable=False),
    Column("body", Sealed(lost='{"v": 1}')),  # codec.write_body
    Column("decision", Sealed(lost=_UNKNOWN), nullable=False),  # codec.write_decision
    Column("withdrawn_at", Instant),
    Column("forget_at", Instant),
    Column("held_until", Instant),
    Column("held_because", Sealed),
    Column("other_hash", LargeBinary),  # of a second member whom the decision names
    Column("trial", Text),  # what a guard on trial would have changed (reports/trials.py)
    UniqueConstraint("message", name="incidents_message"),
)
_index("incidents_decided", incidents.c.decided_at)
_index("incidents_community", incidents.c.community, incidents.c.decided_at)
_index("incidents_author", incidents.c.community, incidents.c.author)
_index("incidents_other", incidents.c.community, incidents.c.other_hash, where=text("other_hash IS NOT NULL"))

#: One row for each action of an incident, or of a deed by hand. `state` goes planned -> started -> the kind of its
#: outcome, and back to planned when it is postponed: then it sleeps until `not_before`, and the next claim wakes it by
#: erasing that.
actions = Table(
    "actions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident", BigInteger, ForeignKey("incidents.id")),  # or
    Column("case", BigInteger, ForeignKey("cases.id")),
    Column("position", Integer, nullable=False),
    Column("platform", Text, nullable=False),  # of those that act on it: a claim names some
    Column("community", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("protects", Boolean, nullable=False),
    Column("args", Sealed(lost=None), nullable=False),  # codec.write_action
    Column("state", Text, nullable=False),
    Column("reason", Words),  # why the platform refused; of what is done, the receipt
    Column("begun", Text),  # the receipt of what an attempt put there and did not finish
    Column("not_before", Instant),
    Column("holder", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("forget_at", Instant),
    *_suspicion(),
    UniqueConstraint("incident", "position", name="actions_position"),
    UniqueConstraint("case", "position", name="actions_place"),
)
_open = text("finished_at IS NULL")
_index("actions_open", actions.c.id, where=_open)
#: In the words of sql.py: SQLite knows an index by no others.
_index(
    "actions_free",
    actions.c.protects,
    actions.c.platform,
    actions.c.community,
    actions.c.attempts,
    actions.c.id,
    where=text("finished_at IS NULL AND holder IS NULL AND not_before IS NULL AND circle IS NULL"),
)
_asleep = text("finished_at IS NULL AND holder IS NULL AND not_before IS NOT NULL")
_index("actions_asleep", actions.c.not_before, where=_asleep)
_index("actions_urgent", actions.c.finished_at, where=text("kind = 'escalate'"))
_index("actions_suspects", actions.c.faults, where=_suspected)
_index("actions_receipts", actions.c.community, actions.c.reason, where=text("reason IS NOT NULL"))

#: One row for each call of a moderator. Of those that close the review, `closes` holds for the last one alone.
reviews = Table(
    "reviews",
    metadata,
    Column("id", Id, primary_key=True),
    Column("incident", BigInteger, ForeignKey("incidents.id"), nullable=False),
    Column("call", Text, nullable=False),
    Column("moderator", Text, nullable=False),
    Column("moderator_name", Sealed, nullable=False),
    Column("at", Instant, nullable=False),
    Column("closes", Boolean, nullable=False),
)
_index("reviews_closing", reviews.c.incident, where=text("closes"), unique=True)
_index("reviews_incident", reviews.c.incident, reviews.c.id)
_index("reviews_at", reviews.c.at)

#: One row for everything that guards found in the message of an incident (codec.judgements).
verdicts = Table(
    "verdicts",
    metadata,
    Column("incident", BigInteger, ForeignKey("incidents.id"), primary_key=True),
    Column("part", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("guard", Text, primary_key=True),
    Column("probability", Float, nullable=False),
    Column("quotes", Float),
    sqlite_with_rowid=False,
)

#: One row for each thing that moderators count: an incident, or a deed of their own.
cases = Table(
    "cases",
    metadata,
    Column("id", Id, primary_key=True),
    _community(),
    Column("number", BigInteger, nullable=False),  # of the community
    Column("code", Text, nullable=False),  # what members see instead
    Column("incident", BigInteger, ForeignKey("incidents.id")),
    Column("deed", Text),  # core.incidents.case.CaseKind; NULL: an incident
    Column("member", Text),
    Column("member_hash", LargeBinary),
    Column("moderator", Text),
    Column("words", Sealed(lost=None)),  # codec.write_words
    Column("state", Text, nullable=False),  # core.incidents.case.CaseState
    Column("taken_by", Text),
    Column("severity", Integer),  # core.incidents.case.Severity; NULL: a deed, or of an earlier version
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("forget_at", Instant),
    Column("held_until", Instant),
    UniqueConstraint("community", "number", name="cases_number"),
    UniqueConstraint("code", name="cases_code"),
    UniqueConstraint("incident", name="cases_incident"),
)
_index("cases_by_hand", cases.c.opened_at, where=text("incident IS NULL"))
_index("cases_opened", cases.c.community, cases.c.opened_at)
_index("cases_member", cases.c.community, cases.c.member, cases.c.number)
_index("cases_moderator", cases.c.community, cases.c.moderator, cases.c.number)
_index("cases_deed", cases.c.community, cases.c.deed, cases.c.number)
_index("cases_state", cases.c.community, cases.c.state, cases.c.number)
_waiting = text("state IN ('open', 'reopened', 'appealed')")
_index("cases_waiting", cases.c.community, cases.c.severity, cases.c.number, where=_waiting)

#: One row for each time-out and ban that was imposed, whoever did; what has no `lifted_at` and no past `ends_at` runs.
sanctions = Table(
    "sanctions",
    metadata,
    Column("id", Id, primary_key=True),
    _community(),
    Column("member", Text),
    Column("member_hash", LargeBinary),
    Column("case", BigInteger, ForeignKey("cases.id"), nullable=False),
    Column("kind", Text, nullable=False),  # of the action
    Column("begins_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("lifted_at", Instant),
    Column("imposed_by", Text),  # a moderator; NULL: the rules
)
_standing = text("lifted_at IS NULL")
_index("sanctions_running", sanctions.c.community, sanctions.c.id, where=_standing)
_index("sanctions_ending", sanctions.c.ends_at, where=_standing)
_index("sanctions_case", sanctions.c.case)
_index("sanctions_member", sanctions.c.community, sanctions.c.member)

#: One row for each member who takes part in a raid, which is a case. `due`: what was ordered for them is still
#: to be done; `deed` is the case that it led to.
raiders = Table(
    "raiders",
    metadata,
    Column("id", Id, primary_key=True),
    _community(),
    Column("case", BigInteger, ForeignKey("cases.id"), nullable=False),
    Column("member", Text),
    Column("offended", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("remedy", Text),  # core.raids.raid.Remedy
    Column("moderator", Text),
    Column("moderator_name", Sealed),
    Column("due", Instant),
    Column("deed", BigInteger, ForeignKey("cases.id")),
    UniqueConstraint("case", "member", name="raiders_member"),
)
_index("raiders_due", raiders.c.id, where=text("due IS NOT NULL"))
_index("raiders_at", raiders.c.at)
_index("raiders_deed", raiders.c.deed, where=text("deed IS NOT NULL"))

#: One row for each ban that was handed on to a community that shares bans with the one in which it was imposed. `case`:
#: that which it became there; NULL: it was passed over.
shared_bans = Table(
    "shared_bans",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sanction", BigInteger, ForeignKey("sanctions.id"), nullable=False),
    _community(),
    Column("case", BigInteger, ForeignKey("cases.id")),
    Column("at", Instant, nullable=False),
    UniqueConstraint("sanction", "community", name="shared_bans_once"),
)
_index("shared_bans_case", shared_bans.c.case, where=text('"case" IS NOT NULL'))
_index("shared_bans_at", shared_bans.c.community, shared_bans.c.at)

#: One row for each account that a moderator has linked with others of the same person: `person` is the same for all.
links = Table(
    "links",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person", BigInteger, nullable=False),
    _community(),
    Column("member", Text),
    Column("member_hash", LargeBinary, nullable=False),
    Column("moderator", Text),
    Column("at", Instant, nullable=False),
    UniqueConstraint("community", "member_hash", name="links_once"),
)
_index("links_person", links.c.person)

#: One row for each case that counts against a member, by the hash that stays when they are erased; `weight` 0: it was
#: taken back.
strikes = Table(
    "strikes",
    metadata,
    Column("case", BigInteger, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    _community(),
    Column("member_hash", LargeBinary, nullable=False),
    Column("weight", SmallInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("decays_at", Instant, nullable=False),
)
_index("strikes_member", strikes.c.community, strikes.c.member_hash, strikes.c.decays_at)

#: One row for each time that a moderator looked at what is on record about somebody.
looks = Table(
    "looks",
    metadata,
    Column("id", Id, primary_key=True),
    _community(),
    Column("case", BigInteger, ForeignKey("cases.id")),
    Column("moderator", Text, nullable=False),  # of whoever was erased a word that is made of their hash
    Column("moderator_name", Sealed),
    Column("what", Text, nullable=False),  # core.incidents.case.Look
    Column("at", Instant, nullable=False),
)
_index("looks_at", looks.c.at)
_index("looks_case", looks.c.case, where=text('"case" IS NOT NULL'))
_index("looks_community", looks.c.community, looks.c.at)

#: One row for each case to which the member has objected.
appeals = Table(
    "appeals",
    metadata,
    Column("case", BigInteger, ForeignKey("cases.id"), primary_key=True, autoincrement=False),
    Column("words", Sealed, nullable=False),
    Column("at", Instant, nullable=False),
    Column("forget_at", Instant),
)
_index("appeals_at", appeals.c.at)

#: One row for each member who has pointed the moderators to a message; `member` is there until they were told what came
#: of it, or it is too late to.
flags = Table(
    "flags",
    metadata,
    Column("id", Id, primary_key=True),
    _community(),
    Column("channel", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("member", Text),
    Column("member_hash", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("community", "channel", "message", "member_hash", name="flags_once"),
)
_index("flags_at", flags.c.community, flags.c.at)
_index("flags_old", flags.c.at)

#: What a guard was asked, and says, that has read the rules of the community of an incident (settings/opinions.py).
opinions = Table(
    "opinions",
    metadata,
    Column("incident", BigInteger, ForeignKey("incidents.id"), primary_key=True, autoincrement=False),
    _community(),
    Column("asked_at", Instant, nullable=False),  # the last time
    Column("tries", Integer, nullable=False),
    Column("answered_at", Instant),
    Column("words", Sealed(lost=None)),  # codec.write_opinion; NULL: there is none to rely on, or no more
)
_index("opinions_asked", opinions.c.community, opinions.c.asked_at)

#: How many messages of a community were settled, by the quarter hour in which they were sent and by one property at a
#: time (flow/tallies.py says which): what a report counts stays small, however many messages there are. Of long ago,
#: `quarter` is where the day or the week begins that is counted there (reports/coarsening.py).
tallies = Table(
    "tallies",
    metadata,
    Column("community", BigInteger, primary_key=True),
    Column("quarter", Instant, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: Of how many messages that were sent on a day a guard found a kind of harm so probable (flow/tallies.py); of long ago,
#: on one of the days of a week.
histograms = Table(
    "histograms",
    metadata,
    Column("community", BigInteger, primary_key=True),
    Column("day", Instant, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("guard", Text, primary_key=True),
    Column("bucket", SmallInteger, primary_key=True),
    Column("number", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

#: One row for each key to the HTTP API, the revoked ones too. The secret itself is with its holder alone.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),  # SHA-256 of the secret
    _community(),
    Column("name", Sealed, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("revoked_at", Instant),
    Column("scope", Text),  # words of core.operations.keys.Scope; NULL: made before there were any
    Column("expires_at", Instant),
)

#: One row for each report that is or was to be sent. `state` goes planned -> started -> what came of it; while `holder`
#: is set, somebody works on it.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    _community(),
    Column("kind", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("due", Instant, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Instant),
    Column("holder", BigInteger),
    Column("planned_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("receipt", Words, nullable=False),
    Column("reason", Words, nullable=False),
    UniqueConstraint("community", "kind", "period", name="deliveries_once"),
)
_index("deliveries_open", deliveries.c.size, where=_open)

#: One row for each server that is told of a community's incidents. While `holder` is set, somebody tells it.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Id, primary_key=True),
    _community(),
    Column("url", Sealed, nullable=False),
    Column("secret", Sealed, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row
    Column("reason", Words, nullable=False),  # of the last one
    Column("tried_at", Instant),
    Column("not_before", Instant),
    Column("stopped_at", Instant),
    Column("holder", BigInteger),
)
_index("webhooks_community", webhooks.c.community)

#: One row for each incident that a webhook is still to be told of.
notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("webhook", BigInteger, ForeignKey("webhooks.id"), nullable=False),
    Column("incident", BigInteger, ForeignKey("incidents.id"), nullable=False),
    Column("planned_at", Instant, nullable=False),
)
_index("notices_webhook", notices.c.webhook, notices.c.id)
_index("notices_incident", notices.c.incident)

#: How far each platform has been read, in the platform's own words, and up to when reports are planned.
bookmarks = Table(
    "bookmarks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("place", Words, nullable=False),
)

#: One row for each time that the guard was away; the last one is open while it is. Overlapping rows are one outage.
outages = Table(
    "outages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("ended_at", Instant),
)

#: One row for each thing that people were told about such an outage, and where: whoever writes it down tells them.
tellings = Table(
    "tellings",
    metadata,
    Column("began_at", Instant, primary_key=True, autoincrement=False),
    Column("word", Text, primary_key=True),
    Column("platform", Text, primary_key=True),
)

#: One row for each incident that speaks for others like it, or did (records/precedents.py): hashes, never words.
precedents = Table(
    "precedents",
    metadata,
    Column("case", BigInteger, ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    _community(),
    Column("verdict", Text),  # NULL: withdrawn
    Column("rules", Text, nullable=False),  # JSON: which had found it
    Column("text_hash", LargeBinary, nullable=False),
    Column("near_hash", LargeBinary, nullable=False),  # what it carries, and the pieces of its letters
    Column("at", Instant, nullable=False),  # when it was made or withdrawn
    Column("until", Instant, nullable=False),
)
_index("precedents_at", precedents.c.at)
_index("precedents_community", precedents.c.community, precedents.c.at)

#: One row for each judgement given over HTTP of which its receiver has said whether it was right: hashes, never words.
feedback = Table(
    "feedback",
    metadata,
    Column("code", LargeBinary, primary_key=True),  # a keyed hash of it
    _community(),
    Column("key", Text, nullable=False),  # of the API, that said so
    Column("verdict", Text, nullable=False),
    Column("rules", Text, nullable=False),  # JSON: which had found it
    Column("text_hash", LargeBinary, nullable=False),
    Column("near_hash", LargeBinary, nullable=False),  # as in `precedents`
    Column("at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
)
_index("feedback_at", feedback.c.at)
_index("feedback_community", feedback.c.community, feedback.c.at)

#: One row for each setting that somebody changed (bot.core.communities.journal.AuditEntry).
amendments = Table(
    "amendments",
    metadata,
    Column("id", Id, primary_key=True),
    _community(),
    Column("at", Instant, nullable=False),
    Column("by", Sealed, nullable=False),
    Column("setting", Text, nullable=False),
    Column("before", Sealed, nullable=False),
    Column("after", Sealed, nullable=False),
)
_index("amendments_community", amendments.c.community, amendments.c.at)

#: One row for each of the newest versions of a community's policy (bot.core.communities.versions.Version).
policies = Table(
    "policies",
    metadata,
    Column("id", Id, primary_key=True),
    _community(),
    Column("number", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("by", Sealed, nullable=False),
    Column("settings", Sealed, nullable=False),  # as in `communities`, and nothing but the policy
    UniqueConstraint("community", "number", name="policies_number"),
)

#: One row for each other bot of a community (records/rolls.py): what it has done, never what it said.
bots = Table(
    "bots",
    metadata,
    Column("community", BigInteger, primary_key=True),
    Column("bot", Text, primary_key=True),
    Column("name", Sealed, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("answers", BigInteger, nullable=False),  # messages that answer somebody
    Column("prose", BigInteger, nullable=False),  # answers that are prose
)

#: One row for each member who has said something in a community: how much of it was counted (records/rolls.py).
members = Table(
    "members",
    metadata,
    Column("community", BigInteger, primary_key=True),
    Column("member_hash", LargeBinary, primary_key=True),
    Column("messages", SmallInteger, nullable=False),
    Column("since", Instant, nullable=False),  # when the first was counted
)
_index("members_since", members.c.community, members.c.since)

#: One row for each erasure that somebody has asked for (records/erasing.py): that it was done, not of whom.
erasures = Table(
    "erasures",
    metadata,
    Column("id", Id, primary_key=True),
    Column("community", BigInteger, nullable=False),  # which may be gone itself
    Column("member_hash", LargeBinary),  # NULL: the whole community
    Column("member", Sealed(lost=None)),  # while something of them has to stay
    Column("asked_at", Instant, nullable=False),
    Column("done_at", Instant),
    Column("receipt", Text, nullable=False),
)
_index("erasures_asked", erasures.c.asked_at)
_index("erasures_left", erasures.c.community, where=text("done_at IS NULL"))
