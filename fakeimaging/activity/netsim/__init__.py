"""NetSim: the 28 cases of Smith et al. (2011), made anew from their equations, and their twin with Gaussian inputs.

`cases` is the table, `networks` what differs between subjects, `inputs` and `kernel` the equations, `session` one subject, `simulate`
a case, `result` what comes out and its file. ``models/netsim.py`` is the same neural model for any connectome in the general engine.
"""

from fakeimaging.activity.netsim.cases import CASES, Case, case_of
from fakeimaging.activity.netsim.result import NetSim, read_netsim, write_netsim
from fakeimaging.activity.netsim.simulate import netsim

__all__ = ["CASES", "Case", "NetSim", "case_of", "netsim", "read_netsim", "write_netsim"]
