"""`eyetune data check`: copies, likely wrong labels, unreadable and strange pictures."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from eyetune.cli.common import Common, check_output_file, say
from eyetune.errors import UsageError

if TYPE_CHECKING:
    from eyetune.api.data_check import DataCheck
    from eyetune.recipe import Recipe

_NO_COMMON = Common()


def check(
    source: str,
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(metavar="FILE", show_default="data-check-NAME.html in the workspace"),
    ] = None,
    labels: Literal["auto", "features", "networks", "none"] = "auto",
    kind: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    fix: Annotated[bool, Parameter(negative="")] = False,
    undo: Annotated[bool, Parameter(negative="")] = False,
    yes: Annotated[bool, Parameter(negative="")] = False,
    compare: Annotated[bool, Parameter(negative="")] = False,
    recipe: Annotated[str | None, Parameter(metavar="START", show_default=False)] = None,
    seeds: int = 3,
    seed: int = 0,
    common: Common = _NO_COMMON,
) -> int:
    """Check pictures and labels before training on them.

    It lists sizes and balance, classes that are too small, unreadable files, copies (also resized,
    mirrored or compressed again), copies in several splits, labels that are likely wrong, and
    pictures unlike all others. A page shows the pictures, the most important findings first.
    Nothing is changed without --fix. It needs: pip install 'eyetune[check]'

    For example:

        eyetune data check photos/
        eyetune data check photos/ --fix
        eyetune data check photos/ --undo
        eyetune data check photos/ --compare --seeds 5

    Parameters
    ----------
    source
        cifar10, cifar100, digits, or the path of an archive, a folder of images or an .npz file.
        Findings in arrays and archives are named by split and index.
    output
        File for the page.
    labels
        How labels are checked: features (a linear classifier on a pre-trained network), networks
        (small networks trained from scratch, which takes minutes), none, or auto for networks from
        5,000 pictures on and for CIFAR-10.
    kind
        Kinds of findings that --fix moves and --compare leaves out, such as exact-duplicate; may be
        repeated. The output names them. Default: all but unlike-all-others.
    fix
        Move the files of findings into the folder SOURCE-set-aside beside the source, after asking.
        One of several copies stays.
    undo
        Move back what --fix has moved.
    yes
        Answer yes to the question of --fix.
    compare
        Train with and without the suspects, and report the difference in validation accuracy.
    recipe
        What --compare trains: a recipe file, the name of a recipe in the package, or a run.
        Default: ResNet-8 for 30 epochs, pre-trained unless the source is CIFAR-10.
    seeds
        Number of trainings with the suspects, and without.
    seed
        Random seed of the parts of the data that are predicted in turn.
    """
    check_output_file(output)
    if undo:
        if fix or compare:
            raise UsageError("--undo moves files back, and does nothing else.", fix="Use it alone.")
        return _undo(source, common)
    from eyetune.api.data_check import checked_kinds, data_check
    from eyetune.cli.check_tables import check_tables, comparison_lines

    kinds = checked_kinds(kind)
    start = _recipe(recipe, common) if compare else None
    if fix:
        _check_is_folder(source)
    found = data_check(source, labels=labels, seed=seed)
    page = found.report(output, workspace=common.open_workspace())
    found.save(workspace=common.open_workspace())
    value = {**found.to_json(), "page": str(page)}
    parts = check_tables(found.facts, found.findings, page)
    if compare:
        comparison = found.compare(
            start, kinds=kinds, seeds=seeds, workspace=common.open_workspace()
        )
        value["comparison"] = comparison.to_json()
        parts += comparison_lines(comparison.text)
    if not fix:
        common.show(value, *parts)
        return 0
    if not common.json:
        common.show(value, *parts)
    status = _fix(found, kind, value, yes=yes)
    if common.json:
        common.show(value)
    return status


def _fix(found: DataCheck, kind: tuple[str, ...], value: dict[str, object], *, yes: bool) -> int:
    """Move the files of findings aside after asking, and return the exit status."""
    from eyetune.analysis.data_findings import surplus
    from eyetune.api.data_check import checked_kinds

    moves = surplus(found.findings, checked_kinds(kind))
    if not moves:
        say("There is nothing to move.")
        value["set_aside"] = None
        return 0
    root = found.pictures.root
    assert root is not None  # checked before
    from eyetune.cli.trash import NOTHING_DELETED, confirm

    if not confirm(f"Move {len(moves):,} files to {root}-set-aside?", assume_yes=yes):
        value["set_aside"] = None
        return NOTHING_DELETED
    moved = found.move_aside(kind)
    value["set_aside"] = moved.to_json()
    say(
        f"Moved {len(moved.moved):,} files to {moved.folder}. "
        f"To move them back: eyetune data check {shlex.quote(found.source)} --undo"
    )
    if moved.kept:
        say(f"{len(moved.kept):,} files stayed, since their class has no others: {moved.kept[0]}")
    return 0


def _undo(source: str, common: Common) -> int:
    from eyetune.api.set_aside import undo_check

    moved = undo_check(source)
    text = f"Moved {len(moved.moved):,} files back from {moved.folder}."
    if moved.kept:
        text += f" {len(moved.kept):,} stayed there, since other files have their places."
    from eyetune.report.console import escape_lines

    common.show(moved.to_json(), escape_lines(text))
    return 0


def _check_is_folder(source: str) -> None:
    """Check that a source is a folder before minutes of work.

    Raises:
        UsageError: It is not.
    """
    from eyetune.data.load import folder_of

    if folder_of(source) is None:
        raise UsageError(
            "--fix moves files, and this source has none of its own.",
            expected="a folder of images",
            received=source,
            fix="Use the indices of --json to leave images out of your arrays.",
        )


def _recipe(start: str | None, common: Common) -> Recipe | None:
    from eyetune.cli.common import RecipeFlags

    return None if start is None else RecipeFlags().apply(start, common)
