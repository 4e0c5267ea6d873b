import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.kinetics import Constants, curve_means, frame_means
from fakeimaging.scoring.kinetics import Plasma, Timing, patlak, reference_patlak
from fakeimaging.scoring.kinetics.patlak import slopes
from tests.scoring.kinetics.scans import DRAWN, FENG, FLUORINE, INPUTS, one_tissue, timing, tissue

K1, K2 = 0.095, 0.125


def irreversible(k3, k4=0.0):
    k3 = np.asarray(k3, dtype=float)
    return Constants(np.full_like(k3, K1), np.full_like(k3, K2), k3, np.full_like(k3, k4))


def fine_slope(name, when, start, k3, k4=0.0, vB=0.0):
    """Slope of Patlak's plot of the continuous curve at the middles of the late frames, by the closed forms."""
    t = when.middle[when.late(start)]
    values, area = INPUTS[name].at(t), one_tissue(name)(t, 1.0, 0.0 if name == "rise" else 1e-12)
    curve = (1 - vB) * tissue(name, t, K1, K2, k3, k4) + vB * 0.93 * values
    return slopes(area / values, curve[None] / values)[0]


def seen(name, when, c, vB=0.0):
    blood = 0.93 * curve_means(INPUTS[name].at, INPUTS[name].breaks, when.starts, when.ends, when.decay)
    return (1 - vB) * frame_means(INPUTS[name], c, when.starts, when.ends, when.decay) + vB * blood


@pytest.mark.parametrize("name", list(INPUTS))
def test_where_free_tracer_follows_plasma_the_slope_is_net_uptake(name):
    edges = np.arange(400.0, 520.0, 5.0)
    when, c = Timing(edges[:-1], edges[1:], np.log(2) / FLUORINE), irreversible([0.04, 0.069, 0.12])
    found = patlak(seen(name, when, c), when, INPUTS[name], start=400.0)
    np.testing.assert_allclose(found, c.trapping, rtol=1e-3)


@pytest.mark.parametrize("name", list(INPUTS))
@pytest.mark.parametrize(("k4", "vB"), [(0.0, 0.0), (0.0, 0.05), (0.0055, 0.0), (0.02, 0.05)])
def test_elsewhere_its_bias_is_that_of_the_continuous_curve(name, k4, vB):
    when, k3 = timing("90 min", FLUORINE), 0.069
    found = patlak(seen(name, when, irreversible([k3], k4), vB), when, INPUTS[name])[0]
    assert found == pytest.approx(fine_slope(name, when, 20.0, k3, k4, vB), rel=1e-3)
    ki = K1 * k3 / (K2 + k3)
    if k4:
        assert found < 0.95 * (1 - vB) * ki
    else:
        assert found == pytest.approx((1 - vB) * ki, rel=0.01)


def test_blood_drawn_by_hand_gives_net_uptake_also_from_late_frames_alone():
    whole, c = timing("90 min", FLUORINE), irreversible([0.04, 0.069, 0.12])
    late = Timing(whole.starts[22:], whole.ends[22:], whole.decay)
    assert late.starts[0] > 25
    curves = seen("feng", whole, c)
    drawn = Plasma(DRAWN, FENG.at(DRAWN))
    np.testing.assert_allclose(patlak(curves, whole, drawn), c.trapping, rtol=0.03)
    np.testing.assert_allclose(
        patlak(curves[:, 22:], late, drawn, start=0.0), patlak(curves, whole, drawn, start=late.starts[0]), rtol=1e-12
    )


@pytest.mark.parametrize("name", list(INPUTS))
def test_relative_to_a_reference_region_the_slope_is_what_it_traps_of_what_washes_out(name):
    when, k3 = timing("90 min", FLUORINE), np.array([0.01, 0.02, 0.04])
    target = Constants(np.full(3, 0.03), np.full(3, 0.05), k3, np.zeros(3))
    reference = Constants(np.array([0.036]), np.array([0.06]), np.zeros(1), np.zeros(1))
    curves, of_reference = (
        frame_means(INPUTS[name], c, when.starts, when.ends, when.decay) for c in (target, reference)
    )
    found = reference_patlak(curves, of_reference[0], when, start=40.0)
    t = when.middle[when.late(40.0)]
    one = one_tissue(name)
    driving = one(t, 0.036, 0.06)
    # What flows in is either still there or has flown out.
    area = (0.036 * one(t, 1.0, 1e-12) - driving) / 0.06
    for value, trapped in zip(found, k3, strict=True):
        fine = slopes(area / driving, tissue(name, t, 0.03, 0.05, trapped)[None] / driving)[0]
        assert value == pytest.approx(fine, rel=2e-3)
        assert value == pytest.approx(0.05 * trapped / (0.05 + trapped), rel=0.12)


def test_what_cannot_be_plotted_is_refused():
    short = Timing(np.array([0.0, 10.0]), np.array([10.0, 25.0]), 0.0)
    with pytest.raises(InputError, match="needs three frames after 20 min; there are 0"):
        patlak(np.ones((1, 2)), short, FENG)
    when = timing("90 min", FLUORINE)
    with pytest.raises(InputError, match="the blood is known up to 60 min"):
        patlak(np.ones((1, 34)), when, Plasma(DRAWN[DRAWN <= 60], FENG.at(DRAWN[DRAWN <= 60])))


def test_blood_is_not_guessed_beyond_its_last_sample():
    plasma = Plasma(DRAWN[DRAWN <= 60], FENG.at(DRAWN[DRAWN <= 60]))
    assert np.isfinite(plasma.at(np.array([30.0, 60.0]))).all()
    with pytest.raises(InputError, match="the blood is known up to 60 min, and 62.5 min is asked for"):
        plasma.at(np.array([30.0, 62.5]))
