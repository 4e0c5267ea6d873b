"""Framings, input functions and closed forms that the tests of kinetic analysis share; times in min."""

import numpy as np

from fakeimaging.modalities.pet.plasma import feng, rise_and_fall
from fakeimaging.scoring.kinetics import Timing
from tests.reference.compartments import feng_through_one_tissue, rise_and_fall_through_one_tissue, two_tissues

RISE = (0.1, 0.6, (22.0, 5.0, 3.6), (1.5, 0.12, 0.0135))
FENG_OF = ((851.1225, 21.8798, 20.8113), (4.1339, 0.1191, 0.0104))
BOLUS, FENG = rise_and_fall(*RISE), feng(*FENG_OF)
INPUTS = {"rise": BOLUS, "feng": FENG}
CARBON, FLUORINE, OXYGEN = 20.363, 109.77, 2.0373
FRAMINGS = {
    "60 min": [(4, 15), (8, 30), (10, 60), (5, 120), (7, 300)],
    "90 min": [(6, 10), (4, 30), (5, 60), (5, 120), (14, 300)],
    "coarse": [(4, 60), (4, 120), (5, 300), (5, 600)],
}
WATER = [(12, 5), (6, 10), (6, 30)]
DRAWN = np.array([0.0, *np.arange(5, 125, 5) / 60, 2.5, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 60, 75, 90])


def timing(frames="60 min", half_life=CARBON):
    pairs = FRAMINGS[frames] if isinstance(frames, str) else frames
    durations = np.repeat([seconds for _, seconds in pairs], [n for n, _ in pairs]) / 60
    ends = np.cumsum(durations)
    return Timing(ends - durations, ends, np.log(2) / half_life)


def one_tissue(name):
    """Closed form of one tissue compartment, (t, K1, k2) to concentration."""
    if name == "feng":
        return lambda t, K1, k2: feng_through_one_tissue(t, K1, k2, *FENG_OF)
    return lambda t, K1, k2: rise_and_fall_through_one_tissue(t, K1, k2, *RISE)


def tissue(name, t, K1, k2, k3=0.0, k4=0.0):
    """Closed form of one or two tissue compartments at times ``t``."""
    one = one_tissue(name)
    if k3 == 0:
        return one(t, K1, k2)
    return two_tissues(lambda a, rate: one(t, a, rate), K1, k2, k3, k4)


def fine_means(values, t, when):
    """Decay-weighted means over frames of a curve known at fine, even times: the slow way."""
    found = []
    for start, end in zip(when.starts, when.ends, strict=True):
        inside = (t >= start) & (t <= end)
        found.append(np.average(values[inside], weights=np.exp(-when.decay * t[inside])))
    return np.array(found)
