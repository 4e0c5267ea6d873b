"""How bright blood is beside tissue in a gradient echo: the ratio epsilon of the BOLD output equation, from relaxation.

    eps = (rho_b / rho_t) exp(-TE R2*_b) / exp(-TE R2*_t),   rho_b = 0.95 - 0.22 Hct      (Havlicek and Uludag 2019)

With the tissue of ``data/bold.toml`` and its usual echo times it is 1.09, 0.77 and 0.28 at 1.5, 3 and 7 T, where models quote 1.43 (a
fit to data: Stephan et al. 2007), 0.47 and 0.026. The quoted 0.026 follows for venous blood of 175 per s in place of 80, the quoted
0.47 for one of 40 in place of 23: blood's R2* at high field is that uncertain.
"""

from __future__ import annotations

import math

from fakeimaging.core.citations import Reference
from fakeimaging.core.errors import InputError

REFERENCES = (
    Reference("Zhao et al.", 2007, "10.1002/mrm.21342", "R2* of blood at 3 T"),
    Reference("Li et al.", 1998, "10.1002/mrm.1910390503", "T2* of venous blood at 1.5 T"),
    Reference(
        "Havlicek and Uludag", 2020, "10.1016/j.neuroimage.2019.116209", "signal of blood beside tissue, blood at 7 T"
    ),
)
HEMATOCRIT = 0.35
"""Of venules (Havlicek and Uludag 2019, read in their LBR_parameters.m)."""
WATER_TISSUE = 0.89
"""Water of grey matter over that of fluid (same file)."""
FIELDS = (1.5, 3.0, 7.0)
"""T."""


def blood_rate(field_strength: float, extraction: float = 0.34, hematocrit: float = HEMATOCRIT) -> float:
    """Return R2* of venous blood in 1/s.

    Parameters
    ----------
    field_strength : float
        1.5, 3 or 7 T.
    extraction : float
        Share of oxygen that is gone; acts at 3 T only, the others are measured in veins at rest.
    hematocrit : float
        The same.

    Raises
    ------
    InputError
        At a field without a measurement.
    """
    if field_strength == 3.0:
        # Zhao 2007, as qBOLD code has it (MTCherukara/BOLD_code, read).
        return 16.4 * hematocrit + 4.5 + (165.2 * hematocrit + 55.7) * extraction**2
    rates = {
        1.5: 1 / 0.108,
        7.0: 80.0,
    }  # Li 1998 (abstract: 108 +- 6 ms); Havlicek and Uludag 2019 (read in their file)
    if field_strength not in rates:
        raise InputError(f"R2* of blood is known at 1.5, 3 and 7 T, not at {field_strength:g} T", value=field_strength)
    return rates[field_strength]


def signal_ratio(echo_time: float, blood: float, tissue: float, *, hematocrit: float = HEMATOCRIT) -> float:
    """Return the signal of blood over that of the tissue around it.

    Parameters
    ----------
    echo_time : float
        s.
    blood, tissue : float
        R2* in 1/s.
    hematocrit : float
        Share of red cells in blood, which hold less water.

    Examples
    --------
    >>> round(signal_ratio(0.025, blood_rate(7.0), 1 / 0.0332), 2)
    0.28
    """
    return (0.95 - 0.22 * hematocrit) / WATER_TISSUE * math.exp(-echo_time * (blood - tissue))
