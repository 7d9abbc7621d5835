"""The statements that are written out: about many rows at a time, or hopping over an index.

The rows come as one parameter, a JSON list: `{given}` becomes a table of its elements, `given.value`. Far less work
than a parameter for each value, and most of that work is the database's. What is sealed comes beside them as one string
of bytes, of which a row has a part: `{sealed[3]}` is the fourth value of a row (codec.write_rows; Database.sql).
Conditions stand in the words of the partial indexes: SQLite knows those by no others.
"""

from typing import NamedTuple

from storage.flow.leases import entering

#: Given: what names revisions. The conditions that a row is one of them, in the queue and on record.
AMONG_QUEUED, AMONG_SETTLED = (
    f"""
    ({table}.platform, {table}.channel, {table}.message, {table}.revision) IN (
        SELECT given.value ->> 0, given.value ->> 1, given.value ->> 2, CAST(given.value ->> 3 AS bigint) FROM {{given}}
    )
    """
    for table in ("queue", "messages")
)

_KEEP = """
    INSERT INTO queue (
        platform, channel, message, revision, community, share, author, kind, sent_at, kept_at, body, entered
    )
    SELECT
        given.value ->> 0, given.value ->> 1, given.value ->> 2, CAST(given.value ->> 3 AS bigint),
        CAST(given.value ->> 4 AS bigint), CAST(given.value ->> 4 AS bigint) % 64, given.value ->> 5,
        given.value ->> 6, CAST(given.value ->> 7 AS bigint), CAST(:now AS bigint), {{sealed[8]}}, {entered}
    FROM {{given}} WHERE true
    ON CONFLICT DO NOTHING RETURNING id, platform, channel, message, revision
"""
KEEP_POSTGRESQL, KEEP_SQLITE = (_KEEP.format(entered=one) for one in (entering.POSTGRESQL, entering.SQLITE))

#: Given: ids in the queue. Those that the record has already go again. A statement of its own behind KEEP, which has
#: waited for whoever was just settling the same revision: only now is to be seen what they wrote.
REFUSE = """
    DELETE FROM queue WHERE id IN (SELECT CAST(given.value ->> 0 AS bigint) FROM {given}) AND EXISTS (
        SELECT 1 FROM messages
        WHERE messages.platform = queue.platform AND messages.channel = queue.channel
            AND messages.message = queue.message AND messages.revision = queue.revision
    )
    RETURNING platform, channel, message, revision
"""

_FREE = "aside_at IS NULL AND holder IS NULL AND circle IS NULL AND coalesce(faults, 0) < :most_faults"

#: The newest of what came before `below`.
BELOW = f"SELECT id, community, sent_at FROM queue WHERE {_FREE} AND id < :below ORDER BY id DESC LIMIT :limit"


class Claiming(NamedTuple):
    """`arrived`: the log of what came in, or back, from `end` on. Given: transactions that had not ended then, and ids
    to look at. `still_free`: of the ids given. `lease`: those ids."""

    arrived: str
    still_free: str
    lease: str


def _claiming(among: str, locking: str = "") -> Claiming:
    """`among`: how to ask for what is in a list, so that it is looked up and nothing else read."""
    first, second = (among.format(f"SELECT CAST(given.value ->> {n} AS bigint) FROM {{given}}") for n in (0, 1))
    return Claiming(
        arrived=f"""
            SELECT * FROM (
                SELECT id, community, sent_at FROM queue WHERE {_FREE} AND entered >= :end
                ORDER BY entered, id LIMIT :limit
            ) AS arrived
            UNION ALL SELECT id, community, sent_at FROM queue WHERE {_FREE} AND entered {first}
            UNION ALL SELECT id, community, sent_at FROM queue WHERE {_FREE} AND id {second}
        """,
        still_free=f"SELECT id FROM queue WHERE {_FREE} AND id {first} {locking}",
        lease=f"""
            UPDATE queue SET holder = :holder WHERE id {first}
            RETURNING
                id, share, platform, channel, message, revision,
                (SELECT communities.id FROM communities WHERE key = queue.community) AS community,
                author, kind, sent_at, body
        """,
    )


#: PostgreSQL counts on as many rows as it found alive when it looked last, and would rather read all dead ones than
#: look up so many: a list of its own is looked up.
CLAIMING_POSTGRESQL = _claiming("= ANY (ARRAY({}))", "FOR UPDATE SKIP LOCKED")
CLAIMING_SQLITE = _claiming("IN ({})")

_NAMED = """
    platform = given.value ->> 0 AND channel = given.value ->> 1 AND message = given.value ->> 2
    AND revision = CAST(given.value ->> 3 AS bigint)
"""
_RECORD = """
    INSERT INTO messages (
        id, platform, channel, message, revision, community, author_hash, text_hash, amounts,
        kind, sent_at, settled_at, aside_at, score, ms
    )
"""
_RECORDED = """
    platform, channel, message, revision, community,
    CASE WHEN community = CAST(given.value ->> 6 AS bigint) THEN {sealed[7]} END,
    CASE WHEN community = CAST(given.value ->> 6 AS bigint) THEN {sealed[8]} END,
    CASE WHEN community = CAST(given.value ->> 6 AS bigint) THEN CAST(given.value ->> 9 AS bigint) END,
    kind, sent_at, CAST(:now AS bigint), aside_at,
    CAST(given.value ->> 4 AS double precision), CAST(given.value ->> 5 AS double precision)
"""
_ONCE = "ON CONFLICT DO NOTHING RETURNING id, platform, channel, message, revision, community, kind, sent_at"
#: Given: what names a revision, its score, its milliseconds; a community's key, and who its author is and what it says
#: as hashes of that community, which are none in another, and how much was in it. Out of the queue and into the record,
#: unless it is there.
SETTLE_POSTGRESQL = f"""
    WITH given AS (DELETE FROM queue USING {{given}} WHERE {_NAMED} RETURNING queue.*, given.value)
    {_RECORD} SELECT id, {_RECORDED} FROM given {_ONCE}
"""
SETTLE_SQLITE = f"{_RECORD} SELECT queue.id, {_RECORDED} FROM {{given}} CROSS JOIN queue WHERE {_NAMED} {_ONCE}"
LEAVE_SQLITE = f"DELETE FROM queue WHERE {AMONG_QUEUED}"

#: Given: what names revisions. Every revision of the same messages that waits is locked, in one order everywhere.
LOCK_REVISIONS = """
    SELECT id FROM queue
    WHERE (platform, channel, message) IN (SELECT given.value ->> 0, given.value ->> 1, given.value ->> 2 FROM {given})
    ORDER BY id FOR UPDATE
"""
#: Given: the same. Every revision of the same messages that is on record.
REVISIONS = """
    SELECT id, platform, channel, message, kind, sent_at FROM messages
    WHERE (platform, channel, message) IN (SELECT given.value ->> 0, given.value ->> 1, given.value ->> 2 FROM {given})
    ORDER BY id
"""

#: Given: keys of communities, and how many numbers each wants; they are locked in one order everywhere. Returns the
#: next number that is free then.
_NUMBER = """
    UPDATE communities SET next_case = next_case + CAST(given.value ->> 1 AS bigint) FROM {given}
    WHERE communities.key = CAST(given.value ->> 0 AS bigint)
"""
NUMBER_SQLITE = f"{_NUMBER} RETURNING communities.key, next_case"
NUMBER_POSTGRESQL = f"""
    WITH locked AS MATERIALIZED (
        SELECT communities.key FROM communities
        WHERE communities.key IN (SELECT CAST(given.value ->> 0 AS bigint) FROM {{given}})
        ORDER BY communities.key FOR NO KEY UPDATE
    )
    {_NUMBER} AND communities.key IN (SELECT locked.key FROM locked) RETURNING communities.key, next_case
"""

COUNT = """
    INSERT INTO tallies (community, quarter, what, name, number)
    SELECT
        CAST(given.value ->> 0 AS bigint), CAST(given.value ->> 1 AS bigint), given.value ->> 2, given.value ->> 3,
        CAST(given.value ->> 4 AS bigint)
    FROM {given} WHERE true
    ON CONFLICT (community, quarter, what, name) DO UPDATE SET number = tallies.number + excluded.number
"""

COUNT_BOTS = """
    INSERT INTO bots (community, bot, name, messages, answers, prose)
    SELECT
        CAST(given.value ->> 0 AS bigint), given.value ->> 1, {sealed[2]}, CAST(given.value ->> 3 AS bigint),
        CAST(given.value ->> 4 AS bigint), CAST(given.value ->> 5 AS bigint)
    FROM {given} WHERE true
    ON CONFLICT (community, bot) DO UPDATE SET
        name = CASE excluded.name WHEN :nameless THEN bots.name ELSE excluded.name END,
        messages = bots.messages + excluded.messages, answers = bots.answers + excluded.answers,
        prose = bots.prose + excluded.prose
"""

COUNT_MEMBERS = """
    INSERT INTO members (community, member_hash, messages, since)
    SELECT
        CAST(given.value ->> 0 AS bigint), {sealed[1]}, CAST(given.value ->> 2 AS integer),
        CAST(given.value ->> 3 AS bigint)
    FROM {given} WHERE true
    ON CONFLICT (community, member_hash) DO UPDATE SET
        messages = CASE WHEN members.messages + excluded.messages < CAST(:most AS integer)
            THEN members.messages + excluded.messages ELSE CAST(:most AS integer) END
"""

_FREE_ACTION = "finished_at IS NULL AND holder IS NULL AND not_before IS NULL AND circle IS NULL"
ASLEEP = "finished_at IS NULL AND holder IS NULL AND not_before IS NOT NULL"

#: Hops over the index from one community to the next, at most `limit` times, however many actions wait. Given: for
#: what protects and for what does not, of each platform, the community to begin after and the place of its hops.
_LANES = f"""
    WITH RECURSIVE lane (protects, platform, community, place, shares, hop) AS (
        SELECT CAST(given.value ->> 0 AS boolean), given.value ->> 1, CAST(given.value ->> 2 AS bigint),
            CAST(given.value ->> 3 AS integer), given.value ->> 4, 0
        FROM {{given}}
        UNION ALL
        SELECT protects, platform, (
            SELECT min(actions.community) FROM actions
            WHERE {_FREE_ACTION} AND actions.protects = lane.protects AND actions.platform = lane.platform
                AND actions.community > lane.community %s
        ), place, shares, hop + 1
        FROM lane WHERE community IS NOT NULL AND hop < :limit
    )
    SELECT protects, platform, community AS key, (SELECT id FROM communities WHERE key = lane.community) AS community
    FROM lane WHERE hop > 0 AND community IS NOT NULL ORDER BY place, hop
"""
LANES = _LANES % ""
#: Given besides: for each share of communities, in a row, 1 where its communities are hopped to and 0 where not.
LANES_OF_SHARES = _LANES % "AND substr(lane.shares, CAST(actions.community & 63 AS integer) + 1, 1) = '1'"

#: The first `each` of every lane given, those first that were tried the least, in the words that each planner does
#: well with.
_FIRST_OF_LANE = f"""
    SELECT actions.id FROM actions
    WHERE {_FREE_ACTION} AND coalesce(faults, 0) < :most_faults
        AND actions.protects = CAST(given.value ->> 0 AS boolean) AND actions.platform = given.value ->> 1
        AND actions.community = CAST(given.value ->> 2 AS bigint)
    ORDER BY actions.attempts, actions.id LIMIT :each
"""
FIRST_OF_LANES_SQLITE = f"""
    SELECT actions.id, kind, protects, community AS key FROM {{given}}
    JOIN actions ON actions.id IN (SELECT id FROM ({_FIRST_OF_LANE})) ORDER BY attempts, actions.id
"""
FIRST_OF_LANES_POSTGRESQL = f"""
    SELECT id, kind, protects, community AS key FROM actions
    WHERE id IN (SELECT first.id FROM {{given}} CROSS JOIN LATERAL ({_FIRST_OF_LANE}) AS first) ORDER BY attempts, id
"""
