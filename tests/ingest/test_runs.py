"""Packed places: what goes in comes out, and nothing outside the text goes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.elements import Box
from ingest.runs import pack_runs, places_of, unpack_runs

TENTHS = st.integers(-20_000, 200_000).map(lambda tenths: tenths / 10)
RUN = st.tuples(st.integers(0, 10_000), st.integers(0, 50), TENTHS, TENTHS, TENTHS, TENTHS)


@given(st.lists(RUN, min_size=1, max_size=50))
def test_places_survive_packing(runs: list[tuple[int, int, float, float, float, float]]) -> None:
    """Offsets come back as they were, coordinates to a tenth of a point."""
    given_runs = [(start, start + size, Box(3, *place)) for start, size, *place in runs]
    assert unpack_runs(pack_runs(given_runs, 10_050)) == [(a, b, *box[1:]) for a, b, box in given_runs]


@given(st.lists(RUN, min_size=1, max_size=50), st.integers(0, 10_050), st.integers(0, 500))
def test_only_some_places_are_opened(
    runs: list[tuple[int, int, float, float, float, float]], start: int, size: int
) -> None:
    """Those that have characters of a span are the same as when all are opened."""
    packed = pack_runs([(a, a + length, Box(3, *place)) for a, length, *place in runs], 10_050)
    all_of_them = unpack_runs(packed)
    assert places_of(packed, start, start + size) == [
        run for run in all_of_them if run[0] < start + size and run[1] > start
    ]


@pytest.mark.parametrize("run", [(-1, 3), (2, 1), (4, 11)])
def test_a_place_outside_the_text_is_refused(run: tuple[int, int]) -> None:
    """A reader that gets its offsets wrong does not reach the catalog."""
    with pytest.raises(ValueError, match="outside the text"):
        pack_runs([(*run, Box(1, 0, 0, 1, 1))], 10)


def test_no_places() -> None:
    """A page without places packs to nothing."""
    assert unpack_runs(b"") == places_of(b"", 0, 9) == []
