import numpy as np
import pytest

from fakeimaging.core.errors import InputError
from fakeimaging.modalities.pet.administration import through_compartment
from fakeimaging.modalities.pet.kinetics import Constants, Course, frame_means, reference_tissue, tissue_curve
from fakeimaging.modalities.pet.plasma import feng, from_samples, rise_and_fall
from fakeimaging.modalities.pet.reference_models import (
    binding_course,
    displaced,
    fading,
    frtm,
    gamma_variate,
    srtm,
    srtm2,
)
from tests.reference import compartments as twin

BOLUS = rise_and_fall(0.1, 0.6, (22.0, 5.0, 3.6), (1.5, 0.12, 0.0135))
K1, K2 = 0.08, 0.195
REFERENCE = through_compartment(BOLUS, K1, K2)
TIMES = np.array([0.2, 0.5, 1.0, 3.0, 10.0, 21.0, 30.0, 60.0, 90.0])
STARTS, ENDS = np.array([0.0, 0.3, 5.0, 18.0, 60.0]), np.array([0.3, 1.0, 10.0, 26.0, 90.0])
RESPONSES = {
    "steep": gamma_variate(20.0, 25.0, 0.25),
    "usual": gamma_variate(20.0, 35.0, 1.0),
    "late": gamma_variate(20.0, 45.0, 4.0),
    "fading": fading(20.0, 0.08),
}


@pytest.fixture(params=sorted(RESPONSES))
def response(request):
    return RESPONSES[request.param]


@pytest.mark.parametrize("plasma", [BOLUS, feng((851.1225, 21.8798, 20.8113), (4.1339, 0.1191, 0.0104))])
def test_srtm_is_one_tissue_over_one_tissue(plasma):
    R1, bpnd = np.array([1.1, 0.8, 1.0]), np.array([2.5, 0.3, 0.0])
    reference, both = through_compartment(plasma, K1, K2), reference_tissue(R1, bpnd, K1, K2)
    model = srtm(R1, R1 * K2, bpnd)
    np.testing.assert_allclose(model.curve(reference, TIMES), tissue_curve(plasma, both, TIMES), rtol=1e-11)
    means = model.means(reference, STARTS, ENDS, 0.034)
    np.testing.assert_allclose(means, frame_means(plasma, both, STARTS, ENDS, 0.034), rtol=1e-11)
    np.testing.assert_allclose(srtm2(R1, K2, bpnd).curve(reference, TIMES), model.curve(reference, TIMES), rtol=1e-14)


def test_srtm_is_its_formula():
    R1, k2, bpnd = 1.1, 0.18, 2.5
    k2a = k2 / (1 + bpnd)
    found = srtm(R1, k2, bpnd).curve(REFERENCE, [3.0, 40.0])[0]
    for t, value in zip((3.0, 40.0), found, strict=True):
        area = twin.convolved(REFERENCE.at, lambda u: np.exp(-k2a * u), t, REFERENCE.breaks)
        assert value == pytest.approx(R1 * float(REFERENCE.at(t)) + (k2 - R1 * k2a) * area, rel=1e-10)


def test_frtm_is_two_tissues_over_one():
    R1, k3, k4 = np.array([1.1, 0.8]), np.array([0.1, 0.02]), np.array([0.04, 0.3])
    c = Constants(R1 * K1, R1 * K2, k3, k4)
    model = frtm(R1, R1 * K2, k3, k4)
    np.testing.assert_allclose(model.curve(REFERENCE, TIMES), tissue_curve(BOLUS, c, TIMES), rtol=1e-10)
    means = model.means(REFERENCE, STARTS, ENDS, 0.034)
    np.testing.assert_allclose(means, frame_means(BOLUS, c, STARTS, ENDS, 0.034), rtol=1e-10)


def test_frtm_is_its_formula():
    given = (1.1, 0.2, 0.1, 0.04)
    found = frtm(*given).curve(REFERENCE, [3.0, 40.0])[0]
    expected = [twin.full_reference_tissue(REFERENCE.at, t, *given, REFERENCE.breaks) for t in (3.0, 40.0)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_fast_binding_makes_frtm_srtm():
    far = [np.abs(frtm(1.1, 0.2, 2.5 * k4, k4).curve(REFERENCE, TIMES) / srtm(1.1, 0.2, 2.5).curve(REFERENCE, TIMES) - 1)
           for k4 in (10.0, 100.0)]  # fmt: skip
    assert far[1][0, 3:].max() < 0.2 * far[0][0, 3:].max() < 0.02


def test_displacement_solves_its_differential_equation(response):
    R1, k2, k2a, gamma = 1.1, 0.21, 0.06, 0.04
    found = displaced(R1, k2, k2a, gamma, response).curve(REFERENCE, TIMES)[0]
    expected = twin.displaced_by_ode(
        BOLUS.at, K1, K2, R1, k2, lambda t: k2a + gamma * float(response.at(np.array(t))), TIMES, (0.1, 0.6, 20.0)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_displacement_is_its_integral_equation(response):
    # CT = R1 CR + k2 int CR - k2a int CT - gamma int CT h, the integrals by dense quadrature of our own curve.
    R1, k2, k2a, gamma, end = 0.9, 0.18, 0.05, 0.03, 50.0
    model = displaced(R1, k2, k2a, gamma, response)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.union1d(np.linspace(0, end, 101), [0.1, 0.6, *(20 + 0.5 * 0.25 ** np.arange(12))])
    half = np.diff(edges)[:, None] / 2
    t, w = (edges[:-1, None] + half * (nodes + 1)).ravel(), (half * weights).ravel()
    target = model.curve(REFERENCE, t)[0]
    right = R1 * REFERENCE.at(end) + w @ (k2 * REFERENCE.at(t) - (k2a + gamma * response.at(t)) * target)
    assert model.curve(REFERENCE, [end])[0, 0] == pytest.approx(float(right), rel=1e-8)


def test_displacement_is_one_tissue_whose_outflow_moves(response):
    R1, k2a, gamma = 1.1, 0.06, 0.04

    def at(times):
        out = (k2a + gamma * response.at(times))[None]
        return Constants(np.full_like(out, R1 * K1), out, np.zeros_like(out), np.zeros_like(out))

    course, model = Course(at, (20.0,)), displaced(R1, R1 * K2, k2a, gamma, response)
    np.testing.assert_allclose(model.curve(REFERENCE, TIMES), tissue_curve(BOLUS, course, TIMES), rtol=1e-9)
    means = model.means(REFERENCE, STARTS, ENDS, 0.034)
    np.testing.assert_allclose(means, frame_means(BOLUS, course, STARTS, ENDS, 0.034), rtol=1e-9)


def test_without_a_response_displacement_is_srtm(response):
    R1, bpnd = np.array([1.1, 0.9]), np.array([2.5, 1.0])
    model = displaced(R1, R1 * K2, R1 * K2 / (1 + bpnd), 0.0, response)
    still = srtm(R1, R1 * K2, bpnd)
    np.testing.assert_allclose(model.curve(REFERENCE, TIMES), still.curve(REFERENCE, TIMES), rtol=1e-12)
    course = binding_course(R1 * K2, R1 * K2 / (1 + bpnd), 0.0, response, TIMES)
    np.testing.assert_allclose(course, np.broadcast_to(bpnd[:, None], course.shape), rtol=1e-13)


def test_displacement_lowers_what_follows_it_alone(response):
    still, moved = (displaced(1.0, 0.2, 0.05, gamma, response).curve(REFERENCE, TIMES)[0] for gamma in (0.0, 0.02))
    before = TIMES <= 20
    np.testing.assert_allclose(moved[before], still[before], rtol=1e-12)
    assert (moved[~before] < still[~before]).all()
    course = binding_course(0.2, 0.05, 0.02, response, TIMES)[0]
    np.testing.assert_allclose(course[before], 3.0, rtol=1e-12)
    assert (course[~before] < 3.0).all()


def test_responses_have_their_shape():
    rising = gamma_variate(20.0, 35.0, 2.0)
    t = np.linspace(0, 90, 901)
    values = rising.at(t)
    assert t[values.argmax()] == pytest.approx(35.0)
    assert values.max() == pytest.approx(1.0)
    assert not values[t <= 20].any()
    assert float(rising.at(np.array(27.5))) == pytest.approx(0.25 * np.exp(1.0))
    falling = fading(20.0, 0.1).at(np.array([19.9, 20.0, 30.0]))
    np.testing.assert_allclose(falling, [0.0, 1.0, np.exp(-1.0)])


def test_sampled_reference_curves_do_nearly_as_well():
    t = np.unique(np.concatenate([np.arange(0, 5, 0.02), np.arange(5, 95, 0.25)]))
    measured = from_samples(t, REFERENCE.at(t))
    exact = srtm(1.1, 0.21, 2.5).curve(REFERENCE, TIMES[1:])
    np.testing.assert_allclose(srtm(1.1, 0.21, 2.5).curve(measured, TIMES[1:]), exact, rtol=2e-4)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: gamma_variate(20.0, 20.0, 1.0), "not after its start"),
        (lambda: gamma_variate(20.0, 30.0, 0.0), "sharpness"),
        (lambda: frtm(1.0, 0.2, 0.0, 0.2), "use srtm"),
    ],
)
def test_what_cannot_be_is_refused(make, match):
    with pytest.raises(InputError, match=match):
        make()
