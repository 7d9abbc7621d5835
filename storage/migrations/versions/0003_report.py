"""Counts of messages by quarter hour, from what is on record."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

EDGES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000, 5000, 10000, 30000, 60000)
QUARTER = 15 * 60 * 1_000_000


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("community", sa.Text, primary_key=True),
        sa.Column("quarter", sa.BigInteger, primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    bucket = " ".join(f"WHEN ms <= {edge} THEN '{edge}'" for edge in EDGES)
    # Who was a bot and which message had no verdict is no longer known of messages without an incident.
    for what, name, where in (
        ("channel", "channel", "true"),
        ("ms", f"CASE {bucket} ELSE 'inf' END", "ms IS NOT NULL"),
        ("judged", "''", "score IS NOT NULL"),
        ("late", "''", "settled_at - sent_at > 600000000"),
    ):
        op.execute(
            f"""
            INSERT INTO tallies (community, quarter, what, name, number)
            SELECT community, sent_at / {QUARTER} * {QUARTER}, '{what}', {name}, count(*) FROM messages
            WHERE settled_at IS NOT NULL AND {where} GROUP BY 1, 2, 3, 4
            """
        )
