"""Answers that cost money: kept on disk, shared by all runs, and counted. Safe with several processes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import read_json, write_json
from jsdpipe.models.language_judge import Answer


class AnswerCache:
    """A folder of answers, each in a file named by its request's SHA-256.

    A request is under way in one process at a time, so that all get the same answer.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def answer(
        self, request: dict[str, Any], ask: Callable[[], Answer], understood: Callable[[Answer], bool]
    ) -> Answer:
        """The kept answer to a request, or that of `ask`; only what is understood is kept."""
        key = hashlib.sha256(json.dumps(request, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        path = self.folder / key[:2] / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent / "lock"):
            if path.is_file() and understood(kept := Answer(read_json(path)["answer"])):
                return kept
            if understood(answer := ask()):
                write_json(path, {"request": request, "answer": answer.text})
            return answer


class Ledger:
    """A file that counts calls, up to `limit` (`None`: without end), over all processes of a run."""

    def __init__(self, path: Path, limit: int | None) -> None:
        self.path, self.limit = path, limit

    def spend(self) -> None:
        """Count one call before it is made; `UserError` if it would be one too many."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")):
            made = read_json(self.path)["calls"] if self.path.is_file() else 0
            if self.limit is not None and made >= self.limit:
                raise UserError(
                    f"{self.path}: the judge has been called {made} times, and alignment.judge.max_calls is "
                    f"{self.limit}; raise it and run again: all answers so far are kept"
                )
            write_json(self.path, {"calls": made + 1})
