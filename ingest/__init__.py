"""Ingestion: what a file says, and how it gets into the catalog."""
