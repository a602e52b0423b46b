"""Which offers activities could propose, before any profile is considered (dec §10)."""

from collections.abc import Sequence

from gateway.errors import Problem, Violation
from gateway.offers.catalog import Catalog, OfferActivity
from gateway.offers.instances import JsonObject
from gateway.offers.inventory import Entity

MOST_ACTIVITIES = 30


def list_candidates(catalog: Catalog, container_id: str, activity_ids: Sequence[str]) -> JsonObject:
    """Give the candidates of each activity in the order asked for, whatever the activity's status.

    Raises Problem 400 for none or more than 30 ids, 422 for those the container does not have.
    """
    if not 1 <= len(activity_ids) <= MOST_ACTIVITIES:
        detail = f"has to be given 1 to {MOST_ACTIVITIES} times and is given {len(activity_ids)} times"
        raise Problem(400, "invalid-parameter", f"the parameter activityId {detail}")
    activities = [catalog.activities.get(at_id) for at_id in activity_ids]
    faults = [
        Violation("activity-not-found", "", f"activityId number {at + 1} names no usable offer activity here")
        for at, activity in enumerate(activities)
        if not isinstance(activity, OfferActivity)
    ]
    if faults:
        raise Problem(422, "activity-not-found", faults[0].detail, violations=faults)
    found = [activity for activity in activities if isinstance(activity, OfferActivity)]
    return {"xdm:activityOffers": [_list(activity, container_id) for activity in found]}


def _list(activity: OfferActivity, container_id: str) -> JsonObject:
    offers = sorted((offer for offer, _ in activity.candidates()), key=lambda offer: (-offer.priority, offer.at_id))
    return {
        "xdm:offerActivity": link(activity, container_id),
        "xdm:offers": [link(offer, container_id) for offer in offers],
        "xdm:fallbackOffer": link(activity.fallback, container_id),
    }


def link(entity: Entity, container_id: str) -> JsonObject:
    """Give id, etag (a string here) and repository-relative link of an instance."""
    href = f"/{container_id}/instances/{entity.instance_id}"
    return {"@id": entity.at_id, "repo:etag": str(entity.revision), "_links": {"self": {"href": href}}}
