"""The application's modules see each other, whatever the server's are called."""

from forms import _builder

import state
from nodes import WORD

graph = _builder([WORD, state.WORD])
