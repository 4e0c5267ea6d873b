"""Parameters as maps over regions, for the models of rates, rhythms and memories."""

import numpy as np
import pytest

from fakeimaging.activity.models import as_model
from tests.activity.models.bare import bare_subject, lopsided, trace

NAMES = ("fitzhugh_nagumo", "hopfield", "kuramoto", "linear", "netsim", "stuart_landau")


@pytest.mark.parametrize("name", NAMES)
def test_maps_with_one_value_are_the_value(name):
    weights, delays = lopsided(5, 1)
    model = as_model(name)
    chosen = {"memory": "hebb", "cue": 1, "cue_flipped": 0.2} if name == "hopfield" else {}
    floats = {
        key: field.default for key, field in model.parameters.model_fields.items() if isinstance(field.default, float)
    }
    floats.pop("cue_flipped", None)
    subject = bare_subject(weights, delays)
    plain = trace(name, subject, duration=1.0, step=2e-3, **chosen)
    maps = trace(
        name,
        subject,
        duration=1.0,
        step=2e-3,
        run={"regional": {key: [value] * 5 for key, value in floats.items()}},
        **chosen,
    )
    for tap in plain:
        np.testing.assert_allclose(maps[tap], plain[tap], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_map_changes_its_region(name):
    weights, delays = lopsided(5, 2)
    subject = bare_subject(weights, delays)
    model = as_model(name)
    field = "baseline" if "baseline" in model.parameters.model_fields else "max_rate"
    low = trace(name, subject, duration=1.0, step=2e-3, run={"regional": {field: [4.0, 4.0, 4.0, 4.0, 8.0]}})["rate"]
    plain = trace(name, subject, duration=1.0, step=2e-3, **{field: 4.0})["rate"]
    np.testing.assert_allclose(low[:, :4], plain[:, :4], rtol=1e-6)
    assert (low[:, 4] > plain[:, 4]).all()
