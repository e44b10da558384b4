"""Reads pickles of plain values and arrays of bytes, without Python's unpickler.

Python's unpickler runs functions that a pickle names, allocates what a pickle asks for, and crashes
on values that are nested deeply. Here the operations of a pickle are interpreted one by one. Those
that plain values and NumPy arrays need are known, and anything else is refused.

The operations: https://docs.python.org/3/library/pickletools.html
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from eyetune.inputs.limits import PICKLE_STEPS


class UnpicklingError(ValueError):
    """The bytes are not a pickle of plain values and arrays."""


@dataclass
class PickledArray:
    """An array in a pickle: its bytes, and what they mean.

    Attributes:
        shape: Its shape; empty until the pickle has described the array.
        code: NumPy's code of its type, without the byte order.
        is_fortran: Whether the bytes are in Fortran's order.
        content: Its bytes, or something else in a pickle of other values.
    """

    shape: tuple[int, ...] = ()
    code: str = ""
    is_fortran: bool = False
    content: Any = b""

    def __str__(self) -> str:
        """Return the type and the shape, as text for people."""
        return f"{self.code} of shape {self.shape}"[:100] if self.code else "an empty array"


@dataclass(frozen=True)
class _Dtype:
    code: str


@dataclass(frozen=True)
class _Function:
    """A function or class of NumPy that pickles of arrays name."""

    name: str


_RECONSTRUCT, _DTYPE, _NDARRAY = map(_Function, ("_reconstruct", "dtype", "ndarray"))
_FUNCTIONS = {
    "numpy.core.multiarray _reconstruct": _RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": _RECONSTRUCT,
    "numpy dtype": _DTYPE,
    "numpy ndarray": _NDARRAY,
}
_MARK: Final = _Function("mark")
_KEYS = (bytes, str, int, float, type(None))  # whose hash does not visit other values
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_BYTE_STRINGS = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # of Python 2
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_WITHOUT_EFFECT = {"PROTO", "FRAME"}


def parse(content: bytes) -> Any:
    """Return the value of a pickle: plain values and `PickledArray`.

    Args:
        content: The pickle. The byte strings of Python 2 become bytes.

    Raises:
        UnpicklingError: It contains other values, or is damaged. The parser of the operations
            raises ValueError and other errors for damaged ones, too.
        LimitExceededError: It has too many operations.

    Example:
        >>> parse(b"(dS'labels'\\n(lI3\\nas.")
        {b'labels': [3]}
    """
    machine = _Machine()
    max_steps = PICKLE_STEPS.value
    for number, (opcode, argument, _) in enumerate(pickletools.genops(content), start=1):
        if number > max_steps:
            PICKLE_STEPS.check(number, "a pickle")
        machine.step(opcode.name, argument)
    return machine.pop()


class _Machine:
    """The stack and the memo that the operations of a pickle work on."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._operations: dict[str, Callable[[Any], None]] = {
            "MARK": lambda _: self._stack.append(_MARK),
            "EMPTY_LIST": lambda _: self._stack.append([]),
            "EMPTY_DICT": lambda _: self._stack.append({}),
            "LIST": lambda _: self._stack.append(self._marked()),
            "TUPLE": lambda _: self._stack.append(tuple(self._marked())),
            "DICT": lambda _: self._new_dict(),
            "APPEND": lambda _: self._append([self.pop()]),
            "APPENDS": lambda _: self._append(self._marked()),
            "SETITEM": lambda _: self._set_items(self._popped(2)),
            "SETITEMS": lambda _: self._set_items(self._marked()),
            "GLOBAL": self._name,
            "STACK_GLOBAL": lambda _: self._name(" ".join(map(_text, self._popped(2)))),
            "REDUCE": lambda _: self._reduce(),
            "BUILD": lambda _: self._build(),
            "MEMOIZE": lambda _: self._keep(len(self._memo)),
            **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), self._keep),
            **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), self._recall),
            "STOP": lambda _: None,
        }

    def step(self, name: str, argument: Any) -> None:
        """Do one operation."""
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _BYTE_STRINGS:
            self._stack.append(argument.encode("latin-1"))
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self._stack.append(tuple(self._popped(_TUPLES[name])))
        elif name in self._operations:
            self._operations[name](argument)
        elif name not in _WITHOUT_EFFECT:
            raise UnpicklingError(f"it contains the operation {name}")

    def pop(self) -> Any:
        """Remove the top of the stack and return it."""
        (value,) = self._popped(1)
        return value

    def _popped(self, count: int) -> list[Any]:
        """Remove values from the top of the stack and return them, the top last."""
        values = self._stack[len(self._stack) - count :] if count else []
        if count > len(self._stack) or any(value is _MARK for value in values):
            raise UnpicklingError("its stack is empty")
        del self._stack[len(self._stack) - count :]
        return values

    def _marked(self) -> list[Any]:
        """Remove the values above the topmost mark and return them."""
        values: list[Any] = []
        while self._stack:
            value = self._stack.pop()
            if value is _MARK:
                values.reverse()
                return values
            values.append(value)
        raise UnpicklingError("its stack has no mark")

    def _top(self, kind: type) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise UnpicklingError(f"the top of its stack is not a {kind.__name__}")
        return self._stack[-1]

    def _append(self, values: list[Any]) -> None:
        self._top(list).extend(values)

    def _new_dict(self) -> None:
        items = self._marked()
        self._stack.append({})
        self._set_items(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._top(dict)
        if len(items) % 2:
            raise UnpicklingError("a dictionary has a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, _KEYS):
                raise UnpicklingError(f"a key of a dictionary is a {type(key).__name__}")
            target[key] = value

    def _keep(self, index: int) -> None:
        self._memo[index] = self._top(object)

    def _recall(self, index: int) -> None:
        if index not in self._memo:
            raise UnpicklingError(f"its memo has no value {index}")
        self._stack.append(self._memo[index])

    def _name(self, name: str) -> None:
        if name not in _FUNCTIONS:
            raise UnpicklingError(f"it asks for {name.replace(' ', '.')[:100]}")
        self._stack.append(_FUNCTIONS[name])

    def _reduce(self) -> None:
        function, arguments = self._popped(2)
        if function is _RECONSTRUCT:
            self._stack.append(PickledArray())
        elif function is _DTYPE and isinstance(arguments, tuple) and arguments:
            self._stack.append(_Dtype(_text(arguments[0])))
        else:
            raise UnpicklingError(f"it calls {type(function).__name__}")

    def _build(self) -> None:
        """Describe the array or the type below the top of the stack with the top."""
        state = self.pop()
        target = self._top(object)
        if isinstance(target, _Dtype):
            return  # the byte order, and what arrays with fields need
        is_description = isinstance(state, tuple) and len(state) == len(("version", *"snfc"))
        if not isinstance(target, PickledArray) or not is_description:
            raise UnpicklingError(f"it describes a {type(target).__name__}")
        _, shape, dtype, is_fortran, content = state
        if not isinstance(shape, tuple) or not isinstance(dtype, _Dtype):
            raise UnpicklingError("an array has no shape or no type")
        target.shape = tuple(size for size in shape if type(size) is int and abs(size) < 2**63)
        target.code, target.is_fortran, target.content = dtype.code, bool(is_fortran), content


def _text(value: Any) -> str:
    """Return a name as text. The text of other values could be of any length."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise UnpicklingError(f"a name is a {type(value).__name__}")
