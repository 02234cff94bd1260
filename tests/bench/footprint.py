"""Measures of what the library takes: time to import, room on disk."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

from measuring import RATIO, Outcome, of, shown
from setting import Setting

_HEAVY = ("pandas", "matplotlib", "ipywidgets")
_IMPORT = f"""
import json, sys, time
began = time.perf_counter()
import esanalytics
seconds = time.perf_counter() - began
print(json.dumps([seconds, [name for name in {_HEAVY} if name in sys.modules]]))
"""
_LINES = """
COPY (SELECT * REPLACE (data::JSON AS data, metadata::JSON AS metadata) FROM read_parquet('{files}')
    WHERE position <= {last} ORDER BY position) TO '{path}' (FORMAT json)
"""
_BLOCK = 2**20


def imported(setting: Setting) -> Outcome:
    """Import the library in new processes; what it must not load counts as a failure."""
    runs = [_import() for _ in range(2 * setting.repeat + 1)][1:]
    if any(heavy for _, heavy in runs):
        raise ValueError(f"the import loads {', '.join(runs[0][1])}")
    return of([seconds for seconds, _ in runs], "s", f"loads no {', '.join(_HEAVY)}")


def _import() -> tuple[float, list[str]]:
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True)
    seconds, heavy = json.loads(done.stdout)
    return seconds, heavy


def disk(setting: Setting) -> Outcome:
    """Weigh the store's folder and the same events as gzipped JSON lines, per event."""
    ours = sum(path.stat().st_size for path in setting.store.path.rglob("*") if path.is_file())
    each, sample = ours / setting.sizes.events, setting.sizes.load
    path = setting.path().with_suffix(".jsonl")
    files = f"{setting.store.path}/events/service=*/*/*.parquet"
    setting.sql.execute(_LINES.format(files=files, last=sample, path=path))
    other = _gzipped(path) / sample
    note = f"{shown(each, 'B')} / {shown(other, 'B')} per event, JSON lines {shown(path.stat().st_size / sample, 'B')}"
    path.unlink()
    return of([each / other], RATIO, note)


def _gzipped(path: Path) -> int:
    press = zlib.compressobj(6, zlib.DEFLATED, 31)
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            size += len(press.compress(block))
    return size + len(press.flush())
