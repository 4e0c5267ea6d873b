"""Kinetic analysis of the clean frames of whole scans: right where the tracer does what the method assumes, biased as known elsewhere."""

import numpy as np
import pytest

from fakeimaging.modalities.pet.tracers import MINUTE, TRACERS
from fakeimaging.scoring import kinetics
from fakeimaging.scoring.kinetics import Timing
from tests.modalities.pet.test_pet import KINDS, scan

REFERENCE = KINDS.index("cerebellum")
BINDING = [KINDS.index(kind) for kind in ("putamen", "caudate", "ventral striatum", "thalamus", "cortex")]
TABLE = """
[bloodless]
like = "{like}"
[bloodless.constants]
vB = {{ value = {vB}, unit = "1", source = "test" }}
"""


def frames_of(tmp_path, like, vB=0.0, **parameters):
    """Return the truth of a scan of a tracer with so much blood, and its frames in minutes."""
    path = tmp_path / "own.toml"
    path.write_text(TABLE.format(like=like, vB=vB))
    made = scan(str(path), **parameters)
    clock, tracer = made.clean.clock, TRACERS.get(str(path))
    return made, Timing(clock.starts / MINUTE, clock.ends / MINUTE, tracer.decay)


def test_without_blood_the_reference_tissue_model_and_logans_plot_are_right(tmp_path):
    made, timing = frames_of(tmp_path, "raclopride")
    curves, truth = made.truth["tacs"], made.truth
    bpnd, R1, k2 = kinetics.reference_tissue_fit(curves, curves[REFERENCE], timing)
    np.testing.assert_allclose(bpnd[BINDING], truth["bpnd"][BINDING], rtol=0.01)
    np.testing.assert_allclose(R1[BINDING], truth["R1"][BINDING], rtol=0.01)
    np.testing.assert_allclose(k2[BINDING], truth["k2"][BINDING], rtol=0.01)
    washout = float(truth["k2"][REFERENCE])
    dvr = kinetics.reference_logan(curves, curves[REFERENCE], timing, k2_reference=washout)
    np.testing.assert_allclose(dvr[BINDING], truth["dvr"][BINDING], rtol=0.01)
    plasma = made.forward.context["uptake"].plasma
    np.testing.assert_allclose(kinetics.logan(curves, timing, plasma), truth["vt"], rtol=0.01)


def test_without_blood_patlaks_plot_is_net_uptake(tmp_path):
    made, timing = frames_of(tmp_path, "fdg", duration=5400.0)
    found = kinetics.patlak(made.truth["tacs"], timing, made.forward.context["uptake"].plasma, start=40.0)
    np.testing.assert_allclose(found, made.truth["ki"], rtol=0.01)


@pytest.mark.parametrize("like", ["raclopride", "fdg"])
def test_with_blood_the_bias_is_that_of_fine_frames(tmp_path, like):
    found, fine = [], [[360, 10.0]]
    for frames in (None, fine):
        made, timing = frames_of(tmp_path, like, vB=0.05, **({} if frames is None else {"frames": frames}))
        curves, truth = made.truth["tacs"], made.truth
        if like == "raclopride":
            ratio = kinetics.reference_tissue_fit(curves, curves[REFERENCE], timing)[0] / np.maximum(truth["bpnd"], 0.1)
        else:
            ratio = kinetics.patlak(curves, timing, made.forward.context["uptake"].plasma) / truth["ki"]
        found.append(ratio[BINDING])
    np.testing.assert_allclose(found[0], found[1], rtol=0.01)
    assert (found[0] > 0.85).all()
    assert (found[0] < 0.96).all()
