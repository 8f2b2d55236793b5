"""What is said about a model: its card, how it is loaded, how it samples, what one call cost."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Strategy = Literal["standard", "optimized", "streaming"]
"""How weights are loaded: `standard` in full precision, `optimized` as 4-bit nf4 (bitsandbytes), `streaming` layer by
layer from the disk, so that a model larger than the free memory runs, slowly."""

Provider = Literal["local", "openai", "anthropic", "openai_compatible", "custom"]
"""Where answers are made: on this machine, or behind somebody's API."""

ToolFormat = Literal["hermes", "mistral", "llama3", "json"]
"""How a family writes tool calls; `json` is a bare object or a fenced block of it."""

SamplingName = Literal["temperature", "top_p", "top_k", "repetition_penalty", "max_tokens", "seed"]
"""The fields of Sampling."""

MODEL_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
"""What a model may be called in the catalogue."""

REPOSITORY = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"
"""What a repository of the Hugging Face hub may be called."""

KEY_NAME = r"^[a-z0-9][a-z0-9_-]{0,31}$"
"""What an operator may call a provider's key."""

Capability = Literal["chat", "code", "math", "reasoning", "tools", "multilingual"]


class ModelCard(BaseModel):
    """One entry of the catalogue.

    A local model has `repo`, a Hugging Face repository, or `path`, a folder. The others are asked for at a provider by
    their `model_id`, at `base_url` where that is not the provider's own; a custom one is made by its `factory`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=MODEL_NAME, description="key used everywhere: `--model`, API, metrics")
    repo: str | None = Field(None, pattern=REPOSITORY)
    revision: str | None = Field(None, description="commit the weights are pinned to; required with `repo`")
    path: str | None = Field(None, description="folder of a local model; relative to the catalogue file")
    provider: Provider = "local"
    description: str = ""
    context_length: int = Field(gt=0, description="tokens, prompt and answer together")
    max_output_tokens: int = Field(512, gt=0, description="answer length when a call does not say")
    parameters: int = Field(0, ge=0, description="number of weights; 0 when unknown, as of a remote model")
    embedding_parameters: int | None = Field(
        None, gt=0, description="of `parameters`, those of embeddings and output head, which no strategy quantises"
    )
    capabilities: tuple[Capability, ...] = ("chat",)
    languages: tuple[str, ...] = ("en",)
    stop: tuple[str, ...] = Field((), description="strings that always end an answer of this model")
    tool_format: ToolFormat = Field("hermes", description="how this model writes tool calls")
    bits: Literal[4, 8] = Field(4, description="bits a weight under strategy `optimized`")
    keep_alive: float | None = Field(None, ge=-1, description="seconds idle in memory; -1 no end, 0 none; None: as set")
    pinned: bool = Field(False, description="once loaded it stays, whoever needs the room")
    model_id: str | None = Field(None, min_length=1, max_length=256, description="a remote model's name there")
    base_url: str | None = Field(None, description="where a remote model is asked; None: the provider's own server")
    key: str | None = Field(None, pattern=KEY_NAME, description="which of the operator's keys is sent")
    factory: str | None = Field(None, pattern=r"^[\w.]+:\w+$", description="`package.module:callable`, if custom")
    settings: tuple[SamplingName, ...] | None = Field(
        None, description="settings of a call that a remote model takes; None: those of its provider"
    )


class Sampling(BaseModel):
    """Settings of one call. `None` leaves the choice to the model's card."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(0.0, ge=0.0, le=2.0, description="0 is greedy: the same prompt gives the same answer")
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    top_k: int = Field(0, ge=0, description="0 is off")
    repetition_penalty: float = Field(1.0, gt=0.0, le=4.0)
    max_tokens: int | None = Field(None, gt=0, description="tokens generated at most")
    seed: int | None = Field(None, ge=0, lt=2**63, description="fixes sampling when temperature is above 0")


class CallMetrics(BaseModel):
    """What one model call cost. Names without a `+` in SPEC.md A7 are the seed's."""

    model_config = ConfigDict(frozen=True)

    model_name: str
    strategy: str
    cache_hit: bool = Field(description="the model was resident when the call asked for it")
    load_time_sec: float = 0.0
    inference_time_sec: float = 0.0
    total_time_sec: float = 0.0
    queue_wait_sec: float = 0.0
    time_to_first_token_sec: float | None = None
    prompt_tokens: int = 0
    prompt_tokens_reused: int = Field(0, description="of the prompt, taken from an earlier call's KV")
    tokens_generated: int = 0
    tokens_per_sec: float = 0.0
    gpu_memory_used_gb: float = 0.0
