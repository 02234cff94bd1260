"""One run of a job at a time."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time

import pytest

from esanalytics.errors import LockedError
from esanalytics.jobs._lock import locked

HOLD = """
import pathlib, sys, time
from esanalytics.jobs._lock import locked
with locked(pathlib.Path(sys.argv[1]), "daily"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def held(tmp_path):
    """Let another process hold the lock for some seconds."""
    begun = []

    def hold(seconds):
        begun.append(subprocess.Popen([sys.executable, "-c", HOLD, tmp_path, str(seconds)], stdout=subprocess.PIPE))
        assert begun[-1].stdout.readline() == b"held\n"
        return begun[-1]

    yield hold
    for process in begun:
        process.kill()
        process.communicate()


def test_a_lock_that_is_held_is_refused_with_its_owner(held, tmp_path):
    process = held(60)
    with pytest.raises(LockedError) as caught, locked(tmp_path, "daily"):
        pass
    assert f"job 'daily' is being run by process {process.pid} on {os.uname().nodename} since 20" in str(caught.value)
    assert caught.value.transient


def test_other_jobs_are_not_locked(held, tmp_path):
    held(60)
    with locked(tmp_path, "hourly"):
        pass


def test_one_may_wait_for_a_lock(held, tmp_path):
    held(0.5)
    with locked(tmp_path, "daily", dt.timedelta(seconds=60)):
        assert f"process {os.getpid()} on" in (tmp_path / "daily.lock").read_text()


def test_waiting_ends(held, tmp_path):
    held(60)
    began = time.monotonic()
    with pytest.raises(LockedError), locked(tmp_path, "daily", dt.timedelta(seconds=0.3)):
        pass
    assert 0.3 <= time.monotonic() - began < 30


def test_a_lock_dies_with_its_process(held, tmp_path):
    process = held(60)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    with locked(tmp_path, "daily"):
        pass


def test_a_lock_is_given_back_whatever_happens(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "new", "daily"):
        raise ZeroDivisionError
    with locked(tmp_path / "new", "daily"):
        pass
