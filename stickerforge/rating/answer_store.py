"""ratings.sqlite: every answer of every rater, also those that were taken back."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from stickerforge.errors import EnvironmentFault, InputError
from stickerforge.rating.answer_rows import (
    APPLICATION,
    CHANGED,
    COLUMNS,
    ENVIRONMENT,
    SCHEMA,
    VERSION,
    StoredAnswer,
    row_of,
)
from stickerforge.rating.rating_set import Question
from stickerforge.rating.ratings import Answer, Rating, now, rating_fault
from stickerforge.runtime.bounded_files import check_regular

STORE = "ratings.sqlite"
SKIP: Literal["skip"] = "skip"


class AnswerStore:
    """The answers in a database; an answer is on the disk when `add` returns.

    One thread at a time may use it.
    """

    def __init__(self, path: Path) -> None:
        """Args:
        path: of the database, which is made where it is missing.

        Raises:
            InputError: something else is there, or it is broken.
            EnvironmentFault: it cannot be written.
        """
        self.path = path
        if path.exists():
            self._check_file()
        with self._faults():
            self.connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
        with ExitStack() as stack:  # whatever ends the preparation, Ctrl-C too
            stack.callback(self.connection.close)
            with self._faults():
                self._prepare()
            stack.pop_all()

    def __enter__(self) -> "AnswerStore":
        return self

    def __exit__(self, *fault: object) -> None:
        self.connection.close()

    def _check_file(self) -> None:
        try:
            check_regular(self.path)
        except OSError as error:
            raise InputError(
                f"cannot read {self.path}: {error.strerror or error}", "move it away"
            ) from None

    def _prepare(self) -> None:
        execute = self.connection.execute
        application, version, tables = (
            execute(query).fetchone()[0]
            for query in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        if tables and application != APPLICATION:
            raise InputError(f"{self.path} is no database of ratings", "move it away")
        if version > VERSION:
            raise InputError(
                f"{self.path} was written by a newer version of stickerforge", "update this one"
            )
        if execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise self._broken("its pages are damaged")
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        if not tables:
            self.connection.executescript(SCHEMA)
        execute("BEGIN IMMEDIATE")  # refused now rather than at the first answer
        self.connection.rollback()

    def _broken(self, reason: object) -> InputError:
        return InputError(
            f"{self.path} is broken: {str(reason)[:120]}",
            "move it away, and give the raters' last export to --ratings",
        )

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the details
            if code in ENVIRONMENT:
                raise EnvironmentFault(
                    f"cannot write {self.path}: {str(error)[:120]}",
                    "check the disk and its permissions, or give --out FOLDER",
                ) from None
            raise self._broken(error) from None
        except ValueError as error:  # somebody has changed a row
            raise self._broken(error) from None

    def add(self, rating: Rating) -> int:
        """Keep an answer; one that its rater gave about the same item before counts no more.

        Returns:
            Its id.

        Raises:
            InputError, EnvironmentFault: it was not kept.
        """
        with self._faults(), self.connection:
            return self._replace(rating)

    def skip(self, rater: str, question: Question, item: tuple[str, str | None]) -> int:
        """Keep that a rater skipped an item, for now.

        Returns:
            Its id.

        Raises:
            InputError, EnvironmentFault: it was not kept.
        """
        row = (rater, now(), question, *item, json.dumps(SKIP), "", "", "", None)
        with self._faults(), self.connection:
            return self._insert(row)

    def undo(self, ids: Iterable[int]) -> None:
        """Take answers back; they stay in the history.

        Raises:
            InputError, EnvironmentFault: none was taken back.
        """
        self._mark(now(), ids)

    def retire(self, ids: Iterable[int]) -> None:
        """Let answers count no more because their pictures have changed; `restore` undoes it.

        Raises:
            InputError, EnvironmentFault: none was retired.
        """
        self._mark(f"{CHANGED} {now()}", ids)

    def restore(self, ids: Iterable[int]) -> None:
        """Let answers count again that were retired.

        Raises:
            InputError, EnvironmentFault: none was restored.
        """
        self._mark(None, ids)

    def _mark(self, undone: str | None, ids: Iterable[int]) -> None:
        rows = [(undone, id) for id in ids]
        with self._faults(), self.connection:
            self.connection.executemany("UPDATE answers SET undone = ? WHERE id = ?", rows)

    def take(self, ratings: Sequence[Rating]) -> int:
        """Keep ratings from a file, all or none; those that were here already change nothing.

        Of two answers of a rater about one item the later one counts.

        Returns:
            How many were new.

        Raises:
            InputError, EnvironmentFault: none was kept.
        """
        with self._faults(), self.connection:
            known = {
                (rater, question, picture, other, time, answer)
                for rater, question, picture, other, time, answer in self.connection.execute(
                    "SELECT rater, question, picture, other, time, answer FROM answers"
                )
            }
            standing = {
                (answer.rater, rating.question, answer.item): rating
                for answer in self._standing("SELECT {} FROM answers WHERE undone IS NULL", ())
                if (rating := answer.rating)
            }
            new = 0
            for rating in ratings:
                text = json.dumps(rating.answer)
                row = (rating.rater, rating.question, *rating.item, rating.time, text)
                if row in known:
                    continue
                known.add(row)
                new += 1
                key = rating.rater, rating.question, rating.item
                if key in standing and standing[key].moment > rating.moment:
                    self._insert(row_of(rating, now()))
                else:
                    self._replace(rating)
                    standing[key] = rating
            return new

    def standing(self, question: Question, rater: str | None = None) -> list[StoredAnswer]:
        """The answers to a question that count, skips among them, in the order they were given.

        Args:
            rater: whose; None for everybody's.

        Raises:
            InputError, EnvironmentFault: they cannot be read.
        """
        condition = "" if rater is None else " AND rater = ?"
        query = f"SELECT {{}} FROM answers WHERE undone IS NULL AND question = ?{condition}"
        values = (question,) if rater is None else (question, rater)
        with self._faults():
            return list(self._standing(f"{query} ORDER BY id", values))

    def retired(self, question: Question) -> list[StoredAnswer]:
        """The answers to a question that were retired, the last ones first.

        Raises:
            InputError, EnvironmentFault: they cannot be read.
        """
        query = "SELECT {} FROM answers WHERE undone LIKE ? AND question = ? ORDER BY id DESC"
        with self._faults():
            return list(self._standing(query, (f"{CHANGED} %", question)))

    def first_question(self) -> str | None:
        """What the oldest answer is about; None where there is none, not even in the history.

        Raises:
            InputError, EnvironmentFault: it cannot be read.
        """
        query = "SELECT question FROM answers ORDER BY id LIMIT 1"
        with self._faults():
            row = self.connection.execute(query).fetchone()
        return str(row[0]) if row else None

    def ratings(self, question: Question) -> list[Rating]:
        """The ratings that count, in the order they were given.

        Raises:
            InputError, EnvironmentFault: they cannot be read.
        """
        return [answer.rating for answer in self.standing(question) if answer.rating]

    def _standing(self, query: str, values: tuple[str, ...]) -> Iterator[StoredAnswer]:
        for row in self.connection.execute(query.format(COLUMNS), values):
            id, rater, time, question, picture, other, text, *more = row
            answer: Answer | Literal["skip"] = json.loads(text)
            rating = None
            if answer != SKIP:
                rating = Rating(picture, question, answer, rater, time, other, *more)
                if fault := rating_fault(rating):
                    raise ValueError(f"answer {id}: {fault}")
            yield StoredAnswer(id, rater, picture, other, rating)

    def _replace(self, rating: Rating) -> int:
        self.connection.execute(
            "UPDATE answers SET undone = ? WHERE undone IS NULL AND question = ? AND rater = ?"
            " AND picture = ? AND other IS ?",
            (now(), rating.question, rating.rater, *rating.item),
        )
        return self._insert(row_of(rating, None))

    def _insert(self, row: tuple[str | None, ...]) -> int:
        cursor = self.connection.execute(
            "INSERT INTO answers (rater, time, question, picture, other, answer, sha256,"
            " other_sha256, model, undone) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        return int(cursor.lastrowid or 0)
