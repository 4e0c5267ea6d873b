"""Graph measures written from their papers: small-worldness by degree-preserving rewiring, modularity by the Louvain method.

Humphries & Gurney (2008), doi:10.1371/journal.pone.0002051; Maslov & Sneppen (2002), doi:10.1126/science.1065103;
Blondel et al. (2008), doi:10.1088/1742-5468/2008/10/P10008.
"""

import numpy as np


def clustering(adjacency):
    """Mean over nodes of the share of pairs of neighbours that are joined (Watts & Strogatz 1998)."""
    joined = adjacency.astype(float)
    triangles = np.einsum("ij,jk,ki->i", joined, joined, joined, optimize=True) / 2
    degree = joined.sum(axis=1)
    pairs = degree * (degree - 1) / 2
    return float(np.mean(np.divide(triangles, pairs, out=np.zeros_like(pairs), where=pairs > 0)))


def path_length(adjacency):
    """Mean number of steps between two nodes; infinite if some are apart."""
    n = len(adjacency)
    steps, reached, frontier = np.zeros((n, n)), np.eye(n, dtype=bool), np.eye(n, dtype=bool)
    for step in range(1, n):
        frontier = (frontier @ adjacency) & ~reached
        if not frontier.any():
            break
        steps[frontier] = step
        reached |= frontier
    return float(steps.sum() / (n * (n - 1))) if reached.all() else np.inf


def rewired(adjacency, rng, swaps_an_edge=10):
    """Swap the ends of random pairs of edges, so that every node keeps its degree."""
    swapped = adjacency.copy()
    edges = np.argwhere(np.triu(swapped, 1))
    for a, b, flip in zip(
        *rng.integers(0, len(edges), (2, swaps_an_edge * len(edges))),
        rng.random(swaps_an_edge * len(edges)) < 0.5,
        strict=True,
    ):
        (i, j), (k, m) = edges[a], edges[b][::-1] if flip else edges[b]
        if len({i, j, k, m}) == 4 and not swapped[i, m] and not swapped[k, j]:
            swapped[[i, j, k, m], [j, i, m, k]] = False
            swapped[[i, m, k, j], [m, i, j, k]] = True
            edges[a], edges[b] = (i, m), (k, j)
    return swapped


def small_worldness(adjacency, rng, n_random=3):
    """Clustering over that of random networks of the same degrees, divided by the same of path length."""
    random = [rewired(adjacency, rng) for _ in range(n_random)]
    gamma = clustering(adjacency) / np.mean([clustering(r) for r in random])
    return gamma / (path_length(adjacency) / np.mean([path_length(r) for r in random]))


def modularity(weights, community):
    """Newman's Q of a partition of an undirected weighted network."""
    total, strength = weights.sum(), weights.sum(axis=1)
    same = community[:, None] == community[None]
    return float(((weights - np.outer(strength, strength) / total) * same).sum() / total)


def louvain(weights, rng):
    """Best modularity found: move nodes to the neighbouring community that gains most, merge, repeat."""
    community, merged = np.arange(len(weights)), weights.astype(float)
    while True:
        local = _moved(merged, rng)
        _, local = np.unique(local, return_inverse=True)
        community = local[community]
        if local.max() + 1 == len(merged):
            return modularity(weights, community)
        member = np.eye(local.max() + 1)[local]
        merged = member.T @ merged @ member


def _moved(weights, rng):
    n, total, strength = len(weights), weights.sum(), weights.sum(axis=1)
    community, moved = np.arange(n), True
    while moved:
        moved = False
        for node in rng.permutation(n):
            to = np.bincount(community, weights=weights[node], minlength=n)
            to[community[node]] -= weights[node, node]
            size = np.bincount(community, weights=strength, minlength=n)
            size[community[node]] -= strength[node]
            gain = to - strength[node] * size / total
            best = int(gain.argmax())
            if gain[best] > gain[community[node]] + 1e-12:
                community[node], moved = best, True
    return community
