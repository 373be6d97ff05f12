"""Strengths from comparisons of two (Bradley and Terry, 1952): P(i beats j) = p_i / (p_i + p_j).

A tie is half a win for either. The strengths are those of greatest likelihood; intervals come from
the observed information. Without a chain of wins from each to each (Hunter, 2004, assumption 1) no
greatest likelihood exists: then every one is taken to have tied once with one of strength 1.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, log_expit

Floats = NDArray[np.float64]

MAX_ITERATIONS = 100
TOLERANCE = 1e-10  # of log strengths, between two iterations
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Strength:
    """How strong one is among those it was compared with, directly or by others.

    Args:
        log_strength: log p, the mean over its group is 0.
        low, high: its interval of 95 %.
        wins: half of the ties included.
        comparisons: how many it took part in.
        group: number of its group; log strengths of different groups cannot be compared.
        prior: whether the data alone gave no finite strength, and a tie was added.
    """

    name: str
    log_strength: float
    low: float
    high: float
    wins: float
    comparisons: int
    group: int
    prior: bool


def fit_strengths(comparisons: Iterable[tuple[str, str, float]]) -> list[Strength]:
    """The strengths of all that were compared, the strongest of each group first.

    Args:
        comparisons: (one, another, what the one got: 1 for a win, 0.5 for a tie, 0 for a loss).
    """
    rows = [(one, other, gain) for one, other, gain in comparisons if one != other]
    names = list(dict.fromkeys(name for one, other, _ in rows for name in (one, other)))
    place = {name: number for number, name in enumerate(names)}
    first, second = [place[row[0]] for row in rows], [place[row[1]] for row in rows]
    gains = np.array([row[2] for row in rows], np.float64)
    entries = (np.r_[gains, 1 - gains], (first + second, second + first))
    wins = coo_array(entries, shape=(len(names), len(names))).tocsr()
    _, groups = connected_components(wins + wins.T, directed=False)
    strengths: list[Strength] = []
    for group in range(groups.max(initial=-1) + 1):
        members = np.flatnonzero(groups == group)
        table = wins[members][:, members].toarray()
        strengths += fit_group([names[member] for member in members], table, group)
    return strengths


def fit_group(names: Sequence[str], wins: Floats, group: int) -> list[Strength]:
    """The strengths of a group in which everybody was compared with everybody, if by others.

    Args:
        wins: (N, N), how often each (row) won against each other (column), ties as halves.
    """
    prior = connected_components(wins, directed=True, connection="strong")[0] > 1
    logs = log_strengths(wins, prior=prior)
    errors = standard_errors(logs, wins + wins.T, prior=prior)
    logs = logs - logs.mean()
    rows = [
        Strength(
            name,
            float(log),
            float(log - Z_95 * error),
            float(log + Z_95 * error),
            float(won),
            int(round(float(total))),
            group,
            prior,
        )
        for name, log, error, won, total in zip(
            names, logs, errors, wins.sum(1), (wins + wins.T).sum(1), strict=True
        )
    ]
    return sorted(rows, key=lambda row: (-row.log_strength, row.name))


def log_strengths(wins: Floats, *, prior: bool) -> Floats:
    """Log strengths of greatest likelihood, shape (N,), by Newton's method; their mean is 0.

    Args:
        wins: (N, N), connected.
        prior: whether everybody also ties once with somebody of strength 1.
    """
    counts, logs = wins + wins.T, np.zeros(len(wins))
    won = wins.sum(1) + (0.5 if prior else 0.0)
    value = log_likelihood(logs, wins, prior=prior)
    for _ in range(MAX_ITERATIONS):
        expected = (counts * chance_of_win(logs)).sum(1)
        if prior:
            expected += expit(logs)
        step = np.linalg.solve(information(logs, counts, prior=prior), won - expected)
        while log_likelihood(logs + step, wins, prior=prior) < value - TOLERANCE:
            step = step / 2
        logs = logs + step
        value = log_likelihood(logs, wins, prior=prior)
        if np.abs(step).max() < TOLERANCE:
            break
    return logs


def chance_of_win(logs: Floats) -> Floats:
    """(N, N), the chance of each (row) to win against each other (column)."""
    chance: Floats = expit(logs[:, None] - logs)
    return chance


def log_likelihood(logs: Floats, wins: Floats, *, prior: bool) -> float:
    """Log likelihood of the wins; the arguments are those of `log_strengths`."""
    value = (wins * log_expit(logs[:, None] - logs)).sum()
    if prior:
        value += 0.5 * (log_expit(logs) + log_expit(-logs)).sum()
    return float(value)


def information(logs: Floats, counts: Floats, *, prior: bool) -> Floats:
    """Observed information of log strengths, (N, N): minus the second derivatives.

    Without the prior all logs may be moved together, along which nothing changes; that direction
    is held fast, so that the matrix can be inverted.

    Args:
        counts: (N, N), how often each two were compared.
        prior: as in `log_strengths`.
    """
    chance = chance_of_win(logs)
    matrix: Floats = -counts * chance * (1 - chance)
    np.fill_diagonal(matrix, 0)
    np.fill_diagonal(matrix, -matrix.sum(1))
    matrix += np.diag(expit(logs) * expit(-logs)) if prior else 1.0
    return matrix


def standard_errors(logs: Floats, counts: Floats, *, prior: bool) -> Floats:
    """Standard errors of log strengths whose mean is 0, shape (N,).

    Args:
        counts, prior: as in `information`.
    """
    center = np.eye(len(logs)) - 1 / len(logs)
    inverse = np.linalg.inv(information(logs, counts, prior=prior))
    return np.sqrt(np.clip(np.diag(center @ inverse @ center), 0, None))
