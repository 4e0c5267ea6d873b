from dataclasses import replace

import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.core.spaces import Grid
from fakeimaging.modalities.pet.resolution import Painted, PointSpread
from fakeimaging.scoring.partial_volume import paint, partial_volume

ROUND = PointSpread((4.5, 4.5, 4.5))
SPREADS = {
    "none": PointSpread((0.0, 0.0, 0.0)),
    "round": ROUND,
    "three widths": PointSpread((6.0, 4.0, 5.0)),
    "wider outside": PointSpread((4.0, 4.0, 5.0), (8.0, 8.0, 6.0)),
}


def phantom(shape=(30, 26, 22), voxel=(2.0, 2.5, 3.0), n_regions=5, seed=0):
    """Blocks of grey matter of mixed fractions, white matter around them, fluid at an edge."""
    rng, grid = np.random.default_rng(seed), Grid(shape, np.diag([*voxel, 1.0]))
    labels = np.zeros(shape, dtype=np.uint16)
    for i in range(n_regions):
        labels[3 + 5 * i : 7 + 5 * i, 6:20, 6:16] = i + 1
    grey = np.where(labels > 0, rng.uniform(0.3, 1.0, shape), 0).astype(np.float32)
    csf = np.zeros(shape, dtype=np.float32)
    csf[:, 22:, :] = 1.0
    white = np.where(csf > 0, 0, 1 - grey).astype(np.float32)
    return Painted(grid, labels, grey, (white, csf))


@pytest.mark.parametrize("name", list(SPREADS))
def test_classes_of_constant_activity_are_recovered_exactly(name):
    spread = SPREADS[name]
    painted, truth = phantom(), np.array([1.0, 3.0, 0.5, 2.0, 4.0, 0.7, 0.1])
    found = partial_volume(painted, painted.labels, 5, spread)
    image = spread.applied(paint(painted, truth), painted.grid)
    means = found.means([image, 2 * image])
    assert np.abs(means[:5, 0] / truth[:5] - 1).min() > 0.05
    np.testing.assert_allclose(found.corrected(means), np.outer(truth, [1, 2]), rtol=1e-6)


def test_rows_of_the_matrix_are_shares():
    painted = phantom()
    matrix = partial_volume(painted, painted.labels, 5, ROUND).matrix
    assert matrix.shape == (7, 7)
    assert (matrix > -1e-3).all()
    # What lies deep inside takes all it has from somewhere; the rest is at the edge of the field of view.
    assert (matrix.sum(axis=1) <= 1 + 1e-4).all()
    assert matrix[2].sum() == pytest.approx(1.0, abs=1e-3)


def test_a_wrong_point_spread_leaves_a_bias():
    painted, truth = phantom(), np.array([1.0, 3.0, 0.5, 2.0, 4.0, 0.7, 0.1])
    image = PointSpread((6.0, 6.0, 6.0)).applied(paint(painted, truth), painted.grid)
    too_small = partial_volume(painted, painted.labels, 5, PointSpread((4.0, 4.0, 4.0)))
    found = too_small.corrected(too_small.means([image]))[:5, 0]
    assert found[4] < 0.95 * truth[4]


def test_voxel_wise_correction_gives_back_what_was_painted_and_keeps_detail():
    painted, truth = phantom(), np.array([1.0, 3.0, 0.5, 2.0, 4.0, 0.7, 0.1])
    sharp, found = paint(painted, truth), partial_volume(painted, painted.labels, 5, ROUND)
    image = ROUND.applied(sharp, painted.grid)
    values = found.corrected(found.means([image]))[:, 0]
    np.testing.assert_allclose(found.image(image, values), sharp, rtol=1e-4, atol=1e-5)
    inside = np.zeros(sharp.shape, dtype=np.float32)
    inside[4:7, 8:18, 8:14] = 0.5
    changed = ROUND.applied(sharp + inside, painted.grid)
    values = found.corrected(found.means([changed]))[:, 0]
    here = found.image(changed, values)[5, 12, 11]
    assert abs(here - (sharp + inside)[5, 12, 11]) < abs(changed[5, 12, 11] - (sharp + inside)[5, 12, 11])


def test_a_region_without_a_voxel_stays_unknown_and_the_others_do_not():
    painted, truth = phantom(), np.array([1.0, 3.0, 0.5, 2.0, 4.0, 0.7, 0.1])
    labels = np.where(painted.labels == 2, 0, painted.labels)
    without = replace(
        painted,
        labels=labels,
        others=(painted.others[0] + np.where(painted.labels == 2, painted.grey, 0), painted.others[1]),
    )
    found = partial_volume(without, labels, 5, ROUND)
    image = ROUND.applied(paint(without, truth), painted.grid)
    corrected = found.corrected(found.means([image]))[:, 0]
    assert np.isnan(corrected[1])
    np.testing.assert_allclose(np.delete(corrected, 1), np.delete(truth, 1), rtol=1e-6)


def test_labels_on_another_grid_are_refused():
    painted = phantom()
    with pytest.raises(InputError, match="not on the grid"):
        partial_volume(painted, painted.labels[1:], 5, ROUND)


def test_a_label_is_averaged_over_whatever_tissue_it_lies_on():
    painted = phantom()
    labels = painted.labels.copy()
    labels[10:14, 1:4, 8:12] = 1  # an analyst's region that reaches into white matter
    assert painted.others[0][10:14, 1:4, 8:12].min() == 1
    masks = partial_volume(painted, labels, 5, ROUND).masks
    np.testing.assert_array_equal(masks[labels > 0], labels[labels > 0])
    assert (masks[labels == 0] != 1).all()
    assert (masks == 6).sum() > 100
