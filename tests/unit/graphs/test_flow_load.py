"""Flows read: what is taken as what, every mistake with its line, and what no parser may be talked into."""

import json
from typing import Any

import pytest

from graphs.flows.faults import FlowErrors
from graphs.flows.load import flow_from, load_flow
from graphs.flows.reading import MAX_NODES, read_document
from graphs.flows.text import MAX_BYTES
from state.flows import FlowSpec

GOOD = """
flow_id: two-steps
version: "2.0"
description:
nodes:
  - id: first
    agent_id: researcher
    config: {timeout: 30, prompt: "${query}", on: yes}
  - {id: second, capability: writing, depends_on: [first]}
entry_point: first
exit_points: second
"""


def test_a_flow_is_read_with_the_place_of_everything() -> None:
    loaded = load_flow(GOOD, "two.yaml")
    assert loaded.spec.nodes[1].depends_on == ("first",) and loaded.spec.exit_points == ("second",)
    assert loaded.spec.description == "", "a key without a value counts as left out"
    assert loaded.spec.nodes[0].config == {"timeout": 30, "prompt": "${query}", "on": "yes"}
    assert str(loaded.positions.fault(("nodes", 1, "capability"), "x")) == "two.yaml:9:30: x"
    assert str(loaded.positions.fault(("nodes", 1, "capability"), "x", key=True)) == "two.yaml:9:18: x"
    assert str(loaded.positions.fault(("nodes", 0, "agent_id", 7), "x")) == "two.yaml:7:15: x"


def test_json_and_yaml_give_the_same_flow() -> None:
    spec = load_flow(GOOD).spec
    data = spec.model_dump(mode="json")
    data["description"] = "tabs\tand pairs 😀"
    for indent in (None, 2, "\t"):
        for ascii_only in (True, False):
            text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
            assert load_flow(text).spec == FlowSpec.model_validate(data)
    assert flow_from(data) == FlowSpec.model_validate(data)


SCALARS = {
    "yes": "yes",
    "on": "on",
    "true": True,
    "False": False,
    "~": None,
    "": None,
    "2024-01-01": "2024-01-01",
    "12:30:00": "12:30:00",
    "010": "010",
    "0x10": "0x10",
    "1_000": "1_000",
    "1e3": 1000.0,
    ".5": 0.5,
    "-7": -7,
    ".inf": ".inf",
    ".nan": ".nan",
    "=": "=",
    "'1'": "1",
    ">-\n  a\n  b": "a b",
}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_are_those_of_json(text: str) -> None:
    value = read_document(f"a: {text}", "f").data["a"]
    assert value == SCALARS[text] and type(value) is type(SCALARS[text])


MISTAKES = {
    "unknown keys with what was meant": (
        GOOD.replace("depends_on", "depend_on").replace("version", "verson"),
        [
            "f.yaml:3:1: unknown key 'verson', did you mean version?; known: flow_id, name, description, version, "
            "nodes, entry_point, exit_points, metadata",
            "f.yaml:9:39: unknown key 'depend_on', did you mean depends_on?; known: id, type, name, agent_id, "
            "capability, depends_on, config",
        ],
    ),
    "what is missing": (
        "nodes: [{}]",
        [
            "f.yaml:1:1: the flow needs the key 'flow_id'",
            "f.yaml:1:1: the flow needs the key 'entry_point'",
            "f.yaml:1:1: the flow needs the key 'exit_points'",
            "f.yaml:1:9: node 1 needs the key 'id'",
        ],
    ),
    "wrong types": (
        GOOD.replace('"2.0"', "[2]").replace("[first]", "first").replace("entry_point: first", "entry_point: [first]"),
        [
            "f.yaml:3:10: version must be a text, not a list",
            "f.yaml:9:51: depends_on must be a list, not the text 'first'; write [first]",
            "f.yaml:10:14: entry_point must be a text, not a list",
        ],
    ),
    "ids": (
        GOOD.replace("id: first", "id: a b"),
        [
            "f.yaml:6:9: id: 'a b' is not taken; write letters, digits, _, - and ., at most 64, the first a letter or "
            "a digit"
        ],
    ),
    "sizes": (
        GOOD.replace("two-steps", "x")
        .replace("description:", f"description: {'d' * 2001}")
        .replace("second\n", "[]\n"),
        [
            "f.yaml:4:14: description has 2001 characters; at most 2000 are taken",
            "f.yaml:11:14: exit_points has 0 entries; at least 1 are taken",
        ],
    ),
    "no mapping": ("- a", ["f.yaml:1:1: must be a mapping with the keys flow_id, name"]),
    "a node that is none": (
        GOOD.replace("- {id: second, capability: writing, depends_on: [first]}", "- 3"),
        ["f.yaml:9:5: must be a mapping with the keys id, type"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_told_with_its_place(name: str) -> None:
    text, told = MISTAKES[name]
    with pytest.raises(FlowErrors) as refused:
        load_flow(text, "f.yaml")
    lines = str(refused.value).split("\n")
    assert len(lines) == len(told)
    for line, expected in zip(lines, told, strict=True):
        assert line.startswith(expected)


DANGEROUS = {
    "an object of Python": (
        "!!python/object/apply:os.system ['true']",
        "the tag tag:yaml.org,2002:python/object/apply",
    ),
    "a module of Python": ("a: !!python/module:antigravity x", "the tag tag:yaml.org,2002:python/module"),
    "a tag of ours": ("a: !include other.yaml", "f:1:4: the tag !include is not taken"),
    "a plain tag": ("a: !!str 5", "the tag tag:yaml.org,2002:str is not taken"),
    "a tag by its URI": ("a: !<tag:x,2000:y> 5", "the tag tag:x,2000:y is not taken"),
    "an anchor": ("a: &x 5", "f:1:4: the anchor &x is not taken"),
    "laughs by the billion": (
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]",
        "f:2:8: the alias *a is not taken",
    ),
    "a mapping in itself": ("&a {b: *a}", "the alias *a"),
    "a merge": ("a: {<<: {b: 1}}", "f:1:5: the merge key << is not taken"),
    "a key twice": ("a: 1\nb: 2\na: 3", "f:3:1: the key 'a' stands here a second time"),
    "a key twice, written otherwise": ("a: 1\n'a': 3", "f:2:1: the key 'a' stands here a second time"),
    "a list as a key": ("? [a]\n: 1", "f:1:3: a key must be a text"),
    "a mapping as a key": ("{{a: 1}: 2}", "a key must be a text"),
    "several documents": ("a: 1\n---\nb: 2", "f:3:1: a second document begins"),
    "nothing": ("", "f: it is empty"),
    "a comment": ("# nothing", "f: it is empty"),
    "deep lists": ("[" * 100_000, "f:1:21: nested deeper than 20"),
    "deep blocks": ("- " * 50_000, "nested deeper than 20"),
    "deep mappings": ("{a: " * 50_000, "nested deeper than 20"),
    "many values": ("- 1\n" * 20_000, f"more than {MAX_NODES} values"),
    "many bytes": ("é" * (MAX_BYTES // 2 + 1), f"larger than {MAX_BYTES} bytes"),
    "a huge whole number": ("a: " + "9" * 5_000, "is too large for a whole number"),
    "the first whole number that is too large": (f"a: {2**63}", "is too large for a whole number"),
    "a huge number": ("a: 1e999", "1e999 is too large for a number"),
    "NUL": ("a: \0", "f:1:4: the character U+0000 cannot be read"),
    "NUL as an escape": ('a: "\\0"', "holds the character U+0000, which cannot be kept"),
    "NUL in JSON": ('{"a": "\\u0000"}', "holds the character U+0000, which cannot be kept"),
    "half a surrogate pair": ("a: \ud800", "the character U+D800 cannot be read"),
    "half a surrogate pair in JSON": ('{"a": "\\ud800"}', "f:1:10: this is no YAML"),
    "an escape sequence": ("a: \x1b[31m", "the character U+001B cannot be read"),
    "not closed": ("{a: 1", "f:2:1: this is no YAML: while parsing a flow mapping"),
    "a tab": ("a:\n\tb: 1", "f:2:1: this is no YAML"),
    "names of tags": ("# x\n%TAG ! tag:x,2002:\n--- a", "f:2:1: the directive %TAG is not taken"),
    "a later YAML": ("%YAML 3.0\n--- a", "f:1:1: this is no YAML"),
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_is_not_plain_data_is_refused(name: str) -> None:
    text, told = DANGEROUS[name]
    with pytest.raises(FlowErrors) as refused:
        read_document(text, "f")
    assert told in str(refused.value)
    assert refused.value.status == 422 and refused.value.exit_code == 2


def test_what_was_written_is_shown_short_and_without_control_characters() -> None:
    data: dict[Any, Any] = {"flow_id": "x\x1b[31m" + "y" * 500, "nodes": [], "entry_point": "a", "exit_points": ["a"]}
    with pytest.raises(FlowErrors) as refused:
        flow_from(data)
    message = str(refused.value)
    assert "\x1b" not in message and len(message) < 400
    assert message.startswith("flow_id: 'x�[31myyy")
