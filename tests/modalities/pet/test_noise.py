import numpy as np
import pytest
from scipy.integrate import quad

import fakeimaging as fi
from fakeimaging.core.spaces import centred_grid
from fakeimaging.modalities import pet
from fakeimaging.modalities.pet import resolution
from fakeimaging.modalities.pet.noise import SURVIVAL, noise_constant, noise_width
from fakeimaging.modalities.pet.once import Once
from fakeimaging.modalities.pet.tracers import TRACERS
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject


def scan(seed=1, **parameters):
    run = constant_activity(short_activity(seed=seed))
    return fi.acquire("pet", tiny_subject(seed=seed), run, **({"voxel_size": 6.0} | parameters))


def effective(made):
    decay = TRACERS.get(made.parameters.tracer).decay / 60
    frames = made.clean.clock
    return np.array(
        [quad(lambda t: np.exp(-decay * t), a, b)[0] for a, b in zip(frames.starts, frames.ends, strict=True)]
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("tracer", ["fdg", "raclopride"])
def test_variance_is_in_proportion_to_activity_over_effective_seconds(seed, tracer):
    made = scan(seed, tracer=tracer, voxel_size=4.0, randoms_fraction=0.3, noise_attenuation=False)
    seconds, kappa = effective(made), noise_constant(made.parameters)
    worth = 0.594 * 0.7  # trues over all pairs, with a scatter fraction of 0.406 and 0.3 of randoms
    law, variance, n = [], [], 0
    for v in range(made.clean.n_volumes):
        activity, noise = made.after("psf").make(v), made.layer("noise").make(v)
        inside = activity > 0.3 * activity.max()
        law.append(np.mean(activity[inside] / seconds[v]))
        variance.append(np.mean(noise[inside] ** 2))
        n = max(n, int(inside.sum()))
    # At 4.5 mm some six voxels of 4 mm hold one independent value.
    tolerance = 4 * np.sqrt(2 / (n / 6))
    np.testing.assert_allclose(np.array(variance) / law, kappa / worth, rtol=tolerance)
    slope = np.polyfit(np.log(law), np.log(variance), 1)[0]
    assert slope == pytest.approx(1, abs=0.05)
    assert np.mean(variance) / np.mean(law) * worth / kappa == pytest.approx(1, abs=0.05)


def test_randoms_of_a_hot_scan_make_it_noisier_than_the_law():
    low, high = (scan(injected_activity=mbq, tracer="raclopride") for mbq in (100.0, 400.0))
    relative = [s.layer("noise").make(20).std() / s.truth["tacs"].max() for s in (low, high)]
    assert 0.5 < relative[1] / relative[0] < 0.75
    fixed = [scan(injected_activity=mbq, tracer="raclopride", randoms_fraction=0.3) for mbq in (100.0, 400.0)]
    relative = [s.layer("noise").make(20).std() / s.truth["tacs"].max() for s in fixed]
    assert relative[1] / relative[0] == pytest.approx(0.5, rel=1e-3)


def test_noise_has_unit_variance_and_the_width_of_the_point_spread():
    grid, rng = centred_grid((48, 48, 48), 3.0), np.random.default_rng(4)
    for fwhm in (0.0, 4.5, 9.0):
        noise = resolution.unit_noise(grid, fwhm, rng=rng)
        cells = noise.size / max(1.0, (1.5 * fwhm / 3.0) ** 3)
        assert noise.var() == pytest.approx(1, rel=4 * np.sqrt(2 / cells))
    neighbours = np.mean(noise * np.roll(noise, 1, axis=0))
    assert neighbours == pytest.approx(np.exp(-((3 / (9 / resolution.FWHM)) ** 2) / 4), rel=0.05)
    oblong = resolution.unit_noise(grid, (4.5, 4.5, 12.0), rng=rng)
    along = [np.mean(oblong * np.roll(oblong, 1, axis=axis)) for axis in range(3)]
    assert along[2] > 1.3 * along[0]


def test_a_cylinder_lets_out_the_share_that_is_stated():
    chord = lambda s: 2 * np.sqrt(10.0**2 - s**2)  # noqa: E731
    seen = quad(lambda s: chord(s) * np.exp(-0.096 * chord(s)), 0, 10)[0]
    assert seen / quad(chord, 0, 10)[0] == pytest.approx(SURVIVAL, abs=5e-4)


def test_the_default_noise_constant_is_the_one_worked_out_by_hand():
    # A slice of 4.5 mm of a disk of 200 mm: 141.37 mL; 13.7 counts per kBq of NEMA's 700 mm are 47.95 of the 200 mm in view; .209 of the
    # pairs leave it; time of flight of 375.4 ps is worth 200 / (1.6 x 56.27), iterations 2.
    counts = 141.372 * 47.95e-3 * 0.209 * 200 / (1.6 * 56.271) * 2
    cells = 31_415.93 / 4.5**2
    assert noise_constant(pet.PetParameters()) == pytest.approx(1.44 * cells**1.5 / counts, rel=1e-4)
    assert noise_constant(pet.PetParameters(noise_level=2.0)) == pytest.approx(4 * noise_constant(pet.PetParameters()))
    filtered = pet.PetParameters(post_filter=6.0)
    assert noise_width(filtered) == pytest.approx((7.5, 7.5, 7.5))
    assert noise_constant(filtered) == pytest.approx(noise_constant(pet.PetParameters()) * (4.5 / 7.5) ** 4)
    assert noise_width(pet.PetParameters(voxel_size=(2.0, 5.0, 6.0))) == (4.5, 5.0, 6.0)


def test_noise_is_higher_where_fewer_pairs_get_out():
    with_it, without = (scan(noise_attenuation=on) for on in (True, False))
    activity, grid = with_it.after("psf").make(25), with_it.clean.grid
    inside = activity > 0.2 * activity.max()
    ratio = np.divide(*(s.layer("noise").make(25)[inside] for s in (with_it, without)))
    distance = np.linalg.norm((np.argwhere(inside) - (np.array(grid.shape) - 1) / 2) * 6.0, axis=1)
    middle, rim = ratio[distance < 25], ratio[distance > 70]
    assert middle.mean() > 1.1 * rim.mean()
    assert 0.6 < ratio.min() < ratio.max() < 1.4


def test_a_sharp_scanner_is_a_noisy_one():
    noise = {name: scan(scanner=name, voxel_size=4.0).layer("noise").make(30).std() for name in ("hrrt", "mmr", "mct")}
    assert noise["hrrt"] > noise["mmr"]
    assert noise["mmr"] > noise["mct"]  # it has no time of flight


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_noise_has_no_bias_and_nothing_is_clipped(seed):
    run = constant_activity(short_activity(seed=seed))
    person = tiny_subject(seed=seed)
    scans = [fi.acquire("pet", person, run, voxel_size=8.0, repeat=n, off=["quantisation"]) for n in range(1, 26)]
    for v in (0, 25):
        clean = scans[0].after("psf").make(v)
        noise = np.mean([s.observed.make(v) - clean for s in scans], axis=0)
        inside = clean > 0.3 * clean.max()
        sd = np.std([s.layer("noise").make(v)[inside] for s in scans[:4]])
        assert abs(noise[inside].mean()) < 4 * sd / np.sqrt(25 * inside.sum() / 2)
    assert scans[0].observed.make(0).min() < 0


def test_noise_is_the_same_whatever_else_is_on():
    plain = scan()
    same = [scan(off=["psf"]), scan(off=["motion"]), scan(motion=4.0)]
    for other in same:
        np.testing.assert_array_equal(other.layer("noise").make(12), plain.layer("noise").make(12))


def test_noise_is_that_of_the_blurred_activity():
    made = scan(psf_fwhm=20.0)
    clean, blurred, noise = made.clean.make(25), made.after("psf").make(25), made.layer("noise").make(25)
    around = (clean == 0) & (blurred > 0.02 * blurred.max())
    assert around.sum() > 100
    assert (noise[around] != 0).all()
    assert (noise[blurred <= 0] == 0).all()


def test_images_without_noise_are_those_behind_the_point_spread():
    made = scan(noise_level=0.0, off=["quantisation"])
    np.testing.assert_array_equal(made.observed.make(20), made.after("psf").make(20))
    again = made.forward.context["seen"].applied(made.clean.make(20).copy())
    np.testing.assert_array_equal(again, made.after("psf").make(20))


def test_a_frame_is_made_once_for_all_that_need_it():
    asked = []
    once = Once(lambda v: asked.append(v) or np.full(3, float(v)))
    assert once(1) is once(1)
    assert not once(2).flags.writeable
    once(1)
    assert asked == [1, 2, 1]
    made = scan()
    assert made.after("psf").make(3) is made.forward.context["seen"](3)
    first = made.observed.make(3)
    np.testing.assert_array_equal(made.observed.make(4), scan().observed.make(4))
    np.testing.assert_array_equal(made.observed.make(3), first)
