import numpy as np
import pytest

from fakeimaging.core.spaces import centred_grid
from fakeimaging.modalities.pet import mu_map
from fakeimaging.modalities.pet.projector import parallel_lines
from fakeimaging.testing.fixtures import tiny_subject


def test_twenty_centimetres_of_water_let_a_seventh_through():
    grid = centred_grid((120, 110, 2), 2.0)
    lines = parallel_lines(grid, 36)
    x, y, _ = 2.0 * (np.indices(grid.shape).T - (np.array(grid.shape) - 1) / 2).T
    inside = np.clip((100 - np.hypot(x, y)) / 2 + 0.5, 0, 1)
    left = mu_map.line_survival(np.float32(mu_map.WATER) * inside.astype(np.float32), lines)
    assert np.exp(-1.92) == pytest.approx(0.147, abs=5e-4)
    middle = slice((lines.n_bins - 1) // 2, lines.n_bins // 2 + 1)
    np.testing.assert_allclose(left[:, middle], np.exp(-1.92), rtol=0.01)
    r = (np.arange(lines.n_bins) - (lines.n_bins - 1) / 2) * lines.bin_width
    chords = 2 * np.sqrt(np.clip(100**2 - r**2, 0, None)) / 10
    away = abs(abs(r) - 100) > 2
    np.testing.assert_allclose(left.mean(axis=(0, 2))[away], np.exp(-mu_map.WATER * chords[away]), rtol=0.02)
    assert (left[:, abs(r) > 103] == 1).all()


def test_tissue_attenuates_as_its_table_says():
    person, grid = tiny_subject(), centred_grid((48, 60, 48), 4.0)
    mu, tissue = mu_map.mu_map(person.anatomy, grid), person.anatomy.tissue(grid)
    assert mu.dtype == np.float32
    pure = 0.999
    for name, value in (("grey", 0.0975), ("white", 0.0975), ("csf", 0.096), ("bone", 0.13)):
        inside = getattr(tissue, name) > pure
        if inside.any():
            np.testing.assert_allclose(mu[inside], value, rtol=2e-3)
    assert (tissue.grey > pure).any()
    skin = (tissue.scalp > pure) & (tissue.fat == 0)
    np.testing.assert_allclose(mu[skin], 0.0975, rtol=1e-3)
    everything = tissue.brain + tissue.bone + tissue.scalp
    assert (mu[everything == 0] == 0).all()
    assert mu.max() <= 0.1301
    fatty = tissue.fat > 0.5
    assert not fatty.any() or mu[fatty].mean() < 0.0975
