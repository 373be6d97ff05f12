"""Strengths from comparisons of two (Bradley and Terry, 1952): P(i beats j) = p_i / (p_i + p_j).

A tie is half a win for either. The strengths are those of greatest likelihood, by the MM algorithm
of Hunter (2004, "MM algorithms for generalized Bradley-Terry models"), equation 3; intervals come
from the observed information. Without a chain of wins from each to each (Hunter's assumption 1) no
greatest likelihood exists: then every one is taken to have tied once with one of mean strength.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]

MAX_ITERATIONS = 10_000
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
    """Log strengths of greatest likelihood, shape (N,), by Hunter's equation 3.

    Args:
        wins: (N, N), connected.
        prior: whether everybody also ties once with somebody of strength 1.
    """
    counts, won = wins + wins.T, wins.sum(1) + (0.5 if prior else 0.0)
    strengths = np.ones(len(wins))
    for _ in range(MAX_ITERATIONS):
        shares = (counts / (strengths[:, None] + strengths)).sum(1)
        if prior:
            shares += 1 / (strengths + 1)
        new = won / shares
        if not prior:
            new /= np.exp(np.log(new).mean())
        change = np.abs(np.log(new) - np.log(strengths)).max()
        strengths = new
        if change < TOLERANCE:
            break
    return np.log(strengths)


def standard_errors(logs: Floats, counts: Floats, *, prior: bool) -> Floats:
    """Standard errors of log strengths with mean 0, shape (N,), by the observed information.

    Args:
        counts: (N, N), how often each two were compared.
        prior: as in `log_strengths`.
    """
    chance = 1 / (1 + np.exp(logs[None] - logs[:, None]))
    information = -counts * chance * (1 - chance)
    np.fill_diagonal(information, 0)
    np.fill_diagonal(information, -information.sum(1))
    if prior:
        alone = 1 / (1 + np.exp(-logs))
        information += np.diag(alone * (1 - alone))
    center = np.eye(len(logs)) - 1 / len(logs)
    covariance = center @ np.linalg.pinv(information, hermitian=True) @ center
    return np.sqrt(np.clip(np.diag(covariance), 0, None))
