"""A community is named by its platform and its id everywhere: incidents and tallies say the platform, too."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

EDGES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000, 5000, 10000, 30000, 60000)
QUARTER = 15 * 60 * 1_000_000

#: Every table that has told platforms apart, and so knows whose an id is.
_PLACES = (("messages", "community"), ("actions", "community"), ("bots", "community"), ("communities", "id"))
_KNOWN = " UNION ".join(f"SELECT platform, {id_} AS community FROM {table}" for table, id_ in _PLACES)


def upgrade() -> None:
    op.add_column("incidents", sa.Column("platform", sa.Text, nullable=False, server_default=""))
    op.execute("UPDATE incidents SET platform = (SELECT platform FROM messages WHERE messages.id = incidents.message)")
    waiting = "settled_at IS NULL AND aside_at IS NULL"
    for name, table, columns, condition in (
        ("incidents_community", "incidents", ["platform", "community", "decided_at"], None),
        ("incidents_author", "incidents", ["platform", "community", "author"], None),
        ("messages_sent", "messages", ["sent_at", "platform", "community"], None),
        ("messages_waiting", "messages", ["platform", "community", "sent_at", "id"], sa.text(waiting)),
    ):
        op.drop_index(name, table)
        op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
    _tallies()


def _tallies() -> None:
    op.execute("CREATE TABLE tallies_before AS SELECT * FROM tallies")
    op.drop_table("tallies")
    op.create_table(
        "tallies",
        sa.Column("platform", sa.Text, primary_key=True),
        sa.Column("community", sa.Text, primary_key=True),
        sa.Column("quarter", sa.BigInteger, primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"""
        CREATE TABLE homes AS
        SELECT community, min(platform) AS platform, count(*) AS platforms FROM ({_KNOWN}) AS known GROUP BY community
        """
    )
    op.execute(
        """
        INSERT INTO tallies (platform, community, quarter, what, name, number)
        SELECT homes.platform, community, quarter, what, name, number
        FROM tallies_before JOIN homes USING (community) WHERE platforms = 1
        """
    )
    _shared()
    op.drop_table("homes")
    op.drop_table("tallies_before")


def _shared() -> None:
    """What several platforms counted as one community's: of a bot that only one of them knows, that one's; the rest is
    counted again, from the messages on record. How many had no verdict, and how a cascade judged, is known of the sum
    alone, and left out: a report that says nothing of it is better than one that says what was somewhere else."""
    op.execute(
        """
        INSERT INTO tallies (platform, community, quarter, what, name, number)
        SELECT bots.platform, community, quarter, what, tallies_before.name, number
        FROM tallies_before JOIN homes USING (community) JOIN bots USING (community)
        WHERE platforms > 1 AND (what = 'bot' OR what LIKE 'pair %') AND bots.bot = tallies_before.name AND NOT EXISTS (
            SELECT 1 FROM bots AS other
            WHERE other.community = bots.community AND other.bot = bots.bot AND other.platform <> bots.platform
        )
        """
    )
    bucket = " ".join(f"WHEN ms <= {edge} THEN '{edge}'" for edge in EDGES)
    for what, name, where in (
        ("channel", "channel", "true"),
        ("ms", f"CASE {bucket} ELSE 'inf' END", "ms IS NOT NULL"),
        ("judged", "''", "score IS NOT NULL"),
        ("late", "''", "settled_at - sent_at > 600000000"),
    ):
        op.execute(
            f"""
            INSERT INTO tallies (platform, community, quarter, what, name, number)
            SELECT messages.platform, community, sent_at / {QUARTER} * {QUARTER}, '{what}', {name}, count(*)
            FROM messages JOIN homes USING (community)
            WHERE platforms > 1 AND settled_at IS NOT NULL AND {where} GROUP BY 1, 2, 3, 4, 5
            """
        )
