"""Random changes of bytes, of texts with lines, and of JSON values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MAX_BYTES = 4_000_000
NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
LARGE = (2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
TEXTS = (
    *("", " ", "\0", "a\nb", "a[/]b", "[red]", "\x1b[31m", "../../x", "/dev/zero", "~", "latest"),
    *("nan", "NaN", "é", "\u202e", "\ud83d\ude00", "x" * 5000, "-1", "%s{0}", "None", "a.b.c"),
)
TOML_VALUES = (
    *("nan", "-inf", "-0.0", "1e400", "0", "-1", "1", "true", "false", '""', '"x"', "[]", "{}"),
    *("1979-05-27", "07:32:00", "9223372036854775807", "-9223372036854775808", "0x7fffffffffffff"),
    *("[1, 2]", "[[1], [2]]", '["a", 1]', "{a = 1}", "'''a\nb'''", '"\\u0000"', "1e-320", "1e308"),
    *('"latest"', '"cifar10"', '"/dev/zero"', "[0, 0, 0]", "99999999999", "[true]", '"a[/]b"'),
    *("[" * 40 + "]" * 40, "[" + "1," * 30_000 + "]", "'" + "x" * 30_000 + "'"),
)


def mutated(random: Random, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Return bytes with a few random changes; parts of others may be inserted."""
    data = bytearray(content)
    for _ in range(1 + min(20, int(random.expovariate(0.6)))):
        random.choice(_CHANGES)(random, data, others)
    return bytes(data[:MAX_BYTES])


def _place(random: Random, data: bytearray, size: int = 1) -> int:
    """Return a position; the beginning and the end, where headers are, are more probable."""
    last = max(0, len(data) - size)
    kind = random.random()
    if kind < 0.3:
        return min(last, int(random.expovariate(0.02)))
    if kind < 0.5:
        return max(0, last - int(random.expovariate(0.02)))
    return random.randint(0, last)


def _flip(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[_place(random, data)] ^= 1 << random.randrange(8)


def _set_byte(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[_place(random, data)] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))


def _set_number(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    size = random.choice((2, 4, 8))
    if len(data) >= size:
        value = random.choice((*NUMBERS, *LARGE)) % 256**size
        start = _place(random, data, size)
        data[start : start + size] = value.to_bytes(size, random.choice(("little", "big")))


def _delete(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    start = _place(random, data)
    del data[start : start + 1 + int(random.expovariate(0.05))]


def _insert(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    start = _place(random, data)
    data[start:start] = random.randbytes(random.choice((1, 2, 4, 8, 100)))


def _repeat(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    start = _place(random, data)
    part = bytes(data[start : start + random.choice((1, 2, 4, 16, 100, 600))])
    data[start:start] = part * random.choice((1, 2, 10, 1000))
    del data[MAX_BYTES:]


def _move(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    start, target = _place(random, data), _place(random, data)
    part = data[start : start + random.choice((1, 4, 16, 512))]
    data[target : target + len(part)] = part


def _splice(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = random.choice(others) if others else bytes(data)
    start, size = random.randint(0, len(other)), random.choice((4, 32, 512, len(other)))
    target = _place(random, data)
    data[target : target + random.choice((0, size))] = other[start : start + size]


def _cut(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[_place(random, data) :]


_CHANGES: tuple[Callable[[Random, bytearray, Sequence[bytes]], None], ...] = (
    *(_flip, _flip, _set_byte, _set_byte, _set_number, _set_number),
    *(_delete, _insert, _repeat, _move, _splice, _cut),
)


def mutated_toml(random: Random, text: str, others: Sequence[str]) -> bytes:
    """Return a TOML text with random changes of values, names and lines, or of bytes."""
    lines = text.split("\n")
    for _ in range(1 + min(10, int(random.expovariate(0.7)))):
        index = random.randrange(len(lines))
        name, equals, _ = lines[index].partition("=")
        kind = random.randrange(8)
        if kind <= 3 and equals:
            lines[index] = f"{name}= {random.choice(TOML_VALUES)}"
        elif kind == 4:
            del lines[index : index + random.choice((1, 1, 5))]
            lines = lines or [""]
        elif kind == 5:
            other = random.choice(others).split("\n")
            lines[index:index] = [random.choice(other)]
        elif kind == 6:
            part = random.choice(
                ("x", '"a b"', "''", "é", ".".join("a" * random.choice((3, 5000))))
            )
            lines[index] = f"{part} = {random.choice(TOML_VALUES)}"
        elif kind == 7:
            lines[index] = lines[index].replace("[", random.choice(("[[", "", "[a.")))
    content = "\n".join(lines).encode()
    if random.random() < 0.3:
        content = mutated(random, content, [other.encode() for other in others])
    if random.random() < 0.02:
        content += b"".join(b"a%d = 1\n" % number for number in range(random.choice((999, 30_000))))
    return content


def mutated_json(random: Random, value: Any) -> bytes:
    """Return a JSON value with random changes of its parts, or of bytes."""
    copy = json.loads(json.dumps(value))
    for _ in range(1 + min(10, int(random.expovariate(0.8)))):
        copy = _changed(random, copy)
    content = json.dumps(copy, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    if random.random() < 0.2:
        content = mutated(random, content)
    return content


def odd_value(random: Random) -> Any:
    """Return a value that is valid JSON for Python, and hardly ever what a reader expects."""
    return random.choice(
        (
            *(None, True, False, -1, 0.5, -0.0, 1e308, math.nan, math.inf, 10**400, [], {}, [[]]),
            *(*NUMBERS, *LARGE, *TEXTS, [None], {"": None}, [1, "a"], {"a": {"b": []}}),
            json.loads("[" * 300 + "]" * 300),
        )
    )


def _changed(random: Random, value: Any) -> Any:
    """Return a value with one part, at a random depth, replaced, removed, added or repeated."""
    if not isinstance(value, dict | list) or not value or random.random() < 0.15:
        return odd_value(random)
    if isinstance(value, dict):
        key = random.choice(list(value))
        kind = random.randrange(10)
        if kind == 0:
            del value[key]
        elif kind == 1:
            value[random.choice(TEXTS)] = odd_value(random)
        elif kind == 2:
            value[random.choice(list(value))] = value[key]
        else:
            value[key] = _changed(random, value[key])
        return value
    index = random.randrange(len(value))
    kind = random.randrange(10)
    if kind == 0:
        del value[index]
    elif kind == 1:
        value.insert(index, odd_value(random))
    elif kind == 2:
        value[index:index] = value[index : index + 1] * random.choice((1, 500))
    else:
        value[index] = _changed(random, value[index])
    return value
