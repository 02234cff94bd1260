"""Analysis: what plots and widgets show, computed in DuckDB and plain Python; no Jupyter, no matplotlib."""

from esanalytics.analysis._branch import Branch
from esanalytics.analysis._changes import Change, changes
from esanalytics.analysis._chosen import ALL, Chosen
from esanalytics.analysis._entity import key_of_stream
from esanalytics.analysis._exact import exact_json
from esanalytics.analysis._finding import is_failure
from esanalytics.analysis._model import DOTS, chunk_of, model_of
from esanalytics.analysis._overview import Density, Dots, Overview
from esanalytics.analysis._session import OnFoldError, ReplaySession

__all__ = [
    "ALL",
    "DOTS",
    "Branch",
    "Change",
    "Chosen",
    "Density",
    "Dots",
    "OnFoldError",
    "Overview",
    "ReplaySession",
    "changes",
    "chunk_of",
    "exact_json",
    "is_failure",
    "key_of_stream",
    "model_of",
]
