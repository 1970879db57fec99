"""Says which figures of table rows are told with their sign, and by which words a text tells that something is negative."""

from __future__ import annotations

import re

FALLS = re.compile(
    r"\b(?:fell|falls?|fallen|falling|drop\w*|declin\w*|decreas\w*|reduc\w*|lower\w*|less|fewer|down|loss(?:es)?|lost|losing|shr[aiu]nk\w*"
    r"|negative|minus|worse\w*|deficit|cut|weaken\w*|below|outflows?)\b",
    re.IGNORECASE,
)
"""Words by which a share, or a figure, is told to be negative."""
_EITHER = re.compile(
    r"\(\s*(?:loss(?:es)?|expenses?|decreases?|used in|deficit|benefit)\s*\)|/\s*\(?(?:loss|expense|decrease)",
    re.IGNORECASE,
)
_PAID_OUT = re.compile(
    r"cost|expens|charg|tax|pa(?:y|id)|purchas|buyback|dividend|distribut|loss|decreas|used|depreciat|amorti[sz]|impair|provision"
    r"|deduct|interest|withh|less\b|spen[dt]|invest|acqui|redempt|redeem|fees?\b|write|outflow|discount|allowance|borrow|debt|treasury"
    r"|eliminat|retire|settle|fall|declin|contribut",
    re.IGNORECASE,
)


def is_signed(label: str) -> bool:
    """Return whether a row's figures are told with their sign: "Net income (loss)", "Net result"; not "Energy costs", which are
    told without, however they are written."""
    return bool(_EITHER.search(label)) or not _PAID_OUT.search(label)
