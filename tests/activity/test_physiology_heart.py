import numpy as np
import pytest

from fakeimaging.activity.physiology import PhysiologyParameters, ecg, make_physiology
from fakeimaging.core.streams import Streams

STEP = 0.001


def beat(interval=1.0):
    """Times from one second before the sixth beat on, and the ECG of an even heart."""
    times = np.arange(-1.0, 1.0, STEP)
    return times, ecg(times + 5 * interval, interval * np.arange(10))


def test_waves_come_in_order_with_their_signs():
    times, course = beat()
    at = {name: (times > low) & (times < high) for name, low, high in (
        ("P", -0.25, -0.09), ("Q", -0.065, -0.035), ("S", 0.035, 0.065), ("T", 0.12, 0.45)
    )}  # fmt: skip
    assert times[course.argmax()] == pytest.approx(0.0, abs=1e-3)
    assert 0.15 < course[at["P"]].max() < 0.35
    assert course[at["Q"]].min() < -0.05
    assert course[at["S"]].min() < course[at["Q"]].min()
    assert 0.3 < course[at["T"]].max() < 0.5
    assert times[at["T"]][course[at["T"]].argmax()] == pytest.approx(0.25, abs=0.01)


def test_a_faster_heart_has_shorter_waves():
    """The T wave comes at RR^0.75, by the authors' program; the width of R goes with the root of RR."""
    for interval in (0.6, 1.0, 1.4):
        times, course = beat(interval)
        late = (times > 0.12 * interval) & (times < 0.5 * interval)
        assert times[late][course[late].argmax()] == pytest.approx(0.25 * interval**0.75, abs=0.01)
        wide = (course > course.max() / 2) & (np.abs(times) < 0.1)
        sd = np.sqrt(interval) * 0.1 / (2 * np.pi)
        assert wide.sum() * STEP == pytest.approx(2.355 * sd, rel=0.1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_its_largest_peaks_are_the_beats(seed):
    body = make_physiology(60.0, PhysiologyParameters(), streams=Streams(seed))
    times = np.arange(0.0, 60.0, STEP)
    course = body.ecg(times)
    top = np.flatnonzero((course[1:-1] > course[:-2]) & (course[1:-1] >= course[2:]) & (course[1:-1] > 0.7)) + 1
    inside = body.beats[(body.beats > 0.01) & (body.beats < 59.99)]
    np.testing.assert_allclose(times[top], inside, atol=2e-3)


def test_it_is_the_same_in_pieces():
    body = make_physiology(60.0, PhysiologyParameters(heart_rate=40.0), streams=Streams(1))
    times = np.arange(0.0, 60.0, 0.004)
    pieces = np.concatenate([body.ecg(piece) for piece in np.array_split(times, 13)])
    np.testing.assert_array_equal(body.ecg(times), pieces)
    assert body.ecg([]).shape == (0,)
