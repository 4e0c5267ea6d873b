import numpy as np
import pytest

from fakeimaging.scoring.echoes import kappa_rho

TIMES = np.array([0.0145, 0.0385, 0.0625])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kappa_and_rho_are_tedanas(seed):
    from tedana.metrics import dependence

    rng = np.random.default_rng(seed)
    courses = rng.standard_normal((3, 70))
    size = rng.uniform(0.2, 2, (3, 40, 1, 1))
    echoes = 800 * np.exp(-TIMES[:, None] * (25 + 0.2 * (size[0] * courses[0] + size[1] * courses[1])))
    echoes = echoes * (1 + 0.004 * size[2] * courses[2]) + rng.standard_normal((40, 3, 70))
    combined = echoes.mean(axis=1)
    found = kappa_rho(echoes, combined, courses, TIMES)
    mixing, good = courses.T, np.full(40, 3)
    f_t2, f_s0, _, _ = dependence.calculate_f_maps(data_cat=echoes, mixing=mixing, adaptive_mask=good, tes=1000 * TIMES)
    weights = dependence.calculate_weights(data_optcom=combined, mixing=mixing)
    z_maps = dependence.calculate_z_maps(weights=weights)
    wanted = dependence.calculate_dependence_metrics(f_t2_maps=f_t2, f_s0_maps=f_s0, z_maps=z_maps)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert (found[0] > found[1]).tolist() == [True, True, False]
