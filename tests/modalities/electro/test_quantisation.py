from dataclasses import replace

import numpy as np

from fakeimaging.modalities.electro.quantisation import LARGEST, QUANTISATION
from fakeimaging.modalities.layers import Channel
from tests.modalities.electro.silence import Settings, drawn, silent


def test_each_channel_has_its_step_and_its_largest_value():
    forward = silent(n=100)
    steps = (1e-7, 1e-15, 1.0)
    channels = tuple(Channel(f"c{i}", "EEG", "V", step) for i, step in enumerate(steps))
    forward = replace(forward, clean=replace(forward.clean, channels=channels))
    rng = np.random.Generator(np.random.SFC64(1))
    signal = (rng.uniform(-1.2, 1.2, (3, 100)) * LARGEST * np.array(steps)[:, None]).astype(np.float32)
    before = signal.copy()
    stored = QUANTISATION.act(signal, forward, drawn(QUANTISATION, forward, Settings()), 0, rng=None)
    np.testing.assert_array_equal(signal, before)
    whole = stored / np.array(steps)[:, None]
    np.testing.assert_allclose(whole, np.rint(whole), atol=5e-3)
    limit = LARGEST * np.array(steps)[:, None]
    inside = np.abs(signal) < limit
    assert (np.abs(stored - signal) <= 0.5001 * np.array(steps)[:, None] + 1e-7 * limit)[inside].all()
    np.testing.assert_allclose(np.abs(stored)[~inside], np.broadcast_to(limit, stored.shape)[~inside], rtol=1e-6)
    assert (~inside).any()
