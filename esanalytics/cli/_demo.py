"""``esanalytics demo``."""

from __future__ import annotations

from pathlib import Path

import click

from esanalytics.cli._options import examples

__all__ = ["demo"]


@click.command(epilog=examples("esanalytics demo", "esanalytics demo shop-demo"))
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
def demo(folder: Path | None) -> None:
    """Run the demo: a shop's events, from raw files to answers.

    FOLDER is where everything goes, by default demo-output; what an earlier run made there is made anew.
    """
    from esanalytics.demo import run  # noqa: PLC0415  it may draw, and drawing takes long to import

    run(folder, echo=click.echo)
