"""What a check of data found: findings with the pictures that they are about, by importance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class FindingKind(StrEnum):
    """The kind of a finding, the most important first."""

    ACROSS_SPLITS = "duplicate-across-splits"
    UNREADABLE = "unreadable"
    CONFLICT = "duplicate-with-another-label"
    LABEL = "likely-wrong-label"
    EXACT_DUPLICATE = "exact-duplicate"
    NEAR_DUPLICATE = "near-duplicate"
    SMALL_CLASS = "small-class"
    IMBALANCE = "imbalance"
    OUTLIER = "unlike-all-others"


# What each kind means, and what to do about it.
MEANINGS = {
    FindingKind.ACROSS_SPLITS: (
        "The same picture is in several splits. A network is then tested on what it was trained "
        "on, and its accuracy is too high. Keep one of them."
    ),
    FindingKind.UNREADABLE: "These files cannot be decoded. Repair or remove them.",
    FindingKind.CONFLICT: (
        "The same picture has several labels, at least one of which is wrong. Keep the right one."
    ),
    FindingKind.LABEL: (
        "Classifiers that have not seen these pictures prefer another class. Look at each: the "
        "label may be wrong, or the picture difficult, which is no mistake."
    ),
    FindingKind.EXACT_DUPLICATE: (
        "The same file several times. Copies add nothing, and a random split may put them on both "
        "sides. Keep one."
    ),
    FindingKind.NEAR_DUPLICATE: (
        "The same picture, resized, mirrored or compressed again, or one that hardly differs, such "
        "as the next frame of a camera. A random split may put them on both sides."
    ),
    FindingKind.SMALL_CLASS: (
        "Too few pictures to divide into training, validation and test: accuracy of the class is "
        "measured on one or two pictures. Take more."
    ),
    FindingKind.IMBALANCE: (
        "Classes differ much in number: judge by balanced accuracy, and try class weights and "
        "balanced sampling (eyetune lab does)."
    ),
    FindingKind.OUTLIER: (
        "Pictures unlike all others: often blurred, empty or of something else, sometimes only "
        "rare. They are not moved unless you ask for this kind."
    ),
}
# What is moved aside unless other kinds are named.
CERTAIN_ENOUGH = (
    FindingKind.ACROSS_SPLITS,
    FindingKind.UNREADABLE,
    FindingKind.CONFLICT,
    FindingKind.LABEL,
    FindingKind.EXACT_DUPLICATE,
    FindingKind.NEAR_DUPLICATE,
)


@dataclass(frozen=True)
class Found:
    """A picture or file of a finding.

    Attributes:
        name: Path of the file below the source, or split with index, such as "train[7]".
        split: Its split.
        label: Name of its class.
        index: Its place among the pictures that could be read; None for an unreadable file.
    """

    name: str
    split: str
    label: str
    index: int | None


@dataclass(frozen=True)
class Finding:
    """Something that a check of data found.

    Attributes:
        kind: What it is.
        pictures: The pictures or files that it is about; none for a whole class.
        score: How sure or how large it is, 0 to 1: similarity of copies, doubt about a label,
            strangeness, share of the images that are missing from a class.
        text: The finding in a sentence.
        surplus: The pictures of it that would be moved aside: all copies but one, or all.
        likelier: The class that is more likely than the label; "" for other kinds.
        classes: Names of the classes, for a finding about classes.
    """

    kind: FindingKind
    pictures: tuple[Found, ...]
    score: float
    text: str
    surplus: tuple[Found, ...] = ()
    likelier: str = ""
    classes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return {
            "kind": self.kind.value,
            "files": [found.name for found in self.pictures],
            "splits": [found.split for found in self.pictures],
            "labels": [*self.classes, *(found.label for found in self.pictures)],
            "score": round(self.score, 4),
            "text": self.text,
            "surplus": [found.name for found in self.surplus],
            "likelier_label": self.likelier or None,
        }


def by_importance(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by kind, the most important first, and within a kind by score.

    Example:
        >>> near = Finding(FindingKind.NEAR_DUPLICATE, (), 0.9, "")
        >>> doubtful = Finding(FindingKind.LABEL, (), 0.6, "")
        >>> wrong = Finding(FindingKind.LABEL, (), 0.7, "")
        >>> by_importance([near, doubtful, wrong]) == (wrong, doubtful, near)
        True
    """
    rank = {kind: number for number, kind in enumerate(FindingKind)}
    return tuple(sorted(findings, key=lambda finding: (rank[finding.kind], -finding.score)))


def surplus(findings: Iterable[Finding], kinds: Iterable[FindingKind]) -> dict[str, FindingKind]:
    """Return the names of the pictures that findings of some kinds would move aside.

    Args:
        findings: The findings, by importance.
        kinds: The kinds that count.

    Returns:
        The first kind of each picture, by its name.
    """
    chosen = set(kinds)
    return moves_of(
        Move(
            finding.kind,
            tuple(found.name for found in finding.pictures),
            tuple(found.name for found in finding.surplus),
        )
        for finding in findings
        if finding.kind in chosen
    )


class Move(NamedTuple):
    """What a finding would move aside.

    Attributes:
        kind: The kind of the finding.
        names: The pictures that it is about.
        surplus: Those of them that would be moved.
    """

    kind: FindingKind
    names: tuple[str, ...]
    surplus: tuple[str, ...]


def moves_of(moves: Iterable[Move]) -> dict[str, FindingKind]:
    """Return what findings move aside together, and the first reason for each picture.

    The copy that a finding keeps may be moved by another finding, such as one about its label. Then
    one of the other copies stays, if no other finding moves it.

    Example:
        >>> copies = Move(FindingKind.NEAR_DUPLICATE, ("a", "b"), ("b",))
        >>> moves_of([copies])
        {'b': <FindingKind.NEAR_DUPLICATE: 'near-duplicate'>}
        >>> moves_of([Move(FindingKind.LABEL, ("a",), ("a",)), copies])
        {'a': <FindingKind.LABEL: 'likely-wrong-label'>}
    """
    wanted = list(moves)
    reasons: dict[str, list[Move]] = {}
    for move in wanted:
        for name in move.surplus:
            reasons.setdefault(name, []).append(move)
    for move in wanted:
        keeps_one = 0 < len(move.surplus) < len(move.names)
        if keeps_one and all(name in reasons for name in move.names):
            spare = next((name for name in move.surplus if reasons[name] == [move]), None)
            if spare is not None:
                del reasons[spare]
    return {name: found[0].kind for name, found in reasons.items()}
