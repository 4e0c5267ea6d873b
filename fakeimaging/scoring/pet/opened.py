"""What an analysis of a PET scan starts from: curves of regions and of the tissue beyond them, as seen, without noise, and corrected."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fakeimaging.core.spaces import Grid
from fakeimaging.dataset import names
from fakeimaging.dataset.load import Dataset
from fakeimaging.dataset.names import Scan
from fakeimaging.modalities.pet import PSF, suv
from fakeimaging.modalities.pet.blood import whole_blood_of
from fakeimaging.modalities.pet.resolution import blurred
from fakeimaging.modalities.pet.signal import paint
from fakeimaging.modalities.pet.tracers import BEYOND, TRACERS, Tracer, half_life
from fakeimaging.scoring.kinetics import Array, Input, Known, Plasma, Timing
from fakeimaging.scoring.partial_volume import PartialVolume, partial_volume
from fakeimaging.structure.selection import chosen
