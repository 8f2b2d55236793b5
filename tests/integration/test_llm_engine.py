"""What every engine promises, asked of both with a real model: what comes out, and when it stops."""

import re
import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from transformers import LlamaConfig

from llm.engine.base import Done, Engine, Failed, FixedRoom, Request, Room, Token
from llm.engine.batching import BatchingEngine
from llm.engine.plain import PlainEngine
from llm.engine.suits import shared_shape
from llm.loading.base import Loaded
from state.errors import BadRequest, NoMemory, Unavailable
from state.models import Sampling
from tests.unit.llm.tiny import SMALL, make_loaded

PROMPT = tuple(b"Once upon a time")

Open = Callable[..., Engine]
"""Opens an engine over the model: `room`, `most_waiting`, `patience_sec`."""


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return make_loaded(LlamaConfig(**SMALL, num_key_value_heads=2))


@pytest.fixture(params=["plain", "batching"])
def open_one(request: pytest.FixtureRequest, loaded: Loaded) -> Iterator[Open]:
    opened: list[Engine] = []

    def open_engine(room: Room | None = None, *, most_waiting: int = 3, patience_sec: float = 30.0) -> Engine:
        room = room or FixedRoom(10_000_000)
        if request.param == "plain":
            opened.append(PlainEngine(loaded, room, most_waiting=most_waiting, patience_sec=patience_sec))
        else:
            shape = shared_shape(loaded)
            assert shape is not None
            made = BatchingEngine(
                loaded, room, shape, most_rows=1, most_waiting=most_waiting, patience_sec=patience_sec
            )
            opened.append(made)
        return opened[-1]

    yield open_engine
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(open_one: Open) -> Engine:
    return open_one()


def run(engine: Engine, max_tokens: int = 24, stop: tuple[str, ...] = (), **sampling: object) -> tuple[str, Done]:
    *tokens, done = engine.submit(Request(PROMPT, Sampling.model_validate(sampling), max_tokens, stop))
    assert isinstance(done, Done), done
    return "".join(token.text for token in tokens if isinstance(token, Token)), done


def test_greedy_output_is_what_generate_gives(engine: Engine, loaded: Loaded) -> None:
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


def test_a_seed_gives_the_same_answer_whatever_else_is_drawn(engine: Engine) -> None:
    first, _ = run(engine, temperature=1.0, seed=5)
    torch.rand(3)
    run(engine, temperature=1.5, seed=6)
    assert run(engine, temperature=1.0, seed=5)[0] == first
    assert run(engine, temperature=1.0, seed=6)[0] != first
    state = torch.get_rng_state()
    run(engine, temperature=1.0)
    assert torch.equal(torch.get_rng_state(), state)


def test_narrow_sampling_is_greedy(engine: Engine) -> None:
    greedy, _ = run(engine)
    assert run(engine, temperature=1.0, top_k=1)[0] == greedy
    assert run(engine, temperature=1.0, top_p=1e-9)[0] == greedy


def test_a_repetition_penalty_changes_the_answer_as_in_generate(engine: Engine, loaded: Loaded) -> None:
    *tokens, _ = engine.submit(Request(PROMPT, Sampling(repetition_penalty=1.8), 24))
    prompt = torch.tensor([PROMPT])
    expected = loaded.model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False, repetition_penalty=1.8
    )
    assert [t.id for t in tokens if isinstance(t, Token) and t.id is not None] == expected[0, len(PROMPT) :].tolist()


def test_a_stop_string_ends_the_answer_across_tokens(engine: Engine) -> None:
    whole, _ = run(engine, max_tokens=60)
    letters = [at for at in range(2, len(whole) - 3) if "\ufffd" not in whole[at : at + 3]]
    stop = whole[letters[0] : letters[0] + 3]
    text, done = run(engine, max_tokens=60, stop=(stop,))
    assert text == whole[: whole.index(stop)]
    assert done.reason == "stop"
    assert done.tokens_generated < 60


def test_a_cancelled_request_ends_as_cancelled(engine: Engine) -> None:
    handle = engine.submit(Request(PROMPT, Sampling(), 400))
    events = iter(handle)
    next(events)
    handle.cancel()
    *_, done = events
    assert isinstance(done, Done)
    assert done.reason == "cancelled"
    assert done.tokens_generated < 400
    assert run(engine)[1].reason == "length"


def test_a_request_is_cancelled_within_two_steps(engine: Engine, loaded: Loaded) -> None:
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


def test_requests_wait_in_order_and_the_queue_is_bounded(engine: Engine) -> None:
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


def test_a_failing_request_leaves_the_next_one_fine(engine: Engine, loaded: Loaded) -> None:
    hook = loaded.model.lm_head.register_forward_hook(lambda *args: args[2] * float("nan"))
    [failed] = engine.submit(Request(PROMPT, Sampling(), 4))
    hook.remove()
    assert isinstance(failed, Failed)
    assert "no finite numbers" in str(failed.error)
    assert run(engine)[1].reason == "length"


@pytest.mark.parametrize(
    "refusal",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: 8589934592 bytes"
        ),
        MemoryError(),
    ],
)
def test_a_device_without_memory_is_told_as_such(engine: Engine, loaded: Loaded, refusal: Exception) -> None:
    def refuse(*_: object) -> None:
        raise refusal

    hook = loaded.model.register_forward_pre_hook(refuse)
    [failed] = engine.submit(Request(PROMPT, Sampling(), 24))
    hook.remove()
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NoMemory)
    assert re.search(r"no memory (for 16 \+ 24|to compute 16) tokens", str(failed.error))
    assert run(engine)[1].reason == "length"


def test_a_prompt_that_would_harm_the_model_is_refused(engine: Engine) -> None:
    for prompt, message in (((), "no tokens"), ((10**6,), "outside 0 to 257"), ((-1,), "outside 0 to 257")):
        with pytest.raises(BadRequest, match=message):
            engine.submit(Request(prompt, Sampling(), 4))


def test_what_can_never_fit_is_refused_with_the_numbers(open_one: Open) -> None:
    with pytest.raises(NoMemory, match=r"100,016 tokens need .*MiB of KV, and at most 9\.5 MiB"):
        open_one().submit(Request(PROMPT, Sampling(), 100_000))


class ShutRoom(FixedRoom):
    """Could hold more, but others have it."""

    most_bytes = 10**9

    def resize(self, wanted_bytes: int, *, evict: bool = True) -> bool:
        return wanted_bytes <= self.granted_bytes


def test_a_request_that_finds_no_room_in_time_is_told_so(open_one: Open) -> None:
    engine = open_one(ShutRoom(200_000), patience_sec=0.1)
    [failed] = [e for e in engine.submit(Request(tuple(range(200)), Sampling(), 250)) if not isinstance(e, Token)]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NoMemory)
    assert "beside the models in use for 0.1 s" in str(failed.error)
    assert run(engine)[1].reason == "length"


class OnlyDigits:
    """A constraint: digits, three of them."""

    def __init__(self) -> None:
        self.taken = 0

    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        allowed = torch.full_like(logits, float("-inf"))
        allowed[list(b"0123456789")] = 0.0
        return logits + allowed

    def accept(self, token: int) -> bool:
        self.taken += 1
        return self.taken == 3


def test_a_constraint_bounds_the_answer_and_ends_it(engine: Engine) -> None:
    # The tokenizer's alphabet is sorted, so ids are not bytes: compare ids.
    ids = [
        event.id
        for event in engine.submit(Request(PROMPT, Sampling(), 24, constraint=OnlyDigits()))
        if isinstance(event, Token) and event.id is not None
    ]
    assert len(ids) == 3
    assert set(ids) <= set(b"0123456789")


class Cracked(OnlyDigits):
    def mask(self, logits: torch.Tensor) -> torch.Tensor:
        raise BadRequest("no such grammar")


def test_a_constraint_that_fails_ends_its_own_request(engine: Engine) -> None:
    [failed] = engine.submit(Request(PROMPT, Sampling(), 24, constraint=Cracked()))
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, BadRequest)
    assert run(engine)[1].reason == "length"


async def test_an_event_loop_reads_the_same(engine: Engine) -> None:
    expected, _ = run(engine)
    handle = engine.submit(Request(PROMPT, Sampling(), 24))
    assert "".join([event.text async for event in handle if isinstance(event, Token)]) == expected


def test_closing_ends_what_runs_and_what_waits(engine: Engine) -> None:
    before = sum(thread.name.startswith("engine-tiny") for thread in threading.enumerate())
    running, queued = [engine.submit(Request(PROMPT, Sampling(), 400)) for _ in range(2)]
    next(iter(running))
    engine.close()
    engine.close()
    ends = [[event for event in handle if isinstance(event, Done)] for handle in (running, queued)]
    assert [end.reason for [end] in ends] == ["cancelled", "cancelled"]
    with pytest.raises(Unavailable):
        engine.submit(Request(PROMPT, Sampling(), 4))
    assert sum(thread.name.startswith("engine-tiny") for thread in threading.enumerate()) == before - 1
