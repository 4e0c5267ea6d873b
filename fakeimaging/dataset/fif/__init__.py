"""FIF files, as MEG systems of Neuromag and MNE-Python write them: what they say of a recording (`FifInfo`), and the writer."""

from fakeimaging.dataset.fif.info import Digitised, FifInfo
from fakeimaging.dataset.fif.write import write_fif

__all__ = ["Digitised", "FifInfo", "write_fif"]
