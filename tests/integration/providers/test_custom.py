"""Models made by a callable that the operator names."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_core.language_models import BaseChatModel, FakeListChatModel

from state.errors import BadRequest
from state.models import ModelCard
from tests.integration.providers.models import ask_all_ways, calculator, open_remotes


def make_parrot(card: ModelCard) -> BaseChatModel:
    return FakeListChatModel(responses=[f"I am {card.name}"])


def make_nothing(card: ModelCard) -> object:
    return card


def make_trouble(card: ModelCard) -> BaseChatModel:
    raise RuntimeError("no luck\ntoday")


async def test_a_custom_class_is_asked_as_any_other(tmp_path: Path) -> None:
    cards = {"parrot": {"provider": "custom", "factory": f"{__name__}:make_parrot"}}
    with open_remotes(tmp_path, cards) as models:
        for answer in await ask_all_ways(models.chat("parrot")):
            assert answer.text == "I am parrot"
            assert answer.response_metadata["finish_reason"] == "stop"
            assert answer.response_metadata["strategy"] == "remote"
        with pytest.raises(BadRequest, match="cannot call tools"):
            await models.chat("parrot").bind_tools([calculator]).ainvoke("hello")


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("nowhere.at_all:make", "cannot be imported"),
        (f"{__name__}:make_nothing", "not a BaseChatModel"),
        (f"{__name__}:make_trouble", "cannot be opened: RuntimeError: no luck today"),
    ],
)
async def test_a_bad_factory_is_told(tmp_path: Path, factory: str, message: str) -> None:
    opened = open_remotes(tmp_path, {"odd": {"provider": "custom", "factory": factory}})
    with opened as models, pytest.raises(BadRequest, match=message):
        await models.chat("odd").ainvoke("hello")
