"""Writes the report of a job as CSV, a file a row."""

from __future__ import annotations

import csv
import io

from rag.report_shapes import FileReport, JobReport

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def report_csv(report: JobReport) -> str:
    """Return a header row and a row a file; problems are joined with line feeds.

    Texts that a spreadsheet would take for a formula get an apostrophe in front (OWASP, CSV injection): file names and
    problems come from strangers.
    """
    out = io.StringIO(newline="")
    names = list(FileReport.model_fields)
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    for file in report.files:
        row = file.model_dump() | {"problems": "\n".join(file.problems)}
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return out.getvalue()


def _harmless(value: object) -> object:
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value
