"""A document under 18,639 keystrokes, one long stream: a reducer reaches every checkpoint and the final text."""

import datetime as dt
import hashlib
import json

import pytest

import esanalytics as ea
from esanalytics import _sql as sql
from esanalytics.engines import DuckDB
from esanalytics.projections import reducer
from esanalytics.timetravel._reducing import reduced

DATA_SET = "editing_trace"
