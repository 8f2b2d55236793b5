"""Reading and adding up what model calls cost."""

from __future__ import annotations

from collections.abc import Mapping

from langchain_core.messages import AIMessage

from state.models import CallMetrics


def metrics_of(reply: AIMessage, *, model: str, strategy: str) -> CallMetrics:
    """The metrics a reply carries in `response_metadata`; models that report none still give their token counts."""
    said: Mapping[str, object] = {
        name: value for name, value in reply.response_metadata.items() if name in CallMetrics.model_fields
    }
    usage = reply.usage_metadata
    counted = {"prompt_tokens": usage["input_tokens"], "tokens_generated": usage["output_tokens"]} if usage else {}
    return CallMetrics.model_validate({"model_name": model, "strategy": strategy, "cache_hit": True, **counted, **said})


def add_metrics(first: CallMetrics | None, second: CallMetrics) -> CallMetrics:
    """Two calls as one: times and tokens add up, the first call's load and first token count, memory is the larger."""
    if first is None:
        return second
    seconds = first.inference_time_sec + second.inference_time_sec
    tokens = first.tokens_generated + second.tokens_generated
    # A call that no model made, as a tool call that the request spells out, has no first token.
    first_token = first.time_to_first_token_sec
    if first_token is None:
        first_token = second.time_to_first_token_sec
    return second.model_copy(
        update={
            "cache_hit": first.cache_hit and second.cache_hit,
            "load_time_sec": first.load_time_sec + second.load_time_sec,
            "inference_time_sec": seconds,
            "total_time_sec": first.total_time_sec + second.total_time_sec,
            "queue_wait_sec": first.queue_wait_sec + second.queue_wait_sec,
            "time_to_first_token_sec": first_token,
            "prompt_tokens": first.prompt_tokens + second.prompt_tokens,
            "prompt_tokens_reused": first.prompt_tokens_reused + second.prompt_tokens_reused,
            "tokens_generated": tokens,
            "tokens_per_sec": round(tokens / seconds, 1) if seconds else 0.0,
            "gpu_memory_used_gb": max(first.gpu_memory_used_gb, second.gpu_memory_used_gb),
        }
    )


def metrics_of_plugin(name: str, seconds: float) -> CallMetrics:
    """What a plugin that asks no model cost: its time, no tokens."""
    return CallMetrics(
        model_name=name, strategy="plugin", cache_hit=True, inference_time_sec=seconds, total_time_sec=seconds
    )
