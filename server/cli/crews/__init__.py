"""`lab crews`: crews kept, checked, drawn and run."""
