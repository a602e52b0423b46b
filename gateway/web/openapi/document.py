"""The whole OpenAPI 3.1 document."""

from gateway import __version__
from gateway.offers.instances import JsonObject
from gateway.offers.registry import Registry
from gateway.web.openapi.decisions import describe_decisions
from gateway.web.openapi.delivery import describe_delivery
from gateway.web.openapi.profiles import describe_profiles
from gateway.web.openapi.repository import describe_repository

SECTIONS = (
    lambda _registry: describe_delivery(),
    describe_repository,
    describe_decisions,
    lambda _registry: describe_profiles(),
)
"""What gives a section of a registry of entity types; later families are added here."""


def make_document(registry: Registry, url: str) -> JsonObject:
    """Give the document; `url` is where the public listener can be reached."""
    sections = [describe(registry) for describe in SECTIONS]
    components: dict[str, JsonObject] = {}
    paths: JsonObject = {}
    for section in sections:
        paths |= section.paths
        for kind, entries in section.components.items():
            components.setdefault(kind, {}).update(entries)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Decisioning gateway", "version": __version__},
        "servers": [{"url": url}],
        "tags": [{"name": section.name, "description": section.about} for section in sections],
        "paths": paths,
        "components": components,
    }
