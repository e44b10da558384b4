"""The tables. A change here needs a new file in migrations/versions; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    text,
)

VERSION = "0009"  # the newest file in migrations/versions

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("recipe_fingerprint", String, nullable=False, index=True),
    Column("data", JSON, nullable=False),
    Column("network", JSON, nullable=False),
    Column("precision", String, nullable=False),
    Column("threads", Integer, nullable=False),
    Column("deterministic", Boolean, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("results", JSON(none_as_null=True)),
    Column("error", String),
    Column("deleted_at", DateTime),
    Column("failure", String),
    Column("lab_id", String),
    Column("study_id", String),
    Column("callbacks", JSON(none_as_null=True)),
    Column("continued_from", String),
    Column("keras_fit", JSON(none_as_null=True)),
    # Sums over its epochs; null: not known, and the epochs say it.
    Column("total_epochs", Integer),
    Column("total_seconds", Float),
    Column("total_seconds_per_image", Float),
    # What the user wrote on it.
    Column("note", String),
    Column("tags", JSON(none_as_null=True)),
)

epochs = Table(
    "epochs",
    metadata,
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("loss", Float),
    Column("accuracy", Float),
    Column("val_loss", Float),
    Column("val_accuracy", Float),
    Column("learning_rate", Float, nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Column("images_per_second", Float, nullable=False),
    Column("others", JSON(none_as_null=True)),
)

studies = Table(
    "studies",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("space", JSON, nullable=False),
    Column("data_fingerprint", String, nullable=False),
    Column("data_name", String, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("ending", String, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("deleted_at", DateTime),
    Index("ix_studies_name", "name", unique=True, sqlite_where=text("deleted_at IS NULL")),
)

trials = Table(
    "trials",
    metadata,
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("state", String, nullable=False),
    Column("run", String),
    Column("details", JSON, nullable=False),
)

# What others ask of a study, until the process that searches it has met it.
requests = Table(
    "requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("hyperparameters", JSON, nullable=False),
)
