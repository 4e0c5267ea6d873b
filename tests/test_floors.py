"""What standard analyses recover of the built-in study, in every subject and scan, for seeds on which nothing was tuned."""

import pytest

import fakeimaging as fi

FLOORS = {"structure": 0.999999, "task_auc": 0.8, "fc": 0.6, "dice_grey": 0.8, "dice_white": 0.9}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [31, 32, 33])
def test_every_row_beats_chance_and_its_floor(tmp_path, seed):
    study = fi.read_study(overrides=[f"seed={seed}"])
    score = fi.score.score_dataset(fi.simulate_study(study, tmp_path / "out", jobs=2))
    print(score)
    assert {row.name for row in score} >= {*FLOORS, "tissue_order", "fc_weights", "task_beta", "alpha_peak", "sources"}
    assert [row for row in score if not row.beats_chance] == []
    assert score.failures(FLOORS) == []
    for row in score:
        if row.name == "structure_deviation":
            assert row.estimate < 1e-6
        if row.name == "alpha_peak":
            assert 8 < row.estimate < 12
        if row.name in {"ki", "bpnd"}:
            assert abs(row.error) < 0.15 * row.truth
