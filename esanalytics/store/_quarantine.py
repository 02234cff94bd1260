"""Quarantine: rows that were refused, with origin, line and reason, kept until somebody has seen to them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from esanalytics._disk import sync
from esanalytics.events import Refusal

__all__ = ["Quarantine"]


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A folder of JSON-lines files, one per chunk that had refused rows.

    A file is named after what is in it, so that the same load run again sets nothing aside twice.
    """

    folder: Path

    def add(self, refused: Sequence[Refusal]) -> None:
        """Set rows aside, durably, before the good ones of their chunk are committed."""
        text = "".join(json.dumps(asdict(refusal)) + "\n" for refusal in refused)
        target = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.jsonl"
        self.folder.mkdir(exist_ok=True)
        part = target.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        for folder in (self.folder, self.folder.parent):
            sync(folder)

    def rows(self) -> list[Refusal]:
        """Return what is set aside, file by file; a row that came in several loads is there once."""
        files = sorted(self.folder.glob("*.jsonl"))
        lines = (line for file in files for line in file.read_text(encoding="utf-8").split("\n") if line)
        return list(dict.fromkeys(Refusal(**json.loads(line)) for line in lines))
