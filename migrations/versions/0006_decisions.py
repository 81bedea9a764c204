"""Rules, experiments, the decision log, paused slots, checked models and alerts.

Decisions are partitioned by week. The migration makes the partition that takes what has no other; the clock makes the
weeks.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_TEXTS = postgresql.ARRAY(sa.Text)
_JSON = postgresql.JSONB


def upgrade() -> None:
    """Apply."""
    _rules_and_experiments()
    _decisions()
    _monitoring()
    op.add_column("learned_model", sa.Column("held_at", _TIME))
    op.add_column("learned_model", sa.Column("held_reason", sa.String))
    op.add_column("order_line", sa.Column("tax_included", sa.BigInteger, server_default="0", nullable=False))
    op.add_column("variant", sa.Column("cost", sa.BigInteger))
    op.add_column("product", sa.Column("cost", sa.BigInteger))


def _store() -> sa.Column:
    return sa.Column("store_id", sa.BigInteger, nullable=False)


def _of_store(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["store_id"], ["store.id"], name=op.f(f"fk_{table}_store_id_store"), ondelete="CASCADE"
    )


def _rules_and_experiments() -> None:
    op.create_table(
        "rule_list",
        _store(),
        sa.Column("version", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("rules", _JSON, nullable=False),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("restored_version", sa.BigInteger),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", "version", name=op.f("pk_rule_list")),
        _of_store("rule_list"),
    )
    op.create_table(
        "experiment",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("definition", _JSON, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("started_at", _TIME),
        sa.Column("stopped_at", _TIME),
        sa.Column("decided_at", _TIME),
        sa.Column("verdict", _JSON),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment")),
        _of_store("experiment"),
        sa.UniqueConstraint("store_id", "key", name=op.f("uq_experiment_store_id_key")),
    )
    op.create_table(
        "experiment_exposure",
        _store(),
        sa.Column("experiment", sa.String, nullable=False),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("arm", sa.String, nullable=False),
        sa.Column("first_at", _TIME, nullable=False),
        sa.Column("decision_id", sa.String, nullable=False),
        sa.PrimaryKeyConstraint(
            "store_id", "experiment", "subject", "arm", name=op.f("pk_experiment_exposure")
        ),
        _of_store("experiment_exposure"),
    )
    op.create_index(
        op.f("ix_experiment_exposure_store_id_subject"), "experiment_exposure", ["store_id", "subject"]
    )


def _decisions() -> None:
    op.create_table(
        "decision",
        _store(),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("subject", sa.LargeBinary),
        sa.Column("slot", sa.String),
        sa.Column("strategy", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("arms", _JSON, nullable=False),
        sa.Column("model_version", sa.String, nullable=False),
        sa.Column("cache", sa.String, nullable=False),
        sa.Column("latency_us", sa.BigInteger, nullable=False),
        sa.Column("shown", _TEXTS, nullable=False),
        sa.Column("answers", sa.BigInteger, nullable=False),
        sa.Column("record", sa.LargeBinary),
        sa.PrimaryKeyConstraint("store_id", "id", "day", name=op.f("pk_decision")),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_index(op.f("ix_decision_store_id_made_at"), "decision", ["store_id", "made_at"])
    op.create_index(
        op.f("ix_decision_store_id_subject"),
        "decision",
        ["store_id", "subject"],
        postgresql_where=sa.text("subject IS NOT NULL"),
    )
    op.execute("CREATE TABLE decision_default PARTITION OF decision DEFAULT")
    op.create_table(
        "decision_tally",
        _store(),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("slot", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("cache", sa.String, nullable=False),
        sa.Column("answers", sa.BigInteger, nullable=False),
        sa.Column("empty", sa.BigInteger, nullable=False),
        sa.Column("latency_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "day", "slot", "reason", "cache", name=op.f("pk_decision_tally")),
    )


def _monitoring() -> None:
    op.create_table(
        "slot_pause",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("slot", sa.String, nullable=False),
        sa.Column("paused_at", _TIME, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("measures", _JSON, nullable=False),
        sa.Column("trial_at", _TIME),
        sa.Column("ended_at", _TIME),
        sa.Column("ended_by", sa.String),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slot_pause")),
        _of_store("slot_pause"),
    )
    op.create_index(
        "uq_slot_pause_open",
        "slot_pause",
        ["store_id", "slot"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "model_check",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("passed", sa.Boolean, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("measures", _JSON, nullable=False),
        sa.Column("checked_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_check")),
        _of_store("model_check"),
    )
    op.create_index(op.f("ix_model_check_store_id_checked_at"), "model_check", ["store_id", "checked_at"])
    op.create_table(
        "kept_list",
        _store(),
        sa.Column("strategy", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("items", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("store_id", "strategy", "subject", name=op.f("pk_kept_list")),
        _of_store("kept_list"),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.BigInteger, nullable=False),
        _store(),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("level", sa.String, nullable=False),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("raised_at", _TIME, nullable=False),
        sa.Column("cleared_at", _TIME),
        sa.Column("told_at", _TIME),
        sa.Column("attempts", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("next_attempt_at", _TIME),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        _of_store("alert"),
    )
    op.create_index(op.f("ix_alert_store_id_raised_at"), "alert", ["store_id", "raised_at"])
    op.create_index(
        "uq_alert_open",
        "alert",
        ["store_id", "source"],
        unique=True,
        postgresql_where=sa.text("cleared_at IS NULL"),
    )
    op.create_index(
        "ix_alert_untold",
        "alert",
        ["next_attempt_at"],
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_table(
        "alert_endpoint",
        sa.Column("store_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("url", sa.String, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.Column("disabled_at", _TIME),
        sa.Column("problem", sa.String),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_alert_endpoint")),
        _of_store("alert_endpoint"),
    )
    op.create_table(
        "sensitive_words",
        sa.Column("store_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("words", _TEXTS, nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_sensitive_words")),
        _of_store("sensitive_words"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_column("product", "cost")
    op.drop_column("variant", "cost")
    op.drop_column("order_line", "tax_included")
    op.drop_column("learned_model", "held_reason")
    op.drop_column("learned_model", "held_at")
    for table in ("sensitive_words", "alert_endpoint", "alert", "kept_list", "model_check", "slot_pause"):
        op.drop_table(table)
    for table in ("decision_tally", "decision"):
        op.drop_table(table)
    for table in ("experiment_exposure", "experiment", "rule_list"):
        op.drop_table(table)
