"""One object of an object store: it is there when all of it has arrived, and is the old one until then."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from esanalytics.errors import DestinationError
from esanalytics.jobs._destination import shown
from esanalytics.jobs._explaining import explaining
from esanalytics.jobs._forms import Form
from esanalytics.jobs._values import Published, Staged, Token

__all__ = ["Object"]

_PREFIX = "esanalytics-"
_CHUNK = 8 << 20
_SCHEMES = {"az://": "abfs://", "gcs://": "gs://"}


@dataclass(frozen=True, slots=True)
class Object:
    """An object that is replaced whole.

    Attributes:
        url: with the store's options in its query, such as ``?region=eu-central-1``; credentials come from where the
            store's own tools take them.
        form: what writes it; None: the staged file is taken as it is.
    """

    url: str
    form: Form | None

    def find(self, token: Token) -> Published | None:  # noqa: ARG002  an object does not say
        """Return None: an object says nothing of which run it is, so it is put there again."""
        return None

    def check(self, columns: Mapping[str, str], token: Token | None = None) -> None:  # noqa: ARG002  it takes any
        """Refuse a place that cannot be reached.

        Raises:
            DestinationError: it cannot be.
        """
        with self._explaining():
            store, key = self._store()
            store.get_file_info(key)

    def publish(self, staged: Staged, token: Token) -> Published:
        """Put the object there.

        Raises:
            DestinationError: it cannot be; the old one is as it was.
        """
        with self._explaining(), tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
            ready = staged.path
            if self.form is not None:
                ready = Path(folder, "made")
                self.form(staged, ready, token)
            store, key = self._store()
            sink = store.open_output_stream(key, compression=None)  # it compresses by name, once more
            with pa.memory_map(str(ready)) as source, sink:
                shutil.copyfileobj(source, sink, _CHUNK)
            return Published(self._where, staged.rows, ready.stat().st_size, staged.digest, (self._where,))

    def sweep(self, keep: Callable[[str], bool]) -> None:
        """Do nothing: what has not arrived whole, the store itself forgets."""

    @property
    def _where(self) -> str:
        return shown(self.url)

    def _store(self) -> tuple[fs.FileSystem, str]:
        url = self.url
        for ours, theirs in _SCHEMES.items():
            url = theirs + url.removeprefix(ours) if url.startswith(ours) else url
        store, key = fs.FileSystem.from_uri(url)
        return store, str(key)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        with explaining(self._where):
            try:
                yield
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                remedy = "write it as scheme://bucket/key?option=value, for s3, gs or az, or write a local file"
                raise DestinationError(self._where, shown(str(error).splitlines()[0]), remedy) from error
