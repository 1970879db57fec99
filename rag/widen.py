"""Lets hits grow by the text around them in their section, within a number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rag.join import Joined
from rag.passages import Passage

Count = Callable[[Sequence[str]], list[int]]


def widen_hits(hits: Sequence[Joined], passages_of: Callable[[str], list[Passage]], count: Count, tokens: int) -> None:
    """Let each hit grow by passages of its section, after it and before it in turn, while it has at most so many tokens.

    A section is what has the same heading on the same page. No hit grows into another: the better ones grow first.
    """
    taken = {(hit.lead.passage.document_id, at) for hit in hits for at in (hit.start, *(one.start for one in hit.also))}
    known: dict[str, list[Passage]] = {}
    for hit in hits:
        lead = hit.lead.passage
        if lead.document_id not in known:
            known[lead.document_id] = passages_of(lead.document_id)
        section = [one for one in known[lead.document_id] if _section(one) == _section(lead)]
        used = count([hit.text])[0]
        sides = [
            [one for one in section if one.start >= hit.end],
            [one for one in reversed(section) if one.end <= hit.start],
        ]
        while any(sides):
            for side in sides:
                one = side.pop(0) if side else None
                if one is None:
                    continue
                more = count([one.text])[0]
                place = (one.document_id, one.start)
                if used + more > tokens or place in taken or (one.start != hit.end and one.end != hit.start):
                    side.clear()  # what follows does not touch the hit
                    continue
                taken.add(place)
                used += more
                hit.text = hit.text + one.text if one.start == hit.end else one.text + hit.text
                hit.start, hit.end = min(hit.start, one.start), max(hit.end, one.end)


def _section(passage: Passage) -> tuple[int, str, bool, str]:
    return passage.page, passage.heading, passage.hidden, passage.made_by
