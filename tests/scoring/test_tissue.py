import numpy as np
import pytest

from fakeimaging.scoring import tissue as t


def three_classes(noise_sd, seed=1):
    rng = np.random.default_rng(seed)
    truth = np.zeros((24, 24, 24), dtype=np.uint8)
    truth[2:22, 2:22, 2:22], truth[5:19, 5:19, 5:19], truth[8:16, 8:16, 8:16] = 1, 2, 3
    return truth, np.choose(truth, [0.0, 0.3, 0.7, 1.0]) + noise_sd * rng.standard_normal(truth.shape)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_plain_segmentation_finds_three_levels(seed):
    truth, image = three_classes(0.02, seed)
    found = 1 + t.segmented(image[truth > 0].astype(np.float32))
    assert (found == truth[truth > 0]).mean() > 0.999
    assert t.brightness_order(image, truth) > 0.999


def test_noise_and_a_wrong_order_lower_the_scores():
    truth, image = three_classes(0.3)
    assert 0.6 < t.brightness_order(image, truth) < 0.95
    assert t.brightness_order(-image, truth) < 0.4
    found = 1 + t.segmented(image[truth > 0].astype(np.float32))
    assert t.dice(found == 2, truth[truth > 0] == 2) < 0.8
