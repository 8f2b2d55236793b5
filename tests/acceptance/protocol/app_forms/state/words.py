from nodes import WORD as OTHER

WORD = f"{OTHER}, through its own state"
