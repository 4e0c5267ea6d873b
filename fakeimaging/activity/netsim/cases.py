"""The 28 simulations of Smith et al. (2011, doi:10.1016/j.neuroimage.2010.08.063) as a table.

Numbers are those of the authors' script as it stands in github.com/cabal-cmu/Feedback-Discovery, simulations_code/testing_thesis.m;
case 1 gives every default. Where the script and the paper's words differ, the script counts: links back to the source (case 13)
double the chain 1 to 2 to 3 to 4 to 5 alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fakeimaging.core.errors import InputError

MORE_LINKS = ((2, 4), (3, 5))
"""Source and target of the links that case 16 adds to the motif."""
STRONG = 2.25
"""Factor of positive weights in cases 15 and 22 to 24: their mean becomes 0.9."""


@dataclass(frozen=True)
class Case:
    """What one of the simulations is made of.

    Parameters
    ----------
    number : int
        1 to 28.
    n_nodes : int
    minutes : float
        Length of a subject's session.
    tr : float
        Repetition time in s.
    noise : float
        SD of the measurement noise, percent BOLD.
    hrf_sd : float
        Spread of the hemodynamic delay between nodes in s, as the paper gives it: 0.5 or 0.
    change : str
        What differs from case 1 beside these, in words.
    sigma : float
        1 / (neural lag) in 1/s.
    strength : float
        Factor of the weights.
    other_inputs : float
        Strength of the external inputs of all nodes but the first, relative to its own.
    shared_inputs : float
        Probability that a node also receives another node's input, at 0.3 of its strength.
    links : {"ring", "backward", "cyclic", "more"}
        Ring as published; with probability 1/2 a negative link back for each of the chain; 5 to 1 in place of 1 to 5; two more.
    gate : float
        What a slow input of its own adds to each weight while it is on, per unit of input (1/s): B of dz = (A + sum_i u_i B_i) z.
    confound : float
        SD of a course that all nodes share, relative to the mean SD of the nodes.
    mixed_with : {"", "nodes", "subjects"}
        Where a fifth of each series comes from, if not from the node itself: another node, or the same node of another subject.
    two_groups : bool
        Whether the link from 2 to 3 is halved in the second half of the subjects, who otherwise repeat the first half's weights.
    """

    number: int
    n_nodes: int = 5
    minutes: float = 10.0
    tr: float = 3.0
    noise: float = 1.0
    hrf_sd: float = 0.5
    change: str = ""
    sigma: float = 20.0
    strength: float = 1.0
    other_inputs: float = 1.0
    shared_inputs: float = 0.0
    links: Literal["ring", "backward", "cyclic", "more"] = "ring"
    gate: float = 0.0
    confound: float = 0.0
    mixed_with: Literal["", "nodes", "subjects"] = ""
    two_groups: bool = False

    @property
    def n_timepoints(self) -> int:
        """Volumes of a session."""
        return round(60 * self.minutes / self.tr)


CASES = {
    case.number: case
    for case in (
        Case(1),
        Case(2, n_nodes=10),
        Case(3, n_nodes=15),
        Case(4, n_nodes=50),
        Case(5, minutes=60),
        Case(6, n_nodes=10, minutes=60),
        Case(7, minutes=250),
        Case(8, shared_inputs=0.2, change="shared inputs"),
        Case(9, minutes=250, shared_inputs=0.2, change="shared inputs"),
        Case(10, confound=0.5, change="global mean confound"),
        Case(11, n_nodes=10, mixed_with="nodes", change="bad ROIs: series mixed with each other"),
        Case(12, n_nodes=10, mixed_with="subjects", change="bad ROIs: other series mixed in"),
        Case(13, links="backward", change="backward connections"),
        Case(14, links="cyclic", change="cyclic connections"),
        Case(15, noise=0.1, strength=STRONG, change="stronger connections"),
        Case(16, links="more", change="more connections"),
        Case(17, n_nodes=10, noise=0.1),
        Case(18, hrf_sd=0),
        Case(19, tr=0.25, noise=0.1, sigma=10, change="neural lag 100 ms"),
        Case(20, tr=0.25, noise=0.1, hrf_sd=0, sigma=10, change="neural lag 100 ms"),
        Case(21, two_groups=True, change="two groups"),
        Case(22, noise=0.1, strength=STRONG, other_inputs=0.3, gate=-0.12, change="connections that come and go"),
        Case(23, noise=0.1, strength=STRONG, other_inputs=0.3, change="as 22 without coming and going"),
        Case(24, noise=0.1, strength=STRONG, other_inputs=0.1, change="one strong external input"),
        Case(25, minutes=5),
        Case(26, minutes=2.5),
        Case(27, minutes=2.5, noise=0.1),
        Case(28, minutes=5, noise=0.1),
    )
}


def case_of(number: int) -> Case:
    """Return a case by its number.

    Raises
    ------
    InputError
        If there is none; says which there are.

    Examples
    --------
    >>> case_of(7).n_timepoints
    5000
    """
    if isinstance(number, bool) or number not in CASES:
        raise InputError(f"`case`: {number!r} is none of the NetSim cases, 1 to {max(CASES)}", value=number)
    return CASES[number]
