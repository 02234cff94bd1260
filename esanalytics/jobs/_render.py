"""Ready-made units for what calls the command: cron, systemd, Kubernetes, GitHub Actions, Airflow.

Each calls the command at the times of the schedules, and the command decides what is due; so a call too many does
nothing, and one that was missed is made up for by the next. Each call appends first what has come in; so only an
ingest that has a schedule of its own is called by itself.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from esanalytics.jobs._calendars import on_calendar
from esanalytics.jobs._file import Job, JobsFile
from esanalytics.jobs._schedule import explained

__all__ = ["TARGETS", "Scheduler", "render_target"]

Scheduler = Literal["cron", "systemd", "k8s", "github", "airflow"]
TARGETS: tuple[Scheduler, ...] = get_args(Scheduler)

_NAME = "esanalytics"
_HOURLY = "0 * * * *"
_QUARTERLY = "*/15 * * * *"


@dataclass(frozen=True, slots=True)
class _Group:
    """Jobs of one schedule in one time zone.

    Attributes:
        schedule: five fields of cron.
        tz: their time zone.
        names: of the jobs, and of ingests.
        path: of the file.
        is_all: whether there is no other group; then they need not be named.
    """

    schedule: str
    tz: str
    names: tuple[str, ...]
    path: Path
    is_all: bool

    @property
    def words(self) -> tuple[str, ...]:
        return ("jobs", "-f", str(self.path), "run", *(() if self.is_all else self.names))

    @property
    def command(self) -> str:
        """The call, on this machine."""
        return shlex.join((*_program(), *self.words))

    @property
    def slug(self) -> str:
        """A name that is this group's alone, and that every scheduler takes."""
        stem = re.sub(r"[^a-z0-9]+", "-", "-".join((self.path.stem, *self.names)).lower()).strip("-")
        mark = hashlib.sha256("\n".join((str(self.path), *self.names)).encode()).hexdigest()[:6]
        return f"esanalytics-{stem[:28].strip('-')}-{mark}"

    @property
    def told(self) -> str:
        return f"{', '.join(self.names)}: {explained(self.schedule)} ({self.tz})"


def render_target(target: Scheduler, file: JobsFile) -> dict[str, str]:
    """Return texts by file name that make a scheduler run what is due.

    Args:
        target: the scheduler.
        file: the jobs.

    Raises:
        KeyError: there is no such scheduler.
    """
    groups = tuple(_groups(file))
    return dict(_WRITERS[target](groups, file))


def _groups(file: JobsFile) -> Iterator[_Group]:
    found: dict[tuple[str, str], list[str]] = {}
    for job in file.jobs.values():
        if job.enabled:
            found.setdefault((_schedule(job), str(job.calendar.tz)), []).append(job.name)
    ingests = [one for one in file.ingests.values() if one.enabled]
    for ingest in ingests:
        if ingest.schedule is not None:
            found.setdefault((ingest.schedule, str(ingest.tz)), []).insert(0, ingest.name)
    if not found and ingests:
        found[_HOURLY, "UTC"] = [one.name for one in ingests]
    for (schedule, tz), names in found.items():
        yield _Group(schedule, tz, tuple(names), file.path, is_all=len(found) == 1)


def _program() -> tuple[str, ...]:
    """Return what runs the command here: schedulers do not search the folders that a shell does."""
    beside = Path(sys.executable).with_name(_NAME)
    return (str(beside),) if beside.is_file() else (sys.executable, "-m", _NAME)


def _schedule(job: Job) -> str:
    """Return when to call: a window from tick to tick that has to wait is due between two of them."""
    calendar = job.calendar
    return _QUARTERLY if calendar.grid.unit == "tick" and calendar.lag else calendar.schedule


Written = Iterator[tuple[str, str]]


def _cron(groups: tuple[_Group, ...], file: JobsFile) -> Written:
    lines = [f"# {file.path}; add these lines with: crontab -e"]
    for group in groups:
        lines.append(f"# {group.told}")
        often = _often(group)
        if group.tz != "UTC" and often != group.schedule:
            lines.append(f"# cron knows no {group.tz}: it calls {_said(often)}, and the command knows what is due")
        elif often != group.schedule:
            lines.append(f"# if the machine's time zone is not UTC, begin the line with {often} in place of")
            lines.append(f"# {group.schedule}: it then calls {_said(often)}, and the command knows what is due")
        lines.append(f"{group.schedule if group.tz == 'UTC' else often} {_escaped(group.command)}")
    yield "crontab", "\n".join(lines) + "\n"


def _said(schedule: str) -> str:
    words = explained(schedule)
    return words[0].lower() + words[1:]


def _often(group: _Group) -> str:
    """Return a schedule for every hour, which has the times of the group's, whatever the clock's time zone is.

    A schedule that says nothing but minutes is one already.
    """
    minute, *others = group.schedule.split()
    offsets = (dt.datetime(2026, month, 1, tzinfo=ZoneInfo(group.tz)).utcoffset() for month in (1, 7))
    whole = not any((offset or dt.timedelta()) % dt.timedelta(hours=1) for offset in offsets)
    if set(others) == {"*"} and (whole or minute == "*/15"):
        return group.schedule
    return f"{minute} * * * *" if whole and minute.isdigit() else _QUARTERLY


def _escaped(command: str) -> str:
    return command.replace("%", "\\%")


def _systemd(groups: tuple[_Group, ...], file: JobsFile) -> Written:
    for group in groups:
        command = " ".join(_systemd_quoted(word) for word in (*_program(), *group.words))
        folder = str(file.path.parent).replace("%", "%%")
        yield (
            f"{group.slug}.service",
            f"""# {group.told}
# Put this file and {group.slug}.timer into ~/.config/systemd/user/
[Unit]
Description=Scheduled exports: {", ".join(group.names)}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart={command}
SuccessExitStatus=75
""",
        )
        lines = "\n".join(f"OnCalendar={line}" for line in on_calendar(group.schedule, group.tz))
        yield (
            f"{group.slug}.timer",
            f"""# Put this file and {group.slug}.service into ~/.config/systemd/user/ and then call
#   systemctl --user daemon-reload
#   systemctl --user enable --now {group.slug}.timer
# To have it also while you are not logged in: loginctl enable-linger
# For the whole machine it is /etc/systemd/system/ and systemctl without --user; add User= to the service then.
[Unit]
Description={group.told.replace("%", "%%")}

[Timer]
{lines}
Persistent=true

[Install]
WantedBy=timers.target
""",
        )


def _systemd_quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if re.fullmatch(r"[A-Za-z0-9_./%-]+", escaped) else f'"{escaped}"'


def _k8s(groups: tuple[_Group, ...], file: JobsFile) -> Written:
    del file
    yield "cronjobs.yaml", "---\n".join(_cron_job(group) for group in groups)


def _cron_job(group: _Group) -> str:
    command = "\n".join(f"                - {_yaml(word)}" for word in (_NAME, *group.words))
    return f"""# {group.told}
# The paths are those of this machine; name those that the container has.
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {group.slug}
spec:
  schedule: {_yaml(group.schedule)}
  timeZone: {_yaml(group.tz)}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: esanalytics
              image: "IMAGE"  # one with esanalytics installed, and volumes for the store, the outputs and the ledger
              command:
{command}
"""


def _github(groups: tuple[_Group, ...], file: JobsFile) -> Written:
    schedules = "\n".join(f"    - cron: {_yaml(line)}" for line in dict.fromkeys(map(_in_utc, groups)))
    told = "\n".join(f"# {group.told}" for group in groups)
    yield (
        "exports.yml",
        f"""{told}
# The schedule is in UTC, and may be late; the command knows what is due. The store, the outputs and the ledger must
# outlive the run: put them where it can reach them, or restore and save them here.
name: exports
on:
  schedule:
{schedules}
  workflow_dispatch:
concurrency:
  group: exports
  cancel-in-progress: false
jobs:
  exports:
    runs-on: ubuntu-latest
    timeout-minutes: 350
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - run: pip install "ESANALYTICS"  # install it your own way: from a folder, a wheel, or an address of git
      - run: {_yaml(f"{_NAME} jobs -f {shlex.quote(file.path.name)} run")}
""",
    )


def _in_utc(group: _Group) -> str:
    return group.schedule if group.tz == "UTC" else _often(group)


def _yaml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _airflow(groups: tuple[_Group, ...], file: JobsFile) -> Written:
    lines = [
        f'"""Scheduled exports of {_plain(file.path)}."""',
        "",
        "import pendulum",
        "from airflow import DAG",
        "from airflow.providers.standard.operators.bash import BashOperator",
    ]
    for group in groups:
        lines += [
            "",
            f"with DAG(  # {_plain(group.told)}",
            f"    dag_id={group.slug!r},",
            f"    schedule={group.schedule!r},",
            f"    start_date=pendulum.datetime(2024, 1, 1, tz={group.tz!r}),",
            "    catchup=False,  # the command makes up for what was missed",
            "    max_active_runs=1,",
            "):",
            f"    BashOperator(task_id='run', bash_command={_unrendered(group.command)!r}, skip_on_exit_code=75)",
        ]
    yield "exports.py", "\n".join(lines) + "\n"


def _plain(text: object) -> str:
    return str(text).replace("\\", "/").replace('"', "'").replace("\n", " ")


def _unrendered(command: str) -> str:
    """Keep Airflow from reading a path as a template, and from taking the command for a file of one."""
    return command.replace("{{", "{{ '{{' }}").replace("{%", "{{ '{%' }}") + " "


_WRITERS: Mapping[str, Callable[[tuple[_Group, ...], JobsFile], Written]] = {
    "cron": _cron,
    "systemd": _systemd,
    "k8s": _k8s,
    "github": _github,
    "airflow": _airflow,
}
