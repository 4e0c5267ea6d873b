"""What every instrument of a run shares: heart beats, breaths, eyes, muscles and head motion, made once for the run.

Each part has a random stream of its own, so other blinks leave every beat alone; only breathing reaches into beats and motion,
as it does in people. `heart` has beats and the electrocardiogram, `breathing` the breaths, `eyes` blinks and gaze, `muscles` their bursts,
`motion` the head, `body` all of them together.
"""

from __future__ import annotations

import numpy as np

from fakeimaging.activity.physiology.body import Physiology
from fakeimaging.activity.physiology.breathing import Breaths, draw_breaths
from fakeimaging.activity.physiology.covered import AFTER, BEFORE
from fakeimaging.activity.physiology.eyes import Saccades, draw_blinks, draw_saccades
from fakeimaging.activity.physiology.heart import draw_beats, ecg
from fakeimaging.activity.physiology.motion import SPHERE, draw_head
from fakeimaging.activity.physiology.muscles import MUSCLES, Bursts, draw_bursts
from fakeimaging.activity.physiology.parameters import MOTION_LEVELS, PhysiologyParameters
from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.streams import Streams

__all__ = [
    "AFTER",
    "BEFORE",
    "MOTION_LEVELS",
    "MUSCLES",
    "REFERENCES",
    "SPHERE",
    "Breaths",
    "Bursts",
    "Physiology",
    "PhysiologyParameters",
    "Saccades",
    "ecg",
    "make_physiology",
]

REFERENCES = (
    Reference("Glover et al.", 2000, "10.1002/1522-2594(200007)44:1<162::AID-MRM23>3.0.CO;2-E", "phases of RETROICOR"),
    Reference("Nunan et al.", 2010, "10.1111/j.1540-8159.2010.02841.x", "heart rate variability"),
    Reference("Bentivoglio et al.", 1997, "10.1002/mds.870120629", "blink rate"),
    Reference("Power et al.", 2012, "10.1016/j.neuroimage.2011.10.018", "framewise displacement"),
)


def make_physiology(duration: float, parameters: PhysiologyParameters, *, streams: Streams) -> Physiology:
    """Draw the body of one run.

    Parameters
    ----------
    duration : float
        Of the run in s.
    parameters : PhysiologyParameters
    streams : Streams
        Parts draw from ``breaths``, ``beats``, ``blinks``, ``motion``, ``saccades`` and ``muscles`` below it.

    Examples
    --------
    >>> body = make_physiology(60.0, PhysiologyParameters(heart_rate_variability=0.0), streams=Streams(1))
    >>> import numpy as np
    >>> round(float(np.diff(body.beats).mean()), 3)
    0.857
    """
    breaths = draw_breaths(duration, parameters, streams.at("breaths"))
    beats = draw_beats(duration, breaths, parameters, streams.at("beats"))
    parts, jerks = draw_head(duration, breaths, parameters, streams.at("motion"))
    head = np.sum(list(parts.values()), axis=0)
    onsets, durations, strengths = draw_blinks(duration, parameters.blink_rate, streams.at("blinks"))
    return Physiology(
        duration, frozen(beats), breaths, frozen(onsets), frozen(durations), frozen(strengths), frozen(head),
        {name: frozen(part) for name, part in parts.items()}, frozen(jerks),
        draw_saccades(duration, parameters, streams.at("saccades")),
        draw_bursts(duration, parameters, streams.at("muscles")),
    )  # fmt: skip
