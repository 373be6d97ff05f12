"""The table of ratings.sqlite, and its rows."""

import json
import sqlite3
from dataclasses import dataclass

from stickerforge.rating.ratings import Rating

VERSION = 1
APPLICATION = 0x53465261  # "SFRa": tells such a database from others
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY,
    rater TEXT NOT NULL,
    time TEXT NOT NULL,
    question TEXT NOT NULL,
    picture TEXT NOT NULL,
    other TEXT,
    answer TEXT NOT NULL,  -- JSON: true, false, "left", "right", "tie" or "skip"
    sha256 TEXT NOT NULL,        -- of the picture's file
    other_sha256 TEXT NOT NULL,  -- of the other one's
    model TEXT NOT NULL,         -- that drew the picture
    undone TEXT                  -- when it was taken back or replaced, or CHANGED; NULL: it counts
);
CREATE INDEX IF NOT EXISTS standing ON answers (question, rater, picture)
    WHERE undone IS NULL;
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
COLUMNS = "id, rater, time, question, picture, other, answer, sha256, other_sha256, model"
CHANGED = "changed"  # what `undone` begins with where a picture has changed since
ENVIRONMENT = (  # what SQLite says where the machine is at fault, not the file
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
)


@dataclass(frozen=True)
class StoredAnswer:
    """An answer that stands.

    Args:
        rating: None where the rater skipped the picture.
    """

    id: int
    rater: str
    picture: str
    other: str | None
    rating: Rating | None

    @property
    def item(self) -> tuple[str, str | None]:
        """What it is about."""
        return self.picture, self.other


def row_of(rating: Rating, undone: str | None) -> tuple[str | None, ...]:
    """The row of a rating.

    Args:
        undone: when it was replaced; None for one that counts.
    """
    return (
        rating.rater,
        rating.time,
        rating.question,
        *rating.item,
        json.dumps(rating.answer),
        rating.sha256,
        rating.other_sha256,
        rating.model,
        undone,
    )
