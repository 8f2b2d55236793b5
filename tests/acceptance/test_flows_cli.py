"""`lab flows run` on a terminal: a human is asked and answers; Ctrl-C stops the run."""

import psycopg

from tests.acceptance.processes import Lab
from tests.acceptance.terminals import on_terminal

ASK = """
flow_id: ask-me
entry_point: sum
exit_points: [tell]
nodes:
  - {id: sum, type: tool, config: {tool: calculator, input: {expression: "${query}"}}}
  - {id: ask, type: human, depends_on: [sum], config: {question: "Is ${sum} right?", choices: ["yes", "no"]}}
  - {id: tell, type: tool, depends_on: [sum, ask], config: {tool: text_statistics, input: {text: "${sum} ${ask}"}}}
"""
SLEEPER = '''
import asyncio

from nodes.agents.base import BaseAgent


class Sleeper(BaseAgent):
    """Sleeps for longer than anybody waits."""

    CAPABILITIES = ("sleep",)

    async def execute(self, input, context):
        await asyncio.sleep(600)
'''
NAP = "flow_id: nap\nentry_point: nap\nexit_points: [nap]\nnodes: [{id: nap, capability: sleep}]\n"


def test_a_human_at_the_terminal_is_asked_and_answers(lab: Lab) -> None:
    (lab.folder / "ask.yaml").write_text(ASK)
    with on_terminal(lab, "flows", "run", "ask.yaml", "--query", "6 * 7") as terminal:
        terminal.wait_for("Is 42 right?")
        terminal.wait_for("[yes/no]")
        terminal.type("maybe")
        terminal.wait_for("[yes/no]")
        terminal.type("no")
        assert "tell" in terminal.wait_for("2 words")
        terminal.wait_for("3 of 3 steps")
        assert terminal.popen.wait(30) == 0


def test_ctrl_c_stops_the_run(lab: Lab, database_url: str) -> None:
    agents = lab.folder / "agents"
    agents.mkdir()
    (agents / "sleeper.py").write_text(SLEEPER)
    (lab.folder / "nap.yaml").write_text(NAP)
    lab.settings["LAB_AGENTS_DIR"] = str(agents)
    with on_terminal(lab, "flows", "run", "nap.yaml") as terminal:
        terminal.wait_for("nap · ")
        terminal.interrupt()
        terminal.wait_for("stopped.")
        assert terminal.popen.wait(30) == 130
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT status, cancel FROM runs").fetchall() == [("interrupted", "interrupt")]
