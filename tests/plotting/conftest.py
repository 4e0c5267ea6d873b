"""A dataset with every modality on a tiny head, and the report of it."""

from pathlib import Path

import pytest

import fakeimaging as fi

LOOK = {"trial_type": "look", "hemisphere": "L", "kind": "cortex", "onset": 5.0, "period": 30.0, "duration": 10.0}
STUDY = {
    "name": "all & <everything>",
    "seed": 7,
    "subjects": ["01"],
    "subject": {"anatomy": "tiny"},
    "sessions": [
        {
            "runs": [
                {
                    "task": "look",
                    "duration": 60.0,
                    "model": "dmf",
                    "conditions": [LOOK],
                }
            ],
            "acquisitions": [
                {"modality": "t1w", "voxel_size": 6.0},
                {"modality": "bold", "task": "look", "voxel_size": 10.0},
                {"modality": "eeg", "task": "look", "montage": "standard_1020"},
                {"modality": "meg", "task": "look", "array": "ctf151", "sampling_frequency": 125.0},
                {"modality": "ieeg", "task": "look", "implants": "hippocampal_shafts", "bad_channels": 2},
                {"modality": "pet", "task": "look", "tracer": "fdg", "voxel_size": 12.0},
                {"modality": "pet", "task": "look", "tracer": "raclopride", "voxel_size": 12.0},
            ],
        }
    ],
}  # fmt: skip


@pytest.fixture(scope="session")
def every_modality(tmp_path_factory) -> Path:
    """A finished dataset; read only."""
    out = tmp_path_factory.mktemp("pictures") / "dataset"
    fi.simulate_study(STUDY, out)
    return out
