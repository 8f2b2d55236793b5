"""Where chat models come from, one source a file. A provider's package is imported when it is first asked."""
