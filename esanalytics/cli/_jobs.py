"""``esanalytics jobs``."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from esanalytics.cli._ending import interrupted_as, say, terminated
from esanalytics.cli._groups import InOrder
from esanalytics.cli._jobs_live import Live
from esanalytics.cli._jobs_show import (
    Form,
    blocks,
    due_rows,
    duration,
    job_rows,
    outcome_rows,
    printed,
    run_rows,
    status_rows,
    zones_of,
)
from esanalytics.cli._jobs_words import in_shell, say_here
from esanalytics.cli._words import applied, durations, examples, instants
from esanalytics.errors import (
    CheckError,
    EsAnalyticsError,
    JobError,
    JobFileError,
    JobTimeoutError,
    LedgerError,
    LockedError,
    OverlapError,
    SpanError,
)

if TYPE_CHECKING:  # loaded when a command runs: cronsim and the ledger are not for those who want the help
    from esanalytics.jobs import Jobs, Outcome
    from esanalytics.jobs._status import Status

__all__ = ["jobs"]

_CODES = (
    "Exit codes: 0 done, or nothing was due; 1 a job failed; 2 called wrongly, or the file is wrong; 3 checks failed; "
    "4 some jobs failed and others were done; 75 another run is at it, and nothing was done; 124 timed out; "
    "130 interrupted."
)
_FILE_WRONG, _FAILED, _CHECKS, _LOCKED, _TIMED_OUT, _INTERRUPTED = 2, 1, 3, 75, 124, 130
_GRACE = 0.5
"""Seconds in which a watch whose time is over may end by itself."""

Command = Callable[..., None]
LogForm = Literal["text", "json"]


@contextmanager
def _coded(form: LogForm = "text") -> Iterator[None]:
    """End with the exit code of what goes wrong."""
    try:
        yield
    except EsAnalyticsError as error:
        if form == "text" and not isinstance(error, JobError):
            raise
        _said(form, error)
        click.get_current_context().exit(_code(error) if isinstance(error, JobError) else _FAILED)


def _said(form: LogForm, error: Exception) -> None:
    """Say what went wrong."""
    told = "\n".join([str(error), *getattr(error, "__notes__", ())])
    facts = {"phase": "failed", "error": told, "error_type": type(error).__name__}
    _tell(form, facts, f"error: {told}")


def _tell(form: LogForm, facts: Mapping[str, object], text: str) -> None:
    """Say something that is no step of a run: to people the text, to programs the facts."""
    if form == "text":
        say_here(text)
        return
    from esanalytics.jobs._log import line  # noqa: PLC0415  see above

    say_here(line("json", dt.datetime.now(dt.UTC), facts))


def _code(error: JobError) -> int:
    if isinstance(error, JobFileError | OverlapError | SpanError):
        return _FILE_WRONG
    if isinstance(error, LockedError) or (isinstance(error, LedgerError) and error.transient):
        return _LOCKED
    if isinstance(error, CheckError):
        return _CHECKS
    return _TIMED_OUT if isinstance(error, JobTimeoutError) else _FAILED


def _loaded(ctx: click.Context, form: LogForm = "text") -> Jobs:
    from esanalytics.jobs import load  # noqa: PLC0415  see above

    return load(ctx.obj, overdue=partial(_end, form))


def _end(form: LogForm, error: JobTimeoutError) -> None:
    """End at once, for what is run cannot be stopped; the ledger knows already, and no output is ever half there."""
    with suppress(OSError, ValueError):
        _said(form, error)
        sys.stdout.flush()
    os._exit(_TIMED_OUT)


@contextmanager
def _logged(loaded: Jobs, form: LogForm, *, quiet: bool) -> Iterator[Jobs]:
    """Let jobs tell of each step; on a terminal, also of what is being run."""
    from esanalytics.jobs._log import Log  # noqa: PLC0415  see above

    if quiet:
        yield loaded
        return
    zones = zones_of(loaded.file)
    if form == "json" or not sys.stderr.isatty():
        yield replace(loaded, tell=Log(say_here, form, zones=zones))
        return
    with Live(lambda text: click.echo(text, err=True, nl=False)) as live:
        yield replace(loaded, tell=Log(lambda text: live.say(in_shell(text)), show=live.show, zones=zones))


_NOW = click.option("--now", type=instants, hidden=True, help="Take this for the time.")
_JSON = click.option("--json", "form", flag_value="json", default="table", help="JSON in place of a table.")
_LOG = (
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="How each step is told on stderr: for people, or one JSON object a line.",
    ),
    click.option("--quiet", "-q", is_flag=True, help="Tell nothing but what goes wrong."),
)


def _logging(command: Command) -> Command:
    return applied(_LOG, command)


@click.group(
    cls=InOrder,
    epilog=_CODES
    + "\n\n"
    + examples(
        "esanalytics jobs list",
        "esanalytics jobs run",
        "esanalytics jobs -f jobs.toml run daily --since 2026-03-01 --until 2026-03-03",
        "esanalytics jobs status",
    ),
)
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default="jobs.toml",
    envvar="ESANALYTICS_JOBS",
    show_default=True,
    show_envvar=True,
    help="The file of jobs.",
)
@click.pass_context
def jobs(ctx: click.Context, file: Path) -> None:
    """Export on a schedule, as a file of jobs says.

    Let cron, systemd or another scheduler call "jobs run" often: it runs what is due and has not been done, and makes
    windows again for which events came late. "jobs render" writes what the scheduler needs.
    """
    ctx.obj = file


@jobs.command("list", epilog=examples("esanalytics jobs list", "esanalytics jobs list --json"))
@_JSON
@_NOW
@click.pass_context
def list_(ctx: click.Context, form: Form, now: dt.datetime | None) -> None:
    """Show the jobs: when they run, of what windows, where to.

    The next five times are in the job's own time zone.
    """
    with _coded():
        rows = list(job_rows(_loaded(ctx).file, now or dt.datetime.now(dt.UTC)))
        if form == "json":
            printed(rows, form, {})
        else:
            click.echo(blocks(rows) or "no jobs")


@jobs.command(epilog=examples("esanalytics jobs due", "esanalytics jobs due --json"))
@_JSON
@_NOW
@click.pass_context
def due(ctx: click.Context, form: Form, now: dt.datetime | None) -> None:
    """Show which windows would be run now, and why.

    These are those that are due, those for which events came late, and those whose definition or output changed.
    """
    with _coded():
        loaded = _loaded(ctx)
        left: dict[tuple[str, str], int] = {}

        def tell(facts: Mapping[str, Any]) -> None:
            left[facts["job"], facts["service"]] = facts["left"]

        found = replace(loaded, tell=tell).due(now=now)
        printed(due_rows(found, left), form, zones_of(loaded.file), frozenset({"left"}))
        if not found:
            say(_nothing(ctx, now))
        elif left:
            say(f"{len(found):,} to be run, {sum(left.values()):,} left for later calls")


def _nothing(ctx: click.Context, now: dt.datetime | None, names: Iterable[str] = ()) -> str:
    """Say that nothing is due, and what will be next."""
    from esanalytics.jobs._plan import next_due  # noqa: PLC0415  see above

    known = [job for job in _loaded(ctx).file.jobs.values() if (job.name in names if names else job.enabled)]
    coming = [(next_due(job, now or dt.datetime.now(dt.UTC)), job) for job in known]
    if not coming:
        return "nothing is due"
    at, job = min(coming, key=lambda one: one[0])
    return f"nothing is due; next: {job.name} at {at.astimezone(job.calendar.tz):%Y-%m-%d %H:%M %Z}"


@jobs.command(
    epilog=_CODES
    + "\n\n"
    + examples(
        "esanalytics jobs run",
        "esanalytics jobs run daily --wait 10m",
        "esanalytics jobs run daily --since 2026-03-01 --until 2026-03-03 --force",
        "esanalytics jobs run --dry-run",
    )
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--since", metavar="INSTANT", help="Run windows from here on, due or not done; in the job's time zone.")
@click.option("--until", metavar="INSTANT", help="Run windows up to here.")
@click.option("--force", is_flag=True, help="Make windows again that are up to date: of the span, else the newest.")
@click.option("--dry-run", is_flag=True, help="Show what would be run, and run nothing.")
@click.option(
    "--wait", type=durations, metavar="DURATION", help="Wait for another run so long, such as 10m, before giving up."
)
@_logging
@_NOW
@click.pass_context
def run(  # noqa: PLR0913  one for each option
    ctx: click.Context,
    names: tuple[str, ...],
    *,
    since: str | None,
    until: str | None,
    force: bool,
    dry_run: bool,
    wait: dt.timedelta | None,
    now: dt.datetime | None,
    log_format: LogForm,
    quiet: bool,
) -> None:
    """Run what is due.

    NAME is a job; without one, all jobs that are enabled are looked at. What is done and has not changed is passed
    over, so it may be called as often as one likes. With --since or --until, the windows between them are run.
    """
    from esanalytics.jobs._jobs import exit_code  # noqa: PLC0415  see above

    with _coded(log_format), _stopping(), _interrupts(log_format):
        for option, text in (("--since", since), ("--until", until)):
            _refuse_no_instant(option, text)
        left: list[int] = []
        with _logged(_loaded(ctx, log_format), log_format, quiet=quiet or dry_run) as loaded:

            def tell(facts: Mapping[str, Any]) -> None:
                left.append(facts.get("left", 0))
                loaded.tell(facts)

            found = replace(loaded, tell=tell).run(
                *names, since=since, until=until, force=force, dry_run=dry_run, now=now, wait=wait
            )
        if dry_run:
            printed(outcome_rows(found), "table", zones_of(loaded.file))
        if quiet:
            _complain(found, log_format)
        else:
            counts = _counts(found, sum(left))
            _tell(log_format, {"phase": "summary", **counts}, _summary(counts) or _idle(ctx, counts, names, now))
    ctx.exit(exit_code(found))


def _refuse_no_instant(option: str, text: str | None) -> None:
    if text is not None:
        try:
            instants(text)
        except click.BadParameter as error:
            error.param_hint = option
            raise


def _complain(outcomes: Iterable[Outcome], form: LogForm) -> None:
    """Say what went wrong, also to those who want quiet."""
    for outcome in outcomes:
        if outcome.error is not None:
            _said(form, outcome.error)


def _counts(outcomes: list[Outcome], left: int) -> dict[str, int]:
    """Count what came of it."""
    refused = sum(1 for outcome in outcomes if outcome.phase == "refused")
    failed = sum(1 for outcome in outcomes if outcome.error is not None) - refused
    current = sum(1 for outcome in outcomes if outcome.reason == "up to date")
    planned = sum(1 for outcome in outcomes if outcome.phase == "planned")
    passed = sum(1 for outcome in outcomes if outcome.phase == "superseded" and outcome.reason != "up to date")
    done = len(outcomes) - refused - failed - current - planned - passed
    counts = {"done": done, "failed": failed, "refused": refused, "superseded": passed, "up to date": current}
    return {**counts, "to be run": planned, "left": left}


def _summary(counts: Mapping[str, int]) -> str:
    """Write what came of it; empty: nothing did."""
    if not any(count for what, count in counts.items() if what not in ("up to date", "left")):
        return ""
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _idle(ctx: click.Context, counts: Mapping[str, int], names: tuple[str, ...], now: dt.datetime | None) -> str:
    nothing = _nothing(ctx, now, names)
    return f"up to date; {nothing}" if counts["up to date"] else nothing


@contextmanager
def _interrupts(form: LogForm) -> Iterator[None]:
    """Tell programs of an interrupt in their form; people are told by whoever ends the program."""
    if form == "text":
        yield
        return
    try:
        with interrupted_as('{"phase": "interrupted"}'), warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: _tell(
                form, {"phase": "warning", "error": str(message)}, ""
            )
            yield
    except KeyboardInterrupt:
        _tell(form, {"phase": "interrupted"}, "")
        click.get_current_context().exit(_INTERRUPTED)


@contextmanager
def _stopping(asked: threading.Event | None = None) -> Iterator[None]:
    """Take a request to end for an interrupt, so that what is on its way is removed; and note that there was one."""

    def stop(*_: object) -> None:
        if asked is not None:
            asked.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@jobs.command(epilog=examples("esanalytics jobs status", "esanalytics jobs status daily --json"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_JSON
@click.option(
    "--fail-if-stale",
    "limit",
    type=durations,
    metavar="DURATION",
    help="End with code 1 where a window of a job that is enabled has been due for longer, such as 26h, and is not "
    "done.",
)
@_NOW
@click.pass_context
def status(
    ctx: click.Context, names: tuple[str, ...], form: Form, limit: dt.timedelta | None, now: dt.datetime | None
) -> None:
    """Show how each job is: newest window, open ones, last error, next time.

    NAME is a job; without one, all are shown. A window is open when it is due and not done; "overdue" is for how long
    the oldest has been. The store is read only for jobs that were never run.
    """
    at = now or dt.datetime.now(dt.UTC)
    with _coded():
        loaded = _loaded(ctx)
        found = loaded.status(*names, now=at)
        printed(status_rows(found), form, zones_of(loaded.file), frozenset({"enabled", "path"}))
        stale = [one for one in found if one.enabled and limit is not None and _is_stale(one, limit)]
        for one in stale:
            say(f"stale: {':'.join(part for part in (one.unit.job, one.unit.service) if part)}, {_open(one)}")
    ctx.exit(_FAILED if stale else 0)


def _is_stale(found: Status, limit: dt.timedelta) -> bool:
    return found.open > 0 and (found.overdue is None or found.overdue > limit)


def _open(found: Status) -> str:
    if found.overdue is None:
        return "nothing was ever run, and the store cannot be read"
    windows = "1 window is" if found.open == 1 else f"{found.open:,} windows are"
    return f"{windows} open, the oldest due for {duration(found.overdue)}"


@jobs.command(epilog=examples("esanalytics jobs history daily", "esanalytics jobs history daily --limit 5 --json"))
@click.argument("name")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many runs.")
@_JSON
@click.pass_context
def history(ctx: click.Context, name: str, limit: int, form: Form) -> None:
    """Show the last runs of a job, the newest first.

    Each attempt is a run of its own.
    """
    with _coded():
        loaded = _loaded(ctx)
        rows = run_rows(loaded.history(name, limit))
        zones = {"": zones_of(loaded.file).get(name, dt.UTC)}
        printed(rows, form, zones, frozenset({"digest", "pid", "host", "error_type"}))


@jobs.command(epilog=examples("esanalytics jobs validate"))
@click.pass_context
def validate(ctx: click.Context) -> None:
    """Check the file, the code that it names, and the checks.

    Nothing is run.
    """
    with _coded():
        loaded = _loaded(ctx)
        for warning in loaded.validate():
            say_here(f"warning: {warning}")
        count = len(loaded.file.jobs) + len(loaded.file.ingests)
        say(f"{ctx.obj} is valid: {count} {'job' if count == 1 else 'jobs'}")


@jobs.command(epilog=examples("esanalytics jobs watch --for 0s"))
@click.option("--for", "span", type=durations, metavar="DURATION", help="End after so long; by default never.")
@_logging
@click.pass_context
def watch(ctx: click.Context, span: dt.timedelta | None, *, log_format: LogForm, quiet: bool) -> None:
    """Run what is due, again and again.

    For where nothing else calls "jobs run". It ends with code 0 when it gets SIGTERM, with 130 at Ctrl-C, and with 124
    where a run has used up its time and cannot be stopped. What is being run then, or when the time of --for is over,
    is made again the next time.
    """
    with _coded(log_format), _interrupts(log_format), terminated() as asked, _stopping(asked):
        stop = threading.Event()
        with _ending_after(span, stop), _logged(_loaded(ctx, log_format), log_format, quiet=quiet) as loaded:
            loaded.watch(stop=stop)


@contextmanager
def _ending_after(span: dt.timedelta | None, stop: threading.Event) -> Iterator[None]:
    """Ask for an end after some time; where a run goes on nevertheless, interrupt it as SIGTERM does."""
    over, lock = threading.Event(), threading.Lock()
    main = threading.main_thread()
    may_interrupt = threading.current_thread() is main

    def end() -> None:
        if span is None or over.wait(span.total_seconds()):
            return
        stop.set()
        over.wait(_GRACE)
        with lock:
            if may_interrupt and not over.is_set():
                signal.pthread_kill(main.ident or 0, signal.SIGTERM)

    threading.Thread(target=end, daemon=True).start()
    try:
        yield
    finally:
        with lock:
            over.set()


@jobs.command(
    epilog=examples("esanalytics jobs render cron", "esanalytics jobs render systemd -o units"),
)
@click.argument("target", type=click.Choice(["cron", "systemd", "k8s", "github", "airflow"]))
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write files to this folder, in place of stdout.",
)
@click.pass_context
def render(
    ctx: click.Context, target: Literal["cron", "systemd", "k8s", "github", "airflow"], folder: Path | None
) -> None:
    """Write what a scheduler needs to call "jobs run".

    Each schedule becomes one line or unit, which calls the jobs that have it.
    """
    with _coded():
        texts = _loaded(ctx).render(target)
    if folder is None:
        headed = (f"# {name}\n{text}" for name, text in texts.items()) if len(texts) > 1 else texts.values()
        click.echo("\n".join(headed), nl=False)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise click.FileError(str(folder), error.strerror) from error
    say(f"wrote {', '.join(texts)} to {folder}")
