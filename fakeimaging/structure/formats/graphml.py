"""GraphML: nodes with names and positions, edges from the sending to the receiving region with weight and length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from fakeimaging.core.errors import InputError
from fakeimaging.structure.connectome import Connectome
from fakeimaging.structure.formats.parts import Parts
from fakeimaging.structure.parcellation import Region

_SPACE = "http://graphml.graphdrawing.org/xmlns"
_NODE_KEYS = {"name": "string", "hemisphere": "string", "network": "string", "kind": "string",
              "x": "double", "y": "double", "z": "double"}  # fmt: skip
_EDGE_KEYS = {"weight": "double", "length": "double"}
_LENGTHS = ("length", "tract_length", "distance", "fiber_length_mean")
"""Names under which an edge's length is found; the last is that of the Connectome Mapper."""


def read_graphml(path: Path) -> Parts:
    """Read a graph: edges need ``weight``, ``length`` is optional; nodes count in the order of the file."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, LookupError) as error:  # the latter for an encoding that is not known
        raise InputError(f"it is no XML that can be read ({error})") from None
    graph = next((node for node in root if _tag(node) == "graph"), None)
    if graph is None:
        raise InputError("it holds no graph")
    keys = {key.get("id"): key.get("attr.name") for key in root if _tag(key) == "key"}
    nodes = {str(node.get("id")): _data(node, keys) for node in graph if _tag(node) == "node"}
    edges = [edge for edge in graph if _tag(edge) == "edge"]
    weights, lengths = _matrices(list(nodes), edges, keys, directed=graph.get("edgedefault") == "directed")
    return Parts(weights, lengths, _names(nodes), _centres(nodes))


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _data(element: ElementTree.Element, keys: dict[str | None, str | None]) -> dict[str, str]:
    found = ((keys.get(data.get("key")), data.text or "") for data in element if _tag(data) == "data")
    return {name: text.strip() for name, text in found if name is not None}


def _matrices(ids: list[str], edges: list[Any], keys: dict[str | None, str | None], *, directed: bool) -> Any:
    place = {name: i for i, name in enumerate(ids)}
    weights, lengths = np.zeros((len(ids), len(ids))), np.full((len(ids), len(ids)), np.nan)
    filled = np.zeros(weights.shape, dtype=bool)
    for edge in edges:
        ends, data = (edge.get("source"), edge.get("target")), _data(edge, keys)
        where = f"edge {ends[0]} to {ends[1]}"
        if ends[0] not in place or ends[1] not in place:
            raise InputError(f"{where}: there is no such node")
        source, target = place[ends[0]], place[ends[1]]
        for row, column in {(target, source)} if directed else {(target, source), (source, target)}:
            if filled[row, column]:
                raise InputError(f"{where} is there twice")
            filled[row, column] = True
            weights[row, column] = _number(data.get("weight"), f"{where}: weight")
            length = next((data[name] for name in _LENGTHS if name in data), None)
            lengths[row, column] = np.nan if length is None else _number(length, f"{where}: length")
    known = np.isfinite(lengths)
    if not (known | ~filled).all():
        return weights, None
    return weights, np.where(filled, lengths, 0.0)


def _number(text: str | None, what: str) -> float:
    try:
        return float(text or "")
    except ValueError:
        raise InputError(f"{what} is {text!r}, a number is needed") from None


def _names(nodes: dict[str, dict[str, str]]) -> tuple[str, ...] | None:
    names = tuple(data.get("name") or data.get("dn_name") or key for key, data in nodes.items())
    return None if all(name.lstrip("n").isdigit() for name in names) else names


def _centres(nodes: dict[str, dict[str, str]]) -> Any:
    if not all({"x", "y", "z"} <= data.keys() for data in nodes.values()):
        return None
    return np.array([[_number(data[axis], f"node {key}: {axis}") for axis in "xyz"] for key, data in nodes.items()])


def graphml_bytes(connectome: Connectome, regions: Sequence[Region] | None = None) -> bytes:
    """Return a connectome as GraphML; undirected if its weights and lengths are symmetric."""
    matrices = (connectome.weights, connectome.tract_lengths)
    symmetric = all((matrix == matrix.T).all() for matrix in matrices)
    root = ElementTree.Element("graphml", xmlns=_SPACE)
    for owner, keys in (("node", _NODE_KEYS), ("edge", _EDGE_KEYS)):
        for name, kind in keys.items():
            ElementTree.SubElement(root, "key", {"id": name, "for": owner, "attr.name": name, "attr.type": kind})
    graph = ElementTree.SubElement(root, "graph", edgedefault="undirected" if symmetric else "directed")
    for i, data in enumerate(_node_data(connectome, regions)):
        _add(ElementTree.SubElement(graph, "node", id=str(i + 1)), data)
    pairs = np.argwhere(np.tril(connectome.weights) if symmetric else connectome.weights)
    for target, source in pairs.tolist():
        edge = ElementTree.SubElement(graph, "edge", source=str(source + 1), target=str(target + 1))
        weight, length = (float(matrix[target, source]) for matrix in matrices)
        _add(edge, {"weight": repr(weight), "length": repr(length)})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


def _node_data(connectome: Connectome, regions: Sequence[Region] | None) -> list[dict[str, str]]:
    n = connectome.n_regions
    if regions is not None:
        return [
            {"name": region.name, "hemisphere": region.hemisphere, "network": region.network, "kind": region.kind}
            | {axis: repr(value) for axis, value in zip("xyz", region.centroid, strict=True)}
            for region in regions
        ]
    names = [{"name": name} for name in connectome.names] if connectome.names is not None else [{}] * n
    if connectome.centres is None:
        return names
    places = connectome.centres.tolist()
    return [name | dict(zip("xyz", map(repr, at), strict=True)) for name, at in zip(names, places, strict=True)]


def _add(element: ElementTree.Element, data: dict[str, str]) -> None:
    for key, text in data.items():
        ElementTree.SubElement(element, "data", key=key).text = text
