"""What a replay shows: one entity, or all of them, one of which may be picked. No widget is needed for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from esanalytics import _sql as sql
from esanalytics.analysis import ALL, Chosen, Exploration, Overview, ReplaySession, Sight, key_of_stream, taking_part
from esanalytics.engines import Result
from esanalytics.store import Log, Store, as_log
from esanalytics.widgets._code import python_of, replay_python, replay_sql

__all__ = ["Kinds", "Scene"]

Kinds = list[tuple[str, int]]
"""Names of services or types, with their events; the biggest first."""


class Scene:
    """What is shown of a log.

    Args:
        log: a store, or any view of one.
        projection: what folds the events of an entity, as in `replay`.
        key: of the entity; None: all are shown.
        options: those of `ReplaySession`.

    Raises:
        ValueError: without a key there is nothing that the options could be about.

    Attributes:
        given: the log, as it was given.
        projection: as it was given.
        session: the replay of the entity; None while all are shown.
        overview: all entities that the projection may be about.
        chosen: the events that a filter leaves.
        window: the time that is shown of all entities, in microseconds; None: all.
    """

    def __init__(self, log: Store | Log, projection: object, key: object, options: Mapping[str, Any]) -> None:
        self.given, self.projection = log, projection
        self._kept = {name: value for name, value in options.items() if name == "on_error"}
        if key is None and len(options) > len(self._kept):
            names = ", ".join(name for name in options if name not in self._kept)
            raise ValueError(f"{names}: of which entity? give its key too")
        self.session = None if key is None else ReplaySession(log, projection, key, **options)
        self.overview = self._overview()
        self.chosen: Chosen = ALL
        self.window: tuple[int, int] | None = None

    @property
    def entity(self) -> ReplaySession:
        """The replay of the entity.

        Raises:
            ValueError: all entities are shown, and none is picked.
        """
        if self.session is None:
            raise ValueError("no entity is picked yet; call view.show('order-42'), or click one")
        return self.session

    @property
    def title(self) -> str:
        """What is shown, in a few words."""
        return "all entities" if self.session is None else self.session.entity.title

    @property
    def log(self) -> Log:
        """The log of the entity's replay; while all entities are shown, the events of the window and the filter."""
        if self.session is not None:
            return self.session.log
        return Exploration(self.overview.log).shown(Sight(window=self.window, chosen=self.chosen))

    def _overview(self) -> Overview:
        return Overview(taking_part(as_log(self.given), self.projection))

    def show(self, key: object) -> None:
        """Show one entity, by its key."""
        self.session = ReplaySession(self.given, self.projection, key, **self._kept)

    def show_stream(self, service: str, stream: str) -> None:
        """Show the entity that the events of a stream are about."""
        self.show(key_of_stream(as_log(self.given), self.projection, service, stream))

    def refresh(self) -> int:
        """Read what the store holds now; return how many events are new."""
        if self.session is not None:
            more = self.session.refresh()
            self.overview = self._overview()
            return more
        seen, before = self._overview(), self.overview.events
        more, self.overview = seen.events - before, seen
        return more

    def kinds(self) -> tuple[Kinds, Kinds]:
        """Count the events of the services and of the types that there are."""
        if self.session is not None:
            branch = self.session.branch
            return Counter(branch.services).most_common(), Counter(branch.types).most_common()
        types: Counter[str] = Counter()
        for _, type_, count, *_ in self.overview.types:
            types[type_] += count
        return self.overview.services, types.most_common()

    def choose(self, hidden_services: Sequence[str], hidden_types: Sequence[str]) -> None:
        """Leave out what is hidden."""
        if not hidden_services and not hidden_types:
            self.chosen = ALL
            return
        shown = [
            tuple(name for name, _ in kinds if name not in hidden) if hidden else None
            for kinds, hidden in zip(self.kinds(), (set(hidden_services), set(hidden_types)), strict=True)
        ]
        self.chosen = Chosen(services=shown[0], types=shown[1])

    def events(self, selection: Sequence[str]) -> Result:
        """Return the events that are selected, or all that are shown, as `Replay.events` does."""
        session = self.session
        if selection:
            log = self.log if session is None else session.whole_log
            return log.where(sql.text(sql.is_in(sql.column("event_id"), list(selection)))).events()
        return (self.log if session is None else session.entity.own(session.log)).events()

    def python(self, spec: Mapping[str, Any]) -> str:
        """Write the Python that makes the view again."""
        log = as_log(self.given)
        if self.session is None:
            return python_of("replay", log, getattr(self.projection, "name", None), spec)
        return replay_python(self.session, log, spec)

    @property
    def sql(self) -> str:
        """The SQL that gives the state that is shown; while all entities are shown, their events."""
        return self.log.events().sql if self.session is None else replay_sql(self.session)
