"""What can be told about a pickle without loading it: loading would run it."""

from __future__ import annotations

import pickletools
from typing import Any

MAX_STRINGS = 200
MAX_CHARACTERS = 100  # of a string
_CALLS = {"REDUCE", "NEWOBJ", "NEWOBJ_EX", "INST", "OBJ", "BUILD"}
_NOTE = (
    "A pickle is a program, and this is only what it refers to. Trust it only if you trust its "
    "author."
)


def pickle_summary(content: bytes) -> str:
    """Return the names that a pickle imports and the texts in it, one in each line.

    Args:
        content: The pickle. It is read as a list of instructions, none of which is run.

    Example:
        >>> import pickle, math
        >>> print(pickle_summary(pickle.dumps(math.sqrt)).splitlines()[2])
        imports math.sqrt
    """
    imports: dict[str, None] = {}
    texts: dict[str, None] = {}
    recent: list[str] = []  # texts that an instruction can use
    memo: dict[int, str] = {}
    num_calls = num_instructions = 0
    end = ""
    try:
        argument: Any
        for code, argument, _ in pickletools.genops(content):
            num_instructions += 1
            num_calls += code.name in _CALLS
            match code.name:
                case "GLOBAL" | "INST":
                    imports[str(argument).replace(" ", ".", 1)] = None
                case "STACK_GLOBAL":
                    imports[".".join(recent[-2:])] = None
                case "MEMOIZE":
                    memo[len(memo)] = recent[-1] if recent else "?"
                case "PUT" | "BINPUT" | "LONG_BINPUT":
                    memo[argument] = recent[-1] if recent else "?"
                case "GET" | "BINGET" | "LONG_BINGET":
                    recent.append(memo.get(argument, "?"))
                case "PROTO" | "FRAME":
                    pass
                case _ if isinstance(argument, str):
                    recent.append(argument)
                    texts[argument[:MAX_CHARACTERS]] = None
                case _:
                    recent.append("?")
            recent = recent[-2:]
    except Exception as error:  # of damaged instructions there are many kinds
        end = f"\nIt is damaged after {num_instructions} instructions: {type(error).__name__}"
    shown = list(texts)[:MAX_STRINGS]
    lines = [
        _NOTE,
        f"{len(content):,} bytes, {num_instructions:,} instructions, {num_calls:,} calls",
        *(f"imports {name}" for name in imports),
        *(f"text {text!r}" for text in shown),
        *([f"and {len(texts) - len(shown)} more texts"] if len(texts) > len(shown) else []),
    ]
    return "\n".join(lines) + end
