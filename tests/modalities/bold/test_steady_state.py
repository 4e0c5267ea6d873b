"""Magnetisation that has not settled: the first volumes, and spins that change slices."""

from dataclasses import replace

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.modalities.bold import BoldParameters, slice_times
from fakeimaging.modalities.bold import field as bold_field
from fakeimaging.modalities.bold.shares import shares
from fakeimaging.modalities.bold.spin_history import (
    LONGEST,
    REACH,
    TISSUES,
    _history,
    arrivals,
    slice_changes,
    through_plane,
)
from fakeimaging.modalities.bold.steady_state import excess, kept_after, settled, unsteady_volumes
from fakeimaging.modalities.relaxation import spin_echo, spoiled_gradient_echo
from fakeimaging.testing.fixtures import constant_activity, short_activity, tiny_subject
from tests.reference import spins

GRID = {"voxel_size": 7.0}
T1 = {name: tissue.t1 for name, tissue in bold_field.fields()[3.0].tissues.items()}


def scan(duration=40.0, body=None, run=None, **parameters):
    made = run or constant_activity(
        fi.simulate_activity(tiny_subject(), model="linear", duration=duration, physiology=body or {})
    )
    return fi.acquire("bold", tiny_subject(), made, **(GRID | parameters))


@pytest.mark.parametrize(("tr", "flip_angle"), [(2.0, 73.0), (0.5, 40.0)])
def test_the_first_volumes_are_bright_as_the_recursion_says(tr, flip_angle):
    p = BoldParameters(tr=tr, flip_angle=flip_angle, dummy_scans=1)
    for t1 in T1.values():
        met = spins.first_excitations(200, tr, t1, flip_angle)
        assert settled(t1, p) == pytest.approx(met[-1], rel=1e-9)
        found = [1 + excess(t1, p, v) for v in range(10)]
        np.testing.assert_allclose(found, met[1:11] / met[-1], rtol=1e-9)


def test_a_spin_echo_is_bright_once():
    p = BoldParameters(sequence="spin_echo", tr=2.0, echo_time=0.08, dummy_scans=0)
    for t1 in T1.values():
        met = spins.spin_echoes(5, 2.0, 0.08, t1)
        np.testing.assert_allclose([1 + excess(t1, p, v) for v in range(5)], met / met[-1], rtol=1e-9)


def test_the_steady_state_is_that_of_the_clean_image():
    tissue, p = bold_field.fields()[3.0].tissues["grey"], BoldParameters()
    plain = tissue.proton_density * np.sin(np.deg2rad(73.0)) * np.exp(-p.echo_time / tissue.t2_star)
    assert settled(tissue.t1, p) * plain == pytest.approx(spoiled_gradient_echo(tissue, 2.0, 73.0, p.echo_time))
    echo = BoldParameters(sequence="spin_echo")
    decayed = tissue.proton_density * np.exp(-echo.echo_time / tissue.t2)
    assert settled(tissue.t1, echo) * decayed == pytest.approx(spin_echo(tissue, 2.0, echo.echo_time))


def test_volumes_are_bright_by_the_tissue_they_hold():
    made = scan(dummy_scans=0)
    held, rest = shares(made.forward), made.forward.baseline
    others = [name for name in made.stages if name != "steady_state"]
    alone = fi.acquire("bold", *made.source, dummy_scans=0, off=others, **GRID)
    for v in (0, 1, 3):
        wanted = rest * (1 + sum(np.float32(excess(T1[name], made.parameters, v)) * held[name] for name in held))
        np.testing.assert_allclose(alone.observed.make(v), wanted, rtol=2e-5, atol=1e-3)
    assert (alone.observed.make(15) == alone.clean.make(15)).all()
    late = scan(dummy_scans=20)
    assert (late.before("steady_state").make(0) == late.after("steady_state").make(0)).all()


def test_shares_of_the_signal_add_up_to_one():
    held = shares(scan().forward)
    total = np.sum(list(held.values()), axis=0)
    np.testing.assert_allclose(total[scan().forward.baseline > 0], 1, rtol=1e-5)
    assert (total[scan().forward.baseline == 0] == 0).all()


def test_the_recipe_names_the_volumes_that_are_not_steady():
    for dummies in (0, 1, 5):
        made = scan(dummy_scans=dummies)
        volumes = made.recipe("steady_state")["volumes"]
        grey = [excess(T1["grey"], made.parameters, v) for v in range(20)]
        assert (
            volumes.tolist()
            == [v for v, more in enumerate(grey) if more > 0.01]
            == list(unsteady_volumes(made.parameters, 20))
        )
        assert made.modality.sidecar(made.parameters, made.forward)["NumberOfVolumesDiscardedByScanner"] == dummies
    assert scan(dummy_scans=0).recipe("steady_state")["volumes"].tolist() == [0, 1]
    assert scan(dummy_scans=5).recipe("steady_state")["volumes"].tolist() == []


def changes_of(moved, times, p, t1s):
    """Relative change of each tissue at each volume of a column, shape (n_volumes, n_tissues, n_slices)."""
    decay = np.array([[kept_after(lag, t1, p) for lag in range(LONGEST)] for t1 in t1s])
    change = np.stack([arrivals(times, t1, p).reshape(-1, len(times)) for t1 in t1s])
    return np.stack([slice_changes(moved[:, None], decay, change, v)[:, 0] for v in range(len(moved))])


@pytest.mark.parametrize("order", ["interleaved", "ascending", "descending"])
@pytest.mark.parametrize(("tr", "flip_angle", "multiband"), [(2.0, 73.0, 1), (0.8, 52.0, 4)])
def test_a_step_through_the_plane_decays_as_spins_one_by_one_do(order, tr, flip_angle, multiband):
    p = BoldParameters(tr=tr, flip_angle=flip_angle)
    times = slice_times(16, tr, order, multiband)
    for step in (0.3, -0.3, 1.4):
        moved = np.where(np.arange(12) < 4, 0.0, step)
        found = changes_of(moved, times, p, [T1["grey"], T1["csf"]])
        for k, name in enumerate(("grey", "csf")):
            met = spins.slice_signals(moved, times, tr, T1[name], flip_angle)
            wanted = met / met[0] - 1
            # Slices at the ends see fresh spins: there the twin's spins come from as far as they are.
            np.testing.assert_allclose(found[:, k, 2:-2], wanted[:, 2:-2], atol=2e-3)
            assert np.abs(wanted[4]).max() > 0.01
        assert (found[:4] == 0).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_restless_head_changes_slices_as_spins_one_by_one_do(seed):
    p, times = BoldParameters(), slice_times(20, 2.0, "interleaved")
    moved = np.cumsum(0.05 * np.random.default_rng(seed).standard_normal(40))
    found = changes_of(moved, times, p, [T1["grey"]])[:, 0]
    met = spins.slice_signals(moved, times, 2.0, T1["grey"], 73.0)
    wanted = met / met[0] - 1
    inner = slice(2, -2)
    assert np.sqrt(((found - wanted)[:, inner] ** 2).mean()) < 0.06 * wanted[:, inner].std()
    assert wanted[:, inner].std() > 0.003


def test_nothing_is_remembered_while_the_head_is_still():
    made = scan(body={"motion": 0.0})
    for v in (0, 1, 19):
        assert (made.before("spin_history").make(v) == made.after("spin_history").make(v)).all()


def test_moving_within_the_plane_is_not_remembered():
    grid = scan().clean.grid
    sideways = np.zeros((10, 6))
    sideways[5:, :2], sideways[5:, 5] = 2.0, 0.02
    np.testing.assert_allclose(through_plane(sideways, grid), 0, atol=1e-9)
    up = np.zeros((2, 6))
    up[1, 2] = 3.5
    np.testing.assert_allclose(through_plane(up, grid)[1], 0.5, atol=1e-9)
    nod = np.zeros((2, 6))
    nod[1, 3] = 0.01
    front, back = through_plane(nod, grid)[1].reshape(5, 5)[2, [-1, 0]]
    half = (grid.shape[1] - 1) / 2
    assert (front, back) == pytest.approx((0.01 * half, -0.01 * half), rel=1e-3)


def test_slices_at_once_see_no_change_of_interval():
    times = slice_times(12, 2.0, "simultaneous")
    change = arrivals(times, T1["grey"], BoldParameters())
    inner = slice(REACH, -REACH)
    np.testing.assert_allclose(change[..., inner], 0, atol=1e-12)


def jumping(step=1.0, at=10.0):
    """A run whose head jumps up by ``step`` mm at a time."""
    run = constant_activity(short_activity(duration=40.0))
    head = np.zeros((651, 6))
    head[int((20 + at) * 10) :, 2] = step
    # In place of the cached property.
    run.__dict__["physiology"] = replace(run.physiology, head=head, head_parts={})
    return run


def test_a_jump_of_a_millimetre_changes_grey_matter_by_percents_and_is_forgotten():
    made = scan(run=jumping(), voxel_size=3.5)
    moved = [made.before("spin_history").make(v) for v in range(3, 9)]
    seen = [made.after("spin_history").make(v) for v in range(3, 9)]
    grey = tiny_subject().anatomy.tissue(made.clean.grid).grey > 0.9
    inside = grey & (moved[2] > 500)
    size = [np.abs(after[inside] / before[inside] - 1).max() for before, after in zip(moved, seen, strict=True)]
    assert size[0] == size[1] == 0
    # A quarter of each slice came from its neighbour, a second sooner or later than usual: at most 28 % of -23 % at 2 s and 73 degrees.
    assert 0.02 < size[2] < 0.09
    assert size[3] == pytest.approx(kept_after(1, T1["grey"], made.parameters) * size[2], rel=0.25)
    assert size[5] < 1e-3


def test_recipe_and_change_do_not_depend_on_the_displacement_being_resampled():
    made = scan(run=jumping())
    off = fi.acquire("bold", *made.source, off=["motion"], **GRID)
    rest = made.forward.baseline > 0
    ratios = [(r.after("spin_history").make(5)[rest] / r.before("spin_history").make(5)[rest]) for r in (made, off)]
    steady = np.isfinite(ratios[0]) & (made.before("spin_history").make(5)[rest] > 100)
    np.testing.assert_allclose(ratios[0][steady], ratios[1][steady], atol=1e-5)


def test_spins_remember_the_motion_that_the_volumes_have():
    made = scan(body={"motion": "high"}, orientation="LAS", oblique=(10.0, -8.0, 5.0))
    moved = through_plane(made.recipe("motion")["parameters"], made.clean.grid)
    assert np.ptp(moved) > 0.01
    np.testing.assert_allclose(_history(made.forward).moved, moved, atol=1e-12)


def test_each_tissue_remembers_for_its_own_time():
    made = scan(body={"motion": "high"})
    held, whose = _history(made.forward), shares(made.forward)
    for t, name in enumerate(TISSUES):
        own = whose[name] + (whose["muscle"] if name == "grey" else 0)
        np.testing.assert_array_equal(held.shares[t], own[held.box])
        assert held.decay[t, 1] == pytest.approx(np.cos(np.deg2rad(73)) * np.exp(-2 / T1[name]))
