"""Packs the places of a page's characters into bytes, the way they travel and are kept, and opens them again."""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate, repeat
from operator import le, mul, sub

Place = tuple[int, int, float, float, float, float]
"""The characters [start, end) of the text, and x0, y0, x1, y1 of where they stand, in points from the top left."""

_COLUMNS = 6


def pack_runs(runs: Sequence[tuple[int, int, tuple[int, float, float, float, float]]], length: int) -> bytes:
    """Return runs (start, end, (page, x0, y0, x1, y1)) of one page packed, coordinates to a tenth of a point.

    Six columns of 32-bit numbers, little-endian, compressed: the differences of the starts, the numbers of characters,
    the coordinates in tenths. ValueError when a run lies outside a text of `length` characters.
    """
    starts, ends, boxes = zip(*runs, strict=True)
    if min(starts) < 0 or max(ends) > length or not all(map(le, starts, ends)):
        raise ValueError("a run lies outside the text")
    table = array("i", map(sub, starts, (0, *starts)))
    table.extend(map(sub, ends, starts))
    _, *coordinates = zip(*boxes, strict=True)
    for values in coordinates:
        table.extend(map(round, map(mul, values, repeat(10))))
    if sys.byteorder == "big":
        table.byteswap()
    return zlib.compress(table, 1)


def unpack_runs(packed: bytes) -> list[Place]:
    """Return the runs that `pack_runs` packed, an empty list for no bytes; zlib.error or ValueError for other bytes."""
    if not packed:
        return []
    begins, lengths, *coordinates = _columns(packed)
    places = ([value / 10 for value in column] for column in coordinates)
    return list(zip(begins, map(int.__add__, begins, lengths), *places, strict=True))


def places_of(packed: bytes, start: int, end: int) -> list[Place]:
    """Return those of the runs that `pack_runs` packed that have characters of [start, end), without opening the others."""
    if not packed:
        return []
    begins, lengths, *coordinates = _columns(packed)
    spans = enumerate(zip(begins, lengths, strict=True))
    chosen = [at for at, (begin, length) in spans if begin < end and begin + length > start]
    places = ([column[at] / 10 for at in chosen] for column in coordinates)
    return list(zip([begins[at] for at in chosen], [begins[at] + lengths[at] for at in chosen], *places, strict=True))


def _columns(packed: bytes) -> list[Sequence[int]]:
    """Return the columns of a table, the starts as they are and not as differences."""
    table = array("i")
    table.frombytes(zlib.decompress(packed))
    if sys.byteorder == "big":
        table.byteswap()
    size = len(table) // _COLUMNS
    starts, *others = (table[at * size : (at + 1) * size] for at in range(_COLUMNS))
    return [list(accumulate(starts)), *others]
