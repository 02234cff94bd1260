"""The page of an explorer that stands without Python: counts to brush over, and the tables as they were."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from esanalytics.analysis import Exploration, Sight, answer, fields_data, first_data
from esanalytics.widgets._bundle import page
from esanalytics.widgets._explorer_assets import explorer_css, explorer_module
from esanalytics.widgets._explorer_flows import offline_flows_data

__all__ = ["explorer_page"]

_TYPES = 12
_CELLS = 60_000
_BODY = """<main id="explorer"></main>
<script type="module">
{module}
const told = (id) => JSON.parse(document.getElementById(id).textContent);
mount(document.getElementById("explorer"), pagePort(told("overview"), told("sight"), told("answers")));
</script>"""


def explorer_page(exploration: Exploration, sight: Sight, title: str) -> str:
    """Write the page: density by kind, kinds, streams, flows, the first events, fields of the most frequent types."""
    data = {
        "overview": first_data(exploration, sight),
        "sight": sight.data(),
        "answers": {**_tables(exploration, sight), "bins": _bins(exploration, sight)},
    }
    body = _BODY.format(module=explorer_module())
    return page(title, body, explorer_css(), data={name: json.dumps(found) for name, found in data.items()})


def _tables(exploration: Exploration, sight: Sight) -> dict[str, Any]:
    answers = {what: answer(exploration, what, sight, {}) for what in ("kinds", "streams", "events")}
    types = list(dict.fromkeys([*([sight.type] if sight.type else []), *(row[1] for row in answers["kinds"]["rows"])]))
    fields = {name: fields_data(exploration.fields(sight, name)) for name in types[:_TYPES]}
    left_out = f"the fields of the {_TYPES} most frequent types are in this page" if len(types) > _TYPES else ""
    flows = offline_flows_data(exploration.flows(sight))
    return {**answers, "flows": flows, "fields": fields, "left_out": left_out}


def _bins(exploration: Exploration, sight: Sight) -> dict[str, Any]:
    """Return counts by kind and bin over all time, so that the page can add up any window."""
    (start, end), kinds, counts = exploration.by_kind(sight)
    most = max(1, _CELLS // max(1, counts.shape[1]))
    if len(kinds) > most:
        counts = np.vstack([counts[: most - 1], counts[most - 1 :].sum(axis=0)])
    names = [[row[0], row[1]] for row in kinds[: len(counts)]]
    if len(kinds) > most:
        names[-1] = ["", f"other ({len(kinds) - most + 1:,} kinds)"]
    return {"start": start, "end": end, "kinds": names, "counts": counts.tolist()}
