import numpy as np
import pytest

import fakeimaging as fi
from fakeimaging.plotting import pet
from fakeimaging.testing.fixtures import short_activity, tiny_subject


def test_pictures_of_pet_draw_something(tmp_path):
    subject = tiny_subject()
    scan = fi.acquire("pet", subject, short_activity(), tracer="raclopride", voxel_size=12.0)
    figures = [pet.plot_curves(scan, subject), pet.plot_binding(scan, subject, np.ones(subject.n_regions))]
    for number, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{number}.png")
        assert all(axes.has_data() for axes in figure.axes)
    drawn = figures[0].axes[1].lines[1].get_ydata()
    np.testing.assert_allclose(drawn, scan.truth["tacs"].mean(axis=0) / (310.8e6 / 70e3))
    assert pet.suv(scan) == pytest.approx(4440)
