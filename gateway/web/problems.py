"""Everything that is no success, as a problem document (RFC 7807; spec repository §14, §0 X13)."""

from gateway.errors import BodyTooLarge, BodyTooSlow, GatewayError, InvalidBody, Problem, StoreError, Violation
from gateway.offers.instances import JsonObject
from gateway.offers.problems import describe
from gateway.web.response import Answer
from gateway.web.wire import encode

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    "malformed-json": "The body is not a JSON object",
    "malformed-patch": "The body is not a JSON Patch",
    "missing-header": "A required header is missing",
    "invalid-header": "A header is not valid",
    "invalid-parameter": "A query parameter is not valid",
    "invalid-filter": "A property filter is not valid",
    "unknown-schema": "There is no such schema",
    "unauthenticated": "Who is calling is not known",
    "api-key-rejected": "The API key is not accepted",
    "org-mismatch": "The organisation is not accepted",
    "sandbox-rejected": "The sandbox is not accepted",
    "write-forbidden": "Changing this is not allowed",
    "container-not-found": "There is no such container",
    "instance-not-found": "There is no such instance",
    "operation-not-found": "There is no such operation",
    "no-such-path": "There is nothing here",
    "method-not-allowed": "The method is not allowed here",
    "not-acceptable": "No acceptable form of the answer",
    "too-slow": "The body did not arrive in time",
    "too-large": "The body is too large",
    "unsupported-media-type": "The form of the body is not supported",
    "schema-missing": "The schema is missing",
    "invalid-body": "The body is not what this endpoint takes",
    "invalid-identity": "This cannot be an identity",
    "read-forbidden": "Reading this is not allowed",
    "profile-not-found": "There is no such profile",
    "identity-taken": "The identity belongs to another profile",
    "too-many-identities": "One person has too many identities",
    "etag-mismatch": "The instance has another revision",
    "delete-pending": "The instance is being deleted",
    "patch-test-failed": "A test of the patch failed",
    "still-referenced": "Instance is still referenced",
    "precondition-failed": "A precondition does not hold",
    "schema-validation": "The instance is not valid",
    "too-many-requests": "Too many requests",
    "activity-not-found": "There is no such offer activity",
    "activity-not-live": "The offer activity cannot be asked for",
    "placement-mismatch": "The placement is not that of the offer activity",
    "duplicate-request": "The same is asked for twice",
    "context-invalid": "Context data is not valid",
    "container-ambiguous": "Several containers could be meant",
    "profile-unavailable": "The profile cannot be read",
    "overloaded": "There is too much to decide",
    "internal": "The gateway failed",
    "unavailable": "The store cannot be reached",
}
_RETRY = {"Retry-After": "1"}


class ProblemAnswer(Answer):
    """An answer whose body is a problem document."""

    content = f"Content-Type: {MEDIA_TYPE}\r\n"


def answer_problem(problem: Problem, path: str, request_id: str) -> Answer:
    """Give the answer; a body that may still be on its way ends the connection."""
    body = encode(make_document(problem, path, request_id))
    answer = ProblemAnswer(problem.status, body, [*problem.headers.items(), ("Vary", "Accept")])
    if problem.status in (408, 413):
        answer.force_close()
    return answer


def make_document(problem: Problem, path: str, request_id: str) -> JsonObject:
    """Give the problem document; its error list has one entry at least."""
    listed = problem.violations or (Violation(problem.code, "", problem.message),)
    return {
        "type": f"/problems/{problem.code}",
        "title": _TITLES.get(problem.code) or "The instance is not valid",
        "status": problem.status,
        "detail": problem.message,
        "instance": path.encode("utf-8", "replace").decode(),
        "requestId": request_id,
        "errors": [describe(one) for one in sorted(listed, key=lambda one: (one.pointer, one.code))],
    } | problem.members


def to_problem(error: GatewayError) -> Problem:
    """Give what another error of the gateway is called here."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BodyTooLarge):
        return Problem(413, "too-large", error.message)
    if isinstance(error, BodyTooSlow):
        return Problem(408, "too-slow", error.message)
    if isinstance(error, InvalidBody):
        return Problem(400, "malformed-json", error.message.removeprefix("Invalid request: "))
    if isinstance(error, StoreError):
        return Problem(503, "unavailable", "The store cannot be reached just now; try again", headers=_RETRY)
    return Problem(error.status, "internal", "The gateway failed; see its log")
