"""Plots: pictures of a log, drawn with matplotlib; ``ax=`` goes in, an ``Axes`` comes out."""

__all__: list[str] = []
