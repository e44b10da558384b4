"""What a network answers for pictures, in float and in int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eyetune.data.contact_sheet import Cell, contact_sheet
from eyetune.data.dataset import Images
from eyetune.values.numbers import count_text
from eyetune.values.summary import Summarized, Summary

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_SHOWN = 50  # pictures that a notebook lists


@dataclass(frozen=True)
class PictureAnswer:
    """What a network answers for a picture.

    Attributes:
        label: The class, or "unknown".
        confidence: The confidence in the most probable class, 0 to 1.
        is_unknown: Whether the network is not sure enough to name a class.
        classes: Names of classes and their probabilities, the most probable first.
    """

    label: str
    confidence: float
    is_unknown: bool
    classes: tuple[tuple[str, float], ...]

    @property
    def text(self) -> str:
        """The class with its confidence."""
        return f"{self.label} {self.confidence:.1%}"

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON values."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "is_unknown": self.is_unknown,
            "classes": _classes_json(self.classes),
        }


@dataclass(frozen=True)
class PicturePrediction:
    """A picture, and what the network answers for it.

    Attributes:
        name: Path of the file, or the number of the frame.
        image: What the network sees, uint8 of shape (height, width, channels).
        float_answer: In float; None if there is no network in float.
        int8_answer: In int8, as a board computes it; None if there is no int8 network.
        voted: What the firmware prints after this frame of a camera; None for files, and for an
            export that does not refuse unknown pictures.
    """

    name: str
    image: Images = field(repr=False)
    float_answer: PictureAnswer | None
    int8_answer: PictureAnswer | None
    voted: str | None = None

    @property
    def text(self) -> str:
        """The answers in one line."""
        answers = {"float": self.float_answer, "int8": self.int8_answer}
        texts = [f"{name}: {answer.text}" for name, answer in answers.items() if answer]
        if self.voted is not None:
            texts.append(f"by vote: {self.voted}")
        return "; ".join(texts)

    @property
    def classes(self) -> tuple[tuple[str, float], ...]:
        """The most probable classes: in float, if there is such a network, otherwise in int8."""
        answer = self.float_answer or self.int8_answer
        return answer.classes if answer else ()

    def to_json(self) -> dict[str, Any]:
        """Return the prediction as JSON values."""
        return {
            "image": self.name,
            "classes": _classes_json(self.classes),
            "float": self.float_answer.to_json() if self.float_answer else None,
            "int8": self.int8_answer.to_json() if self.int8_answer else None,
            "voted": self.voted,
        }


@dataclass(frozen=True, repr=False)
class Predictions(Summarized):
    """The answers of a network for pictures.

    Attributes:
        network: Name of the network: a run, a folder or a file.
        run: Id of the run; None for a network from a file.
        pictures: The pictures that can be read, in order.
        unreadable: Names of the others, and why they cannot be read.
        notes: What a user should know, as sentences.
    """

    network: str
    run: str | None
    pictures: tuple[PicturePrediction, ...]
    unreadable: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """What it is, and the outcome, in one line."""
        return f"{count_text(len(self.pictures), 'picture')} by {self.network}"

    @property
    def summary(self) -> Summary:
        """What a notebook shows below the headline."""
        unreadable = [f"Unreadable: {name} ({why})" for name, why in self.unreadable]
        more = [
            f"{count_text(len(given) - MAX_SHOWN, noun)} more: see the attribute {name}."
            for name, noun, given in (
                ("pictures", "picture", self.pictures),
                ("unreadable", "unreadable file", self.unreadable),
            )
            if len(given) > MAX_SHOWN
        ]
        rows: dict[str, str] = {}
        for number, picture in enumerate(self.pictures[:MAX_SHOWN], start=1):
            is_repeated = picture.name in rows
            rows[f"{picture.name} ({number})" if is_repeated else picture.name] = picture.text
        return Summary(
            rows,
            (*unreadable[:MAX_SHOWN], *more, *self.notes),
        )

    def contact_sheet(self) -> Image:
        """Draw the first 400 pictures as the network sees them, with their names and answers.

        Pictures with different answers in float and int8, and unknown ones, are in red.
        """
        return contact_sheet([_cell(picture) for picture in self.pictures])

    def to_json(self) -> dict[str, Any]:
        """Return the predictions as JSON values."""
        return {
            "run": self.run,
            "network": self.network,
            "predictions": [picture.to_json() for picture in self.pictures],
            "unreadable": [{"image": name, "reason": why} for name, why in self.unreadable],
            "notes": list(self.notes),
        }


def _classes_json(classes: Sequence[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"name": name, "probability": share} for name, share in classes]


def _cell(picture: PicturePrediction) -> Cell:
    answers = (picture.float_answer, picture.int8_answer)
    lines = [Path(picture.name).name]
    for name, answer in zip(("float", "int8"), answers, strict=True):
        if answer is not None:
            lines.append(f"{name}: {answer.label} {answer.confidence:.0%}")
    labels = {answer.label for answer in answers if answer is not None}
    is_unknown = any(answer.is_unknown for answer in answers if answer is not None)
    return Cell(picture.image, tuple(lines), is_highlighted=len(labels) > 1 or is_unknown)
