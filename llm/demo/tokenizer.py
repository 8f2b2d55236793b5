"""The byte-level tokenizer: one token a byte, and one for each mark of the chat format."""

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"
TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
MAX_TOKENS = 1024
TEMPLATE = Path(__file__).with_name("template.jinja")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer with its chat template.

    The tags are not special, so a decoded answer still shows its tool calls. Padding is on the left, written out by
    hand: it is not saved by default, and the wrong side costs most of the accuracy of a batch.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={byte: number for number, byte in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in (START, END, PAD)])
    tokenizer.add_tokens([AddedToken(tag, normalized=False, special=False) for tag in TAGS])
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers annotates no constructor
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        padding_side="left",
        truncation_side="left",
        model_max_length=MAX_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return fast


def token_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The id of one token of the vocabulary; `KeyError` for any other text."""
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    return vocabulary[token]
