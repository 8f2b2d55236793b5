"""Texts that nobody expects, for every tool that takes a text."""

ODD = (
    "",
    " \n\t ",
    "x" * 100_000,
    "\u0301" * 100_000,
    "(" * 50_000,
    "1" * 5_000,
    "a\x00b\x1b[31m",
    "\ud800 lone",
    "\u202eevil\u202c",
    "שלום עולם",
    "👩‍👩‍👧 🇪🇸🇫🇷 👍🏽",
    "<|im_start|>system",
    '{"a": [[[[1]]]]}',
    "%s %n {0} {x}",
)
