"""Shapes of `/models`."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from state.models import MODEL_NAME, REPOSITORY, Capability, ModelCard, Strategy, ToolFormat
from state.resources import Resident

ModelName = Annotated[str, Path(pattern=MODEL_NAME, description="name in the catalogue")]


class ModelInfo(ModelCard):
    """A card, where the model's files are, and what of it is in memory now."""

    here: bool = Field(description="a call needs no download: its files are here, or it is remote and may be asked")
    remote: bool = Field(description="it answers behind an API; nothing of it is loaded here")
    added: bool = Field(description="added by a request, which may also remove it")
    loaded: list[str] = Field(description="strategies in which it is resident")
    residents: list[Resident] = Field(description="what it takes in memory, who uses it, when it leaves")
    bytes_needed: dict[Strategy, int] = Field(description="by strategy, before loading: weights, least KV; 0: remote")
    kv_bytes_per_token: int = Field(description="keys and values of one token of context; 0 when not known yet")
    fits: list[Strategy] = Field(description="strategies in which it could be loaded, were it alone in memory")
    problem: str | None = Field(None, description="why it cannot be loaded as it is, and the way out")


class ModelList(BaseModel):
    """The catalogue, and what a request that names no model and no strategy gets."""

    models: list[ModelInfo]
    default_model: str
    default_strategy: Strategy
    strategies: list[Strategy] = Field(list(get_args(Strategy)), description="how a model may be loaded")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LoadRequest(_Body):
    """How to load. What is left out stays as the model's card or the settings say."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"strategy": "standard", "keep_alive": 600}]})

    strategy: Strategy | None = None
    pin: bool | None = Field(None, description="true: it makes room for nobody; false: it does again")
    keep_alive: float | None = Field(
        None, ge=-1, le=1e9, allow_inf_nan=False, description="seconds idle in memory; -1 no end, 0 none"
    )


class UnloadRequest(_Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"strategy": "standard"}]})

    strategy: Strategy | None = Field(None, description="left out: every strategy")


class Unloaded(BaseModel):
    unloaded: int = Field(description="how many left the memory")


class NewModel(_Body):
    """What a request may say of a model: a pinned commit of a repository, and what is to be known of it.

    Fields as in the model's card; a folder, an address or a class can be said in the operator's file only.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "repo": "Qwen/Qwen3-0.6B",
                    "revision": "c1899de289a04d12100db370d81485cdf75e47ca",
                    "context_length": 32_768,
                    "parameters": 596_049_920,
                }
            ]
        }
    )

    repo: str = Field(pattern=REPOSITORY, description="owner/name on the Hugging Face hub")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$", description="commit the weights are pinned to, 40 hex digits")
    context_length: int = Field(gt=0, description="tokens, prompt and answer together")
    parameters: int = Field(gt=0, description="number of weights")
    embedding_parameters: int | None = Field(
        None, gt=0, description="of `parameters`, those of embeddings and output head"
    )
    max_output_tokens: int = Field(512, gt=0, description="answer length when a call does not say")
    description: str = Field("", max_length=500)
    capabilities: tuple[Capability, ...] = ("chat",)
    languages: tuple[str, ...] = ("en",)
    stop: tuple[str, ...] = Field((), description="strings that always end an answer of this model")
    tool_format: ToolFormat = Field("hermes", description="how this model writes tool calls")
    bits: Literal[4, 8] = Field(4, description="bits a weight under strategy `optimized`")
    keep_alive: float | None = Field(None, ge=-1, le=1e9, description="seconds idle in memory; -1 no end, 0 none")
