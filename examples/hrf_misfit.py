"""What does a wrong hemodynamic response cost? Bias of the response and sensitivity, when the true one is later than the model's.

Series are simulated with the response of SPM, later by up to 4 s, and fitted with a model that knows the delay and with one that does not.

Knob: --duration, how long an event lasts in s; long blocks forgive more.
"""

from __future__ import annotations

import argparse

import numpy as np

from fakeimaging.activity.hrf import response
from fakeimaging.modalities.phantom import simulate_series
from fakeimaging.modalities.phantom.events import events_in, regressors
from fakeimaging.plotting.canvas import BLUE, GREY, TRUTH, row, styled

EFFECT, TR, SHOWN = 2.5, 2.0, 2.0


def main() -> None:
    """Simulate, fit with both models, score, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duration", type=float, default=2.0, help="of an event in s")
    parser.add_argument("--small", action="store_true", help="fewer series and delays")
    parser.add_argument("--figure", default="hrf_misfit.png", help="where to save the figure")
    options = parser.parse_args()

    delays = np.linspace(0, 4, 5 if options.small else 9)
    n = 100 if options.small else 400
    found = [scored(delay, options.duration, n, seed=int(10 * delay)) for delay in delays]
    bias, hits = (np.array(part) for part in zip(*found, strict=True))
    at = int(np.argmin(np.abs(delays - SHOWN)))
    for k, model in enumerate(("right", "wrong")):
        print(
            f"{model} response, {delays[at]:g} s delay: estimated over true response {bias[at, k]:.2f}, "
            f"{100 * hits[at, k]:.0f} % of {n} series found at p < 0.001"
        )
    draw(delays, bias, hits, options.duration).savefig(options.figure, dpi=130)


def scored(delay, duration, n, seed):
    """Return the estimated over the true response, and the share of series found, of the right and of the wrong model."""
    from nilearn.glm import compute_contrast
    from nilearn.glm.first_level import make_first_level_design_matrix, run_glm

    shown = [(onset, duration, "look") for onset in onsets(seed)]
    late = [(onset + delay, duration, "look") for onset, duration, _ in shown]
    made = simulate_series(n, events=late, effects=EFFECT, tr=TR, n_volumes=200, seed=seed)
    drifts = make_first_level_design_matrix(made.times, drift_model="cosine", high_pass=1 / 128).to_numpy()
    ratios, shares = [], []
    for events in (late, shown):
        design = np.column_stack([regressors(events_in(events), "spm", made.times)[0], drifts])
        labels, results = run_glm(made.observed.T.copy(), design, noise_model="ar1")
        contrast = compute_contrast(labels, results, np.eye(design.shape[1])[0], stat_type="t")
        ratios.append(np.mean(contrast.effect_size() / made.betas[0]))
        shares.append(np.mean(contrast.p_value() < 0.001))
    return ratios, shares


def onsets(seed):
    """Return times of events 8 to 16 s apart."""
    from fakeimaging import Streams

    gaps = Streams(seed).at("gaps").rng().uniform(8, 16, 40)
    times = 10 + np.cumsum(gaps)
    return times[times < 370]


@styled
def draw(delays, bias, hits, duration):
    """Draw both responses, the bias and the sensitivity."""
    figure, axes = row(3, width=3.0, height=2.7)
    t = np.linspace(0, 25, 300)
    axes[0].plot(t, response("spm", t), color=BLUE, label="model")
    axes[0].plot(t, response("spm", t - SHOWN), color=TRUTH, label=f"truth, {SHOWN:g} s later")
    axes[0].set(xlabel="time after an event (s)", ylabel="response (1/s)", title="the misfit")
    axes[0].legend()
    for k, (model, colour) in enumerate({"right response": TRUTH, "wrong response": BLUE}.items()):
        axes[1].plot(delays, bias[:, k], "o-", color=colour, ms=3, label=model)
        axes[2].plot(delays, 100 * hits[:, k], "o-", color=colour, ms=3)
    axes[1].axhline(1, color=GREY, ls="--", lw=0.8)
    axes[1].set(
        xlabel="delay of the truth (s)", ylabel="estimated over true response", title=f"bias, events of {duration:g} s"
    )
    axes[1].legend()
    axes[2].set(
        xlabel="delay of the truth (s)", ylabel="series found at p < 0.001 (%)", ylim=(-3, 103), title="sensitivity"
    )
    return figure


if __name__ == "__main__":
    main()
