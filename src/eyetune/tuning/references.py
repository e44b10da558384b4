"""Resolves what a recipe refers to by name or path: its model function, weights and teacher."""

from __future__ import annotations

from pathlib import Path

from eyetune.recipe import CIFAR10_WEIGHTS, Recipe
from eyetune.records import Workspace
from eyetune.records.run import require_results
from eyetune.values.run_files import MODEL_FILE


def resolve(recipe: Recipe, workspace: Workspace) -> Recipe:
    """Return a recipe with absolute paths of files and the run id of its teacher.

    The workspace keeps a copy of a model function's file, so later edits of it have no effect. A
    run whose weights are the initial ones is replaced by the path of its network.

    Raises:
        RunNotFoundError: The teacher or the initial weights are neither a file nor a run.
        UsageError: The run whose weights are the initial ones is not complete.
        FunctionError: The model function cannot be found.
    """
    edits = {}
    if recipe.model.has_function:
        from eyetune.models.model_function import keep

        edits["model.function"] = keep(recipe.model.function, workspace.folder / "functions")
    if recipe.model.has_backbone and recipe.model.weights not in ("imagenet", "random"):
        edits["model.weights"] = str(Path(recipe.model.weights).expanduser().resolve())
    initial = recipe.model.initial_weights
    if initial.endswith((".keras", ".npz")):
        edits["model.initial_weights"] = str(Path(initial).expanduser().resolve())
    elif initial not in ("", CIFAR10_WEIGHTS):
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
