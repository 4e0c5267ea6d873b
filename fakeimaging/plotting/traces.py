"""What pictures of EEG, MEG and intracranial EEG share: channels as they are drawn, traces, and power over the 1/f background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fakeimaging.plotting.canvas import GREY, OBSERVED, TRUTH, note, row, styled
from fakeimaging.scoring.electro import alpha as score
from fakeimaging.scoring.electro.sources import band_passed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

MICRO = 1e6
SCALES = {"uV": MICRO, "fT": 1e15, "fT/cm": 1e13}
"""What turns V, T and T/m into the unit that is drawn."""
BAND = (8.0, 12.0)
"""Hz, of alpha."""
SHOWN_BAND = (1.0, 40.0)
"""Hz, of the traces that are drawn."""
SHOWN_SECONDS, SHOWN_FROM = 8.0, 20.0
MOST_TRACES = 21


@dataclass(frozen=True, eq=False)
class Traces:
    """Channels of one unit as they are drawn.

    Parameters
    ----------
    channels : tuple of str
    rate : float
        Hz.
    observed, clean : ndarray, shape (n_channels, n_samples)
        V, T or T/m.
    unit : str
        That they are drawn in: ``"uV"``, ``"fT"`` or ``"fT/cm"``.
    """

    channels: tuple[str, ...]
    rate: float
    observed: Floats
    clean: Floats
    unit: str = "uV"

    @property
    def scaled(self) -> tuple[Floats, Floats]:
        """Observed and clean in the unit that is drawn."""
        return SCALES[self.unit] * self.observed, SCALES[self.unit] * self.clean


def printed(unit: str) -> str:
    """Return a unit as it stands in a picture."""
    return unit.replace("uV", "\N{MICRO SIGN}V")


def band_amplitude(series: Floats, rate: float, band: tuple[float, float] = BAND) -> Floats:
    """Return the rms amplitude of each channel in a band, in the unit of the series; 0 where the recording is too slow to hold it."""
    from scipy.signal import welch

    frequencies, power = welch(series, rate, nperseg=min(round(score.WINDOW * rate), series.shape[1]), axis=1)
    inside = (frequencies >= band[0]) & (frequencies <= band[1])
    return np.sqrt(power[:, inside].sum(axis=1) * (frequencies[1] - frequencies[0]))


@styled
def plot_traces(traces: Traces) -> Figure:
    """Draw a stretch of the traces, observed over truth."""
    figure, axes = row(1, width=9.0, height=4.5)
    draw_traces(axes[0], traces)
    return figure


@styled
def plot_spectra(traces: Traces) -> Figure:
    """Draw the mean power of channels, observed and true, with the power law fitted beside the alpha band."""
    figure, axes = row(1, width=4.5, height=3.2)
    draw_spectrum(axes[0], traces)
    return figure


def draw_spectrum(ax: Axes, traces: Traces, title: str = "") -> None:
    """Draw the mean power of channels over frequency, both logarithmic."""
    observed, clean = traces.scaled
    for series, colour, name in ((observed, OBSERVED, "observed"), (clean, TRUTH, "truth")):
        frequencies, power = score.spectrum(series, traces.rate)
        shown = (frequencies >= 1) & (frequencies <= min(100.0, 0.45 * traces.rate))
        ax.loglog(frequencies[shown], power[shown], color=colour, label=name, lw=1.1)
        if name == "observed":
            law = score.background(frequencies, power)
            ax.loglog(frequencies[shown], law[shown], color=GREY, ls="--", label="1/f background", lw=0.9)
    ax.axvspan(*BAND, color="#f2e8cf", zorder=0, lw=0)
    ax.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    ax.minorticks_off()
    few = len(traces.channels) <= 3
    names = f"power at {', '.join(traces.channels)}" if few else f"mean power of {len(traces.channels)} channels"
    unit = printed(traces.unit)
    density = f"({unit})$^2$/Hz" if "/" in unit else f"{unit}$^2$/Hz"
    ax.set(xlabel="Hz", ylabel=density, title=title or names)
    ax.legend(loc="lower left")
    if score.holds_alpha(traces.rate):
        note(ax, f"peak {score.alpha_peak(traces.observed, traces.rate):.1f} Hz", where=(0.62, 0.97))


def draw_traces(
    ax: Axes, traces: Traces, *, seconds: float = SHOWN_SECONDS, most: int = MOST_TRACES, legend: bool = True
) -> None:
    """Draw a stretch of the traces in their order from above, positive up, observed over truth; of many, some."""
    n = len(traces.channels)
    rows = list(range(n))[:: -(-n // most)]
    first = round(min(SHOWN_FROM, max(0.0, traces.observed.shape[1] / traces.rate - seconds)) * traces.rate)
    kept = slice(first, first + round(seconds * traces.rate))
    observed, clean = (
        band_passed(series[rows], traces.rate, band=SHOWN_BAND, order=2)[:, kept] for series in traces.scaled
    )
    apart = 5 * float(np.median(clean.std(axis=1))) or 1.0
    times = first / traces.rate + np.arange(observed.shape[1]) / traces.rate
    for k in range(len(rows)):
        ax.plot(times, clean[k] - k * apart, color=TRUTH, lw=1.8, alpha=0.45, label="truth" if k == 0 else None)
        ax.plot(times, observed[k] - k * apart, color=OBSERVED, lw=0.7, label="observed" if k == 0 else None)
    ax.set_yticks(-apart * np.arange(len(rows)), [traces.channels[i] for i in rows])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set(xlabel="s", xlim=(times[0], times[-1]), ylim=(-(len(rows) - 0.2) * apart, 1.2 * apart))
    size = _round(apart)
    ax.plot([times[-1]] * 2, [-size, 0], color=OBSERVED, lw=2, clip_on=False)
    ax.text(times[-1] + 0.01 * seconds, -size / 2, f"{size:g} {printed(traces.unit)}", va="center", fontsize=7)
    if legend:
        ax.legend(loc="upper left", ncols=2, bbox_to_anchor=(0, 1.06))


def _round(size: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20 ... that is no more than ``size``."""
    ten = 10.0 ** np.floor(np.log10(size))
    return float(ten * max(k for k in (1, 2, 5) if k * ten <= size * (1 + 1e-9)))
