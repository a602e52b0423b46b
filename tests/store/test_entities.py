"""Writing business objects on a real server: one script a write, whole or not at all (gw:R1, repo:Z2)."""

import asyncio

import pytest

from gateway.offers.instances import Conflict, Deleting, Missing, Refused, Saved, Space, Stale
from gateway.store.connection import Store
from gateway.store.entities import Entities
from tests.store.objects import SPACE, make_change, make_container, make_entities, make_operation, new_uuid

PLACEMENT, TAG, OFFER = "xcore:offer-placement:01", "xcore:tag:02", "xcore:personalized-offer:03"


@pytest.fixture
def entities(store: Store) -> Entities:
    return make_entities(store)


@pytest.fixture
async def container(entities: Entities) -> str:
    return await make_container(entities)


async def saved(entities: Entities, container: str, at_id: str, **facts: object) -> str:
    instance_id = new_uuid()
    verdict = await entities.save(SPACE, container, make_change(instance_id, at_id, **facts))
    assert isinstance(verdict, Saved)
    return instance_id


async def test_what_is_created_is_read_back(entities, container):
    change = make_change(new_uuid(), TAG)
    assert isinstance(await entities.save(SPACE, container, change), Saved)
    found = await entities.read(SPACE, container, change.instance_id)
    assert (found.instance_id, found.revision, found.document, found.operation) == (
        change.instance_id,
        1,
        change.document,
        "",
    )
    assert await entities.read_by_ids(SPACE, container, [TAG, "xcore:tag:none", TAG]) == {TAG: found}


async def test_each_write_is_the_next_revision_and_a_later_number_of_the_stream(entities, container):
    instance_id = await saved(entities, container, TAG)
    before = await entities.sequence(SPACE, container)
    verdict = await entities.save(SPACE, container, make_change(instance_id, TAG, revision=2))
    assert verdict.sequence > before
    assert verdict.sequence == await entities.sequence(SPACE, container)
    assert (await entities.read(SPACE, container, instance_id)).revision == 2


async def test_a_stale_revision_is_a_conflict_that_names_the_current_one(entities, container):
    """repo:Q4, Q11, Q12."""
    instance_id = await saved(entities, container, TAG)
    change = make_change(instance_id, TAG, revision=2)
    assert isinstance(await entities.save(SPACE, container, change), Saved)
    assert await entities.save(SPACE, container, change) == Conflict(2)
    assert await entities.save(SPACE, container, make_change(instance_id, TAG)) == Conflict(2)


async def test_an_unknown_instance_or_container_is_missing(entities, container):
    """repo:P1, Q9, Q14."""
    assert await entities.save(SPACE, container, make_change(new_uuid(), TAG, revision=2)) == Missing()
    assert await entities.save(SPACE, new_uuid(), make_change(new_uuid(), TAG)) == Missing()
    assert await entities.read(SPACE, container, new_uuid()) is None
    assert await entities.delete_now(SPACE, container, new_uuid(), None) == Missing()
    assert await entities.ask_delete(SPACE, container, None, make_operation(new_uuid())) == Missing()
    assert await entities.sequence(SPACE, new_uuid()) == 0


@pytest.mark.parametrize("hostile", ["", "{x}", "a b", "a:b", "x" * 65, "é", "../x", "\n"])
async def test_what_cannot_be_an_id_finds_nothing(entities, container, hostile):
    instance_id = await saved(entities, container, TAG)
    assert await entities.read(SPACE, hostile, instance_id) is None
    assert await entities.read(SPACE, container, hostile) is None
    assert await entities.read_by_ids(SPACE, container, [hostile]) == {}
    assert await entities.referrers(SPACE, container, hostile) == []
    assert await entities.save(SPACE, hostile, make_change(new_uuid(), TAG)) == Missing()
    assert await entities.read_operation(SPACE, container, hostile) is None
    assert await entities.changes(SPACE, hostile, 0) is None
    assert await entities.read_container(SPACE, hostile) is None
    assert [batch async for batch in entities.snapshot(SPACE, hostile)] == []


async def test_another_space_sees_nothing(entities, container):
    """repo:H12."""
    instance_id = await saved(entities, container, TAG)
    for other in (Space("TEST@AdobeOrg", "dev"), Space("OTHER@AdobeOrg", "prod"), Space("TEST@AdobeOrgp", "rod")):
        assert await entities.read(other, container, instance_id) is None
        assert await entities.read_container(other, container) is None
        assert await entities.list_containers(other) == []
        assert await entities.save(other, container, make_change(instance_id, TAG, revision=2)) == Missing()


async def test_a_container_is_not_one_of_its_instances(entities, container):
    assert await entities.read(SPACE, container, container) is None
    assert await entities.delete_now(SPACE, container, container, None) == Missing()
    assert await entities.ask_delete(SPACE, container, None, make_operation(container)) == Missing()


async def test_every_reference_must_exist_with_the_right_schema(entities, container):
    """repo:W5, K8: all faults at once, each with its pointer."""
    await saved(entities, container, TAG)
    await saved(entities, container, PLACEMENT, schema="offer-placement")
    references = ((TAG, "offer-placement"), (PLACEMENT, "offer-placement"), ("xcore:tag:none", "tag"), ("a b{}", "tag"))
    verdict = await entities.save(SPACE, container, make_change(new_uuid(), OFFER, references=references))
    assert verdict == Refused(
        (
            ("reference-wrong-schema", "/_instance/links/0"),
            ("reference-not-found", "/_instance/links/2"),
            ("reference-not-found", "/_instance/links/3"),
        )
    )


async def test_a_schema_further_up_satisfies_a_reference(entities, container):
    await saved(entities, container, OFFER, schema="personalized-offer")
    await saved(entities, container, "xcore:offer-filter:1", schema="offer-filter", references=((OFFER, "offer"),))


async def test_a_reference_into_another_container_is_not_found(entities, container):
    """repo:W5, N7."""
    await saved(entities, await make_container(entities), TAG)
    verdict = await entities.save(SPACE, container, make_change(new_uuid(), OFFER, references=((TAG, "tag"),)))
    assert verdict == Refused((("reference-not-found", "/_instance/links/0"),))


async def test_unchanged_references_are_checked_again(entities, container):
    """repo:W6: the target is being deleted meanwhile; the mark goes when it is refused."""
    target = await saved(entities, container, TAG)
    instance_id = await saved(entities, container, OFFER, references=((TAG, "tag"),))
    operation = make_operation(target)
    assert isinstance(await entities.ask_delete(SPACE, container, None, operation), Saved)
    again = make_change(instance_id, OFFER, revision=2, references=((TAG, "tag"),))
    assert await entities.save(SPACE, container, again) == Refused((("reference-deleting", "/_instance/links/0"),))
    assert (await entities.decide(SPACE, container, operation.operation_id)).state == "rejected"
    assert isinstance(await entities.save(SPACE, container, again), Saved)


async def test_referrers_follow_every_write(entities, container):
    """repo:W7: the reverse index changes in the same step."""
    other = "xcore:tag:05"
    await saved(entities, container, TAG)
    await saved(entities, container, other)
    instance_id = await saved(entities, container, OFFER, references=((TAG, "tag"), (TAG, "tag"), (other, "tag")))
    found = await entities.referrers(SPACE, container, TAG)
    assert [(one.at_id, one.instance_id, one.pointer) for one in found] == [
        (OFFER, instance_id, "/_instance/links/0"),
        (OFFER, instance_id, "/_instance/links/1"),
    ]
    assert await entities.referrers(SPACE, container, TAG, most=1) == found[:1]
    await entities.save(SPACE, container, make_change(instance_id, OFFER, revision=2, references=((other, "tag"),)))
    assert await entities.referrers(SPACE, container, TAG) == []
    assert len(await entities.referrers(SPACE, container, other)) == 1
    assert isinstance(await entities.delete_now(SPACE, container, instance_id, 2), Saved)
    assert await entities.referrers(SPACE, container, other) == []


async def test_thousands_of_references_are_checked_in_one_write(entities, container):
    targets = [f"xcore:tag:{number:04x}" for number in range(1201)]
    await asyncio.gather(*(saved(entities, container, target) for target in targets))
    references = (*((target, "tag") for target in targets), ("xcore:tag:none", "tag"))
    verdict = await entities.save(SPACE, container, make_change(new_uuid(), OFFER, references=references))
    assert verdict == Refused((("reference-not-found", "/_instance/links/1201"),))
    await saved(entities, container, OFFER, references=references[:-1])
    assert len(await entities.referrers(SPACE, container, targets[-1])) == 1


async def test_large_referrers_are_read_a_few_at_a_time(entities, container):
    """repo:W7, D4, gw:R1: Redis answers others between the steps, and nobody is left out."""
    targets = [f"xcore:tag:{number:04x}" for number in range(1500)]
    await asyncio.gather(*(saved(entities, container, target) for target in targets))
    references = tuple((target, "tag") for target in targets)
    for number in range(5):
        await saved(entities, container, f"xcore:personalized-offer:{number:04x}", references=references)
    found = await entities.referrers(SPACE, container, targets[7])
    assert [one.pointer for one in found] == ["/_instance/links/7"] * 5
    assert len({one.instance_id for one in found}) == 5
    target = (await entities.read_by_ids(SPACE, container, [targets[7]]))[targets[7]]
    operation = make_operation(target.instance_id)
    await entities.ask_delete(SPACE, container, None, operation)
    outcome = await entities.decide(SPACE, container, operation.operation_id)
    assert outcome.state == "rejected"
    assert 0 < len(outcome.referrers) < 5


async def test_a_unique_value_belongs_to_one_instance_of_a_schema(entities, container):
    """repo:W8, W10: it is free again after a rename or a delete; another schema may have the same."""
    first = await saved(entities, container, TAG, name="winter")
    await saved(entities, container, PLACEMENT, schema="offer-placement", name="winter")
    second = make_change(new_uuid(), "xcore:tag:09", name="winter")
    assert await entities.save(SPACE, container, second) == Refused((("name-not-unique", "/_instance/xdm:name"),))
    same = make_change(first, TAG, revision=2, name="winter")
    assert isinstance(await entities.save(SPACE, container, same), Saved)
    await entities.save(SPACE, container, make_change(first, TAG, revision=3, name="summer"))
    assert isinstance(await entities.save(SPACE, container, second), Saved)
    assert isinstance(await entities.delete_now(SPACE, container, second.instance_id, 1), Saved)
    assert isinstance(await entities.save(SPACE, container, make_change(first, TAG, revision=4, name="winter")), Saved)


async def test_of_concurrent_creates_with_one_name_one_wins(redis_url, entities, container):
    """repo:W10, over several connections."""
    changes = [make_change(new_uuid(), f"xcore:tag:{number}", name="winter") for number in range(20)]
    verdicts = await asyncio.gather(*(entities.save(SPACE, container, change) for change in changes))
    assert sum(isinstance(verdict, Saved) for verdict in verdicts) == 1
    assert verdicts.count(Refused((("name-not-unique", "/_instance/xdm:name"),))) == 19


async def test_references_and_names_that_fail_are_named_together(entities, container):
    await saved(entities, container, TAG, name="winter")
    change = make_change(new_uuid(), "xcore:tag:07", name="winter", references=(("xcore:tag:none", "tag"),))
    assert await entities.save(SPACE, container, change) == Refused(
        (("reference-not-found", "/_instance/links/0"), ("name-not-unique", "/_instance/xdm:name"))
    )
    assert await entities.read(SPACE, container, change.instance_id) is None


async def test_a_guard_that_moved_makes_a_change_stale(entities, container):
    guarded = await saved(entities, container, PLACEMENT, schema="offer-placement")
    good = make_change(new_uuid(), OFFER, guards=((PLACEMENT, 1),))
    assert isinstance(await entities.save(SPACE, container, good), Saved)
    await entities.save(SPACE, container, make_change(guarded, PLACEMENT, schema="offer-placement", revision=2))
    for guard in ((PLACEMENT, 1), ("xcore:tag:none", 1)):
        late = make_change(new_uuid(), "xcore:tag:08", guards=(guard,))
        assert await entities.save(SPACE, container, late) == Stale()


async def test_a_guarded_sequence_that_moved_makes_a_change_stale(entities, container):
    sequence = await entities.sequence(SPACE, container)
    good = make_change(new_uuid(), OFFER, guard_sequence=sequence)
    assert isinstance(await entities.save(SPACE, container, good), Saved)
    late = make_change(new_uuid(), TAG, guard_sequence=sequence)
    assert await entities.save(SPACE, container, late) == Stale()


async def test_an_at_id_belongs_to_one_instance_and_never_changes(entities, container):
    """repo:E2, W2."""
    instance_id = await saved(entities, container, TAG)
    assert await entities.save(SPACE, container, make_change(new_uuid(), TAG)) == Conflict(1)
    assert await entities.save(SPACE, container, make_change(instance_id, "xcore:tag:77", revision=2)) == Conflict(1)


async def test_of_200_concurrent_writers_each_revision_has_one(redis_url, entities, container):
    """repo:Q11: successes equal the final revision minus one, all others are conflicts."""
    instance_id = await saved(entities, container, TAG)

    async def write() -> list[object]:
        seen = await entities.read(SPACE, container, instance_id)
        change = make_change(instance_id, TAG, revision=seen.revision + 1)
        return await entities.save(SPACE, container, change)

    verdicts = await asyncio.gather(*(write() for _ in range(200)), *(write() for _ in range(200)))
    verdicts += [await write()]
    final = await entities.read(SPACE, container, instance_id)
    assert sum(isinstance(verdict, Saved) for verdict in verdicts) == final.revision - 1
    assert sum(isinstance(verdict, Conflict) for verdict in verdicts) == 401 - (final.revision - 1)


async def test_a_write_id_gives_its_verdict_again_and_writes_once(entities, container):
    change = make_change(new_uuid(), TAG, name="winter")
    first = await entities.save(SPACE, container, change, "write-1")
    assert await entities.save(SPACE, container, change, "write-1") == first
    assert await entities.save(SPACE, container, change, "write-2") == Conflict(1)
    other = make_change(new_uuid(), "xcore:tag:10", name="winter")
    refused = await entities.save(SPACE, container, other, "write-3")
    assert isinstance(refused, Refused)
    gone = await entities.delete_now(SPACE, container, change.instance_id, 1, "write-4")
    assert await entities.delete_now(SPACE, container, change.instance_id, 1, "write-4") == gone
    assert await entities.save(SPACE, container, other, "write-3") == refused
    assert len(await entities.changes(SPACE, container, first.sequence)) == 1


async def test_verdicts_are_forgotten_some_time_later(store, entities, container):
    await entities.save(SPACE, container, make_change(new_uuid(), TAG), "write-1")
    (key,) = await store.call("KEYS", "*:write:write-1")
    assert 240 < await store.call("TTL", key) <= 300


async def test_no_key_holds_a_name_of_an_organization_or_sandbox(store, entities, container):
    """gw:S6."""
    operation = make_operation(await saved(entities, container, TAG))
    await entities.ask_delete(SPACE, container, None, operation)
    keys = b" ".join(await store.call("KEYS", "*"))
    assert container.encode() in keys
    assert b"TEST" not in keys
    assert b"prod" not in keys


async def test_an_import_keeps_revision_and_document_and_can_be_repeated(entities, container):
    change = make_change(new_uuid(), TAG, revision=7, name="winter")
    assert isinstance(await entities.import_instance(SPACE, container, change), Saved)
    before = await entities.sequence(SPACE, container)
    assert await entities.import_instance(SPACE, container, change) == Saved(before)
    assert await entities.sequence(SPACE, container) == before
    found = await entities.read(SPACE, container, change.instance_id)
    assert (found.revision, found.document) == (7, change.document)


async def test_an_import_never_takes_an_instance_back(entities, container):
    instance_id = new_uuid()
    await entities.import_instance(SPACE, container, make_change(instance_id, TAG, revision=7))
    for revision in (6, 7):
        older = make_change(instance_id, TAG, revision=revision, note="other")
        assert await entities.import_instance(SPACE, container, older) == Conflict(7)
    newer = make_change(instance_id, TAG, revision=9)
    assert isinstance(await entities.import_instance(SPACE, container, newer), Saved)
    assert (await entities.read(SPACE, container, instance_id)).revision == 9


async def test_an_import_is_checked_like_any_write(entities, container):
    change = make_change(new_uuid(), OFFER, revision=3, references=((TAG, "tag"),))
    assert await entities.import_instance(SPACE, container, change) == Refused(
        (("reference-not-found", "/_instance/links/0"),)
    )
    await saved(entities, container, TAG)
    assert isinstance(await entities.import_instance(SPACE, container, change), Saved)


async def test_a_write_while_its_instance_is_being_deleted_is_told_so(entities, container):
    """repo:D5."""
    instance_id = await saved(entities, container, TAG)
    operation = make_operation(instance_id)
    await entities.ask_delete(SPACE, container, 1, operation)
    under_way = Deleting(operation.operation_id)
    assert await entities.save(SPACE, container, make_change(instance_id, TAG, revision=2)) == under_way
    assert await entities.import_instance(SPACE, container, make_change(instance_id, TAG, revision=9)) == under_way
    assert await entities.delete_now(SPACE, container, instance_id, None) == under_way
    assert (await entities.read(SPACE, container, instance_id)).operation == operation.operation_id


async def test_deleting_at_once_takes_everything_away(store, entities, container):
    """repo:D1, D6, D9."""
    instance_id = await saved(entities, container, TAG, name="winter")
    assert await entities.delete_now(SPACE, container, instance_id, 2) == Conflict(1)
    assert isinstance(await entities.delete_now(SPACE, container, instance_id, 1), Saved)
    assert await entities.read(SPACE, container, instance_id) is None
    assert await entities.read_by_ids(SPACE, container, [TAG]) == {}
    left = {key.rpartition(b":")[2] for key in await store.call("KEYS", f"*{container}*") if b":write:" not in key}
    assert left == {b"documents", b"records", b"changes"}, "those of the container itself"


async def test_what_is_referred_to_is_not_deleted_at_once(entities, container):
    instance_id = await saved(entities, container, TAG)
    await saved(entities, container, OFFER, references=((TAG, "tag"),))
    assert await entities.delete_now(SPACE, container, instance_id, None) == Refused((("still-referenced", ""),))
