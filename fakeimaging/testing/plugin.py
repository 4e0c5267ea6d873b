"""Pytest plugin, loaded with the package: the fixtures `tiny_subject` and `short_activity`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fakeimaging.activity.activity import Activity
    from fakeimaging.structure.subject import Subject


@pytest.fixture(name="tiny_subject")
def _tiny_subject() -> Subject:
    from fakeimaging.testing.fixtures import tiny_subject

    return tiny_subject()


@pytest.fixture(name="short_activity")
def _short_activity() -> Activity:
    from fakeimaging.testing.fixtures import short_activity

    return short_activity()
