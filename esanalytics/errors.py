"""Every error the library raises on purpose, in one tree.

::

    EsAnalyticsError
    ├── StoreError             the log on disk
    │   ├── StoreNotFoundError     (also FileNotFoundError)
    │   ├── StoreExistsError       (also FileExistsError)
    │   ├── StoreFormatError       written by a newer version
    │   ├── AppendConflictError    another writer was first
    │   ├── DuplicateEventError    one id, two contents
    │   └── CorruptFileError       a data file is missing or damaged
    ├── SchemaError            what an event looks like
    │   └── InvalidEventError      (also ValueError)
    ├── SourceError            what came from outside, with its origin and line
    ├── ProjectionError        what a projection says
    │   ├── CompileError           it cannot be turned into a query
    │   ├── ReducerError           a reducer failed at an event
    │   └── UnknownKeyError        (also LookupError) no event has the key
    ├── EngineError            a query failed
    │   └── UnsupportedError       (also NotImplementedError)
    ├── JobError               a scheduled job
    │   ├── JobFileError           (also ValueError) what a file of jobs says
    │   ├── OverlapError           two outputs would be one
    │   ├── DestinationError       where an output goes
    │   ├── CheckError             an output was rejected
    │   ├── SpanError              (also ValueError) windows that are none, or not finished
    │   ├── ClockError             the clock was set back
    │   ├── JobTimeoutError        (also TimeoutError) it took too long
    │   ├── LockedError            another run is at it
    │   └── LedgerError            what is known of earlier runs
    └── MissingDependencyError (also ImportError)

Facts are positional arguments and the text is made in ``__str__``, so every error survives pickling
and its facts can be read by a program. Each message names the remedy.
"""

from __future__ import annotations

__all__ = [
    "AppendConflictError",
    "CheckError",
    "ClockError",
    "CompileError",
    "CorruptFileError",
    "DestinationError",
    "DuplicateEventError",
    "EngineError",
    "EsAnalyticsError",
    "InvalidEventError",
    "JobError",
    "JobFileError",
    "JobTimeoutError",
    "LedgerError",
    "LockedError",
    "MissingDependencyError",
    "OverlapError",
    "ProjectionError",
    "ReducerError",
    "SchemaError",
    "SourceError",
    "SpanError",
    "StoreError",
    "StoreExistsError",
    "StoreFormatError",
    "StoreNotFoundError",
    "UnknownKeyError",
    "UnsupportedError",
]


class EsAnalyticsError(Exception):
    """The root of the tree: catch this to catch everything the library raises on purpose."""


class StoreError(EsAnalyticsError):
    """The store could not do what was asked; nothing was changed. Args: path, reason, remedy."""

    def __str__(self) -> str:
        path, reason, remedy = (*self.args, "", "", "")[:3]
        return "; ".join(part for part in (f"store {str(path)!r}: {reason}", remedy) if part)


class StoreNotFoundError(StoreError, FileNotFoundError):
    """There is no store at this path. Args: path, reason."""

    def __str__(self) -> str:
        path, *rest = self.args
        if rest:
            return f"no store at {str(path)!r}, but {rest[0]}; give the path of a store"
        return f"no store at {str(path)!r}; make one with Store.create({str(path)!r})"


class StoreExistsError(StoreError, FileExistsError):
    """There is already something at this path. Args: path, what."""

    def __str__(self) -> str:
        path, what = self.args
        if what != "a store":
            return f"{str(path)!r} is {what}, and no store; choose another path"
        return f"{str(path)!r} is already a store; open it with Store.open, or choose another path"


class StoreFormatError(StoreError):
    """The store was written in a format this version does not know. Args: path, found, known."""

    def __str__(self) -> str:
        path, found, known = self.args
        return (
            f"store {str(path)!r} has format {found}, this version reads up to {known}; "
            "upgrade with: pip install -U esanalytics"
        )


class AppendConflictError(StoreError):
    """A stream was not where the append expected it.

    Args: service, stream_id, expected, found: versions, or the ids of two events and the version both claim.
    """

    def __str__(self) -> str:
        service, stream_id, expected, found, *claimed = self.args
        if claimed:
            return (
                f"events {expected!r} and {found!r} both claim version {claimed[0]} of stream {stream_id!r} of service "
                f"{service!r}; give one of them another version, or leave it out"
            )
        return (
            f"stream {stream_id!r} of service {service!r} is at version {found}, not the expected {expected}; "
            "read it again and retry"
        )


class DuplicateEventError(StoreError):
    """One event id with two contents. Args: event_id, first (where, what), second (where, what)."""

    def __str__(self) -> str:
        event_id, first, second = self.args
        return (
            f"event id {event_id!r} stands for two different events: {first} and {second}; "
            "give the second an id of its own, or leave it out (on_invalid='quarantine' sets it aside)"
        )


class CorruptFileError(StoreError):
    """A data file of the store is missing or damaged. Args: path, reason."""

    def __str__(self) -> str:
        path, reason = self.args
        return f"data file {str(path)!r} {reason}; restore this file from a backup, the rest of the store is unharmed"


class SchemaError(EsAnalyticsError):
    """An event does not look as it should."""


class InvalidEventError(SchemaError, ValueError):
    """An event cannot be stored. Args: origin, line (or None), reason, remedy."""

    def __str__(self) -> str:
        origin, line, reason, remedy = (*self.args, "", "")[:4]
        where = f"{origin}:{line}" if line is not None else str(origin)
        return "; ".join(part for part in (f"{where}: {reason}", remedy) if part)


class SourceError(EsAnalyticsError):
    """Something from outside cannot be read. Args: origin, line (or None), reason, remedy."""

    def __str__(self) -> str:
        origin, line, reason, remedy = (*self.args, "", "")[:4]
        where = f"{origin}:{line}" if line is not None else str(origin)
        return "; ".join(part for part in (f"{where}: {reason}", remedy) if part)


class ProjectionError(EsAnalyticsError):
    """A projection says something that has no meaning. Args: projection, reason, remedy."""

    def __str__(self) -> str:
        name, reason, remedy = (*self.args, "", "")[:3]
        return "; ".join(part for part in (f"projection {name!r}: {reason}", remedy) if part)


class CompileError(ProjectionError):
    """A projection has a meaning that cannot be turned into a query. Args: projection, reason, remedy."""


class ReducerError(ProjectionError):
    """A reducer failed at an event; the exception that it raised, where there is one, is the cause.

    Args: reducer, service, stream_id, position, event_id, type, effective_at, reason, remedy (or the usual one).
    """

    def __str__(self) -> str:
        name, service, stream_id, position, event_id, type_, _, reason, *remedy = self.args
        where = f"event {event_id!r} ({type_}, position {position}) of stream {stream_id!r} of service {service!r}"
        usual = "mend the reducer, or set such streams aside with on_error='set_aside'"
        return f"reducer {name!r} {reason} at {where}; {remedy[0] if remedy else usual}"


class UnknownKeyError(ProjectionError, LookupError):
    """No event has a key, or several entities could be meant. Args: projection, key, the nearest keys, how many fit."""

    def __str__(self) -> str:
        name, key, near, many = (*self.args, *(None, None, (), 0)[len(self.args) :])[:4]
        listed = " or ".join(map(str, near or ()))
        if key is None:
            what = f"name the entity, such as key={listed}" if near else "the log has no event that has its key"
            return f"projection {name!r} is about many entities; {what}" if near else f"projection {name!r}: {what}"
        if many:
            return f"projection {name!r} has more than one entity {key!r}; name one: key={listed}"
        given = f"there is {listed}" if near else "the log has no event that has its key"
        return f"projection {name!r} has no events of {key!r}; {given}"


class EngineError(EsAnalyticsError):
    """A query failed in the engine. Args: reason, sql."""

    def __str__(self) -> str:
        reason, *_ = self.args
        return str(reason)


class UnsupportedError(EngineError, NotImplementedError):
    """This cannot be done with this kind of thing. Args: what, remedy."""

    def __str__(self) -> str:
        what, remedy = (*self.args, "")[:2]
        return "; ".join(part for part in (str(what), str(remedy)) if part)


class MissingDependencyError(EsAnalyticsError, ImportError):
    """An optional package is not installed. Args: package, extra."""

    def __str__(self) -> str:
        package, extra = self.args
        return f"{package} is not installed; run: pip install 'esanalytics[{extra}]'"


class JobError(EsAnalyticsError):
    """A job failed; what it wrote before is as it was. Args: job, reason, remedy."""

    transient = False
    """Whether it may go better the next time, without anybody mending anything."""

    def __str__(self) -> str:
        job, reason, remedy = (*self.args, "", "", "")[:3]
        return (f"job {job!r}: " if job else "") + f"{reason}" + (f"; {remedy}" if remedy else "")


class JobFileError(JobError, ValueError):
    """A file of jobs, or what it names, says what cannot be. Args: file, line or None, where, reason, remedy."""

    def __str__(self) -> str:
        file, line, where, reason, remedy = (*self.args, None, "", "", "")[:5]
        place = f"{file}:{line}" if line else str(file)
        return f"{place}: " + (f"{where}: " if where else "") + f"{reason}" + (f"; {remedy}" if remedy else "")


class OverlapError(JobError):
    """Two outputs would be one. Args: job, the other job, where."""

    def __str__(self) -> str:
        job, other, where = self.args[:3]
        return f"jobs {job!r} and {other!r} both write {where!r}; give each an output of its own"


class DestinationError(JobError):
    """An output cannot be written; the old one is as it was. Args: where, reason, remedy, whether to try again."""

    def __str__(self) -> str:
        where, reason, remedy = (*self.args, "", "", "")[:3]
        return f"cannot write {where}: {reason}" + (f"; {remedy}" if remedy else "")

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """Whether it may go better the next time, without anybody mending anything."""
        return len(self.args) > 3 and bool(self.args[3])  # noqa: PLR2004  the fourth fact


class CheckError(JobError):
    """An output was rejected; the old one is as it was. Args: job, failed checks with what they found, its path."""

    def __str__(self) -> str:
        job, failed, kept = (*self.args, "", (), "")[:3]
        told = (
            (f"job {job!r}: " if job else "") + "failed " + ", ".join(f"{check} ({found})" for check, found in failed)
        )
        return f"{told}; the old output stays" + (f", the rejected one is {kept}" if kept else "")


class SpanError(JobError, ValueError):
    """Windows were asked for that are none, or are not finished. Args: job, reason, remedy."""


class ClockError(JobError):
    """The clock was set back. Args: job, what it says, the last instant that was seen."""

    def __str__(self) -> str:
        job, now, seen = self.args[:3]
        return f"job {job!r}: the clock says {now}, the last run was at {seen}; mend the clock, or run with force"


class JobTimeoutError(JobError, TimeoutError):
    """It took longer than it may. Args: job, seconds."""

    def __str__(self) -> str:
        job, seconds = self.args[:2]
        return f"job {job!r}: not done after {seconds:g} s; give it a longer timeout, or a smaller window"


class LockedError(JobError):
    """Another run is at it. Args: job, who."""

    transient = True

    def __str__(self) -> str:
        job, owner = (*self.args, "", "")[:2]
        return f"job {job!r} is being run by {owner or 'another process'}; wait for it, or give a time to wait"


class LedgerError(JobError):
    """What is known of earlier runs cannot be read or written. Args: path, reason, remedy, whether to try again."""

    def __str__(self) -> str:
        path, reason, remedy = (*self.args, "", "", "")[:3]
        return f"ledger {str(path)!r}: {reason}" + (f"; {remedy}" if remedy else "")

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """Whether it may go better the next time, without anybody mending anything."""
        return len(self.args) > 3 and bool(self.args[3])  # noqa: PLR2004  the fourth fact
