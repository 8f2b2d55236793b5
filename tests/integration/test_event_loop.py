"""No node and no model call holds up the event loop with files or sleeps: `langgraph dev` refuses graphs that do."""

from blockbuster import blockbuster_ctx
from langgraph.checkpoint.memory import InMemorySaver

from graphs.catalog import BUILDERS
from graphs.services import Services, lab_tools
from llm.models import open_models


async def test_runs_do_not_block_the_event_loop() -> None:
    with open_models() as models:
        services = Services(models=models, tools=lab_tools())
        for name, builder in BUILDERS.items():
            graph = builder(services).compile(InMemorySaver())
            question = {"messages": [{"role": "user", "content": "What is 17 + 25?"}]}
            with blockbuster_ctx():
                final = await graph.ainvoke(question, {"configurable": {"thread_id": name}})
            assert final["result"].output
