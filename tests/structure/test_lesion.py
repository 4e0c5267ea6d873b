import warnings

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.models import dmf_setup
from fakeimaging.activity.wiring import WiringParameters, wiring
from fakeimaging.core.errors import InputError, ParameterError
from fakeimaging.structure.parameters import SubjectParameters
from fakeimaging.testing.fixtures import tiny_subject

SUBJECT = tiny_subject()
W, LENGTHS = SUBJECT.connectome.weights, SUBJECT.connectome.tract_lengths


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_tracts_from_and_to_the_regions_lose_that_share(share):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cut = fi.lesion(SUBJECT, ["L_NetA_01", "R_NetB_02"], share=share).connectome
    hit = np.isin(np.arange(10), [0, 9])
    either = hit[:, None] | hit[None]
    np.testing.assert_array_equal(cut.weights[either], W[either] * (1 - share))
    np.testing.assert_array_equal(cut.weights[~either], W[~either])
    np.testing.assert_array_equal(cut.tract_lengths, np.where(either & (share == 1), 0, LENGTHS))
    assert set(cut.isolated) == ({0, 9} if share == 1 else set())


def test_edges_are_cut_in_both_directions_and_no_others():
    pairs = np.argwhere(np.triu(W) > 0)
    a, b = pairs[0]
    names = [region.name for region in SUBJECT.regions]
    cut = fi.lesion(SUBJECT, edges=[(names[a], names[b])]).connectome.weights
    assert {tuple(edge) for edge in np.argwhere(cut != W).tolist()} == {(a, b), (b, a)}
    assert cut[a, b] == 0
    between = fi.lesion(SUBJECT, edges=[("hemisphere:L", "hemisphere:R")], share=0.5).connectome.weights
    side = np.array([region.hemisphere for region in SUBJECT.regions])
    np.testing.assert_array_equal(between, W * np.where(side[:, None] != side[None], 0.5, 1.0))


def test_tissue_and_everything_else_stay_bit_for_bit():
    cut = fi.lesion(SUBJECT, "network:NetA", share=0.9)
    assert cut.anatomy is SUBJECT.anatomy
    assert cut.parcellation is SUBJECT.parcellation
    assert cut.streams == SUBJECT.streams
    before, after = (fi.acquire("t1w", person, voxel_size=6.0).observed.to_array() for person in (SUBJECT, cut))
    np.testing.assert_array_equal(before, after)
    assert (SUBJECT.connectome.weights == W).all()
    assert cut.connectome.names == SUBJECT.connectome.names


def test_what_is_cut_is_not_made_up_for():
    """Rows are divided by what they summed to before; coupling and spectral radius scale as in the whole brain."""
    cut = fi.lesion(SUBJECT, "L_NetA_01", share=0.5)
    whole = SUBJECT.connectome.row_normalised()
    expected = np.where(cut.connectome.weights == W, whole, whole / 2)
    np.testing.assert_allclose(cut.connectome.row_normalised(), expected, rtol=1e-12)
    assert cut.connectome.row_normalised()[0].sum() == pytest.approx(0.5)
    for scaling in ("rows", "radius", "none"):
        before, after = (wiring(WiringParameters(scaling=scaling), person) for person in (SUBJECT, cut))
        np.testing.assert_allclose(after, np.where(cut.connectome.weights == W, before, before / 2), rtol=1e-12)
    p = dmf_setup.DmfParameters()
    couplings = [dmf_setup.working_point(p, person)[1] for person in (SUBJECT, cut)]
    assert couplings[0] == couplings[1]


def test_a_second_lesion_remembers_the_whole_brain():
    twice = fi.lesion(fi.lesion(SUBJECT, "L_NetA_01", share=0.5), "L_NetA_01", share=0.5)
    assert twice.connectome.healthy is SUBJECT.connectome
    assert twice.connectome.row_normalised()[0].sum() == pytest.approx(0.25)


def test_a_lesion_weakens_the_link_in_activity():
    """Without delays the covariance of the linear network is exact; the cut region has none with the others, beyond chance."""
    cut = fi.lesion(SUBJECT, "L_NetA_01")
    rates = [
        fi.simulate_activity(person, model="linear", duration=400.0, parameters={"tau": 0.02}).tap("rate").samples
        for person in (SUBJECT, cut)
    ]
    before, after = (np.corrcoef(rate.T)[0, 1:] for rate in rates)
    n = 400 / 0.04  # independent samples
    assert before.max() > 0.2
    assert np.abs(after).max() < 4.5 / n**0.5


def test_only_regions_that_were_not_asked_for_are_warned_of():
    chain = np.diag(np.ones(9), 1)
    own = fi.Connectome(chain + chain.T, 50 * (chain + chain.T))
    subject = fi.make_subject("01", seed=1, anatomy="tiny", connectome=own)
    with pytest.warns(UserWarning, match="the lesion leaves regions without any tract: 1$"):
        fi.lesion(subject, subject.regions[1].name)
    with pytest.warns(UserWarning, match="without any tract: 1$"):
        fi.lesion(subject, edges=[(subject.regions[0].name, subject.regions[1].name)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fi.lesion(subject, [region.name for region in subject.regions[:2]])


def test_the_key_of_a_study_does_the_same():
    keys = {"lesion": ["L_NetA_01"], "lesion_edges": [["L_NetA_02", "R_NetA_02"]], "lesion_share": 0.25}
    made = fi.make_subject("01", seed=1, anatomy="tiny", **keys).connectome
    by_hand = fi.lesion(SUBJECT, "L_NetA_01", edges=[("L_NetA_02", "R_NetA_02")], share=0.25).connectome
    np.testing.assert_array_equal(made.weights, by_hand.weights)
    with pytest.raises(ParameterError, match="`subject.lesion_share`: there is no `lesion`"):
        fi.make_subject("01", seed=1, anatomy="tiny", lesion_share=0.5)
    with pytest.raises(ParameterError, match="no such region as 'nowhere'"):
        fi.make_subject("01", seed=1, anatomy="tiny", lesion=["nowhere"])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, ParameterError, "nothing to cut; name `regions` or `edges`"),
        ({"regions": "L_NetA_1"}, ParameterError, "`lesion`: .* did you mean 'L_NetA_01'"),
        ({"regions": "all", "share": 1.5}, ParameterError, r"`lesion.share`: 1.5 is outside \[0, 1\]"),
        ({"regions": "all", "share": float("nan")}, ParameterError, "nan is outside"),
        ({"regions": "all"}, InputError, "no tract would be left"),
        ({"edges": ["ab"]}, ParameterError, "'ab' is not a pair of regions"),
        ({"edges": [("all", "x", "y")]}, ParameterError, "is not a pair"),
        ({"edges": [("L_NetA_01", 3)]}, ParameterError, "`lesion.edges`: 3 is not the name of a region"),
        ({"edges": "ab"}, ParameterError, "`lesion.edges`: 'ab' is not a list of pairs"),
        ({"edges": [("L_NetA_01", "L_NetA_01")]}, ParameterError, "is one region and itself; name two"),
        ({"regions": [3]}, ParameterError, "`lesion`: 3 is not the name of a region or group of regions"),
        ({"regions": 3}, ParameterError, "`lesion`: 3 is not the name of a region"),
    ],
)
def test_a_lesion_that_cannot_be_is_refused(settings, error, message):
    with pytest.raises(error, match=message):
        fi.lesion(SUBJECT, **settings)


def test_a_pair_without_a_tract_is_warned_of_by_name():
    weights = np.where(np.eye(10, k=3) + np.eye(10, k=-3) + np.eye(10, k=1) + np.eye(10, k=-1) > 0, 1.0, 0.0)
    subject = fi.make_subject(
        "01", seed=1, anatomy="tiny", connectome=fi.Connectome(weights, np.where(weights > 0, 50.0, 0.0))
    )
    names = [region.name for region in subject.regions]
    with pytest.warns(UserWarning, match=f"there is no tract between '{names[0]}' and '{names[2]}' to cut"):
        same = fi.lesion(subject, edges=[(names[0], names[2])])
    np.testing.assert_array_equal(same.connectome.weights, weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fi.lesion(subject, edges=[(names[0], names[1]), ("network:NetA", "network:NetA")], share=0.5)


def test_one_word_is_a_lesion_of_one():
    one, listed = (
        fi.make_subject("01", seed=1, anatomy="tiny", lesion=given) for given in ("L_NetA_01", ["L_NetA_01"])
    )
    np.testing.assert_array_equal(one.connectome.weights, listed.connectome.weights)
    assert SubjectParameters(lesion="kind:thalamus").lesion == ("kind:thalamus",)
    with pytest.raises(ParameterError, match="`subject.lesion`"):
        fi.make_subject("01", seed=1, anatomy="tiny", lesion=3)
