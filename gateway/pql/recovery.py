"""The printed eligibility rule, whose aggregate stands inside the `where` part it counts (spec pql §9)."""

from gateway.pql import nodes

BOOLEAN_COMPARES = (nodes.Compare, nodes.Occurs, nodes.Logic)
ORDERS = {"=", "!=", "<", "<=", ">", ">="}


def recover(query: nodes.Query) -> nodes.Node | None:
    """Move the aggregate out of `select v from L where A and (B).count() > n`; None when the query has no such form."""
    if query.kind != "select" or len(query.clauses) != 1:
        return None
    clause = query.clauses[0]
    *others, last = conjuncts(clause.condition) if clause.condition is not None else (None,)
    counted = counted_boolean(last)
    if counted is None or not isinstance(last, nodes.Compare):
        return None
    kept = (*filter(None, others), *conjuncts(counted))
    condition = kept[0] if len(kept) == 1 else nodes.Logic("and", kept, at=counted.at)
    moved = nodes.Clause(clause.name, clause.source, condition, at=clause.at)
    counting = nodes.Call(nodes.Query("select", (moved,), at=query.at), "count", (), at=last.left.at)
    return nodes.Compare(last.operator, counting, last.right, at=last.at)


def conjuncts(condition: nodes.Node) -> tuple[nodes.Node, ...]:
    """Split a condition at its outermost `and`."""
    if isinstance(condition, nodes.Logic) and condition.operator == "and":
        return condition.operands
    return (condition,)


def is_boolean(node: nodes.Node | None) -> bool:
    """Say whether a node is what pql:RW1 calls a boolean expression."""
    return isinstance(node, BOOLEAN_COMPARES) or (isinstance(node, nodes.Prefix) and node.operator in {"not", "!"})


def counted_boolean(node: nodes.Node | None) -> nodes.Node | None:
    """Give the boolean expression in `(<boolean expression>).count() <op> <expression>`."""
    if not isinstance(node, nodes.Compare) or node.operator not in ORDERS or not isinstance(node.left, nodes.Call):
        return None
    call = node.left
    is_count = call.function.lower() == "count" and not call.arguments
    return call.target if is_count and is_boolean(call.target) else None
