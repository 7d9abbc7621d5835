"""A network of floating-point numbers comes in, the same in int8 goes out. Every row of what is multiplied has a scale
of its own, found as it runs, so that what stands beside a text in a batch has no say in it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, numpy_helper
from onnx.helper import make_node

TABLE = 5_000  # rows from which on what is looked up is a table of embeddings


def by_rows(model: ModelProto) -> ModelProto:
    """Changes `model` in place."""
    graph, small = model.graph, _Small()
    weights = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    nodes = [
        new
        for node in graph.node
        for new in (
            small.looked_up(node, weights[node.input[0]])
            if node.op_type == "Gather" and len(weights.get(node.input[0], ())) > TABLE
            else small.multiplied(node, weights[node.input[1]])
            if node.op_type == "MatMul" and node.input[1] in weights
            else (node,)
        )
    ]
    kept = [one for one in graph.initializer if one.name not in small.replaced]
    for old, new in ((graph.node, nodes), (graph.initializer, [*kept, *small.constants])):
        del old[:]
        old.extend(new)
    checker.check_model(model)
    return model


class _Small:
    """The nodes that stand for one of the network, and the constants they need."""

    def __init__(self) -> None:
        self.constants: list[TensorProto] = []
        self.replaced: set[str] = set()
        self._quantised: set[str] = set()
        self._constant("least", np.float32(1e-8))
        self._constant("step", np.float32(1 / 127))
        self._constant("middle", np.uint8(128))
        for name, value in (("flat", -1), ("from", 0), ("to", 2)):
            self._constant(name, np.array([value]))

    def looked_up(self, node: NodeProto, table: Any) -> Iterator[NodeProto]:
        self.replaced.add(node.input[0])
        rows, scale = _int8(table, 1)
        (_, ids), (out,) = node.input, node.output
        self._constant(f"{out}.rows", rows)
        self._constant(f"{out}.scale", scale)
        yield make_node("Gather", [f"{out}.rows", ids], [f"{out}.int8"])
        yield make_node("Cast", [f"{out}.int8"], [f"{out}.cast"], to=TensorProto.FLOAT)
        yield make_node("Gather", [f"{out}.scale", ids], [f"{out}.scales"])
        yield make_node("Mul", [f"{out}.cast", f"{out}.scales"], [out])

    def multiplied(self, node: NodeProto, weights: Any) -> Iterator[NodeProto]:
        self.replaced.add(node.input[1])
        (seen, _), (out,) = node.input, node.output
        if seen not in self._quantised:
            self._quantised.add(seen)
            yield from self._rows_of(seen, len(weights))
        columns, scale = _int8(weights, 0)
        self._constant(f"{out}.columns", columns)
        self._constant(f"{out}.scale", scale[0])
        self._constant(f"{out}.width", np.array([weights.shape[1]]))
        yield make_node("MatMulInteger", [f"{seen}.uint8", f"{out}.columns", "middle"], [f"{out}.int32"])
        yield make_node("Cast", [f"{out}.int32"], [f"{out}.cast"], to=TensorProto.FLOAT)
        yield make_node("Mul", [f"{out}.cast", f"{seen}.scale"], [f"{out}.half"])
        yield make_node("Mul", [f"{out}.half", f"{out}.scale"], [f"{out}.rows"])
        yield make_node("Concat", [f"{seen}.lead", f"{out}.width"], [f"{out}.shape"], axis=0)
        yield make_node("Reshape", [f"{out}.rows", f"{out}.shape"], [out])

    def _rows_of(self, seen: str, width: int) -> Iterator[NodeProto]:
        """(texts, tokens, width) as rows of uint8 around 128, with the scale of each."""
        self._constant(f"{seen}.row", np.array([-1, width]))
        yield make_node("Reshape", [seen, f"{seen}.row"], [f"{seen}.rows"])
        yield make_node("Abs", [f"{seen}.rows"], [f"{seen}.abs"])
        yield make_node("ReduceMax", [f"{seen}.abs"], [f"{seen}.max"], axes=[1], keepdims=1)
        yield make_node("Mul", [f"{seen}.max", "step"], [f"{seen}.exact"])
        yield make_node("Max", [f"{seen}.exact", "least"], [f"{seen}.scale"])
        yield make_node("Reshape", [f"{seen}.scale", "flat"], [f"{seen}.scales"])
        yield make_node("Shape", [f"{seen}.scales"], [f"{seen}.count"])
        yield make_node("Expand", ["middle", f"{seen}.count"], [f"{seen}.middles"])
        yield make_node(
            "QuantizeLinear", [f"{seen}.rows", f"{seen}.scales", f"{seen}.middles"], [f"{seen}.uint8"], axis=0
        )
        yield make_node("Shape", [seen], [f"{seen}.shape"])
        yield make_node("Slice", [f"{seen}.shape", "from", "to"], [f"{seen}.lead"])

    def _constant(self, name: str, value: Any) -> None:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))


def _int8(weights: Any, axis: int) -> tuple[Any, Any]:
    """In steps of the scale of each row (axis 1) or column (axis 0), and that scale."""
    scale = np.maximum(np.abs(weights).max(axis, keepdims=True) / 127, 1e-12).astype(np.float32)
    return np.rint(weights / scale).astype(np.int8), scale
