"""Parameters as maps over regions, for every model."""

import numpy as np
import pytest

from fakeimaging.activity.models import MODELS
from tests.activity.models.bare import bare_subject, lopsided, trace


def floats(name):
    """Parameters that may differ between regions, with their defaults."""
    model = MODELS.get(name)
    fields = model.parameters.model_fields.items()
    return {
        key: field.default for key, field in fields if isinstance(field.default, float) and key not in model.uniform
    }


def run(name, seed, regional=None, **parameters):
    """Every tap from the very start, at most the first 4 s of it, at the model's own step."""
    weights, delays = lopsided(5, seed)
    step = MODELS.get(name).step
    maps = {"regional": regional} if regional else {}
    taps = trace(name, bare_subject(weights, delays), duration=1.0, step=step, run=maps, **parameters)
    return {tap: samples[: round(4 / step)] for tap, samples in taps.items()}


@pytest.mark.parametrize("name", MODELS.names())
def test_maps_with_one_value_are_the_value(name):
    chosen = {"memory": "hebb", "cue": 1, "cue_flipped": 0.2} if name == "hopfield" else {}
    plain = run(name, 1, **chosen)
    maps = run(name, 1, {key: [value] * 5 for key, value in floats(name).items()}, **chosen)
    for tap in plain:
        np.testing.assert_allclose(maps[tap], plain[tap], rtol=1e-5, atol=1e-5 * np.abs(plain[tap]).max())


@pytest.mark.parametrize("name", MODELS.names())
def test_a_map_changes_its_region(name):
    density = floats(name)["dipole_density"]
    plain = run(name, 2)["dipole"]
    twice = run(name, 2, {"dipole_density": [density] * 4 + [2 * density]})["dipole"]
    assert plain.std(axis=0).min() > 0
    np.testing.assert_allclose(twice, plain * [1, 1, 1, 1, 2], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "name", [name for name in MODELS.names() if {"baseline", "max_rate", "rate_scale"} & set(floats(name))]
)
def test_a_map_of_rates_changes_its_region(name):
    (field,) = {"baseline", "max_rate", "rate_scale"} & set(floats(name))
    plain = run(name, 2, **{field: 4.0})["rate"]
    mapped = run(name, 2, {field: [4.0, 4.0, 4.0, 4.0, 8.0]})["rate"]
    np.testing.assert_allclose(mapped[:, :4], plain[:, :4], rtol=1e-6)
    assert (mapped[:, 4] > plain[:, 4]).mean() > 0.99
