import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakeimaging.core.clocks import Clock
from fakeimaging.core.errors import InputError


@given(st.floats(-100, 100), st.floats(0.001, 10), st.integers(0, 500), st.floats(-200, 6000))
def test_index_counts_the_samples_before_a_time(start, step, n, time):
    clock = Clock(start, step, n)
    tolerance = 1e-6 * step
    counted = clock.index(time)
    assert (clock.times < time - tolerance).sum() <= counted <= (clock.times < time + tolerance).sum()


@pytest.mark.parametrize(("step", "n"), [(0, 1), (-1, 1), (float("nan"), 1), (1, -1)])
def test_a_clock_goes_forward(step, n):
    with pytest.raises(InputError):
        Clock(0.0, step, n)
