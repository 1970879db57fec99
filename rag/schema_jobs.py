"""The tables of ingest jobs: what each was asked to do, its files, and the pages that it has only looked at."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKeyConstraint, Index, Integer, String, Table, Text

from rag.schema import TOKENIZER, metadata

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("collection", String, nullable=False),
    Column("paths", Text, nullable=False, comment="JSON list of absolute paths"),
    Column("stage", String, nullable=False, comment="queued, reading, embedding, publishing, done, cancelled"),
    Column("paused", Boolean, nullable=False, default=False),
    Column("allow_empty", Boolean, nullable=False, default=False, comment="whether an emptied folder is believed"),
    Column("owner", String, comment="the worker that has leased it: process id and start time"),
    Column("leased_until", Float, nullable=False, default=0.0, comment="seconds since 1970"),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("embedding_since", Float),
    Column("finished", Float),
    Column("removed", Integer, nullable=False, default=0),
    Column("texts", Integer, nullable=False, default=0, comment="distinct texts that had no vector after reading"),
    Column("texts_embedded", Integer, nullable=False, default=0),
)

job_files = Table(
    "job_files",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("document_id", String, nullable=False),
    Column("source", Text, nullable=False),
    Column("inside", Text, nullable=False, default="[]"),
    Column("sha256", String, nullable=False, default="", comment="of a member's bytes"),
    Column("attempts", Integer, nullable=False, default=0),
    Column("outcome", String, nullable=False, comment="pending, added, updated, moved, unchanged, failed, gone"),
    Column("reason", Text, nullable=False, default=""),
    Column("remedy", Text, nullable=False, default=""),
    Column("pages", Integer, nullable=False, default=0),
    Column("chunks", Integer, nullable=False, default=0),
    ForeignKeyConstraint(["job_id"], ["jobs.job_id"], ondelete="CASCADE"),
    Index("job_files_outcome", "job_id", "outcome", "path"),
    Index("job_files_document", "document_id"),
)

unread_pages = Table(
    "unread_pages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", String, nullable=False),
    Column("document_id", String, nullable=False),
    Column("number", Integer, nullable=False, comment="of the page; 0 says that the file was looked at"),
    Column("text", Text, nullable=False, comment="as PDFium has it, hidden text included"),
    Column("segments", Text, nullable=False, comment="as in chunks"),
    Index("unread_pages_document", "document_id", "job_id"),
    Index("unread_pages_job", "job_id", "number"),
    comment="pages of PDFs that a job has looked at and not read yet",
)

UNREAD_INDEX = f"""
CREATE VIRTUAL TABLE IF NOT EXISTS unread_words USING fts5(
    text, segments, content='unread_pages', content_rowid='id',
    tokenize="{TOKENIZER}"
)
"""
"""The same over pages that were only looked at: no answer rests on them, so they are in no other index."""
