from __future__ import annotations

from pathlib import Path

import course_site
import pytest


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return course_site.built(tmp_path_factory)
