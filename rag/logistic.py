"""Fits a logistic regression, and says how well scores separate yes from no."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.errors import ReadingRoomError

STEPS = 50
ENOUGH = 1e-7
"""Newton's method ends when no coefficient moves by more."""


def fit(
    rows: Sequence[Sequence[float]],
    labels: Sequence[bool],
    prior: Sequence[float],
    pull: float,
    shares: Sequence[float] | None = None,
) -> list[float]:
    """Return the coefficients of a logistic regression, the constant last, by Newton's method.

    `pull` is how strongly they are held to `prior`: with few rows the prior stays, with many the rows decide. `shares` are
    the weights of the rows, all 1 unless given. The constant is not held.
    """
    matrix = np.hstack([np.asarray(rows, dtype=float), np.ones((len(rows), 1))])
    wanted, start = np.asarray(labels, dtype=float), np.asarray(prior, dtype=float)
    weight = np.ones(len(rows)) if shares is None else np.asarray(shares, dtype=float)
    hold = np.full(matrix.shape[1], pull)
    hold[-1] = 1e-6
    found = start.copy()
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(matrix @ found, -30, 30)))
        slope = matrix.T @ (weight * (wanted - chance)) - hold * (found - start)
        bend = (matrix * (weight * chance * (1 - chance))[:, None]).T @ matrix + np.diag(hold)
        step = np.linalg.solve(bend, slope)
        found += np.clip(step, -4, 4)
        if float(np.abs(step).max()) < ENOUGH:
            return [float(value) for value in found]
    raise ReadingRoomError("The fit did not settle.", "Use more questions of both kinds.")


def auc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """Return the chance that a yes scores higher than a no, ties counted half; 0.5 where one of both is missing."""
    order = sorted(zip(scores, labels, strict=True))
    yes, no = sum(labels), len(labels) - sum(labels)
    if not yes or not no:
        return 0.5
    won, below, at = 0.0, 0, 0
    while at < len(order):
        end = at
        while end < len(order) and order[end][0] == order[at][0]:
            end += 1
        tied_yes = sum(label for _, label in order[at:end])
        won += tied_yes * (below + (end - at - tied_yes) / 2)
        below += end - at - tied_yes
        at = end
    return won / (yes * no)


def threshold(scores: Sequence[float], labels: Sequence[bool], refusals: float) -> float:
    """Return the highest threshold below which at most so large a share of the yes falls."""
    yes = sorted(score for score, label in zip(scores, labels, strict=True) if label)
    return yes[min(len(yes) - 1, int(refusals * len(yes)))] if yes else 0.0


def errors(scores: Sequence[float], labels: Sequence[bool], least: float) -> tuple[int, int, int, int]:
    """Return (yes below the threshold, yes, no at or above it, no)."""
    pairs = list(zip(scores, labels, strict=True))
    refused = sum(label and score < least for score, label in pairs)
    passed = sum(not label and score >= least for score, label in pairs)
    return refused, sum(labels), passed, len(labels) - sum(labels)
