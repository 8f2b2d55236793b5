"""Trains the demo model from nothing on generated conversations: `python -m llm.demo.train --minutes 70 --out DIR`.

One core, float32, no downloads. A run that stopped, by Ctrl-C or by force, goes on with `--resume`.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from llm.demo.batches import IGNORED, Batch, make_batches
from llm.demo.conversation import lesson_at
from llm.demo.optim import make_optimizers, rate
from llm.demo.tokenizer import MAX_TOKENS, build_tokenizer

SAVE_EVERY_SECONDS = 60.0
BATCH_TOKENS = 2048


@dataclass
class RunLog:
    """How far a run is. `seconds` counts training only, over all its parts, and sets the learning rate."""

    seed: int
    minutes: float
    seconds: float = 0.0
    steps: int = 0
    tokens: int = 0
    parts: int = 0
    loss: float = 0.0
    """Running mean over about 50 steps."""

    def __str__(self) -> str:
        spent = f"{self.tokens / 1e6:.1f} M tokens, {self.seconds / 60:.1f} minutes"
        return f"step {self.steps}, {spent}, loss {self.loss:.4f}"

    @property
    def fraction(self) -> float:
        """Share of the time that is spent, 0 to 1."""
        return min(1.0, self.seconds / (self.minutes * 60))


@dataclass
class Learner:
    """What a checkpoint holds. `body` is the model without its head, perhaps compiled."""

    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast
    optimizers: list[torch.optim.Optimizer]
    body: Callable[..., Any]

    def step(self, batch: Batch, share: float) -> float:
        """One update at `share` of the full learning rate; returns the loss."""
        ids, labels, weights = batch
        loss = self._answer_loss(self.body(input_ids=ids, use_cache=False).last_hidden_state, labels, weights)
        loss.backward()  # type: ignore[no-untyped-call]  # torch annotates it only in stubs
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = optimizer.defaults["lr"] * share
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    def _answer_loss(self, hidden: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Weighted cross-entropy over learnt answers only; `hidden` is [rows, width, size]."""
        targets = labels[:, 1:].reshape(-1)
        wanted = targets != IGNORED
        logits = self.model.lm_head(hidden[:, :-1].reshape(-1, hidden.shape[-1])[wanted])
        chosen = weights[:, 1:].reshape(-1)[wanted]
        return (cross_entropy(logits, targets[wanted], reduction="none") * chosen).sum() / chosen.sum()

    def save(self, out: Path, log: RunLog) -> None:
        """Model folder and state; a state is written aside and then moved, so a kill leaves the last one whole."""
        self.model.save_pretrained(out / "model")
        self.tokenizer.save_pretrained(out / "model")
        tensors = {f"model.{name}": value.detach() for name, value in self.model.named_parameters()}
        for number, optimizer in enumerate(self.optimizers):
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"{number}.{index}.{name}": value.contiguous() for name, value in state.items()}
        save_file(tensors, out / "state.tmp", metadata={"log": json.dumps(asdict(log))})
        (out / "state.tmp").replace(out / "state.safetensors")
        (out / "progress.json").write_text(json.dumps(asdict(log), indent=2), encoding="utf-8")

    def load(self, out: Path) -> None:
        """Take model and optimisers from `out`."""
        tensors = load_file(out / "state.safetensors")
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            owner, _, name = key.partition(".")
            parts.setdefault(owner, {})[name] = value
        # strict would miss lm_head, which is the embedding
        self.model.load_state_dict(parts["model"], strict=False)
        for number, optimizer in enumerate(self.optimizers):
            states: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in parts[str(number)].items():
                index, _, name = key.partition(".")
                states.setdefault(int(index), {})[name] = value
            optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})


def build_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """About 1.1 million parameters: a bigger one would see too little in the time of one core."""
    marks = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        # a base that fits the context: more of each head tells neighbours apart
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
        **marks,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False, max_new_tokens=256, **marks
    )
    return model


def build_learner(*, compiled: bool) -> Learner:
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    body = torch.compile(model.model, dynamic=True) if compiled else model.model
    return Learner(model, tokenizer, make_optimizers(model), body)


def train(out: Path, *, minutes: float, seed: int, resume: bool, compiled: bool) -> RunLog:
    """Train until `minutes` are spent, saving to `out` on the way and at the end; `out/model` is the model's folder."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    learner, log = build_learner(compiled=compiled), RunLog(seed, minutes)
    if resume and (out / "progress.json").exists():
        learner.load(out)
        log = RunLog(**json.loads((out / "progress.json").read_text(encoding="utf-8")) | {"minutes": minutes})
    # The generator's state is not kept: a resumed part draws other data, from the next seed.
    batches = make_batches(learner.tokenizer, seed + 1000 * log.parts, BATCH_TOKENS, lambda: lesson_at(log.fraction))
    log.parts += 1
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    try:
        with Progress(*columns, refresh_per_second=1) as bar:
            row = bar.add_task("compiling", total=minutes * 60, completed=int(log.seconds))
            saved = time.monotonic()
            while log.fraction < 1:
                begun = time.monotonic()
                batch = next(batches)
                loss = learner.step(batch, rate(log.fraction))
                log.seconds += time.monotonic() - begun
                log.steps += 1
                log.tokens += batch[0].numel()
                log.loss = 0.98 * log.loss + 0.02 * loss if log.loss else loss
                bar.update(row, completed=log.seconds, description=str(log))
                if time.monotonic() - saved > SAVE_EVERY_SECONDS:
                    learner.save(out, log)
                    saved = time.monotonic()
                    if not bar.console.is_terminal:
                        print(log, flush=True)
    except KeyboardInterrupt:
        print("stopped; go on with --resume")
    finally:
        learner.save(out, log)
    return log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=70.0, help="training time of all parts; saving is not counted")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the final model")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--no-compile", action="store_true", help="where no C++ compiler is at hand; a fifth slower")
    chosen = parser.parse_args()
    log = train(
        chosen.out,
        minutes=chosen.minutes,
        seed=chosen.seed,
        resume=chosen.resume,
        compiled=not chosen.no_compile,
    )
    print(f"{log}; the model is in {chosen.out / 'model'}")


if __name__ == "__main__":
    main()
