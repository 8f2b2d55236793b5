"""On which GPUs weights go."""

import pytest

from llm.loading.place import Part, place
from llm.vram import Gpu
from state.errors import NoMemory

GIB = 2**30


def gpus(*free: float, total: float = 24) -> list[Gpu]:
    """GPUs of 24 GiB, of which a tenth (2.4) is never for weights."""
    return [Gpu(index, round(total * GIB), round(size * GIB)) for index, size in enumerate(free)]


def model(layers: int, *, layer: float = 1, ends: float = 1, tied: bool = False) -> list[Part]:
    size = round(ends * GIB)
    head = Part("lm_head", 0, tied_to="model.embed_tokens") if tied else Part("lm_head", size)
    blocks = [Part(f"model.layers.{number}", round(layer * GIB)) for number in range(layers)]
    return [Part("model.embed_tokens", size), *blocks, Part("model.norm", 4096), Part("model.rotary_emb", 0), head]


@pytest.mark.parametrize(
    ("free", "chosen"),
    [
        ((24.0,), 0),
        ((24.0, 24.0), 0),
        ((24.0, 16.0), 1),
        ((16.0, 24.0, 15.0), 2),
        ((12.0, 24.0), 1),  # 10 and a little are needed, and of these 12 only 9.6 are for weights
    ],
)
def test_the_smallest_room_that_is_enough_takes_the_whole_model(free: tuple[float, ...], chosen: int) -> None:
    assert place(model(8), gpus(*free)) == {"": chosen}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("free", [(24.0, 24.0), (12.0, 24.0, 24.0), (24.0, 18.0, 10.0), (8.0, 8.0, 8.0, 8.0, 8.0, 8.0)])
def test_a_larger_model_is_split_by_whole_layers_in_order(free: tuple[float, ...], tied: bool) -> None:
    parts = model(26, ends=0.5, tied=tied)
    chosen = place(parts, gpus(*free))
    assert list(chosen) == [part.name for part in parts]
    order = [chosen[part.name] for part in parts if part.tied_to is None]
    runs = [index for place, index in enumerate(order) if place == 0 or order[place - 1] != index]
    assert len(runs) == len(set(runs)) > 1, "each GPU has one stretch of layers"
    for index, size in enumerate(free):
        taken = sum(part.size_bytes for part in parts if chosen[part.name] == index)
        assert taken <= (size - 2.4) * GIB
    if tied:
        assert chosen["lm_head"] == chosen["model.embed_tokens"]
    else:
        assert chosen["lm_head"] == chosen["model.norm"] == order[-1]


def test_no_more_gpus_are_taken_than_are_needed_and_the_rooms_are_filled_alike() -> None:
    chosen = place(model(26), gpus(10.0, 24.0, 24.0))
    assert set(chosen.values()) == {1, 2}
    shares = [sum(1 for index in chosen.values() if index == gpu) for gpu in (1, 2)]
    assert abs(shares[0] - shares[1]) <= 3


@pytest.mark.parametrize("free", [(24.0,), (10.0, 10.0), (24.0, 2.0, 1.0)])
def test_what_fits_nowhere_is_told_with_every_gpus_room(free: tuple[float, ...]) -> None:
    with pytest.raises(NoMemory) as caught:
        place(model(26, layer=2), gpus(*free))
    message = str(caught.value)
    assert "needs 54.0 GiB in whole layers of up to 2.0 GiB" in message
    assert "\n" not in message
    for index, size in enumerate(free):
        assert f"GPU {index}: {max(0.0, size - 2.4):.1f} GiB" in message.replace("0 bytes", "0.0 GiB")


def test_a_layer_is_not_cut_in_two() -> None:
    with pytest.raises(NoMemory, match=r"needs 26\.0 GiB in whole layers of up to 8\.0 GiB"):
        place(model(3, layer=8), gpus(16.0, 16.0))
