"""Decoded body to checked request (spec delivery-api §17, §6, §16)."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.validation import Leniency, check_request
from gateway.errors import InvalidBody

STRICT = Leniency("refuse", "refuse")
SDK = Leniency("drop", "web")
WEB = {"context": {"channel": "web"}}
MBOX = {"name": "hero", "index": 1}
TOLD = {"id": "n", "type": "display", "timestamp": 1}
KEYS = [
    "context",
    "channel",
    "id",
    "tntId",
    "customerIds",
    "execute",
    "prefetch",
    "mboxes",
    "views",
    "pageLoad",
    "name",
    "index",
    "parameters",
    "profileParameters",
    "notifications",
    "type",
    "timestamp",
    "geo",
    "latitude",
    "address",
    "url",
    "property",
    "token",
    "trace",
    "telemetry",
    "entries",
    "experienceCloud",
    "order",
    "total",
    "web",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["web", "display", 10**400, -(10**400), 2**63, 1e308])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=15,
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(KEYS), anything, max_size=5),
    st.booleans(),
    st.sampled_from([STRICT, SDK, Leniency()]),
)
def test_nothing_but_invalid_body_is_ever_raised(body: dict[str, Any], with_context: bool, leniency: Leniency) -> None:
    whole = (WEB | body if with_context else body) | {}
    whole = copy.deepcopy(whole)
    if with_context and not isinstance(whole.get("context"), dict):
        whole["context"] = {"channel": "web"}
    try:
        check_request(whole, leniency)
    except InvalidBody as error:
        refused = error
    else:
        return
    assert refused.path.startswith("$")
    assert refused.message.startswith("Invalid request: ")


VALID: dict[str, Any] = WEB | {
    "requestId": "r" * 128,
    "id": {
        "tntId": "t" * 128,
        "thirdPartyId": "",
        "customerIds": [{"id": "c", "integrationCode": "i", "authenticatedState": "logged_out"}],
    },
    "execute": {
        "pageLoad": {"parameters": {"a": "b"}},
        "mboxes": [
            MBOX
            | {
                "parameters": {"profileX": "1", "k" * 128: "v" * 5000, "n": 1.5, "t": True, "z": None},
                "order": {"total": 0},
            }
        ],
    },
    "prefetch": {"mboxes": [{"name": "b"}], "views": [{}, {"name": "v" * 128, "key": "k" * 512}], "pageLoad": {}},
    "notifications": [TOLD | {"mbox": {"name": "m"}, "tokens": ["t"]}],
    "property": {"token": "p"},
    "trace": {},
    "telemetry": {"entries": [{}]},
    "new": {"anything": [1]},
}
BROKEN: dict[str, tuple[str, Any]] = {
    "no context": ("context", None),
    "context is a list": ("context", []),
    "id is a list": ("id", []),
    "tntId too long": ("id.tntId", "t" * 129),
    "tntId is a number": ("id.tntId", 5),
    "customer ids are an object": ("id.customerIds", {}),
    "a customer id lacks a member": ("id.customerIds", [{"id": "c", "integrationCode": "i"}]),
    "a customer id has another state": ("id.customerIds.0.authenticatedState", "LOGGED_OUT"),
    "execute is a list": ("execute", []),
    "execute is false": ("execute", False),
    "mboxes are an object": ("execute.mboxes", {}),
    "51 mboxes": ("execute.mboxes", [MBOX] * 51),
    "an mbox is null": ("execute.mboxes.0", None),
    "an mbox has no name": ("execute.mboxes.0", {"index": 1}),
    "a name is empty": ("execute.mboxes.0.name", ""),
    "a name is blank": ("execute.mboxes.0.name", " \t"),
    "a name is too long": ("execute.mboxes.0.name", "n" * 251),
    "an index is a fraction": ("execute.mboxes.0.index", 1.5),
    "an index is a text": ("execute.mboxes.0.index", "1"),
    "an index is true": ("execute.mboxes.0.index", True),
    "an index is too large": ("execute.mboxes.0.index", 2147483648),
    "an index beyond a double": ("execute.mboxes.0.index", 10**400),
    "parameters are a list": ("execute.mboxes.0.parameters", []),
    "a parameter is a list": ("execute.mboxes.0.parameters.a", ["b"]),
    "a parameter is an object": ("execute.mboxes.0.parameters.a", {}),
    "a parameter is too long": ("execute.mboxes.0.parameters.a", "v" * 5001),
    "a parameter name is too long": ("execute.mboxes.0.parameters", {"k" * 129: "v"}),
    "a parameter name is empty": ("execute.mboxes.0.parameters", {"": "v"}),
    "101 parameters": ("execute.mboxes.0.parameters", {f"k{n}": 1 for n in range(101)}),
    "51 profile parameters": ("execute.mboxes.0.profileParameters", {f"k{n}": 1 for n in range(51)}),
    "a reserved parameter": ("execute.mboxes.0.parameters", {"orderId": "1"}),
    "a profile parameter among the parameters": ("execute.pageLoad.parameters", {"a": 1, "profile.age": "5"}),
    "a reserved parameter of a view": ("prefetch.views.0.parameters", {"orderTotal": 1}),
    "a total is negative": ("execute.mboxes.0.order.total", -1),
    "page load is a list": ("execute.pageLoad", []),
    "page load is true": ("prefetch.pageLoad", True),
    "views are an object": ("prefetch.views", {}),
    "a view is a text": ("prefetch.views.0", "home"),
    "a view name is too long": ("prefetch.views.1.name", "v" * 129),
    "notifications are an object": ("notifications", {}),
    "a notification has no id": ("notifications.0", {"type": "display", "timestamp": 1}),
    "a notification has another type": ("notifications.0.type", "shown"),
    "a timestamp is negative": ("notifications.0.timestamp", -1),
    "a property token is blank": ("property.token", " "),
    "a property without a token": ("property", {}),
    "trace is true": ("trace", True),
    "telemetry is a list": ("telemetry", []),
    "a request id is too long": ("requestId", "r" * 129),
    "preview is a text": ("preview", "yes"),
    "latitude is a text": ("context.geo", {"latitude": "47"}),
    "a url is too long": ("context.address", {"url": "u" * 4097}),
}


def put(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Give a copy of `body` with `value` at `path`."""
    changed = copy.deepcopy(body)
    *way, last = [int(piece) if piece.isdigit() else piece for piece in path.split(".")]
    place: Any = changed
    for piece in way:
        place = place[piece]
    place[last] = value
    return changed


def test_a_request_at_all_its_limits_is_taken() -> None:
    request = check_request(copy.deepcopy(VALID), STRICT)
    assert request.execute is not None
    assert request.execute.mboxes is not None
    assert request.execute.mboxes[0].name == "hero"


@pytest.mark.parametrize(("path", "value"), BROKEN.values(), ids=BROKEN)
def test_each_broken_rule_is_refused_with_its_path(path: str, value: Any) -> None:
    with pytest.raises(InvalidBody) as caught:
        check_request(put(VALID, path, value), STRICT)
    expected = "$." + path.replace(".0", "[0]").replace(".1", "[1]")
    told = caught.value.path.removesuffix("[...]")  # some member of a map, whose name is not told
    assert expected.startswith(told) or told.startswith(expected)
    assert len(str(caught.value)) < 500


@given(st.lists(st.sampled_from(list(BROKEN)), min_size=1, max_size=3, unique=True))
def test_two_broken_rules_are_no_better_than_one(titles: list[str]) -> None:
    body = VALID
    for title in titles:
        try:
            body = put(body, *BROKEN[title])
        except (KeyError, IndexError, TypeError):
            continue  # the earlier one took the place away
    with pytest.raises(InvalidBody):
        check_request(body, STRICT)


NULLABLE = [
    "requestId",
    "id",
    "id.tntId",
    "id.customerIds",
    "execute",
    "execute.mboxes",
    "execute.pageLoad",
    "execute.mboxes.0.index",
    "execute.mboxes.0.parameters",
    "prefetch",
    "prefetch.views",
    "prefetch.views.1.name",
    "notifications",
    "property",
    "trace",
    "telemetry",
    "new",
]


@given(st.lists(st.sampled_from(NULLABLE), unique=True))
def test_null_means_absent(paths: list[str]) -> None:
    """delivery-api §5."""
    body = VALID
    for path in sorted(paths, key=len, reverse=True):
        body = put(body, path, None)
    check_request(copy.deepcopy(body), STRICT)


@pytest.mark.parametrize(
    "name",
    [
        "profile",
        "Profile.age",
        "xprofile.age",
        "my.profile.age",
        "orderid",
        "order.id",
        "orderId2",
        "a\nprofile.b",
        "\nprofile.b",
    ],
    ids=repr,
)
def test_only_the_reserved_names_are_reserved(name: str) -> None:
    """delivery-api §6.4: exact names, and names that begin with `profile.`."""
    check_request(put(VALID, "execute.mboxes.0.parameters", {name: "v"}), STRICT)


def test_the_first_failure_in_the_order_of_the_specification_is_told() -> None:
    """delivery-api §17: context, id, execute and prefetch, notifications, the rest."""
    titles = [
        "a property token is blank",
        "a notification has no id",
        "a name is blank",
        "tntId too long",
        "no context",
    ]
    body = VALID
    for title in titles:
        body = put(body, *BROKEN[title])
        with pytest.raises(InvalidBody) as caught:
            check_request(copy.deepcopy(body), STRICT)
        assert caught.value.path.startswith("$." + BROKEN[title][0].partition(".")[0])


@pytest.mark.parametrize("channel", [None, "", "Web", "tv", 5, [], {}], ids=repr)
def test_an_unknown_channel_is_web_or_refused(channel: Any) -> None:
    """delivery-api §17 point 3."""
    body: dict[str, Any] = {"context": {"channel": channel}}
    assert check_request(body, Leniency("refuse", "web")).context.channel == "web"
    assert body["context"]["channel"] == "web"
    with pytest.raises(InvalidBody):
        check_request({"context": {"channel": channel}}, STRICT)


def test_invalid_items_are_dropped_where_that_is_configured() -> None:
    """delivery-api §17 points 5 and 6."""
    bad = [{"index": 1}, {"name": ""}, None, 5, {"name": "x", "index": 1.5}]
    body = WEB | {"execute": {"mboxes": [*bad, MBOX]}, "prefetch": {"mboxes": bad}, "notifications": [{}, TOLD]}
    request = check_request(copy.deepcopy(body), SDK)
    assert request.execute is not None
    assert request.prefetch is not None
    assert [one.name for one in request.execute.mboxes or ()] == ["hero"]
    assert request.prefetch.mboxes == []
    assert [one.id for one in request.notifications or ()] == ["n"]


def test_what_is_not_a_list_is_refused_even_where_items_are_dropped() -> None:
    for path in ("execute.mboxes", "notifications", "execute"):
        with pytest.raises(InvalidBody):
            check_request(put(VALID, path, "all"), SDK)
