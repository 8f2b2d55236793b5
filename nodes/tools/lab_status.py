"""Lab status: memory, loaded models and who waits for them."""

from __future__ import annotations

from langchain_core.tools import BaseTool, tool

from llm.sizing import human_bytes
from state.ports import ChatModels
from state.resources import Reading, Resident


def lab_status(models: ChatModels) -> BaseTool:
    """The tool that models see: `lab_status()`."""

    @tool("lab_status")
    def run() -> str:
        """Tell this lab's device, free memory, loaded models and waiting callers."""
        return describe_reading(models.reading())

    return run


def describe_reading(reading: Reading) -> str:
    """A reading in one line a subject."""
    memory = [f"RAM {human_bytes(reading.ram_free_bytes)} free of {human_bytes(reading.ram_total_bytes)}"]
    if reading.vram_total_bytes:
        memory.append(f"VRAM {human_bytes(reading.vram_free_bytes)} free of {human_bytes(reading.vram_total_bytes)}")
    loaded = "; ".join(_describe(model) for model in reading.resident) or "none"
    return "\n".join(
        (
            f"device: {reading.device}, {', '.join(memory)}",
            f"budget for models: {human_bytes(reading.used_bytes)} used of {human_bytes(reading.budget_bytes)}",
            f"loaded models: {loaded}",
            f"waiting callers: {reading.waiting}",
        )
    )


def _describe(model: Resident) -> str:
    use = f"in use by {model.leases}" if model.leases else "idle"
    return f"{model.name} ({model.strategy}, {human_bytes(model.total_bytes)}, {use})"
