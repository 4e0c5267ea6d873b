"""Which stages to switch off."""

from fakeimaging.modalities.bold import MODALITY


def all_but(*kept):
    """Every stage of BOLD but these."""
    names = [stage.name for stage in MODALITY.observe]
    assert set(kept) <= set(names)
    return [name for name in names if name not in kept]
