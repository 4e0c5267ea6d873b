"""Kernels of `distortion`, compiled from this file's text."""

from numba import njit

FLAGS = {"cache": True, "nogil": True, "error_model": "numpy"}
INLINE = {"forceinline": True, "error_model": "numpy"}


@njit(**FLAGS)
def find_crossings(lands, faces, folds, counts):
    """Find what is shifted to each face between voxels; ``lands`` (n_other, n_slices, n_fine) holds where fine steps land.

    Fills ``folds`` where it has room, and ``counts`` with how many there are.
    """
    n_other, n_slices, _ = lands.shape
    total = 0
    for i in range(n_other):
        before = total
        for k in range(n_slices):
            line, n = lands[i, k], faces.shape[1] - 1
            if rising(line):
                walk(line, n, faces[i, :, k])
                continue
            for face in range(n + 1):
                total = cross(line, n, face, k, faces[i, :, k], folds, total)
        counts[i] = total - before


@njit(**INLINE)
def rising(lands):
    """Say whether a line does not fold over."""
    return (lands[1:] > lands[:-1]).all()


@njit(**INLINE)
def walk(lands, n, faces):
    """Find where a line that does not fold lands on every face."""
    m = 0
    for face in range(n + 1):
        target = face - 0.5
        while m < len(lands) and lands[m] < target:
            m += 1
        faces[face] = -0.5 if m == 0 else n - 0.5
        if 0 < m < len(lands):
            faces[face] = n / (len(lands) - 1) * (m - 1 + (target - lands[m - 1]) / (lands[m] - lands[m - 1])) - 0.5


@njit(**INLINE)
def cross(lands, n, face, k, faces, folds, fold):
    """Find where a line lands on one face; return the number of the next fold.

    The integral of what lands below the face is that up to its first crossing, less and plus those up to the next two, and so on.
    """
    target = face - 0.5
    below = lands[0] < target
    settled = not below
    faces[face] = -0.5
    for m in range(1, len(lands) + 1):
        if m < len(lands) and (lands[m] < target) == below:
            continue
        if m == len(lands) and not below:
            break
        place = n - 0.5
        if m < len(lands):
            place = n / (len(lands) - 1) * (m - 1 + (target - lands[m - 1]) / (lands[m] - lands[m - 1])) - 0.5
        if not settled:
            faces[face], settled = place, True
        else:
            if fold < len(folds):
                folds[fold, 0], folds[fold, 1], folds[fold, 2] = face, k, place
                folds[fold, 3] = 1.0 if below else -1.0
            fold += 1
        below = not below
    return fold


@njit(**FLAGS)
def remap(c, first, weights, folds, fold_weights, first_fold, room, result):
    """Integrate each line between where its faces came from; ``room`` (n + 3, n_slices) is for the running sums of ``c``."""
    n_other, n, n_slices = c.shape
    sums = room.reshape(-1)
    for i in range(n_other):
        add_up(c[i], room)
        for k in range(n_slices):
            result[i, 0, k] = -weighted(sums, first[i, 0, k], n_slices, weights[i, 0], k)
        for face in range(1, n):
            for k in range(n_slices):
                value = weighted(sums, first[i, face, k], n_slices, weights[i, face], k)
                result[i, face - 1, k] += value
                result[i, face, k] = -value
        for k in range(n_slices):
            result[i, n - 1, k] += weighted(sums, first[i, n, k], n_slices, weights[i, n], k)
        for fold in range(first_fold[i], first_fold[i + 1]):
            face, k = folds[fold, 0], folds[fold, 1]
            value = weighted(sums, folds[fold, 2], n_slices, fold_weights, fold)
            if face > 0:
                result[i, face - 1, k] += value
            if face < n:
                result[i, face, k] -= value


@njit(**INLINE)
def add_up(c, room):
    """Sum coefficients along lines, from two before the first to one after the last, mirrored there."""
    n, n_slices = c.shape
    for k in range(n_slices):
        room[0, k] = -c[1, k]
        room[1, k] = 0.0
    for j in range(n):
        for k in range(n_slices):
            room[j + 2, k] = room[j + 1, k] + c[j, k]
    for k in range(n_slices):
        room[n + 2, k] = room[n + 1, k] + c[n - 2, k]


@njit(**INLINE)
def weighted(sums, first, step, w, k):
    """Sum of four running sums with the weights of column ``k``."""
    return (
        w[0, k] * sums[first]
        + w[1, k] * sums[first + step]
        + w[2, k] * sums[first + 2 * step]
        + w[3, k] * sums[first + 3 * step]
    )
