"""Resolves what a recipe refers to by name or path: its model function, weights and teacher."""

from __future__ import annotations

from pathlib import Path

from eyetune.errors import UsageError
from eyetune.recipe import CIFAR10_WEIGHTS, Recipe
from eyetune.records import RunRecord, Workspace
from eyetune.records.run import require_results
from eyetune.values.run_files import MODEL_FILE


def resolve(recipe: Recipe, workspace: Workspace) -> Recipe:
    """Return a recipe with absolute paths of files and the run id of its teacher.

    The workspace keeps a copy of a model function's file, so later edits of it have no effect. A
    run whose weights are the initial ones is replaced by the path of its network.

    Raises:
        RunNotFoundError: The teacher or the initial weights are neither a file nor a run.
        UsageError: The run whose weights are the initial ones is not complete, or was trained on
            the images that would validate.
        FunctionError: The model function cannot be found, or the user has not trusted it.
    """
    edits = {}
    if recipe.model.has_function:
        from eyetune.models.model_function import keep, require

        require(recipe.model.function)
        edits["model.function"] = keep(
            recipe.model.function, workspace.path("functions"), is_named=False
        )
    if recipe.model.has_backbone and recipe.model.weights not in ("imagenet", "random"):
        edits["model.weights"] = str(Path(recipe.model.weights).expanduser().resolve())
    initial = recipe.model.initial_weights
    if initial.endswith((".keras", ".npz")):
        edits["model.initial_weights"] = str(Path(initial).expanduser().resolve())
    elif initial not in ("", CIFAR10_WEIGHTS):
        _check_validation_is_unseen(recipe, workspace.runs.find(initial))
        edits["model.initial_weights"] = str(_network_file(workspace, initial))
    teacher = recipe.loss.teacher
    if teacher.endswith(".keras"):
        edits["loss.teacher"] = str(Path(teacher).expanduser().resolve())
    elif teacher:
        edits["loss.teacher"] = workspace.runs.find(teacher).id
    return recipe.with_(edits) if edits else recipe


def teacher_file(workspace: Workspace, recipe: Recipe) -> Path | None:
    """Return the model file of a recipe's teacher; None where it has none.

    Raises:
        RunNotFoundError: There is no such run.
        UsageError: The run is not complete.
    """
    teacher = recipe.loss.teacher
    if not teacher or teacher.endswith(".keras"):
        return Path(teacher) if teacher else None
    return _network_file(workspace, teacher)


def _network_file(workspace: Workspace, reference: str) -> Path:
    run = workspace.runs.find(reference)
    require_results(run)
    return workspace.runs.folder(run.id) / MODEL_FILE


def _check_validation_is_unseen(recipe: Recipe, start: RunRecord) -> None:
    """Refuse the weights of a run that was trained on the validation images of a recipe."""
    is_seen = start.recipe.data.train_on_validation and not recipe.data.train_on_validation
    if is_seen and start.recipe.data.source == recipe.data.source:
        raise UsageError(
            f"The run {start.label}, whose weights would be the initial ones, was trained on the "
            "validation images too.",
            expected="a run that was trained on training images only, or on other images",
            received=f"data.source {start.recipe.data.source}, data.train_on_validation true",
            fix="`eyetune runs` lists all runs.",
        )
