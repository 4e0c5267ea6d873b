"""Constants of the Balloon-Windkessel model by paper: ``data/hemodynamics.toml`` as objects."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import field_validator, model_validator

from fakeimaging.core.arrays import frozen
from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import did_you_mean
from fakeimaging.core.parameters import Parameters, parameter

FRISTON = "Friston et al. 2003, doi:10.1016/S1053-8119(03)00202-7"
REFERENCES = (
    Reference("Buxton et al.", 1998, "10.1002/mrm.1910390602", "balloon model"),
    Reference("Friston et al.", 2003, "10.1016/S1053-8119(03)00202-7", "hemodynamic constants and their covariance"),
)
CONSTANTS = ("kappa", "gamma", "tau", "alpha", "E0")
"""The order of the constants in arrays."""
DEFAULT = "friston2003"


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return tomllib.loads((files("fakeimaging.data") / "hemodynamics.toml").read_text())


@lru_cache(maxsize=1)
def presets() -> dict[str, dict[str, float]]:
    """Return the published sets of constants by name.

    Examples
    --------
    >>> presets()["spm12"]["kappa"]
    0.64
    """
    known = _table()["presets"]
    return {name: {key: rows[key]["value"] for key in CONSTANTS} for name, rows in known.items()}


@lru_cache(maxsize=1)
def relative_covariance() -> npt.NDArray[np.float64]:
    """Return the published covariance of the constants from place to place over their means, in the order of `CONSTANTS`.

    Returns
    -------
    ndarray, shape (5, 5)
        Its diagonal holds squared coefficients of variation.
    """
    covariance = _table()["covariance"]
    mean = np.array([presets()[covariance["around"]][name] for name in CONSTANTS])
    return frozen(np.array(covariance["values"]) / np.outer(mean, mean))


class Hemodynamics(Parameters):
    """Constants of the Balloon-Windkessel model; kappa and gamma are rates (1/s), not times. A preset fills what is left out."""

    preset: str = parameter(
        DEFAULT,
        unit="-",
        description="published set of constants; it sets kappa, gamma, tau, alpha and E0 where they are left out: "
        "friston2003, friston2000, spm12, spm8 or tvb",
    )
    kappa: float = parameter(
        0.65, unit="1/s", bounds=(0.1, 1.5), symbol="kappa", source=FRISTON,
        description="decay of the flow signal, a rate: one over its time",
    )  # fmt: skip
    gamma: float = parameter(
        0.41, unit="1/s", bounds=(0.1, 1.2), symbol="gamma", source=FRISTON,
        description="flow autoregulation, a rate: one over its time",
    )  # fmt: skip
    tau: float = parameter(0.98, unit="s", bounds=(0.2, 5), symbol="tau", source=FRISTON, description="transit time")
    alpha: float = parameter(
        0.32, unit="1", bounds=(0.1, 1), symbol="alpha", source=FRISTON, description="Grubb's exponent"
    )
    E0: float = parameter(
        0.34, unit="1", bounds=(0.1, 0.8), symbol="E_0", source=FRISTON, description="oxygen extraction at rest"
    )
    efficacy: float = parameter(
        0.3, unit="1/s", bounds=(0, 5), symbol="eps", description="drive of a doubled firing rate"
    )
    # Regions and people do differ: 1 spreads the peak time of regions by 0.25 s (SD), and that of people by as much; networks of 100
    # regions keep their correlations to 0.02 (rms, measured).
    regional_variability: float = parameter(
        1.0, unit="1", bounds=(0, 4), source=FRISTON,
        description="SD of the constants over regions, in published SDs of places",
    )  # fmt: skip
    subject_variability: float = parameter(
        1.0, unit="1", bounds=(0, 4), description="the same over subjects, shared by the regions of one"
    )

    @model_validator(mode="before")
    @classmethod
    def _constants_of_the_preset(cls, values: Any) -> Any:
        name = values.get("preset", DEFAULT) if isinstance(values, Mapping) else None
        known = presets().get(name) if isinstance(name, str) else None
        return {**known, **values} if known is not None else values

    @field_validator("preset")
    @classmethod
    def _preset_is_known(cls, value: str) -> str:
        if value not in presets():
            raise ValueError(f"there are no constants called {value!r}{did_you_mean(value, presets())}")
        return value
