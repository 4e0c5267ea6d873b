"""What changes the uptake of a tracer: one file a drive, and what each of them looks at."""

from __future__ import annotations

from collections.abc import Callable

from fakeimaging.modalities.pet.drives.flow import flow
from fakeimaging.modalities.pet.drives.metabolism import metabolism
from fakeimaging.modalities.pet.drives.nothing import nothing
from fakeimaging.modalities.pet.drives.pathology import pathology
from fakeimaging.modalities.pet.drives.release import release
from fakeimaging.modalities.pet.drives.synapses import synapses
from fakeimaging.modalities.pet.modulation import Imaged, Modulation

Drive = Callable[[Imaged], Modulation]

DRIVES: dict[str, Drive] = {
    "metabolism": metabolism,
    "flow": flow,
    "release": release,
    "synapses": synapses,
    "pathology": pathology,
    "none": nothing,
}
"""By the word in a tracer's table."""
