"""PlainEngine with a real model: what comes out, and when it stops."""

import threading
from collections.abc import Iterator

import pytest
import torch

from llm.engine.base import Done, Failed, Request, Token
from llm.engine.plain import PlainEngine
from llm.loading.base import Loaded
from state.errors import Broken, Unavailable
from state.models import Sampling
from tests.unit.llm.tiny import make_catalog, make_models

PROMPT = tuple(b"Once upon a time")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    models = make_models(make_catalog(tmp_path_factory.mktemp("engine")))
    with models, models.manager.lease_sync("tiny") as lease:
        yield lease.loaded


@pytest.fixture
def engine(loaded: Loaded) -> Iterator[PlainEngine]:
    opened = PlainEngine(loaded, most_waiting=3)
    yield opened
    opened.close()


def run(engine: PlainEngine, max_tokens: int = 24, stop: tuple[str, ...] = (), **sampling: object) -> tuple[str, Done]:
    *tokens, done = engine.submit(Request(PROMPT, Sampling.model_validate(sampling), max_tokens, stop))
    assert isinstance(done, Done), done
    return "".join(token.text for token in tokens if isinstance(token, Token)), done


def test_greedy_output_is_what_generate_gives(engine: PlainEngine, loaded: Loaded) -> None:
    *tokens, done = engine.submit(Request(PROMPT, Sampling(), 40))
    ids = [token.id for token in tokens if isinstance(token, Token) and token.id is not None]
    prompt = torch.tensor([PROMPT])
    expected = loaded.model.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=40, do_sample=False)
    assert ids == expected[0, len(PROMPT) :].tolist()
    text = "".join(token.text for token in tokens if isinstance(token, Token))
    assert text.rstrip("\ufffd") == loaded.codec.decode(ids).rstrip("\ufffd")
    assert isinstance(done, Done)
    assert (done.reason, done.prompt_tokens, done.tokens_generated) == ("length", len(PROMPT), 40)
    assert done.timings.first_token is not None
    assert 0 < done.timings.first_token <= done.timings.queue_wait + done.timings.inference


def test_a_seed_gives_the_same_answer_whatever_else_is_drawn(engine: PlainEngine) -> None:
    first, _ = run(engine, temperature=1.0, seed=5)
    torch.rand(3)
    run(engine, temperature=1.5, seed=6)
    assert run(engine, temperature=1.0, seed=5)[0] == first
    assert run(engine, temperature=1.0, seed=6)[0] != first
    state = torch.get_rng_state()
    run(engine, temperature=1.0)
    assert torch.equal(torch.get_rng_state(), state)


def test_narrow_sampling_is_greedy(engine: PlainEngine) -> None:
    greedy, _ = run(engine)
    assert run(engine, temperature=1.0, top_k=1)[0] == greedy
    assert run(engine, temperature=1.0, top_p=1e-9)[0] == greedy


def test_a_repetition_penalty_changes_the_answer_as_in_generate(engine: PlainEngine, loaded: Loaded) -> None:
    *tokens, _ = engine.submit(Request(PROMPT, Sampling(repetition_penalty=1.8), 24))
    prompt = torch.tensor([PROMPT])
    expected = loaded.model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False, repetition_penalty=1.8
    )
    assert [t.id for t in tokens if isinstance(t, Token) and t.id is not None] == expected[0, len(PROMPT) :].tolist()


def test_a_stop_string_ends_the_answer_across_tokens(engine: PlainEngine) -> None:
    whole, _ = run(engine, max_tokens=60)
    letters = [at for at in range(2, len(whole) - 3) if "\ufffd" not in whole[at : at + 3]]
    stop = whole[letters[0] : letters[0] + 3]
    text, done = run(engine, max_tokens=60, stop=(stop,))
    assert text == whole[: whole.index(stop)]
    assert done.reason == "stop"
    assert done.tokens_generated < 60


def test_a_cancelled_request_ends_as_cancelled(engine: PlainEngine) -> None:
    handle = engine.submit(Request(PROMPT, Sampling(), 400))
    events = iter(handle)
    next(events)
    handle.cancel()
    *_, done = events
    assert isinstance(done, Done)
    assert done.reason == "cancelled"
    assert done.tokens_generated < 400
    assert run(engine)[1].reason == "length"


def test_a_request_is_cancelled_within_two_steps(loaded: Loaded) -> None:
    engine = PlainEngine(loaded)
    steps: list[int] = []
    handle = engine.submit(Request(PROMPT, Sampling(), 400))
    hook = loaded.model.register_forward_hook(lambda *_: steps.append(len(steps)))
    try:
        iterator = iter(handle)
        next(iterator)
        handle.cancel()
        at_cancel = len(steps)
        list(iterator)
        assert len(steps) - at_cancel <= 2
    finally:
        hook.remove()
        engine.close()


def test_requests_wait_in_order_and_the_queue_is_bounded(engine: PlainEngine) -> None:
    handles = [engine.submit(Request(PROMPT, Sampling(), 300))]
    next(iter(handles[0]))
    handles += [engine.submit(Request(PROMPT, Sampling(), 4)) for _ in range(3)]
    with pytest.raises(Unavailable, match="3 requests waiting"):
        engine.submit(Request(PROMPT, Sampling(), 4))
    handles[2].cancel()
    handles[0].cancel()
    ends = [[event for event in handle if isinstance(event, Done)][-1] for handle in handles[1:]]
    assert [end.reason for end in ends] == ["length", "cancelled", "length"]
    assert ends[2].timings.queue_wait >= ends[0].timings.queue_wait


def test_a_failing_request_leaves_the_next_one_fine(engine: PlainEngine, loaded: Loaded) -> None:
    [failed] = engine.submit(Request((10**6,), Sampling(), 4))  # no such token
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, Broken)
    hook = loaded.model.lm_head.register_forward_hook(lambda *args: args[2] * float("nan"))
    [failed] = engine.submit(Request(PROMPT, Sampling(), 4))
    hook.remove()
    assert isinstance(failed, Failed)
    assert "no finite numbers" in str(failed.error)
    assert run(engine)[1].reason == "length"


async def test_an_event_loop_reads_the_same(engine: PlainEngine) -> None:
    expected, _ = run(engine)
    handle = engine.submit(Request(PROMPT, Sampling(), 24))
    assert "".join([event.text async for event in handle if isinstance(event, Token)]) == expected


def test_closing_ends_what_runs_and_what_waits(loaded: Loaded) -> None:
    engine = PlainEngine(loaded)
    running, queued = [engine.submit(Request(PROMPT, Sampling(), 400)) for _ in range(2)]
    next(iter(running))
    engine.close()
    engine.close()
    ends = [[event for event in handle if isinstance(event, Done)] for handle in (running, queued)]
    assert [end.reason for [end] in ends] == ["cancelled", "cancelled"]
    with pytest.raises(Unavailable):
        engine.submit(Request(PROMPT, Sampling(), 4))
    assert sum(thread.name.startswith("engine-tiny") for thread in threading.enumerate()) <= 1  # the fixture's own
