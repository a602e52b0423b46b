"""The paths of the Business Object Repository (spec repository §1). None names a type of object (U13)."""

from gateway.web import containers, deleting, entities
from gateway.web.hal import PREFIX
from gateway.web.rest import Area, Route

REPOSITORY = Area(
    PREFIX,
    (
        Route("", {"GET": containers.show_home}),
        Route("containers", {"GET": containers.list_containers, "POST": containers.create_container}),
        Route(
            "containers/{container}",
            {
                "GET": containers.read_container,
                "PUT": containers.replace_container,
                "PATCH": containers.patch_container,
                "DELETE": containers.delete_container,
            },
        ),
        Route("{container}/instances", {"GET": entities.list_instances, "POST": entities.create_instance}),
        Route(
            "{container}/instances/{instance}",
            {
                "GET": entities.read_instance,
                "PUT": entities.replace_instance,
                "PATCH": entities.patch_instance,
                "DELETE": entities.delete_instance,
            },
        ),
        Route("{container}/queries/core/search", {"GET": entities.search_instances}),
        Route("{container}/operations/{operation}", {"GET": deleting.read_operation}),
    ),
)
