"""Which check comes first (spec repository §9.7): a request wrong in every way, put right step by step."""

from tests.web.callers import PATCH, PROBLEM, Caller, media_type

UNKNOWN = "00000000-0000-7000-8000-000000000000"

# what is put right next: (change, the answer then)
STEPS = [
    ("method", 405, "method-not-allowed"),
    ("token", 401, "unauthenticated"),
    ("headers", 400, "missing-header"),
    ("key", 403, "api-key-rejected"),
    ("organisation", 403, "org-mismatch"),
    ("sandbox", 403, "sandbox-rejected"),
    ("container", 404, "container-not-found"),
    ("grant", 403, "write-forbidden"),
    ("content type", 415, "unsupported-media-type"),
    ("accept", 406, "not-acceptable"),
    ("instance", 404, "instance-not-found"),
    ("precondition", 409, "etag-mismatch"),
    ("json", 400, "malformed-json"),
    ("patch syntax", 400, "malformed-patch"),
    ("envelope", 422, "not-editable"),
    ("document", 422, "schema-validation"),
    ("nothing", 200, ""),
]


async def test_the_first_failing_step_decides(editor: Caller):
    """repo:§9.7, repo:Q9, repo:Q13: each step in turn."""
    made = await editor.make("tag", {"xdm:name": "t"})
    await editor.make("tag", {"xdm:name": "taken"})
    right = {
        "token": {"Authorization": "Bearer demo-reader"},
        "headers": {"x-api-key": "other", "x-gw-ims-org-id": "X@AdobeOrg", "x-sandbox-name": "other"},
        "key": {"x-api-key": "demo-console"},
        "organisation": {"x-gw-ims-org-id": "DEMO@AdobeOrg"},
        "sandbox": {"x-sandbox-name": "prod"},
        "grant": {"Authorization": "Bearer demo-editor"},
        "content type": {"Content-Type": PATCH},
        "accept": {"Accept": "*/*"},
        "precondition": {"If-Match": '"1"'},
    }
    bodies = {
        "json": b"{}",
        "patch syntax": b'[{"op":"replace","path":"/repo:etag","value":1}]',
        "envelope": b'[{"op":"replace","path":"/_instance","value":{"xdm:name":7,"xdm:status":1}}]',
        "document": b'[{"op":"replace","path":"/_instance/xdm:name","value":"u"}]',
    }
    method, container, instance, body = "POST", UNKNOWN, UNKNOWN, b"{"
    headers = {"Content-Type": "text/plain", "Accept": "text/html", "If-Match": '"9"'}
    for put_right, status, code in STEPS:
        caller = Caller(editor.stage, container, headers)
        answer = await caller.ask(method, caller.locate(instance), body)
        assert answer.status == status, (put_right, answer.raw)
        if code:
            assert answer.body["type"] == f"/problems/{code}", put_right
            assert answer.headers["Content-Type"] == PROBLEM
        method = "PATCH" if put_right == "method" else method
        container = editor.container if put_right == "container" else container
        instance = made["instanceId"] if put_right == "instance" else instance
        body = bodies.get(put_right, body)
        headers = headers | right.get(put_right, {})


async def test_steps_after_the_body_are_answered_together(editor: Caller):
    """repo:§9.7: within steps 11 to 17 one answer names everything that was found."""
    made = await editor.make("tag", {"xdm:name": "t"})
    body = {"_instance": {"xdm:name": 7, "@id": "xcore:tag:1"}, "_links": [], "extra": 1, "repo:etag": 7}
    answer = await editor.put(made["instanceId"], body, Content_Type=media_type("tag"))
    assert answer.status == 422
    assert {error["code"] for error in answer.body["errors"]} >= {"type", "not-editable", "additional-property"}
