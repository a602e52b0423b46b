"""What kind of value a node gives, as far as that is known without data (spec pql:ST1)."""

from gateway.pql import nodes
from gateway.pql.library import FUNCTIONS
from gateway.pql.values import kind_of

KINDS: dict[type[nodes.Node], str] = {
    nodes.Listing: "list",
    nodes.Filter: "list",
    nodes.Moment: "time",
    nodes.Period: "time",
    nodes.Logic: "boolean",
    nodes.Compare: "boolean",
    nodes.Occurs: "boolean",
    nodes.Arithmetic: "number",
}


def kind_of_node(node: nodes.Node) -> str:
    """Give the kind of a node's value (never minding null), or `value` when only the data can tell."""
    known = KINDS.get(type(node))
    if known is not None:
        return known
    if isinstance(node, nodes.Literal):
        return "value" if node.value is None else kind_of(node.value)
    if isinstance(node, nodes.Prefix):
        return "number" if node.operator == "-" else "boolean"
    if isinstance(node, nodes.Query):
        return "list" if node.kind == "select" else "boolean"
    if isinstance(node, nodes.Call):
        row = FUNCTIONS.get(node.function.lower())
        return row.gives if row else "value"
    if isinstance(node, nodes.Let):
        return kind_of_node(node.body)
    return "value"
