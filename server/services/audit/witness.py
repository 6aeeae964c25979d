"""
Publish the log's signed heads where somebody who can write the database cannot rewrite them.

    witness.publish(session, path)       # after each signing; adds the heads that are not there yet
    witness.read(path)                   # for verification

A witness is a file, one head a line as JSON, that is only ever added to: on another machine, on a medium that is
written once, or in a git work tree, where every head becomes a commit that is pushed if the repository has a remote.
"""

import json
import os
import subprocess
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.audit import LogHead
from server.services.audit import canonical, heads
from server.services.errors import Refused

NAME = "ansim-log-heads.jsonl"
GIT_TIMEOUT_S = 60


def publish(session: Session, path: Path) -> int:
    """
    Add the heads that the witness does not have yet; return how many.

    path  of a file, or of a folder, such as a git work tree, in which the file NAME is written

    Raises Refused: witness_failed.
    """
    file = _file(path)
    known = max((head["n"] for head in read(path)), default=0)
    new = session.scalars(select(LogHead).where(LogHead.n > known).order_by(LogHead.n)).all()
    lines = "".join(canonical.text(heads.as_body(head)) + "\n" for head in new)
    try:
        if lines:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            with os.fdopen(descriptor, "a", encoding="utf-8") as witness:
                witness.write(lines)
                witness.flush()
                os.fsync(witness.fileno())
        if (file.parent / ".git").exists():
            _commit(file, new[-1].n if new else known)
    except (OSError, subprocess.SubprocessError):
        raise Refused("witness_failed") from None
    return len(new)


def read(path: Path) -> list[dict]:
    """Return the heads that the witness has, [{"n", "hash", ...}]. Raises Refused: witness_failed."""
    file = _file(path)
    try:
        if not file.exists():
            return []
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        return [{**row, "n": int(row["n"]), "hash": str(row["hash"])} for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        raise Refused("witness_failed") from None


def _file(path):
    return path / NAME if path.is_dir() else path


def _commit(file, n):
    def git(*arguments):
        name = ("-c", "user.name=Ansim", "-c", "user.email=ansim@localhost")
        command = ["git", "-C", str(file.parent), *name, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=GIT_TIMEOUT_S).stdout

    git("add", "--", file.name)
    if git("status", "--porcelain", "--", file.name):
        git("commit", "--quiet", "--message", f"Log signed up to entry {n}", "--", file.name)
    if git("remote"):
        git("push", "--quiet")
