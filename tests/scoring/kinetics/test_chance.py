import numpy as np
import pytest

from fakeimaging.scoring.kinetics import chance, slopes


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_chance_is_exceeded_one_time_in_twenty(seed, monkeypatch):
    monkeypatch.setattr(chance, "N_PERMUTATIONS", 100)
    rng, n = np.random.default_rng(seed), 300
    truth, x = rng.standard_normal(30), np.arange(8.0)
    by_name = by_order = by_place = by_error = 0
    for _ in range(n):
        values, y = rng.standard_normal(30), rng.standard_normal((5, 8))
        by_name += np.corrcoef(values, truth)[0, 1] > chance.correlation_by_chance(values, truth, rng=rng)
        by_order += slopes(x, y).mean() > chance.highest(chance.shuffled_slopes(x, y, rng=rng))
        by_place += values[:4].mean() > chance.highest(chance.drawn_means(values, 4, rng=rng))
        by_error += abs(values[:4].mean() - 0.3) < chance.nearest(chance.drawn_means(values, 4, rng=rng), 0.3)
    for beaten in (by_name, by_order, by_place, by_error):
        assert abs(beaten / n - 0.05) < 3 * np.sqrt(0.05 * 0.95 / n) + 0.02
