"""Deleting: at once where nothing can refer to the type, else asked for and decided soon (spec repository §10)."""

import msgspec

from gateway.errors import Problem
from gateway.ids import new_uuid
from gateway.offers.instances import Conflict, Deleting, Instance, JsonObject, Saved
from gateway.offers.operations import Operation
from gateway.offers.receipts import make_receipt
from gateway.offers.repository import explain
from gateway.web.hal import answer_hal, read_schemas, read_state
from gateway.web.negotiation import RECEIPT, choose, make_native
from gateway.web.preconditions import check_write, read_conditions
from gateway.web.response import Answer
from gateway.web.rest import Call
from gateway.web.subjects import Containers, Instances, Subject, is_id, open_container, part_receipt
from gateway.web.writing import Writing, expected_revision, give_up

_MOST_TRIES = 16
_SOON = ("Retry-After", "1")


async def delete(writing: Writing, instance_id: str) -> Answer:
    """Answer U10 and the DELETE of U4: 200 with a receipt (D1), or 202 with the operation's location (D2)."""
    for _ in range(_MOST_TRIES):
        current = await writing.subject.read(instance_id)
        check_write(read_conditions(writing.call.request.headers), read_state(current))
        answer = await _try_delete(writing, current)
        if answer is not None:
            return answer
    raise give_up()


async def _try_delete(writing: Writing, current: Instance) -> Answer | None:
    """Delete `current`; None where it has changed since, and whether the caller minds must be looked at again."""
    subject, expected = writing.subject, expected_revision(writing.call, current)
    if isinstance(subject, Instances) and not _is_target(writing.call, current):
        verdict = await subject.delete_now(current.instance_id, expected, new_uuid())
        answer = answer_hal(writing.call, 200, _sign(writing.call, current), writing.media_type)
    else:
        operation = Operation(new_uuid(), current.instance_id, make_receipt(current.document))
        verdict = await subject.ask_delete(expected, operation)
        if isinstance(verdict, Deleting):
            operation = Operation(verdict.operation, current.instance_id, {})
        answer = answer_pending(writing.call, subject, operation)
        verdict = Saved(0) if isinstance(verdict, Deleting) else verdict
    if isinstance(verdict, Conflict):
        return None
    if not isinstance(verdict, Saved):
        raise explain(verdict)
    return answer


def _is_target(call: Call, instance: Instance) -> bool:
    registry = call.services.registry
    types = [registry.find(schema) for schema in read_schemas(instance)]
    # A schema that was taken out of the configuration may still be referred to.
    return any(one is None or registry.is_target(one) for one in types)


def _sign(call: Call, instance: Instance) -> JsonObject:
    """Give the receipt of what was deleted, with who deleted it (D1)."""
    caller = call.caller
    who = {"repo:lastModifiedBy": caller.account, "repo:lastModifiedByClientId": caller.client_id}
    return make_receipt(instance.document) | who


def answer_pending(call: Call, subject: Subject, operation: Operation) -> Answer:
    """Answer 202: not decided yet (D2, D3)."""
    return answer_hal(call, 202, None, "", [("Location", subject.locate_operation(operation)), _SOON])


async def read_operation(call: Call) -> Answer:
    """Answer U12; the outcome of a container's own delete is readable when the container is gone."""
    container, operation_id = call.names["container"], call.names["operation"]
    outcome = None
    if is_id(container) and is_id(operation_id):
        outcome = await call.services.entities.read_operation(call.caller.space, container, operation_id)
    subject: Subject = Containers(call)
    if outcome is not None and outcome.instance_id == container:
        receipt, owners = part_receipt(outcome.receipt)
        outcome = msgspec.structs.replace(outcome, receipt=receipt)
        if not call.caller.grants.may_read(container, owners):
            raise Problem(404, "container-not-found", "There is no container with this id")
    else:
        subject = await open_container(call)
    media_type = choose(call.request.headers.getall("Accept", []), make_native(RECEIPT))
    if outcome is None:
        raise Problem(404, "operation-not-found", "There is no such operation, or it was decided over an hour ago")
    if outcome.state == "pending":
        operation = Operation(outcome.operation_id, outcome.instance_id, outcome.receipt)
        return answer_pending(call, subject, operation)
    return answer_hal(call, 200, outcome.show(container), media_type)
