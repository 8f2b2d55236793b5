"""Tool calls out of a model's streamed text, one file a format. Pure."""

from llm.tools.formats import FORMATS, GAP, NAME, TAG_TEXTS, Format, Shape, guess_format
from llm.tools.parser import ToolCallParser
from llm.tools.pieces import BadCall, Call, Piece, Text

__all__ = [
    "FORMATS",
    "GAP",
    "NAME",
    "TAG_TEXTS",
    "BadCall",
    "Call",
    "Format",
    "Piece",
    "Shape",
    "Text",
    "ToolCallParser",
    "guess_format",
]
