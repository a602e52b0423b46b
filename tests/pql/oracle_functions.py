"""What the functions do, for the tree walker."""

import math
import re
from typing import Any

from tests.pql.oracle_times import day
from tests.pql.oracle_values import (
    WrongError,
    any_text,
    identical,
    is_in,
    is_number,
    member,
    need_instant,
    need_whole,
    text,
    text_of,
    truth,
)

STAYING = ("realized", "existing")


class Functions:
    """Each method `call_…` is the function of that name, in lower case; `inputs` are those of the evaluation."""

    def __init__(self, inputs: dict[str, Any]) -> None:
        self.inputs = inputs

    def aggregate(self, name: str, values: list[Any]) -> Any:
        if name == "count":
            return len(values)
        if not values:
            return 0 if name == "sum" else None
        if not all(map(is_number, values)) and (
            name in {"sum", "average"} or not all(isinstance(v, str) for v in values)
        ):
            raise WrongError("not numbers")
        if name in {"min", "max"}:
            return (min if name == "min" else max)(values)
        total = sum(values)
        if not math.isfinite(total):
            raise WrongError("too large")
        return total if name == "sum" else total / len(values)

    def texts(self, receiver: Any, wanted: Any, sensitive: Any, test: Any) -> bool | None:
        if receiver is None or wanted is None:
            return None
        if not isinstance(sensitive, bool):
            raise WrongError("not a flag")
        fold = (lambda text: text) if sensitive else str.casefold
        sought = fold(text(wanted))
        return any_text(receiver, lambda text: test(fold(text), sought))

    def call_matches(self, receiver: Any, regex: Any) -> bool:
        if receiver is None or regex is None:
            return False
        return any_text(receiver, lambda given: re.search(text(regex), given, re.ASCII) is not None)

    def call_isnull(self, receiver: Any) -> bool:
        return receiver is None or receiver == []

    def call_isnotnull(self, receiver: Any) -> bool:
        return not self.call_isnull(receiver)

    def call_count(self, elements: list[Any], condition: Any = None) -> int:
        return len(elements) if condition is None else sum(truth(condition(element)) for element in elements)

    def values(self, elements: list[Any], item: Any) -> list[Any]:
        return [value for value in (map(item, elements) if item else elements) if value is not None]

    def call_sum(self, elements: list[Any], item: Any = None) -> Any:
        return self.aggregate("sum", self.values(elements, item))

    def call_average(self, elements: list[Any], item: Any = None) -> Any:
        return self.aggregate("average", self.values(elements, item))

    def call_min(self, elements: list[Any], item: Any = None) -> Any:
        return self.aggregate("min", self.values(elements, item))

    def call_max(self, elements: list[Any], item: Any = None) -> Any:
        return self.aggregate("max", self.values(elements, item))

    def call_includes(self, elements: list[Any], value: Any) -> bool:
        return value is not None and is_in(value, elements)

    def call_intersects(self, elements: list[Any], others: Any) -> bool:
        others = others if isinstance(others, list) else [others]
        return any(element is not None and is_in(element, others) for element in elements)

    def call_filter(self, elements: list[Any], condition: Any) -> list[Any]:
        return [element for element in elements if truth(condition(element))]

    def call_exists(self, elements: list[Any], condition: Any) -> bool:
        return any(truth(condition(element)) for element in elements)

    def call_map(self, elements: list[Any], item: Any) -> list[Any]:
        return [item(element) for element in elements]

    def ranked(self, elements: list[Any], item: Any, number: Any) -> list[tuple[Any, Any]]:
        values = [item(element) for element in elements]
        if need_whole(number) < 0:
            raise WrongError("negative")
        self.aggregate("max", [value for value in values if value is not None])
        return [pair for pair in zip(values, elements, strict=True) if pair[0] is not None]

    def call_topn(self, elements: list[Any], item: Any, number: Any) -> list[Any]:
        left, found = self.ranked(elements, item, number), []
        while left and len(found) < number:
            best = max(value for value, _ in left)
            found.append(left.pop(next(i for i, (value, _) in enumerate(left) if value == best))[1])
        return found

    def call_bottomn(self, elements: list[Any], item: Any, number: Any) -> list[Any]:
        left, found = self.ranked(elements, item, number), []
        while left and len(found) < number:
            best = min(value for value, _ in left)
            found.append(left.pop(next(i for i, (value, _) in enumerate(left) if value == best))[1])
        return found

    def call_groupby(self, elements: list[Any], item: Any) -> list[Any]:
        groups: list[tuple[Any, list[Any]]] = []
        for element in elements:
            value = item(element)
            group = next((found for key, found in groups if identical(key, value)), None)
            if group is None:
                groups.append((value, [element]))
            else:
                group.append(element)
        return [found for _, found in groups]

    def call_distinct(self, elements: list[Any]) -> list[Any]:
        found: list[Any] = []
        for element in elements:
            if not any(identical(element, other) for other in found):
                found.append(element)
        return found

    def call_intersection(self, elements: list[Any], others: Any) -> list[Any]:
        if others is None:
            return []
        others = others if isinstance(others, list) else [others]
        return self.call_distinct([element for element in elements if is_in(element, others)])

    def call_subsetof(self, elements: list[Any], others: Any) -> bool:
        if others is None:
            return False
        others = others if isinstance(others, list) else [others]
        return all(is_in(element, others) for element in elements)

    def call_supersetof(self, elements: list[Any], others: Any) -> bool:
        if others is None:
            return False
        return all(is_in(other, elements) for other in (others if isinstance(others, list) else [others]))

    def call_head(self, elements: list[Any]) -> Any:
        return elements[0] if elements else None

    def call_get(self, record: Any, key: Any) -> Any:
        if record is not None and not isinstance(record, dict):
            raise WrongError("not an object")
        return None if key is None or record is None else record.get(text(key))

    def call_keys(self, record: Any) -> list[Any]:
        if record is not None and not isinstance(record, dict):
            raise WrongError("not an object")
        return list(record or {})

    def call_getmonth(self, value: Any) -> Any:
        return None if value is None else need_instant(value).month

    def call_currentyear(self) -> int:
        return self.inputs["now"].year

    def call_values(self, record: Any) -> list[Any]:
        return [(record or {})[key] for key in self.call_keys(record)]

    def call_getyear(self, value: Any) -> Any:
        return None if value is None else need_instant(value).year

    def call_getdayofmonth(self, value: Any) -> Any:
        return None if value is None else need_instant(value).day

    def call_currentmonth(self) -> int:
        return self.inputs["now"].month

    def call_currentdayofmonth(self) -> int:
        return self.inputs["now"].day

    def call_regexgroup(self, receiver: Any, regex: Any, group: Any = 1) -> str | None:
        if receiver is None or regex is None:
            return None
        pattern = re.compile(text(regex), re.ASCII)
        if not 0 <= need_whole(group) <= pattern.groups:
            raise WrongError("no such group")
        match = pattern.search(text(receiver))
        return match[int(group)] if match else None

    def call_insegment(self, wanted: Any) -> bool:
        membership, segment = member(self.inputs["profile"], "segmentMembership"), text_of(wanted)
        if not isinstance(membership, dict) or segment is None:
            return False
        found = [segments.get(segment) for segments in membership.values() if isinstance(segments, dict)]
        return any(member(entry, "status") in STAYING for entry in found if isinstance(entry, dict))

    def call_date(self, *parts: Any) -> Any:
        if None in parts:
            return None
        try:
            return day(*map(need_whole, parts))
        except (ValueError, OverflowError):
            raise WrongError("not a date") from None


def text_test(test: Any, wanted: bool) -> Any:
    def call(self: Functions, receiver: Any, sought: Any, sensitive: Any = True) -> bool:
        return self.texts(receiver, sought, sensitive, test) is wanted

    return call


TESTS = {
    ("equals", "notequalto"): lambda given, sought: given == sought,
    ("startswith", "doesnotstartwith"): lambda given, sought: given[: len(sought)] == sought,
    ("endswith", "doesnotendwith"): lambda given, sought: given[max(0, len(given) - len(sought)) :] == sought,
    ("contains", "doesnotcontain"): lambda given, sought: sought in given,
}
for (positive, negative), holds in TESTS.items():
    setattr(Functions, f"call_{positive}", text_test(holds, True))
    setattr(Functions, f"call_{negative}", text_test(holds, False))


EACH = {"count", "sum", "average", "min", "max", "filter", "exists", "map", "topN", "bottomN", "groupBy"}
LISTS = EACH | {"includes", "intersects", "head", "distinct", "intersection", "subsetOf", "supersetOf"}
