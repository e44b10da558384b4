"""Refuse discouraged phrases in everything that a person reads.

    python tools/check_phrases.py            # all files of the repository
    python tools/check_phrases.py README.md  # these files

tools/discouraged_phrases.toml lists the phrases, each with what to write instead. A phrase is found
in any case and across line breaks, also in comments. The exit status is 1 if a phrase is found.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PHRASES = Path(__file__).with_name("discouraged_phrases.toml")
SUFFIXES = {".cff", ".cfg", ".ipynb", ".j2", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}
# Generated, or the list itself.
EXCLUDED = ("requirements/", "tools/discouraged_phrases.toml")
# What may stand between two words of a phrase: spaces, or a line break inside a docstring, a
# comment, a quotation, a string literal in parts or a notebook cell.
GAP = r"""(?:\s|\\n|["'`#,]*\n\s*f?["'`#>]*\s*)+"""


@dataclass(frozen=True)
class Phrase:
    """A discouraged phrase.

    Attributes:
        pattern: A regular expression; a space in it matches any white space.
        instead: What to write instead.
        match_case: Whether upper and lower case differ.
        allowed_in: Paths of files, relative to the repository, in which the phrase may stand.
    """

    pattern: str
    instead: str
    match_case: bool = False
    allowed_in: tuple[str, ...] = ()

    def compiled(self) -> re.Pattern[str]:
        """Return the regular expression that finds the phrase as whole words."""
        flags = 0 if self.match_case else re.IGNORECASE
        spaced = self.pattern.replace(" ", GAP)
        return re.compile(rf"(?<![\w-])(?:{spaced})(?!\w)", flags | re.MULTILINE)


def read_phrases(path: Path = PHRASES) -> list[Phrase]:
    """Return the discouraged phrases of a TOML file."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["phrase"]
    return [
        Phrase(
            table["pattern"],
            table["instead"],
            table.get("match_case", False),
            tuple(table.get("allowed_in", ())),
        )
        for table in tables
    ]


def find_phrases(text: str, phrases: Iterable[Phrase], path: str = "") -> Iterator[str]:
    """Yield a line `path:line: "phrase": instead` for each discouraged phrase in a text.

    Example:
        >>> list(find_phrases("It hangs\\non it.", [Phrase("hangs on", "depends on")], "a.md"))
        ['a.md:1: "hangs on": write "depends on"']
    """
    for phrase in phrases:
        if path in phrase.allowed_in:
            continue
        for match in phrase.compiled().finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            quoted = " ".join(match[0].split())
            yield f'{path}:{line}: "{quoted}": write "{phrase.instead}"'


def repository_files() -> list[Path]:
    """Return the text files of the repository that people read, including new ones."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.splitlines() if not name.startswith(EXCLUDED)]
    return [path for path in paths if path.suffix in SUFFIXES and path.exists()]


def main(arguments: list[str]) -> int:
    """Print the discouraged phrases of files; return 1 if there are any, else 0."""
    phrases = read_phrases()
    paths = [Path(argument).resolve() for argument in arguments] or repository_files()
    count = 0
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(EXCLUDED) or path.suffix not in SUFFIXES:
            continue
        for message in find_phrases(path.read_text(encoding="utf-8"), phrases, name):
            print(message)
            count += 1
    if count:
        print(f"Discouraged phrases: {count}. See tools/discouraged_phrases.toml.")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
