"""Real event data that lies beside the repository, not in it; without it these tests are skipped."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def folder(request):
    """The folder of the data set that the test module is about, which its DATA_SET names."""
    found = DATA / request.module.DATA_SET
    if not found.is_dir():
        pytest.skip(f"the data set {found.name} is not here; it lies beside the repository, in shared/data")
    return found
