"""Imports its neighbour as Python packages do."""

from forms import _builder
from src.packaged.words import WORD

graph = _builder(WORD)
