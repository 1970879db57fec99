"""The reading room itself: catalog, retrieval, models, answers, API and command line."""
