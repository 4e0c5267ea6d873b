import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.bold.epsilon import blood_rate, signal_ratio
from fakeimaging.modalities.bold.field import fields


@pytest.mark.parametrize(("strength", "ratio"), [(1.5, 1.09), (3.0, 0.77), (7.0, 0.28)])
def test_the_ratio_with_the_usual_sequence_is_the_one_that_is_documented(strength, ratio):
    field = fields()[strength]
    found = signal_ratio(field.defaults["echo_time"], blood_rate(strength), 1 / field.tissues["grey"].t2_star)
    assert found == pytest.approx(ratio, abs=0.006)


def test_blood_of_the_laminar_model_at_7_tesla():
    # Havlicek and Uludag 2019: 0.873 / 0.89 exp(-28 ms (80 - 34) / s)
    assert signal_ratio(0.028, 80.0, 34.0) == pytest.approx(0.873 / 0.89 * 2.718281828 ** (-0.028 * 46), rel=1e-6)


def test_blood_darkens_with_extraction_and_field():
    assert blood_rate(3.0, extraction=0.4) > blood_rate(3.0) > blood_rate(3.0, extraction=0.0)
    assert blood_rate(1.5) < blood_rate(3.0) < blood_rate(7.0)


def test_no_echo_time_leaves_the_ratio_of_water():
    assert signal_ratio(0.0, 80.0, 30.0, hematocrit=0.0) == pytest.approx(0.95 / 0.89)


def test_an_unknown_field_is_refused():
    with pytest.raises(InputError, match="not at 4.7 T"):
        blood_rate(4.7)
