"""The record of a dataset: what made it and on which class of machine. No clock, no host name, no path."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

NUMERICAL = ("fakeimaging", "numpy", "scipy", "numba", "nilearn", "nibabel")
"""Packages whose version can change a number in the output (nilearn brings the template)."""


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that can change a number."""
    found = {}
    for name in NUMERICAL:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    features = hashlib.sha256(named.get("flags", named.get("Features", "")).encode()).hexdigest()[:8]
    return f"{named.get('model name', platform.machine())} ({features})"


def fingerprint() -> dict[str, Any]:
    """Return what must agree for two machines to give the same bits: system, processor and its features, Python, versions."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "versions": versions(),
    }


def digest(content: Any) -> str:
    """Return the SHA-256 of a JSON value, keys sorted.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()
