"""Events from outside: files as Arrow batches, with the origin and line of every row.

Each function returns a source, which ``append`` takes as it is. Nothing is read before it is asked for;
rows that cannot be read are handed over as refusals, never dropped.
"""

from esanalytics.sources._csv import csv
from esanalytics.sources._jsonl import jsonl
from esanalytics.sources._mapping import constant, sql
from esanalytics.sources._parquet import parquet

__all__ = ["constant", "csv", "jsonl", "parquet", "sql"]
