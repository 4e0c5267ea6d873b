import numpy as np
import pytest

from fakeimaging.modalities.electro.electrodes import MONTAGES
from fakeimaging.modalities.electro.lead_field import electric
from fakeimaging.modalities.electro.reference import (
    REFERENCE_ELECTRODE,
    reference_electrodes,
    reference_weights,
    rest_correction,
    subtracted,
)
from tests.modalities.electro.silence import Settings, drawn, silent

NAMES = ("c0", "c1", "c2", "c3")
BIOSEMI = MONTAGES["biosemi64"]


def referred(reference, kinds=("EEG",) * 4, **context):
    forward = silent(kinds, **context)
    recipe = drawn(REFERENCE_ELECTRODE, forward, Settings(reference=reference))
    before = np.random.Generator(np.random.SFC64(1)).standard_normal((len(kinds), 50)).astype(np.float32)
    return before, REFERENCE_ELECTRODE.act(before, forward, recipe, 0, rng=None), recipe


@pytest.mark.parametrize(
    ("reference", "expected"),
    [("average", [0.25] * 4), ("c1", [0, 1, 0, 0]), ("c1, c3", [0, 0.5, 0, 0.5]), ("none", [0] * 4)],
)
def test_what_is_subtracted_is_the_mean_of_the_electrodes_named(reference, expected):
    before, after, recipe = referred(reference)
    np.testing.assert_allclose(recipe["weights"], expected)
    np.testing.assert_allclose(after, before - np.array(expected) @ before, atol=1e-6)
    np.testing.assert_allclose(after + subtracted(before, recipe), before, atol=1e-6)


def test_a_reference_alone_is_zero_and_its_channel_stays():
    _, after, _ = referred("c2")
    assert (after[2] == 0).all()


def test_eyes_heart_and_triggers_keep_their_own():
    before, after, _ = referred("average", ("EEG", "VEOG", "EEG", "TRIG"))
    np.testing.assert_array_equal(after[[1, 3]], before[[1, 3]])
    np.testing.assert_allclose(after[[0, 2]].mean(axis=0), 0, atol=1e-6)
    before, after, _ = referred("average", ("MEGMAG", "TRIG"))
    assert after is before


@pytest.mark.parametrize("reference", ["average", "Cz", "P9,P10"])
def test_a_common_voltage_has_no_part_in_what_is_recorded(reference):
    weights = reference_weights(reference, BIOSEMI)
    assert weights.sum() == pytest.approx(1)


def rest_error(weights, potentials):
    return np.linalg.norm(weights @ potentials) / np.linalg.norm(potentials.mean(axis=0))


def test_rest_comes_nearer_to_the_whole_heads_mean_than_the_average_does():
    gain = electric().at(BIOSEMI).columns()
    n, n_times = gain.shape[1], 400
    rng = np.random.Generator(np.random.SFC64(2))
    # Smooth currents: as many as there are columns would cancel.
    chosen = rng.choice(n, (n_times, 30))
    potentials = np.stack([gain[:, columns] @ rng.standard_normal(30) for columns in chosen], axis=1)
    weights = reference_weights("REST", BIOSEMI, lambda: gain)
    assert weights.sum() == pytest.approx(1)
    # What is subtracted should be 0: the potentials are against the mean over the whole head already.
    assert rest_error(weights, potentials) < 0.5
    np.testing.assert_allclose(rest_error(reference_weights("average", BIOSEMI), potentials), 1)


def test_rest_is_exact_where_the_field_leaves_no_choice():
    gain = np.random.Generator(np.random.SFC64(3)).standard_normal((6, 4))
    weights = 1 / 6 - rest_correction(gain)
    np.testing.assert_allclose(weights @ gain, 0, atol=1e-10)  # 4 sources, 6 electrodes


def test_the_stage_asks_the_field_for_rest():
    class Field:
        def columns(self):
            return np.random.Generator(np.random.SFC64(3)).standard_normal((4, 2))

    _, _, recipe = referred("REST", ("EEG", "EEG", "VEOG", "EEG"), field=Field())
    assert recipe["weights"][2] == 0
    np.testing.assert_allclose(recipe["weights"][[0, 1, 3]] @ Field().columns()[[0, 1, 3]], 0, atol=1e-10)


def test_an_electrode_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="`reference`: 'M2' is no electrode of the montage"):
        reference_electrodes("TP9, M2", ("Cz", "TP9"))
    assert reference_electrodes("TP9,TP9", ("Cz", "TP9")) == ("TP9", "TP9")
    assert reference_weights("TP9,TP9", ("Cz", "TP9")).tolist() == [0, 1]
    assert reference_electrodes("REST", NAMES) == ()
