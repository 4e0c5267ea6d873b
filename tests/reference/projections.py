"""Line integrals and expectation maximisation from their papers (Joseph 1982, Shepp and Vardi 1982), one line and one matrix at a time."""

import numpy as np


def matrix(shape, size, angles, n_bins, width):
    """Lengths in which each line crosses each pixel of a slice, shape (n_views, n_bins, nx, ny).

    Where a line runs more along an axis, it is cut at the middle of each row of pixels across that axis; the value there is linear between
    the two nearest pixels, nothing lies beyond the last ones.
    """
    (nx, ny), (dx, dy) = shape, size
    weights = np.zeros((len(angles), n_bins, nx, ny))
    for v, angle in enumerate(angles):
        along = np.array([-np.sin(angle), np.cos(angle)])
        for b in range(n_bins):
            foot = (b - (n_bins - 1) / 2) * width * np.array([np.cos(angle), np.sin(angle)])
            steps_x = abs(along[0] / dx) > abs(along[1] / dy)
            axis, n_rows, d = (0, nx, dx) if steps_x else (1, ny, dy)
            for m in range(n_rows):
                t = ((m - (n_rows - 1) / 2) * d - foot[axis]) / along[axis]
                place = (foot + t * along) / np.array([dx, dy]) + (np.array([nx, ny]) - 1) / 2
                other = 1 - axis
                low = int(np.floor(place[other]))
                for cell, share in ((low, 1 - (place[other] - low)), (low + 1, place[other] - low)):
                    if 0 <= cell < (ny if steps_x else nx):
                        pixel = (m, cell) if steps_x else (cell, m)
                        weights[(v, b, *pixel)] += share * d / abs(along[axis])
    return weights


def expectation_maximisation(counts, background, system, image, subsets):
    """Pass once through the subsets of views; ``system`` (n_views, n_bins, n_pixels) has the factors of the bins in it."""
    for s in range(subsets):
        rows, own = system[s::subsets], counts[s::subsets]
        ratio = own / (rows @ image + background[s::subsets])
        image = image / rows.sum(axis=(0, 1)) * np.einsum("vb,vbp->p", ratio, rows)
    return image
