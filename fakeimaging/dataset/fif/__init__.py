"""FIF files, as MEG systems of Neuromag and MNE-Python write them: what they say of a recording, the writer, a reader of samples."""

from fakeimaging.dataset.fif.info import Digitised, FifInfo
from fakeimaging.dataset.fif.read import read_samples
from fakeimaging.dataset.fif.write import write_fif

__all__ = ["Digitised", "FifInfo", "read_samples", "write_fif"]
