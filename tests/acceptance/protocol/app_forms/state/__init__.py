"""A package of a name that a server may have taken for itself."""

from state.words import WORD as WORD
