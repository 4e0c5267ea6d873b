import numpy as np
import pytest
from scipy.integrate import dblquad, quad

import fakeimaging as fi
from fakeimaging.core.clocks import Frames
from fakeimaging.core.spaces import Grid, centred_grid
from fakeimaging.modalities.pet import PetParameters
from fakeimaging.modalities.pet.counts import CYLINDER_RADIUS, OFFSET, counted, frame_counts, nema_survival
from fakeimaging.modalities.pet.resolution import Painted
from fakeimaging.modalities.pet.scanners import SCANNERS
from fakeimaging.modalities.pet.survival import Attenuation, coarse, mismatch, voxel_survival
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject

FRAMES = Frames(np.array([60.0, 60.0, 300.0, 600.0]))
FLUORINE = np.log(2) / 109.77


def counts(activity=20e6, survival=0.25, frames=FRAMES, decay=FLUORINE, **parameters):
    return frame_counts(PetParameters(**parameters), frames, np.full(frames.n, activity), decay, survival)


def test_trues_are_activity_times_sensitivity_times_what_gets_out():
    made = counts(frames=Frames(np.array([100.0])), decay=0.0)
    # 20 MBq in the 200 mm of the field of view are 70 in NEMA's 700 mm; 13.7 counts per s and kBq, a quarter gets out, 100 s.
    assert made.trues[0] == pytest.approx(70e3 * 13.7 * 0.25 * 100)
    assert made.scatter[0] == pytest.approx(made.trues[0] * 0.406 / 0.594)
    np.testing.assert_allclose(made.scatter_fraction, 0.406)
    twice = counts(frames=Frames(np.array([100.0])), decay=0.0, sensitivity=27.4, scatter_fraction=0.0)
    assert twice.trues[0] == pytest.approx(2 * made.trues[0])
    assert twice.scatter[0] == 0


def test_decay_takes_its_share_of_each_frame():
    left = [
        quad(lambda t: np.exp(-FLUORINE * t / 60), a, b)[0] for a, b in zip(FRAMES.starts, FRAMES.ends, strict=True)
    ]
    np.testing.assert_allclose(counts().trues, counts(frames=Frames(np.ones(1)), decay=0.0).trues * left, rtol=1e-12)


def test_randoms_grow_with_the_square_of_activity_or_stay_a_fraction():
    low, high = counts(10e6), counts(40e6)
    np.testing.assert_allclose(high.trues, 4 * low.trues)
    np.testing.assert_allclose(high.randoms, 16 * low.randoms)
    np.testing.assert_allclose(high.singles, 4 * low.singles)
    assert (high.randoms_fraction > low.randoms_fraction).all()
    fixed = [counts(activity, randoms_fraction=0.3) for activity in (10e6, 40e6)]
    for made in fixed:
        np.testing.assert_allclose(made.randoms / made.prompts, 0.3)
    np.testing.assert_allclose(fixed[1].effective, 4 * fixed[0].effective)
    # Singles make them within the window, each pair of detectors once: R = window S^2 / 2.
    rate = low.singles / low.seconds
    np.testing.assert_allclose(low.randoms / low.seconds, 4.9e-9 * rate**2 / 2, rtol=1e-12)


def test_pairs_and_randoms_go_with_what_leaves_the_head():
    whole, half = counts(survival=nema_survival()), counts(survival=nema_survival() / 2)
    np.testing.assert_allclose(half.randoms, whole.randoms / 2)
    np.testing.assert_allclose(half.trues, whole.trues / 2)
    np.testing.assert_allclose(half.singles, whole.singles / np.sqrt(2))


@pytest.mark.parametrize(("scanner", "weight"), [("mmr", 1), ("hrrt", 2)])
def test_effective_counts_are_noise_equivalent(scanner, weight):
    made = counts(scanner=scanner)
    by_hand = made.trues**2 / (made.trues + made.scatter + weight * made.randoms)
    np.testing.assert_allclose(made.effective, by_hand)
    np.testing.assert_allclose(made.worth, by_hand / made.trues)
    assert (made.worth < 1 - made.scatter_fraction).all()


def test_dead_time_takes_counts_as_the_scanners_does():
    free, busy = counts(60e6), counts(60e6, dead_time=True)
    np.testing.assert_allclose(busy.trues, free.trues * busy.live)
    np.testing.assert_allclose(busy.randoms, free.randoms * busy.live)
    np.testing.assert_allclose(busy.worth, busy.effective / free.trues)
    assert (busy.live < 0.9).all()
    assert (np.diff(busy.live) > 0).all()
    # At the peak of the noise-equivalent rate, dead time leaves exp(-u) and u of the pairs are not randoms.
    scanner = SCANNERS.get("discovery_mi")
    in_view = scanner.peak_activity.value * 22e6 * 200 / 700
    peak = counts(in_view, survival=nema_survival(), frames=Frames(np.ones(1)), decay=0.0, dead_time=True)
    assert peak.effective[0] == pytest.approx(scanner.peak_necr.value * 1e3, rel=1e-6)
    assert -np.log(peak.live[0]) == pytest.approx(1 - peak.randoms_fraction[0], rel=1e-6)


def test_without_activity_there_are_no_counts():
    made = counts(0.0)
    for part in (made.prompts, made.effective, made.singles, made.scatter_fraction, made.randoms_fraction):
        np.testing.assert_array_equal(part, 0)
    np.testing.assert_array_equal(made.worth, 1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_drawn_counts_are_poisson(seed):
    n = 4000
    many = Frames(np.full(n, 1.0))
    expected = frame_counts(PetParameters(), many, np.full(n, 1e4), 0.0, 0.25)
    drawn = expected.drawn(rng=np.random.default_rng(seed))
    for part in ("trues", "scatter"):
        mean, values = getattr(expected, part)[0], getattr(drawn, part)
        assert 5 < mean < 500
        assert values.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / n))
        assert values.var() / mean == pytest.approx(1, abs=4 * np.sqrt(2 / n) + 4 / np.sqrt(n * mean))
    assert abs(np.corrcoef(drawn.trues, drawn.scatter)[0, 1]) < 4 / np.sqrt(n)


def test_a_line_source_survives_as_its_chords_say():
    chord = lambda a: 2 * np.sqrt(CYLINDER_RADIUS**2 - (OFFSET * np.sin(a)) ** 2)  # noqa: E731
    by_hand = quad(lambda a: np.exp(-0.0096 * chord(a)), 0, np.pi)[0] / np.pi
    assert nema_survival() == pytest.approx(by_hand, rel=1e-9)


def disk(radius, edge=3.0, n=81, n_z=3, mu=0.0096):
    grid = centred_grid((n, n, n_z), edge)
    x = (np.arange(n) - (n - 1) / 2) * edge
    distance = np.hypot(*np.meshgrid(x, x, indexing="ij"))
    filled = np.clip((radius - distance) / edge + 0.5, 0, 1)[:, :, None] * np.ones(n_z)
    return grid, distance, (mu * filled).astype(np.float32)


def test_survival_in_a_disk_follows_its_chords():
    grid, distance, mu = disk(100.0)
    shares = voxel_survival(Attenuation(grid, mu), grid)
    middle = shares[40, 40, 1]
    assert middle == pytest.approx(np.exp(-0.0096 * 200), rel=0.01)  # 20 cm of water: 0.147
    for place in (30.0, 60.0, 90.0):
        chords = lambda a, r=place: 2 * np.sqrt(100.0**2 - (r * np.sin(a)) ** 2)  # noqa: E731
        by_hand = quad(lambda a: np.exp(-0.0096 * chords(a)), 0, np.pi)[0] / np.pi  # noqa: B023
        ring = np.abs(distance - place) < 3
        assert shares[:, :, 1][ring].mean() == pytest.approx(by_hand, rel=0.015)
    inside = distance < 100
    by_area = dblquad(
        lambda r, a: r * np.exp(-0.0096 * 2 * np.sqrt(100**2 - (r * np.sin(a)) ** 2)), 0, np.pi, 0, 100, epsrel=1e-4
    )[0] / (np.pi * 100**2 / 2)
    assert shares[:, :, 1][inside].mean() == pytest.approx(by_area, rel=0.01)
    np.testing.assert_allclose(voxel_survival(coarse(mu, grid), grid)[40, 40], middle, rtol=0.02)


def test_oblong_voxels_and_other_origins_change_no_survival():
    grid, _, mu = disk(80.0)
    oblong = Grid((81, 27, 3), grid.affine @ np.diag([1.0, 3.0, 1.0, 1.0]) @ shifted(1 / 3))
    joined = mu.reshape(81, 27, 3, 3).mean(axis=2)
    ours = voxel_survival(Attenuation(oblong, joined), oblong)
    assert ours[40, 13, 1] == pytest.approx(voxel_survival(Attenuation(grid, mu), grid)[40, 40, 1], rel=0.03)


def shifted(along_y):
    matrix = np.eye(4)
    matrix[1, 3] = along_y
    return matrix


def test_attenuation_that_stays_behind_brightens_one_side_and_dims_the_other():
    grid, distance, mu = disk(80.0)
    still = mismatch(Attenuation(grid, mu), np.eye(4), grid)
    np.testing.assert_allclose(still, 1, rtol=1e-6)
    back = np.eye(4)
    back[0, 3] = -6.0  # the head has moved by 6 mm to the right
    moved = mismatch(Attenuation(grid, mu), back, grid)
    assert moved[40, 40, 1] == pytest.approx(1, abs=0.01)
    assert moved[64, 40, 1] < 0.97  # right: lines there cross more of the head than the correction knows
    assert moved[16, 40, 1] > 1.03


def test_what_lies_beyond_the_ring_is_not_counted():
    grid = centred_grid((4, 5, 60), 5.0)  # 300 mm tall; the ring is 200 mm
    whole = np.ones(grid.shape, dtype=np.float32)
    painted = Painted(grid, np.zeros(grid.shape, dtype=np.uint16), 0 * whole, (whole,))
    survival = np.where(np.abs(np.arange(60) - 29.5) < 20, 0.25, 0.9) * whole
    made = counted(PetParameters(), FRAMES, 0.0, np.full((1, FRAMES.n), 1e6), painted, survival)
    inside = 20 * 25 * 200 / 1e3 * 1e6  # Bq in 20 columns of 25 mm2
    by_hand = counts(activity=inside, survival=0.25, decay=0.0)
    np.testing.assert_allclose(made.trues, by_hand.trues, rtol=1e-6)
    np.testing.assert_allclose(made.randoms, by_hand.randoms, rtol=1e-6)


def test_the_head_lets_out_as_much_as_a_head():
    run = constant_activity(short_activity())
    made = fi.acquire("pet", tiny_subject(), run, voxel_size=6.0)
    found = made.forward.context["counts"]
    shares = voxel_survival(made.forward.context["attenuation"], made.clean.grid)
    assert 0.1 < shares.min() < 0.3
    assert shares.max() <= 1
    grid, frames = made.clean.grid, made.clean.clock
    volume = np.prod(grid.voxel_size) / 1e3
    left = quad(lambda t: np.exp(-FLUORINE * t / 60), frames.starts[-1], frames.ends[-1])[0]
    inside = np.abs(grid.affine[2, 3] + grid.affine[2, 2] * np.arange(grid.shape[2])) <= 100
    leaving = (made.clean.make(30) * shares)[:, :, inside].sum(dtype=float) * volume
    assert found.trues[30] == pytest.approx(leaving * left * 3.5 * 13.7e-3, rel=1e-3)
    (table,) = (c for c in made.companions if c.name == "desc-counts")
    assert table.truth
    np.testing.assert_allclose([row[2] for row in table.rows], found.trues, atol=0.06)
    keys = made.modality.sidecar(made.parameters, made.forward)
    np.testing.assert_allclose(keys["PromptRate"], found.prompts / frames.durations, atol=0.01)
    np.testing.assert_allclose(keys["ScatterFraction"], 40.6)
    assert len(keys["RandomRate"]) == len(keys["SinglesRate"]) == frames.n
