"""The contract suite: what every model and modality must hold, for our own and for third parties'.

>>> from fakeimaging.testing import check_model
>>> check_model("linear")
"""

from __future__ import annotations

from fakeimaging.testing.contract import check_modality, check_model

__all__ = ["check_modality", "check_model"]
