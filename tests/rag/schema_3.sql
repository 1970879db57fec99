-- The tables of schema 3, as Reading Room made them: tests open a home of that time.
CREATE TABLE facts (
  name VARCHAR NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (name)
);
CREATE TABLE documents (
  document_id VARCHAR NOT NULL,
  collection VARCHAR NOT NULL,
  path TEXT NOT NULL,
  state VARCHAR NOT NULL,
  reason TEXT NOT NULL,
  remedy TEXT NOT NULL,
  source TEXT NOT NULL,
  inside TEXT NOT NULL,
  container VARCHAR,
  sha256 VARCHAR NOT NULL,
  version VARCHAR,
  tried VARCHAR NOT NULL,
  size INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  reader VARCHAR NOT NULL,
  updated FLOAT NOT NULL,
  PRIMARY KEY (document_id),
  UNIQUE (collection, path)
);
CREATE INDEX documents_container ON documents (container);
CREATE INDEX documents_state ON documents (state);
CREATE INDEX documents_version ON documents (version);
CREATE TABLE embeddings (
  text_hash VARCHAR NOT NULL,
  embedder VARCHAR NOT NULL,
  vector BLOB NOT NULL,
  PRIMARY KEY (text_hash, embedder)
);
CREATE TABLE retired (
  chunk_id VARCHAR NOT NULL,
  collection VARCHAR NOT NULL,
  PRIMARY KEY (chunk_id)
);
CREATE TABLE jobs (
  job_id VARCHAR NOT NULL,
  collection VARCHAR NOT NULL,
  paths TEXT NOT NULL,
  stage VARCHAR NOT NULL,
  paused BOOLEAN NOT NULL,
  allow_empty BOOLEAN NOT NULL,
  owner VARCHAR,
  leased_until FLOAT NOT NULL,
  created FLOAT NOT NULL,
  started FLOAT,
  embedding_since FLOAT,
  finished FLOAT,
  removed INTEGER NOT NULL,
  texts INTEGER NOT NULL,
  texts_embedded INTEGER NOT NULL,
  PRIMARY KEY (job_id)
);
CREATE TABLE answers (
  answer_id VARCHAR NOT NULL,
  created FLOAT NOT NULL,
  answer TEXT NOT NULL,
  PRIMARY KEY (answer_id)
);
CREATE TABLE versions (
  document_id VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  source_sha256 VARCHAR NOT NULL,
  format VARCHAR NOT NULL,
  title TEXT,
  text TEXT NOT NULL,
  problems TEXT NOT NULL,
  details TEXT NOT NULL,
  beyond INTEGER NOT NULL,
  created FLOAT NOT NULL,
  PRIMARY KEY (document_id, version),
  FOREIGN KEY(document_id) REFERENCES documents (document_id) ON DELETE CASCADE
);
CREATE TABLE job_files (
  job_id VARCHAR NOT NULL,
  path TEXT NOT NULL,
  document_id VARCHAR NOT NULL,
  source TEXT NOT NULL,
  inside TEXT NOT NULL,
  sha256 VARCHAR NOT NULL,
  attempts INTEGER NOT NULL,
  outcome VARCHAR NOT NULL,
  reason TEXT NOT NULL,
  remedy TEXT NOT NULL,
  pages INTEGER NOT NULL,
  chunks INTEGER NOT NULL,
  PRIMARY KEY (job_id, path),
  FOREIGN KEY(job_id) REFERENCES jobs (job_id) ON DELETE CASCADE
);
CREATE INDEX job_files_outcome ON job_files (job_id, outcome, path);
CREATE INDEX job_files_document ON job_files (document_id);
CREATE TABLE answer_documents (
  answer_id VARCHAR NOT NULL,
  document_id VARCHAR NOT NULL,
  PRIMARY KEY (answer_id, document_id),
  FOREIGN KEY(answer_id) REFERENCES answers (answer_id) ON DELETE CASCADE
);
CREATE INDEX answer_documents_document ON answer_documents (document_id);
CREATE TABLE pages (
  document_id VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  number INTEGER NOT NULL,
  label VARCHAR,
  width FLOAT NOT NULL,
  height FLOAT NOT NULL,
  ocr BOOLEAN NOT NULL,
  confidence FLOAT,
  runs BLOB NOT NULL,
  PRIMARY KEY (document_id, version, number),
  FOREIGN KEY(document_id, version) REFERENCES versions (document_id, version) ON DELETE CASCADE
);
CREATE TABLE document_names (
  word VARCHAR NOT NULL,
  document_id VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  PRIMARY KEY (word, document_id),
  FOREIGN KEY(document_id, version) REFERENCES versions (document_id, version) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE INDEX document_names_document ON document_names (document_id, version);
CREATE TABLE chunks (
  id INTEGER NOT NULL,
  chunk_id VARCHAR NOT NULL,
  collection VARCHAR NOT NULL,
  document_id VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  ordinal INTEGER NOT NULL,
  start INTEGER NOT NULL,
  "end" INTEGER NOT NULL,
  page INTEGER NOT NULL,
  title TEXT NOT NULL,
  heading TEXT NOT NULL,
  context TEXT NOT NULL,
  text TEXT NOT NULL,
  segments TEXT NOT NULL,
  text_hash VARCHAR NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(document_id, version) REFERENCES versions (document_id, version) ON DELETE CASCADE,
  UNIQUE (chunk_id)
);
CREATE INDEX chunks_document ON chunks (document_id, version, ordinal);
CREATE INDEX chunks_hash ON chunks (text_hash);
CREATE VIRTUAL TABLE chunk_words USING fts5(
    title, heading, text, segments, content='chunks', content_rowid='id',
    tokenize="porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
