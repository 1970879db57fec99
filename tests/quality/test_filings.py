"""Quality on real quarterly filings: the right page and number, from a store of similar documents."""

from __future__ import annotations

from pathlib import Path

from rag.library import Library
from rag.settings import load_settings
from tests.processes import environment

QUESTION = "What was Apple's total net sales in the quarter ended June 25, 2022?"


def test_net_sales_of_a_quarter(data: Path, tmp_path: Path) -> None:
    """Between two quarters of Apple, the answer is quoted from the right page of the right one."""
    folder = data / "kgrag_sec10q" / "docs"
    with Library(load_settings(environment(tmp_path / "home")), "tests") as library:
        report = library.ingest([folder / "2022 Q3 AAPL.pdf", folder / "2023 Q1 AAPL.pdf"], "filings")
        assert report.added == 2 and report.pages == 74
        places = [(Path(hit.path).name, hit.page) for hit in library.search(QUESTION, ["filings"], 5).hits]
        assert ("2022 Q3 AAPL.pdf", 4) in places
        answer = library.ask(QUESTION, ["filings"])
        assert answer.outcome == "answered"
        assert any("82,959" in citation.quote and citation.page == 4 for citation in answer.citations)
