"""Settings of all tests."""

import pytest
from hypothesis import settings

from psi.group import best as best_group
from vfl.crypto.modular import best

# A loaded machine is slow, not wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile what is not compiled yet before any test's time is measured."""
    if session.items and not session.config.option.collectonly:
        best()
        best_group()
