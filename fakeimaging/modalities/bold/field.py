"""What a BOLD scan takes from the strength of its field: ``data/bold.toml`` as objects, and the output equation.

Relative signal change (Stephan et al. 2007), v and q from the Balloon-Windkessel model:

    dS/S = V0 [k1 (1 - q) + k2 (1 - q/v) + k3 (1 - v)],  k1 = 4.3 nu0 E0 TE,  k2 = eps r0 E0 TE,  k3 = 1 - eps
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.activity.hemodynamics import BloodFlow, classic_change
from fakeimaging.modalities.relaxation import Relaxation

if TYPE_CHECKING:
    from fakeimaging.modalities.bold.parameters import BoldParameters

DEFAULT = 3.0
"""T."""
SPIN_ECHO_SHARE = 1 / 3.52
"""Change of R2 over that of R2* (Bandettini et al. 1994, doi:10.1002/nbm.1940070104: 3.52 +- 0.56 at 1.5 T; taken for all fields)."""
TISSUES = ("grey", "white", "csf", "muscle")
"""What gives signal; fat is saturated, as is usual before an EPI readout, and bone has none."""


@dataclass(frozen=True)
class Field:
    """One field strength.

    Parameters
    ----------
    defaults : mapping of str to float
        Parameters of a scan that are other at this field, by name.
    tissues : mapping of str to Relaxation
    """

    defaults: Mapping[str, float]
    tissues: Mapping[str, Relaxation]


@lru_cache(maxsize=1)
def fields() -> dict[float, Field]:
    """Return what is known, by field strength in T.

    Examples
    --------
    >>> sorted(fields())
    [1.5, 3.0, 7.0]
    """
    table = tomllib.loads((files("fakeimaging.data") / "bold.toml").read_text())
    return {float(name.removesuffix("T").replace("_", ".")): _field(rows) for name, rows in table.items()}


def _field(rows: Mapping[str, dict]) -> Field:
    defaults = {name: row["value"] for name, row in rows.items() if name not in TISSUES}
    tissues = {
        name: Relaxation(*(rows[name][key]["value"] for key in ("t1", "t2_star", "proton_density", "t2")))
        for name in TISSUES
    }
    return Field(defaults, tissues)


def bold_parts(
    flow: BloodFlow, parameters: BoldParameters, echo_time: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the change through R2*, in proportion to the echo time (s), and that through blood volume, which is not.

    Each shape (n_samples, n_regions). The classic equation (Buxton et al. 1998) has k1 = 7 E0, k2 = 2 and k3 = 2 E0 - 0.2 and all of its
    change counts as one of R2*.
    """
    p, extraction = parameters, flow.constants.E0
    v, q = flow.volume.astype(np.float64), flow.deoxyhemoglobin.astype(np.float64)
    if p.output == "classic":
        whole = classic_change(flow, p.V0)
        return whole, np.zeros_like(whole)
    epsilon = p.blood_signal
    k1 = 4.3 * p.nu0 * extraction * echo_time
    k2 = epsilon * p.r0 * extraction * echo_time
    return np.asarray(p.V0 * (k1 * (1 - q) + k2 * (1 - q / v))), np.asarray(p.V0 * (1 - epsilon) * (1 - v))
