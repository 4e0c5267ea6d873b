"""Ghost, spikes and dropouts."""

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject
from tests.modalities.bold.staging import all_but

SEEDS = pytest.mark.parametrize("seed", [1, 2, 3])


def scan(seed=1, kept=(), duration=20.0, **parameters):
    activity = constant_activity(short_activity(seed=seed, duration=duration))
    return fi.acquire(
        "bold", tiny_subject(seed=seed), activity, off=all_but(*kept), **({"voxel_size": 7.0} | parameters)
    )


@pytest.mark.parametrize("edge", [7.0, 7.3])
@pytest.mark.parametrize(("encoding", "axis"), [("j-", 1), ("j", 1), ("i", 0), ("i-", 0)])
def test_the_ghost_is_half_a_field_of_view_away_and_has_its_share_of_the_energy(encoding, axis, edge):
    made = scan(kept=["ghost"], ghost_percent=3.0, phase_encoding=encoding, voxel_size=edge)
    rest, seen = made.clean.make(4), made.observed.make(4)
    ghost = seen - rest
    np.testing.assert_allclose(ghost, 0.03 * np.roll(rest, rest.shape[axis] // 2, axis), atol=1e-3)
    assert (ghost**2).sum() / (rest**2).sum() == pytest.approx(0.03**2, rel=1e-3)
    without = scan(kept=["ghost"], ghost_percent=0.0, voxel_size=edge)
    assert (without.observed.make(4) == without.clean.make(4)).all()


@SEEDS
def test_spikes_come_as_often_as_asked(seed):
    made = scan(seed, duration=600.0, spikes=6.0)
    listed = made.recipe("spikes")
    assert len(listed["volume"]) == pytest.approx(60, abs=3 * np.sqrt(60))
    assert listed["volume"].min() >= 0
    assert listed["volume"].max() < made.clean.n_volumes
    assert listed["slice"].max() < made.clean.grid.shape[2]
    assert (listed["k"] != 0).any(axis=1).all()
    assert len(scan(seed, spikes=0.0).recipe("spikes")["volume"]) == 0


@SEEDS
def test_a_spike_is_one_number_of_the_k_space_of_its_slice(seed):
    made = scan(seed, kept=["spikes"], duration=60.0, spikes=8.0, spike_percent=30.0)
    listed, n_slices = made.recipe("spikes"), made.clean.grid.shape[2]
    volume, at = listed["volume"][0], listed["slice"][0]
    others = (listed["volume"] == volume) & (listed["slice"] != at)
    term = made.after("spikes").make(volume) - made.before("spikes").make(volume)
    k_space = np.fft.fft2(term[:, :, at], norm="forward")
    hit = np.flatnonzero((listed["volume"] == volume) & (listed["slice"] == at))
    for place, phase in zip(listed["k"][hit], listed["phase"][hit], strict=True):
        assert k_space[tuple(place)] == pytest.approx(300 * np.exp(1j * phase), abs=0.5)
    assert np.sort(np.abs(k_space).ravel())[-len(hit) - 1] < 0.5
    untouched = np.setdiff1d(np.arange(n_slices), [at, *listed["slice"][others]])
    assert (term[:, :, untouched] == 0).all()
    calm = np.setdiff1d(np.arange(made.clean.n_volumes), listed["volume"])[0]
    assert (made.observed.make(calm) == made.clean.make(calm)).all()


def test_a_spike_stripes_tissue_and_raises_air():
    made = scan(kept=["spikes", "magnitude"], duration=60.0, spikes=8.0)
    listed, rest = made.recipe("spikes"), made.forward.baseline
    slices = [at for at in listed["slice"] if (rest[:, :, at] > 900).sum() > 20]
    hit = int(np.flatnonzero(listed["slice"] == slices[0])[0])
    volume, at = listed["volume"][hit], listed["slice"][hit]
    alone = (listed["volume"] == volume).sum() == 1
    seen, still = made.observed.make(volume)[:, :, at], made.clean.make(volume)[:, :, at]
    assert alone
    np.testing.assert_allclose(seen[rest[:, :, at] == 0], 200, rtol=1e-4)
    change = (seen - still)[still > 900]
    assert change.std() == pytest.approx(200 / np.sqrt(2), rel=0.3)
    assert change.min() < -100


@SEEDS
@pytest.mark.parametrize("multiband", [1, 4])
def test_dropouts_take_the_slices_that_are_excited_together(seed, multiband):
    grid = {"field_of_view": (224.0, 224.0, 168.0), "multiband": multiband}
    made = scan(seed, kept=["dropouts"], duration=600.0, dropouts=6.0, **grid)
    listed, n_slices = made.recipe("dropouts"), made.clean.grid.shape[2]
    times = made.forward.context["slice_times"]
    events = {(v, times[at]) for v, at in zip(listed["volume"], listed["slice"], strict=True)}
    assert len(events) == pytest.approx(60, abs=3 * np.sqrt(60) + 2)
    assert ((listed["left"] > 0) & (listed["left"] < 0.5)).all()
    volume = listed["volume"][0]
    here = listed["volume"] == volume
    seen, rest = made.observed.make(volume), made.clean.make(volume)
    for at in range(n_slices):
        left = np.prod(listed["left"][here & (listed["slice"] == at)])
        np.testing.assert_allclose(seen[:, :, at], left * rest[:, :, at], rtol=1e-5)
    together = set(listed["slice"][here])
    assert together == {at for at in range(n_slices) if times[at] in {times[hit] for hit in together}}
