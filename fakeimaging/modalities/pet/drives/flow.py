"""Water goes where blood goes: K1_i = F0_i f_i(t), k2_i = F0_i f_i(t) / p, f the flow of the model that BOLD images too.

With the same `hemodynamics` the numbers are those of BOLD, bit for bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.hemodynamics import BloodFlow, blood_flow, regional_constants
from fakeimaging.core.clocks import Clock
from fakeimaging.modalities.bold.changes import sample
from fakeimaging.modalities.pet.drives.course import Stretch, stretch_of
from fakeimaging.modalities.pet.modulation import Imaged, Modulation, unchanged


def flow(imaged: Imaged) -> Modulation:
    """Scale delivery."""
    stretch, constants = stretch_of(imaged), imaged.parameters.hemodynamics
    blood = blood_flow(stretch.activity, constants, regional_constants(constants, imaged.subject))
    ratio = stretch.means(*_from_start(blood))
    delivery = imaged.classes.spread(ratio, 1.0)
    binding = unchanged(imaged.classes, len(delivery))
    kept = {"regional_flow": _at_frames(imaged, stretch, blood)} if stretch.follows else {}
    return Modulation(stretch.starts, delivery, binding, {"flow_ratio": ratio}, stretch.about, kept=kept)


def _from_start(blood: BloodFlow) -> tuple[npt.NDArray[np.float32], Clock]:
    """Return flow without the warm-up of the run, and its clock."""
    first = blood.clock.index(0.0)
    clock = Clock(blood.clock.start + first * blood.clock.step, blood.clock.step, blood.clock.n - first)
    return blood.flow[first:], clock


def _at_frames(imaged: Imaged, stretch: Stretch, blood: BloodFlow) -> npt.NDArray[np.float32]:
    """Return flow at the middle of each frame, as the truth of a BOLD scan has it at the middle of its volumes; (n_regions, n_frames)."""
    return sample(blood.flow, blood.clock, stretch.begin + imaged.frames.times).T
