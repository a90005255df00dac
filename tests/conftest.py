from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images for measuring and testing; they are not part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the folder of real images {SHARED_DATA} is absent")
    return SHARED_DATA
