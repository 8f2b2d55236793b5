"""Named by its module: its folder is a dependency."""

from forms import _builder

graph = _builder("by name")
