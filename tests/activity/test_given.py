"""What people give for a run: keys in the wrong place, taps, arrays where a number goes."""

import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.activity.run import RunParameters, with_taps
from fakeimaging.core.errors import InputError, ParameterError, UnknownNameError
from fakeimaging.testing.fixtures import tiny_subject

SHORT = {"model": "linear", "duration": 1.0, "transient": 1.0}


@pytest.mark.parametrize(
    "call",
    [
        lambda given: fi.simulate_activity(tiny_subject(), **SHORT, **given),
        lambda given: fi.simulate_activities(tiny_subject(), **SHORT, **given),
        lambda given: fi.simulate_activities(tiny_subject(), [given], **SHORT),
        lambda given: fi.sweep(tiny_subject(), parameters={"tau": [0.1]}, **SHORT, **given),
    ],
)
def test_a_parameter_of_the_model_beside_the_others_is_told_where_to_go(call):
    with pytest.raises(
        ParameterError, match=r'gain is a parameter of model linear; give it as parameters=\{"gain": ...\}'
    ):
        call({"gain": 0.2})
    with pytest.raises(ParameterError, match="no such key; did you mean 'speed'"):
        call({"sped": 0.2})


def test_runs_are_a_list_of_mappings():
    with pytest.raises(InputError, match="`runs`: a list of mappings is needed"):
        fi.simulate_activities(tiny_subject(), {"parameters": {"gain": 0.2}}, **SHORT)
    with pytest.raises(InputError, match=r"`runs\[1\]`: 0.2 is not a mapping"):
        fi.simulate_activities(tiny_subject(), [{}, 0.2], **SHORT)


def test_values_of_regions_among_the_parameters_are_told_where_to_go():
    for several in (np.full(10, 0.1), [0.1] * 10, {"all": 0.1}):
        with pytest.raises(
            ParameterError, match=r"^`linear.gain`: one number for all regions .* `regional`: \{\"gain\""
        ) as told:
            fi.simulate_activity(tiny_subject(), **SHORT, parameters={"gain": several})
        assert len(told.value.problems) == 1
    with pytest.raises(ParameterError, match="`dmf.loop_gain`: one number for the whole network"):
        fi.simulate_activity(tiny_subject(), duration=1.0, parameters={"loop_gain": np.full(10, 0.1)})
    with pytest.raises(ParameterError, match="`linear`: 0.3 is not a mapping"):
        fi.simulate_activity(tiny_subject(), **SHORT, parameters=0.3)


def test_many_bad_values_of_a_map_are_one_line():
    with pytest.raises(ParameterError) as told:
        fi.simulate_activity(tiny_subject(), **SHORT, regional={"tau": np.full(10, np.nan)})
    assert told.value.problems == (
        "`run.regional.tau`: nan is not a finite number; in place 1, and 9 more of its 10 values cannot be",
    )


def test_taps_by_name_alone_have_the_rates_of_the_model():
    model = fi.MODELS.get("linear")
    by_name = fi.simulate_activity(tiny_subject(), **SHORT, taps=["rate"])
    by_rate = fi.simulate_activity(tiny_subject(), **SHORT, taps={"rate": model.observables["rate"].rate})
    assert list(by_name.taps) == ["rate"]
    np.testing.assert_array_equal(by_name.tap("rate").samples, by_rate.tap("rate").samples)
    again = RunParameters.parse(RunParameters(taps=("rate",)).model_dump(mode="json"))
    assert with_taps(model, again.taps).observables == {"rate": model.observables["rate"]}
    with pytest.raises(UnknownNameError, match="`run.taps`: model linear shows no 'rat'; did you mean 'rate'"):
        fi.simulate_activity(tiny_subject(), **SHORT, taps=["rat"])


@pytest.mark.parametrize("modality", ["bold", "pet"])
def test_instruments_of_blood_and_metabolism_name_the_tap_they_need(modality):
    dipoles = fi.simulate_activity(tiny_subject(), **SHORT, taps=["dipole"])
    with pytest.raises(
        UnknownNameError, match=f"{modality} reads the tap 'rate', and there is dipole; add 'rate' to the"
    ):
        fi.acquire(modality, tiny_subject(), dipoles)


@pytest.mark.parametrize(
    ("taps", "message"),
    [
        ({}, "`run.taps`: empty; name at least one observable"),
        ([], "`run.taps`: empty; name at least one observable"),
        ({"rate": 0}, "`run.taps`: the rate of 'rate', 0, is not a number of Hz above 0"),
        ({"rate": -5.0}, "`run.taps`: the rate of 'rate', -5.0, is not a number of Hz above 0"),
        ({"rate": "fast"}, "`run.taps`: the rate of 'rate', 'fast', is not a number of Hz above 0"),
        ({"rate": float("nan")}, "`run.taps`: the rate of 'rate', nan, is not"),
        ([3], "`run.taps`: 3 is not the name of an observable"),
        (["rate", "rate"], "`run.taps`: one of rate, rate is there twice"),
        ("rate", "`run.taps`: 'rate' is neither a table of names and rates nor a list of names"),
    ],
)
def test_taps_that_cannot_be_are_one_clear_line(taps, message):
    with pytest.raises(ParameterError) as told:
        fi.simulate_activity(tiny_subject(), **SHORT, taps=taps)
    assert len(told.value.problems) == 1
    assert message in str(told.value)
