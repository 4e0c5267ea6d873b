"""Noise of one receiver, of several, and without a magnitude; what echoes share."""

from math import gamma

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject
from tests.modalities.bold.staging import all_but

SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def scan(seed=1, kept=("thermal", "receivers", "magnitude"), **parameters):
    activity = constant_activity(short_activity(seed=seed))
    return fi.acquire(
        "bold", tiny_subject(seed=seed), activity, off=all_but(*kept), **({"voxel_size": 7.0} | parameters)
    )


def split(made):
    """Voxels of air over sigma, and of what is far above noise, with what they should be."""
    images, rest = made.observed.to_array().astype(float), made.forward.baseline.astype(float)
    sigma, bright = made.recipe("thermal")["sigma"], rest > 900
    return images[rest == 0] / sigma, images[bright], rest[bright][:, None], sigma


@SEEDS
def test_one_receiver_is_rician(seed):
    air, tissue, rest, sigma = split(scan(seed, snr=10.0))
    n = air.size
    assert air.mean() == pytest.approx(np.sqrt(np.pi / 2), abs=3 * 0.655 / np.sqrt(n))
    assert air.std() == pytest.approx(0.6551, abs=3 * 0.655 / np.sqrt(2 * n))
    assert air.mean() / air.std() == pytest.approx(1.913, abs=3 * 2.0 / np.sqrt(n))
    bias = (tissue - rest).mean()
    assert bias == pytest.approx((sigma**2 / (2 * rest)).mean(), abs=3 * sigma / np.sqrt(tissue.size))


@SEEDS
@pytest.mark.parametrize("coils", [2, 8])
def test_several_receivers_are_chi_and_leave_the_signal(seed, coils):
    air, tissue, rest, sigma = split(scan(seed, snr=40.0, noise="chi", coils=coils))
    mean = np.sqrt(2) * gamma(coils + 0.5) / gamma(coils)
    spread = np.sqrt(2 * coils - mean**2)
    assert air.mean() == pytest.approx(mean, abs=3 * spread / np.sqrt(air.size))
    assert air.std() == pytest.approx(spread, abs=4 * spread / np.sqrt(2 * air.size))
    # E |z|^2 = S^2 + 2 n sigma^2.
    power = (tissue**2 - rest**2).mean()
    assert power == pytest.approx(2 * coils * sigma**2, abs=3 * 2 * sigma * 1500 / np.sqrt(tissue.size))
    bias = ((2 * coils - 1) * sigma**2 / (2 * rest)).mean()
    assert (tissue - rest).mean() == pytest.approx(bias, abs=3 * sigma / np.sqrt(tissue.size) + 0.02 * bias)


@SEEDS
def test_gaussian_noise_has_no_bias(seed):
    air, tissue, rest, sigma = split(scan(seed, snr=10.0, noise="gaussian"))
    assert air.mean() == pytest.approx(0, abs=3 / np.sqrt(air.size))
    assert air.std() == pytest.approx(1, abs=3 / np.sqrt(2 * air.size))
    assert (tissue - rest).mean() == pytest.approx(0, abs=3 * sigma / np.sqrt(tissue.size))
    assert (tissue - rest).std() == pytest.approx(sigma, rel=4 / np.sqrt(2 * tissue.size))


def test_one_receiver_of_chi_is_rician_and_all_kinds_share_the_first():
    plain, one, many, real = (
        scan(**kind) for kind in ({}, {"noise": "chi", "coils": 1}, {"noise": "chi"}, {"noise": "gaussian"})
    )
    assert (plain.observed.make(3) == one.observed.make(3)).all()
    for other in (many, real):
        assert (other.layer("thermal").make(3) == plain.layer("thermal").make(3)).all()
    assert (many.observed.make(3) > plain.observed.make(3)).all()
    assert [r.recipe("magnitude")["noise"] for r in (plain, many, real)] == ["rician", "chi", "gaussian"]
    assert [r.recipe("receivers")["others"] for r in (plain, many, real)] == [0, 7, 0]


def test_echoes_share_everything_but_what_the_readout_adds():
    many = {"echo_times": (0.012, 0.03, 0.048), "noise": "chi", "spikes": 60.0, "dropouts": 60.0}
    first = fi.acquire("bold", tiny_subject(), short_activity(), voxel_size=7.0, **many)
    second = first.parts[1]
    own = {stage.name for stage in first.modality.observe if stage.of_part}
    assert own == {"thermal", "receivers", "spikes"}
    # Each file has a step of its own.
    for name in set(first.stages) - {"spikes", "quantisation"}:
        a, b = first.recipe(name), second.recipe(name)
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[key], b[key]) for key in a), name
    assert not np.array_equal(first.recipe("spikes")["phase"], second.recipe("spikes")["phase"])
    a, b = (echo.layer("thermal").make(2).ravel() for echo in (first, second))
    assert abs(np.corrcoef(a.real, b.real)[0, 1]) < 4 / np.sqrt(a.size)
    air = first.forward.baseline == 0
    noisy = scan(**many).parts[:2]
    noises = [echo.after("receivers").make(2)[air] for echo in noisy]
    assert abs(np.corrcoef(*noises)[0, 1]) < 4 / np.sqrt(air.sum())
