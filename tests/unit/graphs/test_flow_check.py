"""A flow held against itself and against what there is: each mistake with its line and what would be accepted."""

import pytest

from graphs.flows.check import Known, check_flow, checked
from graphs.flows.faults import FlowErrors
from graphs.flows.load import load_flow
from graphs.flows.order import ancestors, cycles, supersteps

KNOWN = Known(
    agents={"researcher", "writer"}, capabilities={"research", "writing"}, tools={"calculator", "text_statistics"}
)
HEAD = "flow_id: f\nentry_point: a\nexit_points: [z]\nnodes:\n"
A = "  - {id: a, agent_id: writer}\n"
Z = "  - {id: z, agent_id: writer, depends_on: [a]}\n"


def faults(text: str, known: Known = KNOWN) -> list[str]:
    loaded = load_flow(text, "f.yaml")
    return [str(fault) for fault in check_flow(loaded.spec, known, loaded.positions)]


GOOD = {
    "two steps": HEAD + A + Z,
    "a capability": HEAD + A + "  - {id: z, capability: research, depends_on: [a]}",
    "a diamond": HEAD
    + A
    + "  - {id: b, agent_id: writer, depends_on: [a]}\n"
    + "  - {id: c, agent_id: writer, depends_on: [a]}\n"
    + "  - {id: z, agent_id: writer, depends_on: [b, c], config: {prompt: '${b.x.0} ${c} ${input.k} ${previous}'}}",
    "an exit that others use": HEAD.replace("[z]", "[a, z]") + A + Z,
    "one step": HEAD.replace("[z]", "[a]") + A,
    "a human": HEAD + A + "  - {id: z, type: human, depends_on: [a], config: {question: '${a}?', choices: [y, n]}}",
    "a tool": HEAD
    + A
    + "  - {id: z, type: tool, depends_on: [a], config: {tool: calculator, input: {expression: '${a}'}}}",
    "settings": HEAD
    + A
    + "  - {id: z, agent_id: writer, depends_on: [a], config: {timeout: 0.5, attempts: 10, own: [1]}}",
    "an escaped reference": HEAD
    + "  - {id: a, agent_id: writer, config: {prompt: '$${HOME} ${query} ${input.x:-y}'}}\n"
    + Z,
    "what is not filled is not looked at": HEAD + "  - {id: a, agent_id: writer, config: {note: '${nothing}'}}\n" + Z,
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_flow_has_no_faults(name: str) -> None:
    assert faults(GOOD[name]) == []


MISTAKES = {
    "an unknown dependency": (
        HEAD + "  - {id: research, agent_id: writer}\n  - {id: z, agent_id: writer, depends_on: [reserch]}\n",
        [
            "f.yaml:2:14: entry_point 'a' is not a node; nodes are: research, z",
            "f.yaml:6:44: node 'z' depends on 'reserch', which is not a node, did you mean research?; "
            "nodes are: research, z",
        ],
    ),
    "a cycle": (
        HEAD
        + A
        + "  - {id: b, agent_id: writer, depends_on: [a, z]}\n  - {id: c, agent_id: writer, depends_on: [b]}\n"
        + "  - {id: z, agent_id: writer, depends_on: [c]}\n",
        ["f.yaml:6:47: the nodes wait for each other: z → c → b → z; take one of these dependencies away"],
    ),
    "a step that waits for itself": (
        HEAD + A + "  - {id: z, agent_id: writer, depends_on: [a, z]}\n",
        ["f.yaml:6:47: node 'z' depends on itself"],
    ),
    "ids": (
        HEAD + A + Z + Z + "  - {id: finish, agent_id: writer, depends_on: [z]}\n",
        [
            "f.yaml:7:10: there is a node 'z' already; give each its own id",
            "f.yaml:8:10: no node can be called 'finish'; taken are: aggregate, begin, client, decide, end, finish, "
            "input, previous, query",
        ],
    ),
    "types": (
        HEAD + A + "  - {id: z, type: agnet, agent_id: writer, depends_on: [a]}\n",
        ["f.yaml:6:19: there is no type 'agnet', did you mean agent?; types are: agent, human, tool"],
    ),
    "who answers": (
        HEAD
        + "  - {id: a}\n  - {id: b, agent_id: writer, capability: research, depends_on: [a]}\n"
        + "  - {id: c, agent_id: wrier, depends_on: [b]}\n  - {id: d, capability: writin, depends_on: [c]}\n"
        + "  - {id: z, type: human, agent_id: writer, depends_on: [d]}\n",
        [
            "f.yaml:5:5: node 'a' needs agent_id, a registered agent, or capability, what any agent that has it is "
            "asked for",
            "f.yaml:6:31: node 'b' has agent_id and capability; leave one of them out",
            "f.yaml:7:23: there is no agent 'wrier', did you mean writer?; agents are: researcher, writer",
            "f.yaml:8:25: there is no agent with the capability 'writin', did you mean writing?; capabilities are: "
            "research, writing",
            "f.yaml:9:26: a node of type human has no agent_id; leave it out",
        ],
    ),
    "entry and exits": (
        HEAD.replace("a\n", "z\n").replace("[z]", "[z, y, z]") + A + Z,
        [
            "f.yaml:2:14: entry_point 'z' depends on a; nothing can come before the first node",
            "f.yaml:3:18: exit point 'y' is not a node; nodes are: a, z",
            "f.yaml:3:21: exit point 'z' stands here twice",
            "f.yaml:5:10: nothing leads to node 'a' from the entry point 'z'; give it depends_on",
        ],
    ),
    "what nothing leads to, and what leads nowhere": (
        HEAD + A + Z + "  - {id: loose, agent_id: writer}\n  - {id: end-less, agent_id: writer, depends_on: [a, a]}\n",
        [
            "f.yaml:7:10: nothing leads to node 'loose' from the entry point 'a'; give it depends_on",
            "f.yaml:8:54: node 'end-less' depends on 'a' twice",
        ],
    ),
    "settings": (
        HEAD
        + "  - {id: a, agent_id: writer, config: {timeout: 0, attempts: 11, prompt: [x], input: x}}\n"
        + "  - {id: z, agent_id: writer, depends_on: [a], config: {timeout: soon, attempts: true}}\n",
        [
            "f.yaml:5:49: timeout must be seconds above 0, at most 86400, not the number 0",
            "f.yaml:5:62: attempts must be a whole number from 1 to 10, not the number 11",
            "f.yaml:5:74: prompt must be a text, not a list",
            "f.yaml:5:86: input must be a mapping of names to values, not the text 'x'",
            "f.yaml:6:66: timeout must be seconds above 0, at most 86400, not the text 'soon'",
            "f.yaml:6:82: attempts must be a whole number from 1 to 10, not the truth value true",
        ],
    ),
    "references": (
        HEAD
        + "  - {id: a, agent_id: writer, config: {prompt: '${z} ${previous} ${a}'}}\n"
        + "  - {id: b, agent_id: writer, depends_on: [a]}\n"
        + "  - {id: z, agent_id: writer, depends_on: [a], config: {input: {x: ['${b.y}', '${reserch} ${']}}}\n",
        [
            "f.yaml:5:48: ${z}: node 'z' does not end before 'a' begins; add it to depends_on; here can stand: "
            "query, input",
            "f.yaml:5:48: ${previous}: nothing comes before node 'a'; here can stand: query, input",
            "f.yaml:5:48: ${a}: node 'a' cannot refer to itself; here can stand: query, input",
            "f.yaml:7:69: ${b.y}: node 'b' does not end before 'z' begins; add it to depends_on; here can stand: "
            "query, input, previous, a",
            "f.yaml:7:79: ${reserch}: there is no 'reserch'; here can stand: query, input, previous, a",
            "f.yaml:7:79: '${' is no reference; write $${ for the characters themselves",
        ],
    ),
    "humans and tools": (
        HEAD
        + A
        + "  - {id: b, type: human, depends_on: [a], config: {question: 3, choices: [], qestion: x}}\n"
        + "  - {id: c, type: tool, depends_on: [b], config: {tool: calculater, input: x}}\n"
        + "  - {id: z, type: tool, depends_on: [c]}\n",
        [
            "f.yaml:6:62: node 'b': question must be a text",
            "f.yaml:6:74: node 'b': choices must be a list of 1 to 20 texts",
            "f.yaml:6:87: node 'b': unknown key 'qestion', did you mean question?; known: question, choices, timeout, "
            "attempts",
            "f.yaml:7:57: node 'c': there is no tool 'calculater', did you mean calculator?; tools are: calculator, "
            "text_statistics",
            "f.yaml:7:76: node 'c': input must be a mapping of the tool's arguments",
            "f.yaml:8:5: node 'z': config.tool is missing; tools are: calculator, text_statistics",
        ],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_told_at_once_with_its_place(name: str) -> None:
    text, told = MISTAKES[name]
    assert faults(text) == told


def test_what_is_not_known_is_not_checked() -> None:
    text = HEAD + "  - {id: a, agent_id: x}\n  - {id: b, capability: y, depends_on: [a]}\n"
    text += "  - {id: z, type: tool, depends_on: [b], config: {tool: t}}\n"
    assert faults(text, Known()) == []
    assert len(faults(text, KNOWN)) == 3


def test_without_a_file_the_path_says_where() -> None:
    spec = load_flow(HEAD + A + Z.replace("[a]", "[b]")).spec
    with pytest.raises(FlowErrors, match=r"nodes\[1\].depends_on\[0\]: node 'z' depends on 'b'"):
        checked(spec)
    assert checked(load_flow(HEAD + A + Z).spec).flow_id == "f"


def test_order() -> None:
    diamond = {"d": ["b", "c"], "a": [], "b": ["a"], "c": ["a"]}
    assert supersteps(diamond) == [["a"], ["b", "c"], ["d"]]
    assert ancestors(diamond)["d"] == {"a", "b", "c"} and ancestors(diamond)["a"] == set()
    waiting = {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"], "e": ["x"]}
    assert sorted(sorted(set(one)) for one in cycles(waiting)) == [["a", "b"], ["c", "d"]]
    assert ancestors(waiting)["a"] == {"a", "b"} and ancestors(waiting)["e"] == set()
    assert cycles(diamond) == []


@pytest.mark.no_cover
def test_what_would_take_long_is_bounded() -> None:
    """A hundred nodes that all wait for each other, and for as many that are not there, with as many references."""
    ids = [f"n{number:02}" + "x" * 40 for number in range(100)]
    named = ", ".join([*ids[:50], *(f"y{one}" for one in ids[:50])])
    prompt = " ".join(f"${{z{one}}}" for one in ids[:20])
    nodes = "".join(
        f"  - {{id: {one}, agent_id: w{one}, depends_on: [{named}], config: {{prompt: '{prompt}'}}}}\n"
        for one in ids[:35]
    )
    told = faults(HEAD + nodes)
    assert len(told) == 1_000


@pytest.mark.no_cover
def test_of_very_many_names_not_all_are_looked_through_for_near_ones() -> None:
    nodes = "".join(f"  - {{id: n{number}, agent_id: {'w' * 50}{number}}}\n" for number in range(100))
    told = faults(HEAD + nodes, Known(agents={f"{'w' * 55}{number}" for number in range(1_000)}))
    assert sum("did you mean" in line for line in told) == 5


@pytest.mark.no_cover
def test_a_text_full_of_references_is_checked() -> None:
    nodes = "".join(f"  - {{id: n{number}, agent_id: writer, depends_on: [a]}}\n" for number in range(98))
    named = ", ".join(f"n{number}" for number in range(98))
    prompt = "${query}${n97.x}" * 14_000
    last = f"  - {{id: z, agent_id: writer, depends_on: [{named}], config: {{prompt: '{prompt}'}}}}\n"
    assert faults(HEAD + A + nodes + last) == []
