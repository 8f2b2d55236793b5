"""BatchingEngine with real models: many requests in one batch come out as each does alone, whatever the others do."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from transformers import GenerationConfig, GPT2Config, LlamaConfig, MistralConfig, PreTrainedConfig, Qwen2Config

from llm.engine.base import Done, Engine, Event, Failed, FixedRoom, Handle, Request, Room, Token
from llm.engine.batching import BatchingEngine
from llm.engine.plain import PlainEngine
from llm.engine.suits import shared_shape
from llm.loading.base import Loaded
from llm.models import open_engine
from state.errors import Broken, NoMemory
from state.models import Sampling
from tests.unit.llm.tiny import SMALL, make_loaded

ARCHITECTURES: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SMALL, num_key_value_heads=2),
    "qwen2": Qwen2Config(**SMALL, num_key_value_heads=1),
    "gpt2": GPT2Config(
        vocab_size=258, n_embd=64, n_layer=2, n_head=4, n_positions=512, initializer_range=0.2, bos_token_id=None,
        eos_token_id=None,
    ),
    "mistral": MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=16),
}  # fmt: skip

Open = Callable[..., BatchingEngine]


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return make_loaded(ARCHITECTURES["llama"])


@pytest.fixture
def open_one(loaded: Loaded) -> Iterator[Open]:
    opened = []

    def open_batching(room: Room | None = None, **settings: int) -> BatchingEngine:
        shape = shared_shape(loaded)
        assert shape is not None
        opened.append(BatchingEngine(loaded, room or FixedRoom(10_000_000), shape, **settings))
        return opened[-1]

    yield open_batching
    for engine in opened:
        engine.close()


class Watch:
    """Sees each forward pass of a model: the tokens that it computes."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.steps: list[list[int]] = []
        self.before: Callable[[list[int]], object] = lambda _: None
        self._hook = model.register_forward_pre_hook(self._see, with_kwargs=True)

    def _see(self, module: torch.nn.Module, args: tuple[object, ...], kwargs: dict[str, torch.Tensor]) -> None:
        ids = kwargs["input_ids"][0].tolist()
        self.before(ids)
        self.steps.append(ids)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()


def ids_of(events: Sequence[Event]) -> list[int]:
    return [event.id for event in events if isinstance(event, Token) and event.id is not None]


def finished(handle: Handle) -> list[int]:
    *events, end = handle
    assert isinstance(end, Done), end
    return ids_of(events)


def prompt(length: int, seed: int = 0) -> tuple[int, ...]:
    return tuple(random.Random(f"{length} {seed}").choices(range(256), k=length))


def unused(requests: Sequence[Request], answers: Sequence[Sequence[int]]) -> int:
    """A token that none of them contains."""
    return min(set(range(256)) - {i for request in requests for i in request.prompt} - {i for a in answers for i in a})


def by_generate(reference: Loaded, request: Request) -> list[int]:
    ids = torch.tensor([request.prompt])
    settings = GenerationConfig(max_new_tokens=request.max_tokens, do_sample=False, pad_token_id=0)  # type: ignore[no-untyped-call]
    out = reference.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    tokens: list[int] = out[0, len(request.prompt) :].tolist()
    return tokens[: tokens.index(257)] if 257 in tokens else tokens  # the codec's end of turn


def mixed(source: random.Random) -> Request:
    """Any request that a batch may meet."""
    warm = {"temperature": 1.3, "seed": source.randrange(100)} if source.random() < 0.3 else {}
    return Request(
        prompt(source.choice([1, 2, 17, 63, 64, 65, 150, 260]), source.randrange(3)),
        Sampling.model_validate(warm),
        source.choice([1, 2, 9, 40, 100]),
        caller=source.choice("ab"),
    )


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_greedy_answers_are_those_of_generate_in_every_mix(name: str, seed: int) -> None:
    """Requests of all lengths come at any moment, share prefixes, leave early, and are short of memory."""
    source = random.Random(f"{name} {seed}")
    subject, reference = (make_loaded(ARCHITECTURES[name], seed=seed) for _ in range(2))
    shape = shared_shape(subject)
    engine: Engine
    if shape is None:
        assert name == "mistral"
        engine = open_engine(subject, FixedRoom(10_000_000))
        assert isinstance(engine, PlainEngine)
    else:
        room = FixedRoom(shape.bytes_per_token * source.choice([512, 1024, 8192]))
        engine = BatchingEngine(
            subject, room, shape, most_rows=source.choice([2, 5, 16]), step_tokens=source.choice([8, 64, 256])
        )
    waiting = [mixed(source) for _ in range(16)]
    running: list[tuple[Request, Handle, Iterator[Event], list[Event]]] = []
    compared = 0
    while waiting or running:
        if waiting and (not running or source.random() < 0.4):
            request = waiting.pop()
            handle = engine.submit(request)
            running.append((request, handle, iter(handle), []))
            continue
        chosen = source.choice(running)
        request, handle, events, seen = chosen
        event = next(events)
        seen.append(event)
        if source.random() < 0.01:
            handle.cancel()
        if isinstance(event, Token):
            continue
        running.remove(chosen)
        assert isinstance(event, Done), event
        if request.sampling.temperature == 0:
            expected = by_generate(reference, request)
            assert ids_of(seen) == (expected if event.reason != "cancelled" else expected[: len(ids_of(seen))])
            compared += 1
    engine.close()
    assert compared > 6


def test_a_seeded_draw_is_the_same_alone_and_in_company(open_one: Open) -> None:
    engine = open_one()
    mine = Request(prompt(40), Sampling(temperature=1.2, top_p=0.95, top_k=50, seed=3), 40)
    alone = finished(engine.submit(mine))
    others = [engine.submit(Request(prompt(30, n), Sampling(temperature=1.0), 60)) for n in range(5)]
    assert finished(engine.submit(mine)) == alone
    for other in others:
        finished(other)


def test_many_requests_share_each_step(open_one: Open, loaded: Loaded) -> None:
    engine = open_one()
    with Watch(loaded.model) as watch:
        handles = [engine.submit(Request(prompt(10, n), Sampling(), 50)) for n in range(8)]
        for handle in handles:
            finished(handle)
    assert len(watch.steps) < 2 * 50
    assert max(len(ids) for ids in watch.steps[-20:]) == 8


def test_a_long_prompt_is_read_in_pieces_between_the_others_tokens(open_one: Open, loaded: Loaded) -> None:
    engine = open_one(step_tokens=32)
    talking = engine.submit(Request(prompt(5), Sampling(), 300))
    events = iter(talking)
    next(events)
    with Watch(loaded.model) as watch:
        finished(engine.submit(Request(prompt(400), Sampling(), 1)))
    talking.cancel()
    list(events)
    pieces = [len(ids) for ids in watch.steps]
    assert max(pieces) == 32
    assert sum(pieces) - len(pieces) >= 399  # beside it, every step gave the other one its token


def test_who_leaves_frees_the_slot_within_two_steps(open_one: Open, loaded: Loaded) -> None:
    engine = open_one(most_rows=2)
    leaving, staying = (engine.submit(Request(prompt(5, n), Sampling(), 400)) for n in range(2))
    events = iter(leaving)
    next(events)
    with Watch(loaded.model) as watch:
        others = iter(staying)
        next(others)
        leaving.cancel()
        at_cancel = len(watch.steps)
        queued = engine.submit(Request(prompt(200), Sampling(), 1))
        finished(queued)  # it got the freed slot: there are two only
        staying.cancel()
    joined = next(at for at, ids in enumerate(watch.steps) if len(ids) > 2)
    assert joined - at_cancel <= 2
    assert isinstance(list(events)[-1], Done)


def test_callers_take_turns(open_one: Open, loaded: Loaded) -> None:
    engine = open_one(most_rows=2, most_waiting=50)
    blockers = [engine.submit(Request(prompt(5, n), Sampling(), 400, caller="greedy")) for n in range(2)]
    for blocker in blockers:
        next(iter(blocker))
    gate = threading.Event()
    with Watch(loaded.model) as watch:
        watch.before = lambda _: gate.wait(30)  # no step is made until all have come
        many = [engine.submit(Request(prompt(5, n), Sampling(), 5, caller="greedy")) for n in range(2, 8)]
        one = engine.submit(Request(prompt(6), Sampling(), 5, caller="modest"))
        blockers[0].cancel()  # the other one still runs
        gate.set()
        waits = [end.timings.queue_wait for *_, end in [one, *many] if isinstance(end, Done)]
    blockers[1].cancel()
    assert len(waits) == 7
    assert waits[0] == min(waits)


def test_a_row_of_nonsense_ends_its_own_request(open_one: Open, loaded: Loaded) -> None:
    engine = open_one()
    fine = [Request(prompt(20, n), Sampling(), 60) for n in range(3)]
    alone = [finished(engine.submit(request)) for request in fine]
    hated = unused(fine, alone)

    def spoil(module: torch.nn.Module, args: tuple[torch.Tensor], out: torch.Tensor) -> torch.Tensor:
        out = out.clone()
        out[0, args[0][0] == hated] = float("nan")  # from the embedding on, for one row's token
        return out

    hook = loaded.model.model.embed_tokens.register_forward_hook(spoil)
    try:
        handles = [engine.submit(request) for request in fine]
        bad = engine.submit(Request((hated, hated, hated), Sampling(), 60))
        *_, failed = bad
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, Broken)
        assert "no finite numbers" in str(failed.error)
        with_company = [finished(handle) for handle in handles]
        again = [finished(engine.submit(request)) for request in fine]  # in the rows that it left behind
    finally:
        hook.remove()
    assert with_company == again == alone


def test_an_error_of_the_model_ends_only_the_request_that_it_is_raised_for(open_one: Open, loaded: Loaded) -> None:
    engine = open_one()
    fine = [Request(prompt(20, n), Sampling(), 60) for n in range(3)]
    alone = [finished(engine.submit(request)) for request in fine]
    hated = unused(fine, alone)

    def refuse(ids: list[int]) -> None:
        if hated in ids:
            raise ValueError("not this token")

    with Watch(loaded.model) as watch:
        watch.before = refuse
        handles = [engine.submit(request) for request in fine]
        *_, failed = engine.submit(Request((hated, hated, hated), Sampling(), 60))
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, Broken)
        assert "ValueError: not this token" in str(failed.error)
        assert [finished(handle) for handle in handles] == alone


def test_a_device_out_of_memory_makes_the_newest_wait(open_one: Open, loaded: Loaded) -> None:
    engine = open_one()
    requests = [Request(prompt(20, n), Sampling(), 30) for n in range(4)]
    alone = [finished(engine.submit(request)) for request in requests]

    def small_device(ids: list[int]) -> None:
        if len(ids) > 40:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    with Watch(loaded.model) as watch:
        watch.before = small_device
        handles = [engine.submit(request) for request in requests]
        assert [finished(handle) for handle in handles] == alone
        *_, failed = engine.submit(Request(prompt(90), Sampling(), 4))
        assert isinstance(failed, Failed)
        assert isinstance(failed.error, NoMemory)
        assert "no memory to compute 90 tokens" in str(failed.error)


class CountingRoom(FixedRoom):
    """Grants up to `most` and remembers the largest grant."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least)
        self.least, self.most, self.largest = least, most, least

    @property
    def most_bytes(self) -> int:
        return self.most

    def resize(self, wanted_bytes: int, *, evict: bool = True) -> bool:
        if wanted_bytes > self.most:
            return False
        self.granted_bytes = max(wanted_bytes, self.least)
        self.largest = max(self.largest, self.granted_bytes)
        return True


def test_room_is_asked_for_and_given_back(open_one: Open, loaded: Loaded) -> None:
    per_token = loaded.kv_bytes_per_token
    room = CountingRoom(256 * per_token, 2048 * per_token)
    engine = open_one(room)
    handles = [engine.submit(Request(prompt(60, n), Sampling(), 100)) for n in range(12)]
    for handle in handles:
        finished(handle)
    engine.close()
    assert 1024 * per_token < room.largest <= 2048 * per_token
    assert room.granted_bytes == 256 * per_token


def test_requests_short_of_memory_are_put_back_and_lose_nothing(open_one: Open, loaded: Loaded) -> None:
    requests = [Request(prompt(40, n), Sampling(temperature=0.8, seed=n), 200) for n in range(5)]
    wide, narrow = open_one(), open_one(FixedRoom(600 * loaded.kv_bytes_per_token))
    expected = [finished(handle) for handle in [wide.submit(request) for request in requests]]
    with Watch(loaded.model) as watch:
        handles = [narrow.submit(request) for request in requests]
        assert [finished(handle) for handle in handles] == expected
    # They joined together and were computed again later: more tokens than those of prompts and answers.
    assert sum(map(len, watch.steps)) > sum(40 + len(answer) for answer in expected)


def test_a_known_beginning_is_not_computed_again(open_one: Open, loaded: Loaded) -> None:
    engine = open_one()
    first = Request(prompt(300), Sampling(), 20)
    answer = finished(engine.submit(first))
    turns = {
        "the same again": (first.prompt, 299),
        "the next turn": (first.prompt + tuple(answer) + (1, 2, 3), 319),
        "another end": (first.prompt[:200] + prompt(30, 9), 200),
        "another text": (prompt(50, 5), 0),
    }
    for text, known in turns.values():
        with Watch(loaded.model) as watch:
            *events, done = engine.submit(Request(text, Sampling(), 10))
        assert isinstance(done, Done)
        assert done.prompt_tokens_reused == known
        assert sum(map(len, watch.steps)) == len(text) - known + 9
        fresh = open_one()
        assert ids_of(events) == finished(fresh.submit(Request(text, Sampling(), 10)))
        fresh.close()


def test_a_conversation_as_long_as_what_is_granted_is_kept_in_free_bytes(open_one: Open, loaded: Loaded) -> None:
    per_token = loaded.kv_bytes_per_token
    room = CountingRoom(512 * per_token, 2048 * per_token)
    engine = open_one(room)
    finished(engine.submit(Request(prompt(400), Sampling(), 1)))
    *_, done = engine.submit(Request(prompt(400), Sampling(), 1))
    assert isinstance(done, Done)
    assert done.prompt_tokens_reused == 399
    engine.close()
    assert room.granted_bytes == 512 * per_token


def test_prefixes_stay_within_the_room_and_the_oldest_leave_first(open_one: Open, loaded: Loaded) -> None:
    engine = open_one(FixedRoom(1200 * loaded.kv_bytes_per_token))
    texts = [prompt(300, n) for n in range(4)]
    for text in texts:
        finished(engine.submit(Request(text, Sampling(), 1)))

    def reused(text: tuple[int, ...]) -> int:
        *_, done = engine.submit(Request(text, Sampling(), 1))
        assert isinstance(done, Done)
        return done.prompt_tokens_reused

    assert reused(texts[3]) == 299
    assert reused(texts[0]) == 0
