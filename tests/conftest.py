"""Studies and datasets that several tests read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import fakeimaging as fi
from fakeimaging.core.files import sha256_of

# No timed assertion: a loaded machine is slow, and so is the first draw of text.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

TINY = {
    "name": "tiny study",
    "seed": 7,
    "subjects": 2,
    "subject": {"anatomy": "tiny"},
    "sessions": [
        {
            "runs": [{"task": "rest", "duration": 40.0, "model": "linear"}],
            "acquisitions": [
                {"modality": "t1w", "voxel_size": 4.0},
                {"modality": "bold", "task": "rest", "voxel_size": 7.0},
            ],
        }
    ],
}


@pytest.fixture
def tiny_study():
    """Content of a study that takes about a second."""
    import copy

    return copy.deepcopy(TINY)


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory) -> Path:
    """A dataset of it; read only."""
    out = tmp_path_factory.mktemp("tiny") / "dataset"
    fi.simulate_study(TINY, out)
    return out


def tree(root: Path) -> dict[str, str]:
    """Every file below a folder, with the hash of its decompressed bytes."""
    return {str(path.relative_to(root)): sha256_of(path) for path in sorted(root.rglob("*")) if path.is_file()}


def environment() -> dict[str, str]:
    """Environment of a child process that runs this checkout."""
    checkout = str(Path(__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [checkout, os.environ.get("PYTHONPATH")]))}
