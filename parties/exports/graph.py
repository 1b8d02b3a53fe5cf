"""A half as an ONNX graph, from the party's own columns as they are to its part of the logit.

Inputs, one a column, each of shape (n, 1): doubles with NaN for a blank, or texts with "" for one.
Output `logit` (of an amount `predictor`), doubles of shape (n, 1).  Bins are looked up in the graph
(which cuts a number exceeds; which level a text is), so nothing has to be transformed before.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from parties.exports.card import Blank, Card, Code, Interval, Level, Other, Term, Unit
from vfl.errors import ConfigError

OPSET, OPSET_ML, IR = 17, 3, 8
"""Old enough for every runtime of the last years."""


def onnx_graph(card: Card) -> bytes:
    """Return the model's file; raise ConfigError where onnx is not installed."""
    try:
        from onnx import TensorProto, checker, helper
    except ImportError:
        raise ConfigError(
            "--format onnx", "needs onnx, which is not installed", "pip install 'vfl[onnx]'"
        ) from None
    graph = _Graph(helper)
    total = graph.constant(np.array([[card.base]]))
    inputs = []
    for term in card.terms:
        kind = TensorProto.DOUBLE if term.numeric else TensorProto.STRING
        inputs.append(helper.make_tensor_value_info(term.column, kind, [None, 1]))
        worth = graph.number(term) if term.numeric else graph.text(term)
        total = graph.node("Add", total, worth)
    graph.nodes.append(helper.make_node("Identity", [total], [card.output]))
    output = helper.make_tensor_value_info(card.output, TensorProto.DOUBLE, [None, 1])
    made = helper.make_graph(graph.nodes, f"vfl run {card.run}", inputs, [output], graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR, producer_name="vfl")
    checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


class _Graph:
    """Nodes and constants in the making."""

    def __init__(self, helper: Any) -> None:
        self._helper = helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: np.ndarray[Any, Any]) -> str:
        """Add a constant; return its name."""
        from onnx import numpy_helper

        name = f"vfl constant {len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, kind: str, *inputs: str) -> str:
        """Add a node of one output; return the output's name."""
        return self._added(self._helper.make_node(kind, list(inputs), [self._name(kind)]))

    def _name(self, kind: str) -> str:
        return f"vfl {kind} {len(self.nodes)}"

    def _added(self, node: Any) -> str:
        self.nodes.append(node)
        name: str = node.output[0]
        return name

    def number(self, term: Term) -> str:
        """Return what a number is worth."""
        x, units = term.column, [case for case in term.cases if isinstance(case.when, Unit)]
        if units:
            ((slope, around),) = [(c.logit, c.when.around) for c in units if isinstance(c.when, Unit)]
            beyond = self.node("Sub", self._clipped(term), self.constant(np.array([[around]])))
            worth = self.node("Mul", beyond, self.constant(np.array([[slope]])))
        else:
            worth = self._looked_up(term)
        for case in term.cases:
            if isinstance(case.when, Code):
                equal = self.node("Equal", x, self.constant(np.array([[case.when.value]])))
                worth = self.node("Where", equal, self.constant(np.array([[case.logit]])), worth)
        blank = self.constant(np.array([[term.worth(Blank)]]))
        return self.node("Where", self.node("IsNaN", x), blank, worth)

    def _clipped(self, term: Term) -> str:
        """Return the numbers, those in an interval at the end that is nearest."""
        x = term.column
        for beyond in (case.when for case in term.cases if isinstance(case.when, Interval)):
            nearest, end = ("Max", beyond.high) if beyond.high < inf else ("Min", beyond.low)
            x = self.node(nearest, x, self.constant(np.array([[end]])))
        return x

    def text(self, term: Term) -> str:
        """Return what a text is worth."""
        levels = {case.when.label: case.logit for case in term.cases if isinstance(case.when, Level)}
        levels[""] = term.worth(Blank)
        encoder = self._helper.make_node(
            "LabelEncoder",
            [term.column],
            [self._name("LabelEncoder")],
            domain="ai.onnx.ml",
            keys_strings=list(levels),
            values_int64s=list(range(len(levels))),
            default_int64=len(levels),
        )
        place = self._added(encoder)
        return self.node("Gather", self.constant(np.array([*levels.values(), term.worth(Other)])), place)

    def _looked_up(self, term: Term) -> str:
        """Return the worth of the bin: its index is how many cuts the number exceeds."""
        from onnx import TensorProto

        bins = [(c.when.high, c.logit) for c in term.cases if isinstance(c.when, Interval)]
        table = self.constant(np.array([logit for _, logit in bins] or [0.0]))
        cuts = self.constant(np.array([[high for high, _ in bins if high < inf]]))
        greater = self.node("Greater", term.column, cuts)
        cast = self._helper.make_node("Cast", [greater], [self._name("Cast")], to=TensorProto.INT64)
        axes = self.constant(np.array([1], np.int64))
        return self.node("Gather", table, self.node("ReduceSum", self._added(cast), axes))
