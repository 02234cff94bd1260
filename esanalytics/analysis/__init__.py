"""Analysis: what plots and widgets show, computed in DuckDB and plain Python; no Jupyter, no matplotlib."""

__all__: list[str] = []
