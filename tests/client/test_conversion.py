"""Objects to JSON and back."""

from typing import Any, ClassVar

import msgspec
import pytest

from gateway.client import models
from gateway.client.conversion import to_json, to_objects
from gateway.client.models.requests import Model
from gateway.errors import InvalidBody, UpstreamGarbled
from tests.client.options import ask_for

MODELS = [value for value in vars(models).values() if isinstance(value, type) and issubclass(value, Model)]


class Generated:
    """An object as generated API clients make them."""

    attribute_map: ClassVar = {"tnt_id": "tntId", "customer_ids": "customerIds"}

    def __init__(self, tnt_id: Any = None, customer_ids: Any = None) -> None:
        self.tnt_id, self.customer_ids = tnt_id, customer_ids


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ask_for("a"), {"context": {"channel": "web"}, "execute": {"mboxes": [{"name": "a", "index": 1}]}}),
        (models.ChannelType.WEB, "web"),
        (Generated("a", [Generated("b")]), {"tntId": "a", "customerIds": [{"tntId": "b"}]}),
        ({"a": (1, 2.5, None, True)}, {"a": [1, 2.5, None, True]}),
        (models.DeliveryRequest(_property=models.ModelProperty(token="p")), {"property": {"token": "p"}}),
        (models.Browser(web_gl_renderer="x"), {"webGLRenderer": "x"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_describes_itself_becomes_json(value: Any, expected: Any) -> None:
    found = to_json(value)
    assert found == expected
    assert msgspec.json.decode(msgspec.json.encode(found)) == expected


def test_what_was_given_is_not_shared() -> None:
    given = {"a": {"b": [1]}}
    to_json(given)["a"]["b"].append(2)
    assert given == {"a": {"b": [1]}}


def test_a_circle_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    with pytest.raises(InvalidBody, match="64 levels"):
        to_json(circle)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_can_be_made_empty_and_describes_itself(model: type[Model]) -> None:
    made = model()
    assert to_json(made) == {}
    assert set(made.to_dict()) == set(made.attribute_map) == set(made.openapi_types)
    assert set(made.to_dict().values()) <= {None}


def test_an_answer_that_is_none_is_garbled() -> None:
    with pytest.raises(UpstreamGarbled):
        to_objects({"request": {}, "response": {"execute": 5}})
