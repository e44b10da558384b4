"""What a recipe refers to by name or path: its model function, weights and teacher, resolved."""

from __future__ import annotations

from pathlib import Path

from eyetune.recipe import Recipe
from eyetune.records import Workspace
from eyetune.records.run import require_results
from eyetune.values.run_files import MODEL_FILE


def resolve(recipe: Recipe, workspace: Workspace) -> Recipe:
    """Return a recipe that means the same tomorrow: files by absolute path, the teacher by its
    run's id.

    Of a model function's file the workspace keeps a copy, so that a later edit of it changes
    nothing here.

    Raises:
        RunNotFoundError: The teacher is neither a `.keras` file nor a run.
        FunctionError: The model function cannot be found.
    """
    edits = {}
    if recipe.model.has_function:
        from eyetune.models.model_function import keep

        edits["model.function"] = keep(recipe.model.function, workspace.folder / "functions")
    if recipe.model.has_backbone and recipe.model.weights not in ("imagenet", "random"):
        edits["model.weights"] = str(Path(recipe.model.weights).expanduser().resolve())
    named = recipe.loss.teacher
    if named.endswith(".keras"):
        edits["loss.teacher"] = str(Path(named).expanduser().resolve())
    elif named:
        edits["loss.teacher"] = workspace.runs.find(named).id
    return recipe.with_(edits) if edits else recipe


def teacher_file(workspace: Workspace, recipe: Recipe) -> Path | None:
    """Return the file of the network that a recipe's teacher is; None where it has none.

    Raises:
        RunNotFoundError: There is no such run.
        UsageError: The run is not complete.
    """
    named = recipe.loss.teacher
    if not named or named.endswith(".keras"):
        return Path(named) if named else None
    run = workspace.runs.find(named)
    require_results(run)
    return workspace.runs.folder(run.id) / MODEL_FILE
