"""The catalog's tables, but for those of ingest jobs."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = "6"
"""Raised with every change of the tables; rag/migrate.py has a step for each."""

metadata = MetaData()

facts = Table(
    "facts",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
    comment="what this home was made with: schema version, embedder fingerprint",
)

documents = Table(
    "documents",
    metadata,
    Column("document_id", String, primary_key=True),
    Column("collection", String, nullable=False),
    Column("path", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("remedy", Text, nullable=False, default=""),
    Column("source", Text, nullable=False, comment="the file on disk: the path, or the outermost container's"),
    Column(
        "inside", Text, nullable=False, default="[]", comment="JSON list: the way from the source to a member of it"
    ),
    Column("container", String, comment="document_id of the file that this one is a member of"),
    Column("sha256", String, nullable=False, default="", comment="of a member's bytes, as its container has them"),
    Column("version", String, comment="the live version, or NULL while there is none"),
    Column(
        "tried", String, nullable=False, default="", comment="the version read last: the live one, or one that failed"
    ),
    Column("size", Integer, nullable=False, default=0, comment="bytes, when last looked at"),
    Column("modified_ns", Integer, nullable=False, default=0, comment="mtime when last looked at"),
    Column("reader", String, nullable=False, default="", comment="fingerprint of parser and splitter when last read"),
    Column("updated", Float, nullable=False, comment="seconds since 1970"),
    Column("known_since", Float, comment="when its first version became live"),
    UniqueConstraint("collection", "path"),
    Index("documents_state", "state"),
    Index("documents_version", "version"),
    Index("documents_container", "container"),
)

versions = Table(
    "versions",
    metadata,
    Column("document_id", String, primary_key=True),
    Column("version", String, primary_key=True),
    Column("source_sha256", String, nullable=False),
    Column("format", String, nullable=False),
    Column("title", Text),
    Column("text", Text, nullable=False),
    Column("problems", Text, nullable=False, comment="JSON list of sentences"),
    Column("details", Text, nullable=False, comment="JSON object: author, dates and other metadata of the file"),
    Column("beyond", Integer, nullable=False, comment="tokens of its chunks that the embedder doesn't read"),
    Column("created", Float, nullable=False, comment="when it became live"),
    ForeignKeyConstraint(["document_id"], ["documents.document_id"], ondelete="CASCADE"),
)

pages = Table(
    "pages",
    metadata,
    Column("document_id", String, primary_key=True),
    Column("version", String, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("label", String),
    Column("width", Float, nullable=False),
    Column("height", Float, nullable=False),
    Column("ocr", Boolean, nullable=False, comment="whether its text was read from an image"),
    Column("confidence", Float, comment="of that reading, 0 to 1"),
    Column("runs", LargeBinary, nullable=False, comment="places of the characters, packed by ingest.runs"),
    ForeignKeyConstraint(["document_id", "version"], ["versions.document_id", "versions.version"], ondelete="CASCADE"),
)

hidden_spans = Table(
    "hidden_spans",
    metadata,
    Column("document_id", String, primary_key=True),
    Column("version", String, primary_key=True),
    Column("start", Integer, primary_key=True),
    Column("end", Integer, nullable=False, comment="characters [start, end) of the version's text"),
    Column("page", Integer, nullable=False),
    Column("way", String, nullable=False, comment="how it is hidden, such as: white on white; or which model made it"),
    ForeignKeyConstraint(["document_id", "version"], ["versions.document_id", "versions.version"], ondelete="CASCADE"),
)

descriptions = Table(
    "descriptions",
    metadata,
    Column("document_id", String, primary_key=True),
    Column("picture", String, primary_key=True, comment="SHA-256 of the picture as PNG"),
    Column("describer", String, nullable=False, comment="the name by which the settings ask for the model"),
    Column("model", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("problem", Text, nullable=False, comment="why there is no text"),
    ForeignKeyConstraint(["document_id"], ["documents.document_id"], ondelete="CASCADE"),
    comment="what a model wrote about pictures of documents, so that nothing is asked twice",
)

document_names = Table(
    "document_names",
    metadata,
    Column("word", String, primary_key=True, comment="a word that names the document, or year:2022 and the like"),
    Column("document_id", String, primary_key=True),
    Column("version", String, nullable=False),
    ForeignKeyConstraint(["document_id", "version"], ["versions.document_id", "versions.version"], ondelete="CASCADE"),
    Index("document_names_document", "document_id", "version"),
    sqlite_with_rowid=False,
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("chunk_id", String, nullable=False, unique=True, comment="document.version.ordinal; the id in Chroma"),
    Column("collection", String, nullable=False),
    Column("document_id", String, nullable=False),
    Column("version", String, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page", Integer, nullable=False),
    Column("title", Text, nullable=False, comment="document title and file name, for the keyword index"),
    Column("heading", Text, nullable=False, comment="heading path, joined with ' > '"),
    Column(
        "context", Text, nullable=False, comment="what is embedded in front of the text: heading path, table header"
    ),
    Column("text", Text, nullable=False),
    Column("segments", Text, nullable=False, comment="pairs of signs and roots of words, for the keyword index only"),
    Column("text_hash", String, nullable=False, comment="SHA-256 of what is embedded"),
    ForeignKeyConstraint(["document_id", "version"], ["versions.document_id", "versions.version"], ondelete="CASCADE"),
    Index("chunks_document", "document_id", "version", "ordinal"),
    Index("chunks_hash", "text_hash"),
)

former_versions = Table(
    "former_versions",
    metadata,
    Column("former_id", Integer, primary_key=True),
    Column("document_id", String, nullable=False),
    Column("version", String, nullable=False),
    Column("live_from", Float, nullable=False),
    Column("live_until", Float, nullable=False),
    Column("format", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("details", Text, nullable=False),
    ForeignKeyConstraint(["document_id"], ["documents.document_id"], ondelete="CASCADE"),
    Index("former_versions_document", "document_id", "live_until"),
    comment="versions that were live once, as many a document as `ingest.keep_versions` says",
)

former_pages = Table(
    "former_pages",
    metadata,
    Column("former_id", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("runs", LargeBinary, nullable=False),
    ForeignKeyConstraint(["former_id"], ["former_versions.former_id"], ondelete="CASCADE"),
)

former_chunks = Table(
    "former_chunks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("former_id", Integer, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("heading", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("segments", Text, nullable=False),
    Column("text_hash", String, nullable=False),
    Column("hidden", Boolean, nullable=False, default=False),
    ForeignKeyConstraint(["former_id"], ["former_versions.former_id"], ondelete="CASCADE"),
    Index("former_chunks_version", "former_id"),
    Index("former_chunks_hash", "text_hash"),
)

embeddings = Table(
    "embeddings",
    metadata,
    Column("text_hash", String, primary_key=True),
    Column("embedder", String, primary_key=True, comment="the embedder's fingerprint"),
    Column("vector", LargeBinary, nullable=False, comment="float32, little endian"),
)

generations = Table(
    "generations",
    metadata,
    Column("embedder", String, primary_key=True, comment="the embedder's fingerprint; the live one is a fact"),
    Column("backend", String, nullable=False),
    Column("model", String, nullable=False),
    Column("started", Float, nullable=False, comment="seconds since 1970, as all times"),
    Column("built", Float, comment="when every text had a vector; NULL while it is half built"),
    Column("live_since", Float, comment="NULL when it never answered"),
    Column("live_until", Float, comment="when another one took over"),
    Column("texts", Integer, nullable=False, default=0, comment="embedded by `reindex`"),
    Column("seconds", Float, nullable=False, default=0.0, comment="spent on them"),
    Column("beyond", Integer, nullable=False, default=0, comment="texts that are longer than the embedder reads"),
    Column("report", Text, nullable=False, default="", comment="JSON: how it compares with the live one"),
)

retired = Table(
    "retired",
    metadata,
    Column("chunk_id", String, primary_key=True),
    Column("collection", String, nullable=False),
    comment="ids that the owner of Chroma has still to delete there",
)

conversations = Table(
    "conversations",
    metadata,
    Column("conversation_id", String, primary_key=True),
    Column("created", Float, nullable=False),
    comment="its questions are the answers that carry its id, in order of time",
)

answers = Table(
    "answers",
    metadata,
    Column("answer_id", String, primary_key=True),
    Column("created", Float, nullable=False),
    Column("answer", Text, nullable=False, comment="JSON, as the API returned it"),
    Column("record", Text, comment="JSON: with what it was made (rag.shapes.Record)"),
    Column("conversation_id", String),
    ForeignKeyConstraint(["conversation_id"], ["conversations.conversation_id"], ondelete="CASCADE"),
    Index("answers_conversation", "conversation_id", "created"),
    Index("answers_created", "created"),
)

answer_documents = Table(
    "answer_documents",
    metadata,
    Column("answer_id", String, primary_key=True),
    Column("document_id", String, primary_key=True),
    ForeignKeyConstraint(["answer_id"], ["answers.answer_id"], ondelete="CASCADE"),
    Index("answer_documents_document", "document_id"),
)

TOKENIZER = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
"""How FTS5 takes words out of a text, in each of the keyword indexes."""

KEYWORD_INDEX = f"""
CREATE VIRTUAL TABLE IF NOT EXISTS chunk_words USING fts5(
    title, heading, text, segments, content='chunks', content_rowid='id',
    tokenize="{TOKENIZER}"
)
"""
"""FTS5 over the live chunks, kept in step by the catalog in the same transaction; it stores no text of its own."""

FORMER_INDEX = f"""
CREATE VIRTUAL TABLE IF NOT EXISTS former_words USING fts5(
    title, heading, text, segments, content='former_chunks', content_rowid='id',
    tokenize="{TOKENIZER}"
)
"""
"""The same over the chunks of former versions, apart from the live ones: how rare a word is does not depend on the past."""
