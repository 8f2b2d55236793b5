"""Python agents: what a class has to be, what it has at hand, and what its answer becomes."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from typing import Any, TypedDict
from uuid import UUID

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt

from nodes.agents.base import AgentContext, BaseAgent
from nodes.agents.python import kind_of_class
from state.agents import AgentReply, NewAgent
from state.crew_run import CrewContext
from state.errors import AgentFailed, BadRequest
from state.messages import AgentMessage
from tests.fakes import FakeModels
from tests.unit.nodes.agents.values import call_of, needs_of, spec_of

RUN = UUID(int=7)


class WordCounter(BaseAgent):
    """Counts words.

    And says so.
    """

    CAPABILITIES = ("counting", "words", "counting")

    async def execute(self, input: Mapping[str, Any], context: AgentContext) -> str:
        return f"{len(context.text.split())} words"


async def answer(cls: type[BaseAgent], models: FakeModels | None = None, **call: Any) -> AgentReply:
    spec = spec_of(agent_class=cls.__name__, config=call.pop("own", {}), tools=call.pop("tools", ()))
    return await kind_of_class(cls).make(spec, needs_of(models)).process(call_of(**call))


async def test_a_class_with_capabilities_and_execute_is_an_agent() -> None:
    kind = kind_of_class(WordCounter, source="words.py")
    assert (kind.name, kind.description, kind.capabilities) == ("WordCounter", "Counts words.", ("counting", "words"))
    assert kind.record() == NewAgent(
        agent_id="WordCounter",
        name="WordCounter",
        description="Counts words.",
        agent_type="python",
        agent_class="WordCounter",
        capabilities=("counting", "words"),
        metadata={"source": "words.py"},
    )
    assert await answer(WordCounter, text="a b c") == AgentReply(output={"response": "3 words"}, text="3 words")


async def test_execute_may_block_and_then_runs_in_a_thread() -> None:
    class Blocking(BaseAgent):
        NAME = "blocking.one"
        DESCRIPTION = "Blocks."

        def execute(self, input: Mapping[str, Any], context: AgentContext) -> dict[str, Any]:
            return {"answer": "done", "main": threading.current_thread() is threading.main_thread()}

    assert kind_of_class(Blocking).record().agent_id == "blocking.one"
    assert kind_of_class(Blocking).description == "Blocks."
    reply = await answer(Blocking)
    assert (reply.output, reply.text) == ({"answer": "done", "main": False}, "done")


async def test_a_model_that_it_asks_is_that_of_its_settings_and_the_tokens_count() -> None:
    class Asks(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> str:
            said = await context.chat().ainvoke(context.text)
            context.chat("fake").invoke("again")
            return said.text.strip()

    models = FakeModels("It is two", "yes")
    reply = await answer(Asks, models, own={"temperature": 0.5, "colour": "red"}, context=CrewContext(seed=4))
    assert (reply.text, reply.input_tokens, reply.output_tokens) == ("It is two", 2, 4)
    assert [said and (said.temperature, said.seed) for _, _, said in models.calls] == [(0.5, 4)] * 2


async def test_it_has_the_tools_that_its_definition_or_else_its_class_names() -> None:
    class Tools(BaseAgent):
        TOOLS = ("calculator",)

        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> str:
            return ", ".join(context.tools)

    assert (await answer(Tools)).text == "calculator"
    assert (await answer(Tools, tools=("convert", "date_time"))).text == "convert, date_time"
    with pytest.raises(BadRequest, match="no tool 'shell'"):
        await answer(Tools, tools=("shell",))


async def test_its_memory_is_its_own_and_lasts() -> None:
    class Remembers(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> dict[str, Any]:
            before = await context.memory.get("times", 0)
            await context.memory.put("times", before + 1)
            key = await context.memory.put(None, {"text": context.text})
            found = await context.memory.search(limit=5)
            await context.memory.delete(key)
            return {"times": before + 1, "found": len(found)}

    store = InMemoryStore()
    outputs = [(await answer(Remembers, memory=store, agent_id=name)).output for name in ("a", "a", "a.b")]
    assert outputs == [{"times": 1, "found": 2}, {"times": 2, "found": 2}, {"times": 1, "found": 2}]
    with pytest.raises(BadRequest, match="no store"):
        await answer(Remembers)


class Bus:
    """Keeps what it is told; the first to ask is answered. Fills what is used of `MessageBus`."""

    def __init__(self) -> None:
        self.sent: list[AgentMessage] = []

    async def send(self, message: AgentMessage) -> None:
        self.sent.append(message)

    async def request(self, message: AgentMessage, timeout: float) -> AgentMessage:
        return message.model_copy(update={"from_agent": message.to_agent, "payload": {"said": timeout}})

    async def receive(self, agent_id: str, timeout: float = 5.0) -> AgentMessage | None:
        return self.sent[0].model_copy(update={"to_agent": agent_id}) if self.sent else None

    async def broadcast(self, message: AgentMessage, to: list[str] | None = None) -> list[bool]:
        self.sent.append(message)
        return [True for _ in to or ()]

    async def publish(self, message: AgentMessage) -> int:
        self.sent.append(message)
        return 1


async def test_it_sends_and_receives_messages_as_itself_within_its_run() -> None:
    class Talks(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> dict[str, Any]:
            box = context.messages
            first = await box.send("bob", {"n": 1}, priority=9)
            asked = await box.ask("bob", {"n": 2}, timeout=3)
            await box.reply(asked, {"n": 3})
            received = await box.receive(0)
            taken = await box.broadcast({"n": 4}, ["bob", "eva"])
            heard = await box.publish("news", {"n": 5})
            assert received is not None and received.message_id == first.message_id
            return {"said": asked.payload["said"], "taken": taken, "heard": heard}

    bus: Any = Bus()
    reply = await answer(Talks, messages=bus, execution_id=RUN)
    assert reply.output == {"said": 3, "taken": [True, True], "heard": 1}
    assert [(sent.payload["n"], sent.to_agent, sent.topic) for sent in bus.sent] == [
        (1, "bob", None),
        (3, "bob", None),
        (4, "*", None),
        (5, "*", "news"),
    ]
    assert {(sent.from_agent, sent.execution_id) for sent in bus.sent} == {("ana", RUN)}
    assert bus.sent[0].priority == 9 and bus.sent[1].reply_to is not None
    with pytest.raises(BadRequest, match="a server delivers them"):
        await answer(Talks)


async def test_what_it_streams_and_logs_names_it(caplog: pytest.LogCaptureFixture) -> None:
    class Tells(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> None:
            context.log.warning("half of %s", context.step)
            context.stream({"event": "progress", "share": 0.5})

    class State(TypedDict):
        text: str

    async def node(state: State) -> dict[str, str]:
        return {"text": (await answer(Tells)).text}

    graph: Any = StateGraph(State)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    with caplog.at_level(logging.WARNING):
        events = [event async for event in graph.compile().astream({"text": "?"}, stream_mode="custom")]
        assert (await answer(Tells)).output == {"response": ""}, "outside of a run nobody listens"
    assert events == [{"event": "progress", "share": 0.5, "agent_id": "ana", "step": "ana"}]
    assert caplog.messages[0] == "agent ana: half of ana"


@pytest.mark.parametrize(
    "said",
    [object(), {"a": {1, 2}}, [float("nan")], AgentReply(output=b"", text="")],
    ids=["object", "set", "nan", "bytes"],
)
async def test_an_answer_that_is_no_json_is_the_agents_failure(said: Any) -> None:
    class Odd(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> Any:
            return said

    with pytest.raises(AgentFailed, match=r"the output holds .*, which (is no plain JSON|cannot be kept)"):
        await answer(Odd)


async def test_what_no_database_can_keep_of_a_text_is_replaced() -> None:
    class Odd(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> dict[str, Any]:
            return {"text": "half \ud800", "several": (True, None)}

    reply = await answer(Odd)
    assert reply.output == {"text": "half \ufffd", "several": [True, None]} and reply.text == "half \ufffd"


async def test_what_it_changes_in_its_input_and_settings_changes_nothing_else() -> None:
    class Changes(BaseAgent):
        def execute(self, input: Any, context: Any) -> int:  # type: ignore[override]
            input["list"].append(2)
            context.config["list"].append(2)
            return len(context.call.input["list"])

    given, own = {"list": [1]}, {"list": [1]}
    assert (await answer(Changes, given=given, own=own)).output == 2
    assert (given, own) == ({"list": [1]}, {"list": [1]})


async def test_agents_that_never_return_take_no_thread_from_others(caplog: pytest.LogCaptureFixture) -> None:
    go_on = threading.Event()

    class Hangs(BaseAgent):
        def execute(self, input: Mapping[str, Any], context: AgentContext) -> None:
            go_on.wait(60)

    hanging = [asyncio.create_task(answer(Hangs)) for _ in range(40)]
    await asyncio.sleep(0)
    for task in hanging:
        task.cancel()
    assert {type(one) for one in await asyncio.gather(*hanging, return_exceptions=True)} == {asyncio.CancelledError}
    assert caplog.messages == ["agent ana in step ana goes on in its thread, though nobody waits for it any more"] * 40
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "free") == "free"
    go_on.set()


@pytest.mark.parametrize(
    "error", [StopIteration(1), KeyboardInterrupt(), SystemExit(3)], ids=["stop", "ctrl-c", "exit"]
)
async def test_what_a_thread_raises_is_the_agents_failure(error: BaseException) -> None:
    class Raises(BaseAgent):
        def execute(self, input: Mapping[str, Any], context: AgentContext) -> None:
            raise error

    with pytest.raises(AgentFailed, match=type(error).__name__):
        await answer(Raises)


async def test_it_may_ask_a_human_from_a_thread_as_well() -> None:
    class Asks(BaseAgent):
        def execute(self, input: Mapping[str, Any], context: AgentContext) -> str:
            return f"told {interrupt('may I?')}"

    async def node(state: dict[str, Any]) -> dict[str, Any]:
        return {"text": (await answer(Asks)).text}

    graph: Any = StateGraph(dict)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    compiled = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    assert (await compiled.ainvoke({"text": ""}, config))["__interrupt__"][0].value == "may I?"
    assert (await compiled.ainvoke(Command(resume="yes"), config))["text"] == "told yes"


async def test_a_reply_without_a_count_has_that_of_the_models_it_asked() -> None:
    class Asks(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> AgentReply:
            said = await context.chat().ainvoke(context.text)
            return AgentReply(output={"said": said.text}, text="said")

    reply = await answer(Asks, FakeModels("It is two"))
    assert (reply.text, reply.input_tokens, reply.output_tokens) == ("said", 1, 3)


async def test_what_it_notes_and_streams_is_plain_json() -> None:
    class Notes(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> Any:
            await context.memory.put("a\0", {"half": "\ud800"})
            with pytest.raises(AgentFailed, match="the note holds a object"):
                await context.memory.put("b", object())
            with pytest.raises(AgentFailed, match="the event holds nan"):
                context.stream({"share": float("nan")})
            return dict(await context.memory.search())

    assert (await answer(Notes, memory=InMemoryStore())).output == {"a\ufffd": {"half": "\ufffd"}}


async def test_a_whole_reply_is_taken_as_it_is() -> None:
    class Whole(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> AgentReply:
            return AgentReply(output={"n": 1}, text="one", input_tokens=5, model="mine", next="end")

    assert await answer(Whole) == AgentReply(output={"n": 1}, text="one", input_tokens=5, model="mine", next="end")


class Shared:
    """Values in memory. Fills what is used of `SharedContext`."""


async def test_outside_of_a_crew_there_is_no_shared_context() -> None:
    class Shares(BaseAgent):
        async def execute(self, input: Mapping[str, Any], context: AgentContext) -> bool:  # type: ignore[override]
            return isinstance(context.shared, Shared)

    shared: Any = Shared()
    assert (await answer(Shares, shared=shared)).output is True
    with pytest.raises(BadRequest, match="in crews and flows only"):
        await answer(Shares)


def made(**members: Any) -> type[BaseAgent]:
    async def execute(self: BaseAgent, input: Mapping[str, Any], context: AgentContext) -> str:
        return ""

    return type("Made", (BaseAgent,), {"execute": execute, **members})


@pytest.mark.parametrize(
    ("cls", "words"),
    [
        (type("Empty", (BaseAgent,), {}), r"no execute\(self, input, context\)"),
        (made(execute=lambda self, input: ""), r"execute takes \(self, input, context\)"),
        (made(execute=lambda self, a, b, c: ""), r"execute takes \(self, input, context\)"),
        (made(CAPABILITIES="counting"), "CAPABILITIES is a list of texts"),
        (made(CAPABILITIES={"counting"}), "CAPABILITIES is a list of texts"),
        (made(CAPABILITIES=("counting", 3)), "CAPABILITIES: 3"),
        (made(CAPABILITIES=("",)), r"capabilities\.0: ''"),
        (made(CAPABILITIES=("a\0b",)), "no text of one line"),
        (made(TOOLS="calculator"), "TOOLS is a list of texts"),
        (made(NAME="two words"), "NAME 'two words'"),
        (made(NAME=7), "NAME 7"),
        (made(__init__=lambda self, key: None), "without arguments"),
        (type("chatagent", (BaseAgent,), {}), "an agent class of that name already"),
    ],
    ids=[
        "no execute",
        "too few",
        "too many",
        "one text",
        "a set",
        "a number",
        "empty",
        "nul",
        "one tool",
        "two words",
        "name is a number",
        "arguments",
        "taken",
    ],
)
def test_a_class_that_cannot_be_an_agent_is_refused_with_what_would_be_right(cls: type[BaseAgent], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kind_of_class(cls, taken=("ChatAgent",))
