import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TIME_TRAVEL = {
    "history",
    "history-key",
    "explain",
    "explain-value",
    "snapshot-tail",
    "snapshot-late",
    "diff",
    "bisect",
    "join",
    "reducer",
}

EXPORTS = {"export-copy", "export-job", "export-refresh", "export-idle", "export-memory"}


def test_a_small_run_gives_a_number_for_every_measure_and_leaves_nothing_behind(tmp_path):
    script = Path(__file__).with_name("run.py")
    report, folder = tmp_path / "report.json", tmp_path / "work"
    folder.mkdir()
    command = [sys.executable, str(script), "--small", "--repeat", "2", "--json", str(report), "--dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measures = json.loads(report.read_text())["measures"]
    assert [m["name"] for m in measures if not math.isfinite(m["value"])] == []
    assert {m["name"] for m in measures} >= TIME_TRAVEL | EXPORTS
    assert len(measures) == done.stdout.count("\n| ")
    assert list(folder.iterdir()) == []
