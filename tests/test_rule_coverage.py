"""Every rule of the repository's, decisions' and profiles' specifications has a test, or a reason to have none."""

import pytest

from tests.rule_coverage import Document, expand, named_rules, read_documents, untested

DOCUMENTS = read_documents()


@pytest.mark.parametrize("document", DOCUMENTS, ids=[document.name for document in DOCUMENTS])
def test_every_rule_is_named_by_a_test_or_argued(document: Document) -> None:
    open_rules = [rule for rule in untested(document, named_rules()) if rule not in document.not_yet]
    assert not open_rules, f"no test names {document.name}: {' '.join(open_rules)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=[document.name for document in DOCUMENTS])
def test_the_list_of_rules_is_sound(document: Document) -> None:
    assert len(set(document.rules)) == len(document.rules)
    assert document.not_yet <= set(document.rules)
    assert set(document.argued) <= set(document.rules)
    assert all(reason for reason in document.argued.values())


def test_lists_and_runs_of_rules_are_read() -> None:
    assert expand("K3, K5-K7, ER1/ER2") == ["K3", "K5", "K6", "K7", "ER1", "ER2"]
