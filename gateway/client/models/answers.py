"""The objects of a delivery response, by the names that Adobe's SDK for Python has (spec delivery-api §7)."""

from typing import Any

from gateway.client.models.requests import Model, VisitorId


class Action(Model, kw_only=True, rename="camel"):
    """One change to a page."""

    type: str | None = None
    selector: str | None = None
    css_selector: str | None = None
    content: Any = None


class AnalyticsPayload(Model, kw_only=True, rename="camel"):
    """What is sent to Analytics unchanged."""

    pe: str | None = None
    tnta: str | None = None


class AnalyticsResponse(Model, kw_only=True, rename="camel"):
    """The Analytics hit of an item, for client-side logging."""

    payload: AnalyticsPayload | None = None


class Option(Model, kw_only=True, rename="camel"):
    """One piece of content."""

    type: str | None = None
    content: Any = None
    event_token: str | None = None
    response_tokens: dict[str, Any] | None = None


class Metric(Model, kw_only=True, rename="camel"):
    """What is to be told when it happens."""

    type: str | None = None
    selector: str | None = None
    event_token: str | None = None
    analytics: AnalyticsResponse | None = None


class PageLoadResponse(Model, kw_only=True, rename="camel"):
    """What was decided for the page."""

    options: list[Option] | None = None
    metrics: list[Metric] | None = None
    analytics: AnalyticsResponse | None = None
    state: str | None = None
    trace: dict[str, Any] | None = None


class MboxResponse(Model, kw_only=True, rename="camel"):
    """What was decided for one mbox; without options it is default content."""

    index: int | float | None = None
    name: str | None = None
    options: list[Option] | None = None
    metrics: list[Metric] | None = None
    analytics: AnalyticsResponse | None = None
    trace: dict[str, Any] | None = None


class PrefetchMboxResponse(MboxResponse, kw_only=True, rename="camel"):
    """What was decided for a mbox that is displayed later."""

    state: str | None = None


class View(Model, kw_only=True, rename="camel"):
    """What was decided for one view."""

    name: str | None = None
    key: str | None = None
    options: list[Option] | None = None
    metrics: list[Metric] | None = None
    analytics: AnalyticsResponse | None = None
    state: str | None = None
    trace: dict[str, Any] | None = None


class ExecuteResponse(Model, kw_only=True, rename="camel"):
    """What was decided and counted."""

    page_load: PageLoadResponse | None = None
    mboxes: list[MboxResponse] | None = None


class PrefetchResponse(Model, kw_only=True, rename="camel"):
    """What was decided and is counted when it is displayed."""

    views: list[View] | None = None
    page_load: PageLoadResponse | None = None
    mboxes: list[PrefetchMboxResponse] | None = None
    metrics: list[Metric] | None = None


class NotificationResponse(Model, kw_only=True, rename="camel"):
    """One notification that was processed."""

    id: str | None = None
    trace: dict[str, Any] | None = None


class DeliveryResponse(Model, kw_only=True, rename="camel"):
    """One delivery response; `status` is 206 where something is missing."""

    status: int | None = None
    request_id: str | None = None
    id: VisitorId | None = None
    client: str | None = None
    edge_host: str | None = None
    execute: ExecuteResponse | None = None
    prefetch: PrefetchResponse | None = None
    notifications: list[NotificationResponse] | None = None
    telemetry_server_token: str | None = None
