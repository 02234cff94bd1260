"""A shop of five services, and what its logs must fold to."""

from esanalytics.demo._generate import generate
from esanalytics.demo._run import run
from esanalytics.demo._shop import customers, orders, payments, stock
from esanalytics.demo._truth import Truth, truth
from esanalytics.demo._write import write

__all__ = ["Truth", "customers", "generate", "orders", "payments", "run", "stock", "truth", "write"]
