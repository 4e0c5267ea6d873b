"""The contract suite over everything that is registered, and checks that it can fail."""

from dataclasses import replace

import numpy as np
import pytest

from fakeimaging import MODALITIES, MODELS, Stage, make_subject
from fakeimaging.core.parameters import Parameters, parameter
from fakeimaging.testing import check_modality, check_model
from fakeimaging.testing.contract import ContractError


@pytest.mark.parametrize("name", list(MODELS))
def test_every_model_holds_the_contract(name):
    check_model(name)


@pytest.mark.parametrize("name", list(MODALITIES))
def test_every_modality_holds_the_contract(name):
    check_modality(name, **MODALITIES.get(name).small)


def broken(of, **changes):
    return replace(MODALITIES.get(of), **changes)


def shared_noise(forward, recipe, v, *, rng):
    return np.random.default_rng(1).standard_normal(forward.clean.grid.shape).astype(np.float32)


class NoUnit(Parameters):
    voxel_size: float = parameter(8.0, unit="", bounds=(1, 10))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "T1 w"}, "lower case"),
        ({"datatype": "stuff"}, "BIDS has no place"),
        (
            {"observe": (Stage("noise", "additive", lambda f, p, rng: {}, shared_noise),)},
            "repeated scan has the same noise",
        ),
        ({"observe": MODALITIES.get("t1w").observe[:1] * 2}, "share a name"),
        (
            {"observe": (Stage("nan", "operator", lambda f, p, rng: {}, lambda i, f, r, v, rng: i * np.nan),)},
            "not finite",
        ),
        (
            {
                "observe": (
                    Stage(
                        "late",
                        "additive",
                        lambda f, p, rng: {"x": rng.random()},
                        lambda f, r, v, rng: np.float32(np.random.default_rng().random()),
                    ),
                )
            },
            "comes out different",
        ),
        ({"parameters": NoUnit}, "no unit"),
    ],
)
def test_the_contract_catches(changes, message):
    with pytest.raises(ContractError, match=message):
        check_modality(broken("t1w", **changes), voxel_size=8.0)


def test_the_contract_catches_a_clean_image_that_moves_by_itself():
    bold = MODALITIES.get("bold")

    def restless(subject, activity, parameters):
        forward = bold.forward(subject, activity, parameters)
        clean = replace(forward.clean, make=lambda v: forward.clean.make(v) * np.float32(1 + 0.01 * v))
        return replace(forward, clean=clean)

    with pytest.raises(ContractError, match="never changes moves the image"):
        check_modality(broken("bold", forward=restless), voxel_size=8.0)


def test_the_contract_catches_a_model_without_a_rate():
    linear = MODELS.get("linear")
    with pytest.raises(ContractError, match="no observable `rate`"):
        check_model(replace(linear, observables={"other": linear.observables["rate"]}))


def test_the_contract_can_be_checked_on_another_subject():
    subject = make_subject("other", seed=5, anatomy="tiny", n_regions=6)
    check_modality("bold", subject=subject, voxel_size=8.0)
