"""Widgets: views for notebooks, and the pages that stand without one."""

__all__: list[str] = []
