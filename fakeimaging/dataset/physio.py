"""Heart and breathing as sensors record them beside a scan: a pulse oximeter on a finger and a belt around the chest, raw BIDS.

Each beat reaches the finger `TRANSIT` after its R peak and shows as two bumps, the pulse and its reflection. Samples are the
counts of a converter; a second column marks the start of each volume. There is no header: the JSON file names the columns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.physiology import BEFORE, Physiology
from fakeimaging.core.clocks import Clock
from fakeimaging.core.files import write_bytes
from fakeimaging.dataset.job import Job

RATES = {"cardiac": 100.0, "respiratory": 25.0}
"""Hz (assumed: scanners store 50 to 400 of the pulse, 25 to 400 of the belt)."""
LEAD = 10.0
"""s that the sensors start before the scan; the body is known for `BEFORE` seconds."""
TRANSIT = 0.2
"""s from the R peak to the foot of the pulse at the finger (assumed)."""
BUMPS = ((1.0, 0.20, 0.07), (0.35, 0.50, 0.09))
"""Height, place and SD of pulse and reflection, in shares of a beat (assumed)."""
BASE, SWING, NOISE = 1000, 1000, 10
"""Counts: rest, height of a pulse or of a breath of median depth, SD of the sensor's noise (assumed)."""
WORDS = {
    "cardiac": "pulse at a finger (photoplethysmogram)",
    "respiratory": "belt around the chest, more when the lungs are full",
}


def pulse(body: Physiology, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what a pulse oximeter shows at ``times`` (s), 1 at the peak of a pulse."""
    share = body.cardiac_phase(times - TRANSIT) / (2 * np.pi)
    return np.asarray(sum(height * np.exp(-0.5 * ((share - at) / sd) ** 2) for height, at, sd in BUMPS))


def write_physio(job: Job) -> None:
    """Write both sensors of a scan."""
    body, volumes = job.recording.forward.context["physiology"], job.recording.clean.clock
    for name, sensor in (("cardiac", pulse), ("respiratory", Physiology.belt)):
        clock = sensor_clock(RATES[name], volumes)
        noise = NOISE * job.recording.streams.at("physio", name).rng().standard_normal(clock.n)
        counts = np.rint(BASE + SWING * sensor(body, clock.times) + noise).astype(int)
        _write(job, name, clock, counts, triggers(clock, volumes))


def sensor_clock(rate: float, volumes: Clock) -> Clock:
    """Return when a sensor samples: from `LEAD` before the first volume to the end of the last."""
    lead = min(LEAD, BEFORE)
    return Clock(-lead, 1 / rate, round((lead + volumes.stop) * rate))


def triggers(clock: Clock, volumes: Clock) -> npt.NDArray[np.int_]:
    """Return 1 in the sample nearest to the start of each volume, else 0, shape (clock.n,)."""
    marks = np.zeros(clock.n, dtype=int)
    marks[np.rint((volumes.times - clock.start) / clock.step).astype(int)] = 1
    return marks


def _write(job: Job, name: str, clock: Clock, counts: npt.NDArray[np.int_], marks: npt.NDArray[np.int_]) -> None:
    path = job.scan.beside(f"recording-{name}_physio.tsv.gz", part=False)
    lines = "\n".join(f"{count}\t{mark}" for count, mark in zip(counts.tolist(), marks.tolist(), strict=True))
    job.note(path, write_bytes(job.root / path, f"{lines}\n".encode()))
    about = {
        "SamplingFrequency": clock.rate,
        "StartTime": clock.start,
        "Columns": [name, "trigger"],
        "PhysioType": "generic",
        "Manufacturer": "fakeimaging",
        name: {"Description": WORDS[name], "Units": "arbitrary"},
        "trigger": {"Description": "1 at the start of each volume"},
    }
    job.describe(path, about)
