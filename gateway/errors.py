"""Every error the gateway raises on purpose: one tree, answered in one place (`web/middleware.py`).

Whose fault it is decides the branch. An error carries the HTTP status, a sentence for the person who caused it and,
where one is to blame, the path of the member (`$.execute.mboxes[3].name`). Nothing here may hold personal data: a
message is shown to callers and written to logs.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Violation(NamedTuple):
    """One thing that is wrong with a document: a code, a JSON pointer, a sentence, and a patch operation's index.

    `place` says where in a rule: position, line, column and excerpt (spec offer-entities X3).
    """

    code: str
    pointer: str
    detail: str
    operation: int | None = None
    place: dict[str, object] | None = None


class GatewayError(Exception):
    """What went wrong, with the HTTP status it is answered with."""

    status = 500
    code = "internal"

    def __init__(self, message: str, *, path: str = "") -> None:
        """Keep `message` (a full sentence, shown to the caller) and the JSON `path` of the member to blame."""
        super().__init__(message)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        """Give the message with the path of the member to blame, where there is one."""
        return f"{self.message} - at {self.path}" if self.path else self.message


class RequestError(GatewayError):
    """The caller's fault: the request cannot be answered as it is."""

    status = 400
    code = "invalid-request"


class InvalidBody(RequestError):
    """The body is not what this endpoint takes; `path` names the member."""

    code = "invalid-body"


class BodyTooLarge(RequestError):
    """The body is longer than `web.max-body-kb`."""

    status = 413
    code = "body-too-large"


class BodyTooSlow(RequestError):
    """The body did not arrive within `web.body-timeout-ms`."""

    status = 408
    code = "body-too-slow"


class AttributeMissing(RequestError):
    """No offer of this mbox has an attribute of this name (get-offers §14)."""

    status = 404
    code = "attribute-missing"


class RuleSyntaxError(RequestError):
    """A rule does not parse or does not type-check; line and column count from 1, position from 0, in code points."""

    status = 422
    code = "pql-syntax"

    def __init__(self, message: str, *, line: int, column: int, excerpt: str = "", position: int = 0) -> None:
        """Keep the position and the source line with a caret under the place."""
        super().__init__(message)
        self.line = line
        self.column = column
        self.excerpt = excerpt
        self.position = position


class RuleTypeError(RuleSyntaxError):
    """A rule parses, but a literal or a call cannot mean anything."""

    code = "pql-type"


class RuleTooLarge(RuleSyntaxError):
    """A rule is longer, deeper or has more nodes than allowed."""

    code = "pql-too-large"


class Problem(RequestError):
    """An answer of the repository, decision and profile endpoints that is no success (RFC 7807; spec repository §14).

    `code` is the slug of the problem's type. `members` are further members of the document, `headers` of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        members: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Keep status, slug and sentence, and every single violation."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.violations = tuple(violations)
        self.members = members or {}
        self.headers = headers or {}


class ArtifactError(GatewayError):
    """The decisioning artifact cannot be used."""

    status = 503
    code = "artifact"


class ArtifactMissing(ArtifactError):
    """No artifact has been loaded for this client yet."""

    code = "artifact-missing"


class ArtifactUnsupported(ArtifactError):
    """The artifact is not of major version 1, is not an artifact, or breaks a limit."""

    code = "artifact-unsupported"


class UpstreamError(GatewayError):
    """Target could not be asked, or refused."""

    status = 502
    code = "upstream"


class UpstreamUnreached(UpstreamError):
    """No connection to Target could be made: nothing of the request has left."""


class CircuitOpen(UpstreamError):
    """Too many of the latest calls to this edge of Target failed, so most are not made for a while."""

    status = 503
    code = "circuit-open"


class UpstreamTimeout(UpstreamError):
    """Target did not answer within the budget."""

    status = 504
    code = "upstream-timeout"


class UpstreamGarbled(UpstreamError):
    """Target's answer cannot be read."""

    code = "upstream-garbled"


class UpstreamBrokeOff(UpstreamGarbled):
    """The connection ended in the middle of Target's answer."""


class UpstreamRefused(UpstreamError):
    """Target answered with an error status; `upstream_status` and `upstream_message` are its own words."""

    code = "upstream-refused"

    def __init__(self, upstream_status: int, upstream_message: str = "") -> None:
        """Keep what Target said; its message is only ever shown to the caller whose request it was."""
        super().__init__(f"Target answered with status {upstream_status}")
        self.upstream_status = upstream_status
        self.upstream_message = upstream_message


class UpstreamOverloaded(UpstreamError):
    """Too many upstream calls are already under way (`upstream.target.max-in-flight`)."""

    status = 503
    code = "upstream-overloaded"


class StoreError(GatewayError):
    """Redis could not do what was asked."""

    status = 503
    code = "store"


class StoreTimeout(StoreError):
    """Redis did not answer within `redis.timeout-ms`; the command may or may not have been done."""

    code = "store-timeout"


class StoreUnreachable(StoreError):
    """There is no connection to Redis."""

    code = "store-unreachable"


class CountsLost(StoreError):
    """Redis has lost counts of caps, or is another one than those were kept in."""

    code = "counts-lost"


class ScriptFailed(StoreError):
    """Redis refused a command or a Lua script broke."""

    code = "script-failed"


class StoreUnsafe(StoreError):
    """Redis would not keep what it acknowledges as the configuration demands (`repository.durability`)."""

    code = "store-unsafe"


class StoreMoved(ScriptFailed):
    """A node of a Redis Cluster did not do it and names the one that will: `slot` is at `host` and `port` now.

    With `is_once` (ASK) the slot is on its way, and only this command goes there.
    """

    code = "store-moved"

    def __init__(self, slot: int, host: str, port: int, *, is_once: bool) -> None:
        """Keep where the slot is; an empty host is that of the node that said so."""
        super().__init__("The node of the Redis Cluster does not have this slot")
        self.slot = slot
        self.host = host
        self.port = port
        self.is_once = is_once


class ConfigError(GatewayError):
    """The configuration cannot be used; raised at start only."""

    code = "config"
