"""Analysis: what plots and widgets show, computed in DuckDB and plain Python; no Jupyter, no matplotlib."""

from esanalytics.analysis._alignment import Align, BesideRow, aligned, beside_rows, since_first
from esanalytics.analysis._answers import answer, fields_data, first_data
from esanalytics.analysis._branch import Branch
from esanalytics.analysis._changes import Change, changes
from esanalytics.analysis._chosen import ALL, Chosen
from esanalytics.analysis._contents import Fields
from esanalytics.analysis._cube import micros
from esanalytics.analysis._entity import key_of_stream, taking_part
from esanalytics.analysis._exact import exact_json
from esanalytics.analysis._exploring import Exploration, Flows
from esanalytics.analysis._finding import is_failure
from esanalytics.analysis._flows import Edge, Flow, Node, Variants, flow, thinned, variants
from esanalytics.analysis._model import DOTS, chunk_of, model_of
from esanalytics.analysis._overview import Density, Dots, Overview
from esanalytics.analysis._session import OnFoldError, ReplaySession, in_words
from esanalytics.analysis._sight import Sight, window_of

__all__ = [
    "ALL",
    "DOTS",
    "Align",
    "BesideRow",
    "Branch",
    "Change",
    "Chosen",
    "Density",
    "Dots",
    "Edge",
    "Exploration",
    "Fields",
    "Flow",
    "Flows",
    "Node",
    "OnFoldError",
    "Overview",
    "ReplaySession",
    "Sight",
    "Variants",
    "aligned",
    "answer",
    "beside_rows",
    "changes",
    "chunk_of",
    "exact_json",
    "fields_data",
    "first_data",
    "flow",
    "in_words",
    "is_failure",
    "key_of_stream",
    "micros",
    "model_of",
    "since_first",
    "taking_part",
    "thinned",
    "variants",
    "window_of",
]
