"""Check data before training: copies, likely wrong labels, unreadable and strange pictures."""

from __future__ import annotations

import base64
import importlib.util
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from eyetune.analysis.data_findings import CERTAIN_ENOUGH, Finding, FindingKind, surplus
from eyetune.analysis.imbalance import imbalance
from eyetune.analysis.strange_pictures import strange_pictures
from eyetune.api.check_findings import (
    LabelMethod,
    findings_of,
    group_of,
    predict_labels,
    train_counts,
)
from eyetune.api.preparing import start, workspace_of
from eyetune.api.set_aside import SetAside, set_aside
from eyetune.data.check.duplicates import Copies, find_copies
from eyetune.data.check.pictures import Pictures, read_pictures
from eyetune.data.load import recorded_source
from eyetune.errors import DataError, UsageError, nearest
from eyetune.records import Workspace
from eyetune.records.check_store import CheckRecord, RecordedFinding
from eyetune.report.progress.training_progress import counting_bar, print_note, slow_step
from eyetune.values.progress import OnProgress

if TYPE_CHECKING:
    from eyetune.api.check_comparison import SuspectsComparison
    from eyetune.recipe import Recipe

PACKAGES = ("imagehash", "cleanlab")
THUMBNAIL_SIDE = 112  # pixels
MAX_SHOWN = 60  # findings of a kind on the page
MAX_COPIES_SHOWN = 6  # pictures of a finding on the page


@dataclass(frozen=True, repr=False)
class DataCheck:
    """What a check of data found. A notebook shows the number of findings of each kind.

    Attributes:
        source: The source as it was named.
        pictures: Its pictures.
        copies: Groups of copies among them.
        features: Features of each picture, float32, shape (N, features).
        method: How labels were checked: "features", "networks" or "none".
        seed: Seed of the folds.
        findings: The findings, by importance.
        label_agreement: Share of the pictures whose label is what the classifiers say, 0 to 1; None
            if labels were not checked.
        notes: Remarks for the user.
    """

    source: str
    pictures: Pictures
    copies: tuple[Copies, ...]
    features: NDArray[np.float32]
    method: LabelMethod
    seed: int
    findings: tuple[Finding, ...]
    label_agreement: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[FindingKind, int]:
        """Number of findings of each kind that was found, the most important kind first."""
        number = Counter(finding.kind for finding in self.findings)
        return {kind: number[kind] for kind in FindingKind if number[kind]}

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Number of pictures, sizes and balance, as plain JSON values."""
        pictures = self.pictures
        sizes = Counter((item.width, item.height) for item in pictures.items)
        by_area = sorted(sizes.elements(), key=lambda size: size[0] * size[1])
        return {
            "name": pictures.name,
            "source": self.source,
            "num_pictures": len(pictures),
            "num_unreadable": len(pictures.unreadable),
            "classes": list(pictures.class_names),
            "class_counts": {
                split: np.bincount(
                    [item.label for item in pictures.items if item.split == split],
                    minlength=len(pictures.class_names),
                ).tolist()
                for split in pictures.splits
            },
            "sizes": {
                "smallest": list(by_area[0]),
                "median": list(by_area[len(by_area) // 2]),
                "largest": list(by_area[-1]),
                "number_of_sizes": len(sizes),
                "share_not_square": sum(
                    count for (width, height), count in sizes.items() if width != height
                )
                / len(pictures),
            },
            "imbalance": imbalance(train_counts(pictures)).to_json(),
            "label_method": self.method,
            "label_agreement": self.label_agreement,
            "notes": [*pictures.notes, *self.notes],
        }

    def report(
        self, path: str | Path | None = None, *, workspace: str | Path | Workspace | None = None
    ) -> Path:
        """Write a page with the pictures of the findings, one HTML file, and return its path.

        Args:
            path: The file. Default: `data-check-NAME.html` in the workspace.
            workspace: The workspace or its folder. Default: the usual workspace.

        Raises:
            WorkspaceError: The file cannot be written.
        """
        from eyetune.report.output import write_output
        from eyetune.report.pages.check_page import check_page

        if path is None:
            name = "".join(c if c.isalnum() or c in "-_." else "_" for c in self.pictures.name)
            path = workspace_of(workspace).path(f"data-check-{name}.html")
        html = check_page(self.facts, self.findings, self._thumbnails, max_shown=MAX_SHOWN)
        return write_output(html, Path(path))

    def save(self, *, workspace: str | Path | Workspace | None = None) -> None:
        """Record the check in a workspace, in place of an earlier one of the same source.

        The dashboard shows it, and keeps what a user decides about each finding.

        Args:
            workspace: The workspace or its folder. Default: the usual workspace.

        Raises:
            WorkspaceError: It cannot be written.
        """
        names = [item.name for item in self.pictures.items]
        thumbnails = {names[index]: url for index, url in self._thumbnails.items()}
        findings = tuple(RecordedFinding(**finding.to_json()) for finding in self.findings)
        workspace_of(workspace).checks.save(
            CheckRecord(
                source=recorded_source(self.source),
                facts=self.facts,
                findings=findings,
                thumbnails=thumbnails,
            )
        )

    def move_aside(self, kinds: Sequence[FindingKind | str] = ()) -> SetAside:
        """Move the files of findings into a folder beside the source.

        Of copies, one stays. Files that a class needs to keep one stay, too. `undo_check` moves all
        of them back.

        Args:
            kinds: The kinds of findings. Default: all but strange pictures.

        Raises:
            UsageError: The source is not a folder, or a kind is unknown.
            DataError: A file cannot be moved.
        """
        root = self.pictures.root
        if root is None:
            raise UsageError(
                f"{self.source} is not a folder, so that no files can be moved.",
                fix="Use the indices of --json to leave images out of your arrays.",
            )
        return set_aside(root, self._files(), surplus(self.findings, checked_kinds(kinds)))

    def compare(
        self,
        recipe: Recipe | None = None,
        *,
        kinds: Sequence[FindingKind | str] = (),
        seeds: int = 3,
        workspace: str | Path | Workspace | None = None,
        progress: bool = True,
    ) -> SuspectsComparison:
        """Train with and without the suspects, and return the difference in validation accuracy.

        See `eyetune.api.check_comparison.compare_without_suspects`.
        """
        from eyetune.api.check_comparison import compare_without_suspects

        return compare_without_suspects(
            self,
            recipe,
            kinds=checked_kinds(kinds),
            seeds=seeds,
            workspace=workspace,
            progress=progress,
        )

    def to_json(self) -> dict[str, Any]:
        """Return facts and findings as plain JSON values."""
        return {
            **self.facts,
            "counts": {kind.value: count for kind, count in self.counts.items()},
            "findings": [finding.to_json() for finding in self.findings],
        }

    def _files(self) -> dict[str, tuple[Path, str]]:
        """Return each file of the folder with its split and class, by its name."""
        readable = {
            item.name: (item.file, f"{item.split}/{item.label}")
            for item in self.pictures.items
            if item.file is not None
        }
        others = {
            item.name: (item.file, f"{item.split}/{item.label}")
            for item in self.pictures.unreadable
        }
        return {**readable, **others}

    @cached_property
    def _thumbnails(self) -> dict[int, str]:
        """Return the pictures that the page shows, as data URIs by index."""
        shown: dict[int, str] = {}
        number: Counter[FindingKind] = Counter()
        for finding in self.findings:
            number[finding.kind] += 1
            if number[finding.kind] > MAX_SHOWN:
                continue
            for picture in finding.pictures[:MAX_COPIES_SHOWN]:
                if picture.index is not None and picture.index not in shown:
                    shown[picture.index] = _data_uri(self.pictures, picture.index)
        return shown

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{kind}</td><td>{count:,}</td></tr>"
            for kind, count in self.counts.items()
        )
        return f"<table><tr><th>finding</th><th>number</th></tr>{rows}</table>"

    def __repr__(self) -> str:
        found = ", ".join(f"{kind}: {count}" for kind, count in self.counts.items())
        return f"<DataCheck of {len(self.pictures):,} pictures; {found or 'nothing found'}>"


def data_check(
    source: str | Path,
    *,
    labels: LabelMethod = "auto",
    seed: int = 0,
    progress: bool = True,
) -> DataCheck:
    """Check data: sizes, balance, unreadable files, copies, likely wrong labels, strange pictures.

    Nothing is changed. It needs `pip install 'eyetune[check]'`.

    Args:
        source: A source of images, see `load`. Findings name files, or indices of arrays.
        labels: How labels are checked: "features" (a linear classifier on a pre-trained network),
            "networks" (small networks from scratch: better for 5,000 pictures or more, and slower),
            "none", or "auto" for the one that suits the number of pictures.
        seed: Random seed of the parts that are predicted in turn. Default: 0.
        progress: Whether to say on standard error what takes longer than a second.

    Raises:
        UsageError: A package is missing, or `labels` is unknown.
        SourceError: The source does not exist.
        DataError: The source is not a data set.

    Example:
        >>> import eyetune as et
        >>> check = et.data_check("digits", labels="none")  # doctest: +SKIP
        >>> check.counts                                      # doctest: +SKIP
    """
    if labels not in get_args(LabelMethod):
        raise UsageError(
            "This is not a way to check labels.",
            received=labels,
            fix=nearest(str(labels), get_args(LabelMethod)),
        )
    require_packages()
    with _stage("Reading the pictures ...", "reading pictures", progress) as on_progress:
        pictures = read_pictures(str(source), on_progress)
    with _stage("Comparing the pictures ...", "comparing pictures", progress) as on_progress:
        copies = find_copies(pictures, on_progress)
    start(0, progress=progress)
    from eyetune.training.out_of_fold import choose_method, picture_features

    with slow_step("Looking for pictures unlike all others ...", enabled=progress):
        features = picture_features(pictures.images)
        strange = strange_pictures(features, pictures.images)
    predicted = None
    method = choose_method(len(pictures), pictures.name) if labels == "auto" else labels
    if len(np.unique(pictures.labels)) < 2:
        method = "none"  # there is no other class
    if method != "none":
        groups, chosen = group_of(len(pictures), copies), np.arange(len(pictures))
        with checking_labels(method, progress) as on_progress:
            predicted = predict_labels(
                pictures, groups, chosen, method, features, seed, on_progress
            )
    notes: tuple[str, ...] = ()
    if predicted is not None and not predicted.is_better_than_guessing:
        notes = (
            f"the labels could not be checked: classifiers agree with {predicted.agreement:.1%} of "
            "them, which is no better than guessing; take more pictures of each class",
        )
    return DataCheck(
        str(source),
        pictures,
        tuple(copies),
        features,
        method,
        seed,
        findings_of(pictures, copies, predicted, strange),
        None if predicted is None else predicted.agreement,
        notes,
    )


def require_packages() -> None:
    """Check that the packages that a check needs are installed.

    Raises:
        UsageError: One is missing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"A check of data needs {' and '.join(missing)}.", fix="pip install 'eyetune[check]'"
        )


def checked_kinds(kinds: Sequence[FindingKind | str]) -> tuple[FindingKind, ...]:
    """Return kinds of findings by their names; those that are sure enough if there are none.

    Raises:
        UsageError: A name is unknown.
    """
    names = [kind.value for kind in FindingKind]
    for kind in kinds:
        if kind not in names:
            raise UsageError(
                "There is no such kind of finding.", received=kind, fix=nearest(str(kind), names)
            )
    return tuple(FindingKind(kind) for kind in kinds) or CERTAIN_ENOUGH


@contextmanager
def checking_labels(method: str, progress: bool) -> Iterator[OnProgress]:
    """Say that labels are being checked, which takes minutes with networks."""
    text = "Checking the labels with a linear classifier ..."
    if method == "networks":
        text = "Checking the labels: training five small networks from scratch, for minutes ..."
    with _stage(text, "training, epochs", progress) as on_progress:
        yield on_progress


@contextmanager
def _stage(text: str, label: str, progress: bool) -> Iterator[OnProgress]:
    """Show a bar in a terminal and a line elsewhere, if a stage takes longer than a second."""
    with (
        slow_step(text, enabled=progress),
        counting_bar(label, enabled=progress) as on_progress,
    ):
        yield on_progress


def _data_uri(pictures: Pictures, index: int) -> str:
    from PIL import Image

    try:
        pixels = pictures.pixels(index, THUMBNAIL_SIDE)
    except DataError as error:  # it has changed meanwhile
        print_note(f"{pictures.items[index].name} is not shown: {error.message}")
        return ""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def facts_text(facts: Mapping[str, Any]) -> str:
    """Return the sizes of the pictures as a sentence."""
    sizes = facts["sizes"]
    smallest, median, largest = (
        " x ".join(map(str, sizes[name])) for name in ("smallest", "median", "largest")
    )
    if sizes["number_of_sizes"] == 1:
        return f"All pictures have {median} pixels."
    return (
        f"Sizes in pixels: {smallest} to {largest}, median {median}; "
        f"{sizes['share_not_square']:.0%} are not square."
    )
