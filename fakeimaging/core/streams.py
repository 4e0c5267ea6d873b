"""Random generators keyed by name, never by call order.

A stream is a root seed and a path of names, hashed (BLAKE2b) into the entropy of a numpy SeedSequence. The same path gives
the same bits whatever else was drawn before; another path gives an independent generator.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fakeimaging.core.errors import InputError


@dataclass(frozen=True)
class Streams:
    """A place in the tree of random streams.

    Parameters
    ----------
    seed : int
        Root of the tree, at least 0.
    path : tuple of str
        Names from the root to here.

    Examples
    --------
    >>> noise = Streams(1).at("sub-01", "bold", "thermal")
    >>> noise.path
    ('sub-01', 'bold', 'thermal')
    >>> bool(noise.rng().standard_normal() == Streams(1).at("sub-01", "bold", "thermal").rng().standard_normal())
    True
    """

    seed: int
    path: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int | np.integer) or self.seed < 0:
            raise InputError(f"`seed`: {self.seed!r} is not an integer of at least 0", value=self.seed)
        object.__setattr__(self, "seed", int(self.seed))

    def at(self, *names: str) -> Streams:
        """Return the stream below this one at ``names``.

        Parameters
        ----------
        *names : str
            One or more names, each at least one character long.

        Raises
        ------
        InputError
            If a name is not a non-empty string.
        """
        for name in names:
            if not isinstance(name, str) or not name:
                raise InputError(f"a stream name is a non-empty string, not {name!r}", value=name)
        return Streams(self.seed, (*self.path, *names))

    def digest(self, size: int = 16) -> bytes:
        """Return ``size`` bytes that depend on the seed and every name of the path (length-prefixed, so 'ab','c' is not 'a','bc')."""
        state = hashlib.blake2b(digest_size=size)
        for part in (str(self.seed), *self.path):
            encoded = part.encode()
            state.update(len(encoded).to_bytes(4, "little") + encoded)
        return state.digest()

    def rng(self) -> np.random.Generator:
        """Return a fresh generator of this stream; every call starts at its first number."""
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(int.from_bytes(self.digest(), "little"))))

    def key(self, n: int = 2) -> npt.NDArray[np.uint64]:
        """Return ``n`` uint64 (at most 8), shape (n,), that seed a generator inside a compiled kernel."""
        return np.frombuffer(self.digest(8 * n), dtype="<u8").astype(np.uint64)


def fresh_seed() -> int:
    """Draw a root seed (63 bits, so that any JSON or TOML reader keeps it) from the operating system; the caller records it."""
    return secrets.randbits(63)
