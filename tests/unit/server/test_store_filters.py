from __future__ import annotations

import re

import pytest

from server.db.store_filters import MAX_CONDITIONS, conditions

HOSTILE = ["a' OR '1'='1", "'; DROP TABLE store; --", "%s", "%(a)s", "{}", "\\", '"', "a.b", "$x", "", "ü\n"]


@pytest.mark.parametrize("text", HOSTILE)
def test_neither_keys_nor_values_become_sql(text: str) -> None:
    harmless = {"name": {"inner": "value"}, "other": {"$gt": 1}, "list": ["value", {"inner": "value"}]}
    hostile = {f"k{text}": {f"k{text}": text}, f"o{text}": {"$gt": 1}, f"l{text}": [text, {f"k{text}": text}]}
    assert [c.sql for c in conditions(hostile, compare_texts=True)] == [
        c.sql for c in conditions(harmless, compare_texts=True)
    ]


@pytest.mark.parametrize(
    "wanted",
    [
        {"a": 1},
        {"a": {"$eq": None}},
        {"a": {"$gte": 1, "$lt": "2"}},
        {"a": {"b": {"c": [1, {"d": 2}]}}},
        {"a": {}},
        {"a": {"$gt": "2026-01-01"}},
    ],
)
def test_each_place_in_the_sql_has_its_value(wanted: dict[str, object]) -> None:
    for condition in conditions(wanted, compare_texts=True):
        assert len(re.findall("%s", condition.sql)) == len(condition.values)
        assert "%" not in condition.sql.replace("%s", "")


@pytest.mark.parametrize("operator", ["$in", "$or", "$", "$gt; --", "$GT"])
def test_an_unknown_operator_is_refused(operator: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"Unsupported operator: {operator}")):
        conditions({"a": {operator: 1}}, compare_texts=True)


@pytest.mark.parametrize("operand", [None, [1], {"a": 1}])
def test_an_operand_without_order_is_refused(operand: object) -> None:
    with pytest.raises(ValueError, match="float"):
        conditions({"a": {"$gt": operand}}, compare_texts=True)


@pytest.mark.parametrize("operand", ["nan", "inf", "-Infinity", float("nan")])
def test_what_is_not_finite_has_no_order(operand: object) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        conditions({"a": {"$gt": operand}}, compare_texts=False)


def test_texts_are_ordered_only_where_that_is_wanted() -> None:
    assert conditions({"a": {"$gt": "x"}}, compare_texts=True)[0].values[-1] == "x"
    with pytest.raises(ValueError, match="could not convert string to float: 'x'"):
        conditions({"a": {"$gt": "x"}}, compare_texts=False)


def test_a_filter_has_a_bound() -> None:
    assert len(conditions({str(n): n for n in range(MAX_CONDITIONS)}, compare_texts=False)) == MAX_CONDITIONS
    with pytest.raises(ValueError, match="more than 500"):
        conditions({str(n): n for n in range(MAX_CONDITIONS + 1)}, compare_texts=False)
