"""Messages between agents: `bus.py` is what agents hold, `post.py` one process's post office, `opening.py` opens it.

A message is handed at once to whoever waits for it in this process, else it waits in its receiver's queue in Postgres
until a process claims it. Either way its row is committed before `send` returns.

**Another transport** takes the place of this one behind the port `state.agent_ports.MessageBus`: a class with its
methods, opened where `server/lab.py` opens `open_messages` and handed to graphs in `AgentNeeds.messages`. The tests in
`tests/integration/test_message_bus.py` that take the fixture `buses` speak to the port alone: give them two of your own
that share a back end, and they say what is missing.
"""
