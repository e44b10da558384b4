"""`eyetune evaluate`, `plot`, `predict` and `show`: looking at what was trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from eyetune.cli.common import Common, RecipeFlags, is_recipe_file, load_keras
from eyetune.errors import UsageError

if TYPE_CHECKING:
    from eyetune.recipe import Recipe
    from eyetune.values.network import Network

_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()


def evaluate(
    run: str = "latest",
    /,
    *,
    split: Literal["test", "validation"] = "test",
    recompute: Annotated[bool, Parameter(negative="")] = False,
    flips: Annotated[bool, Parameter(negative="")] = False,
    common: Common = _NO_COMMON,
) -> None:
    """Show loss, accuracy, accuracy by class, confusion matrix and calibration error of a run.

    For example:

    eyetune evaluate latest

    eyetune evaluate 3f2a --split validation --json

    eyetune evaluate latest --split validation --flips

    Parameters
    ----------
    run
        Id of a run, the beginning of it, its name, or latest.
    split
        Which images. Choose on validation; look at test once, at the end.
    recompute
        Classify the images again, instead of using the predictions that the run recorded.
    flips
        Show besides what averaging the predictions for each image and its mirror image would give.
    """
    from eyetune.api.compare import open_run
    from eyetune.cli.tables import evaluation_tables, tta_lines

    chosen = open_run(run, workspace=common.open_workspace())
    anew = recompute or chosen.workspace.predictions.load(chosen.id, split) is None
    if anew or flips:
        _ = chosen.results  # says what to do where there is no network yet
        load_keras()
    result = chosen.evaluate(split) if anew else chosen.evaluation(split)
    names = chosen.record.data.class_names
    value = {"run": chosen.id, "split": split, **result.to_json(), "classes": list(names)}
    if split == "test":
        value["verdict"] = chosen.verdict.to_json()
    shown = evaluation_tables(chosen, split, result)
    if flips:
        found = chosen.evaluate_tta(split)
        value["with_flips"] = {
            **found.to_json(),
            "macs": 2 * chosen.record.network.macs,
            "multiply_adds": 2 * chosen.record.network.macs,
        }
        shown += tta_lines(chosen, split, found)
    common.show(value, *shown)


def compare(
    *runs: str,
    output: Path | None = None,
    common: Common = _NO_COMMON,
) -> None:
    """Compare runs with the first one: which is better, by how much, and how sure we are.

    Runs of one recipe with different seeds are taken together. Differences are of validation
    accuracy, with a 95% interval from a paired bootstrap over the same images; p-values are
    corrected for how many are compared (Holm).

    For example:

    eyetune compare baseline augmented

    eyetune compare 3f2a 77b0 91c4 --output pictures

    Parameters
    ----------
    runs
        Two or more: ids of runs, the beginnings of them, their names, or latest. The first is the
        baseline.
    output
        Folder of the picture; by default `plots` in the workspace.
    """
    import eyetune
    from eyetune.cli.tables import comparison_tables
    from eyetune.report.figures.run_figures import save

    workspace = common.open_workspace()
    chosen = [eyetune.open_run(reference, workspace=workspace) for reference in runs]
    comparison = eyetune.compare(*chosen)
    name = "comparison-" + "-".join(run.id for run in chosen)
    paths = save(comparison.plot(), output or workspace.folder / "plots", name[:200])
    value = {**comparison.to_json(), "pictures": [str(path) for path in paths]}
    common.show(value, *comparison_tables(comparison), f"Picture: {paths[0]}")


def plot(
    *runs: str,
    output: Path | None = None,
    common: Common = _NO_COMMON,
) -> None:
    """Draw curves, confusion matrix, mistakes and network of a run; or the curves of several runs
    in one picture.

    For example:

    eyetune plot latest

    eyetune plot 3f2a 77b0 --output pictures

    Parameters
    ----------
    runs
        Ids of runs, the beginnings of them, their names, or latest (the default).
    output
        Folder of the pictures; by default the run's, or `plots` in the workspace for several.
    """
    from eyetune.api.compare import open_run
    from eyetune.report.figures.run_figures import save

    workspace = common.open_workspace()
    chosen = [open_run(reference, workspace=workspace) for reference in runs or ("latest",)]
    empty = next((run for run in chosen if not run.history), None)
    if empty is not None:
        raise UsageError(
            f"Run {empty.record.label} has no whole epoch to draw.",
            received=f"{empty.state}: {empty.record.error or 'no epochs'}",
        )
    if len(chosen) == 1:
        paths = chosen[0].save_plots(output)
    else:
        name = "curves-" + "-".join(run.id for run in chosen)
        paths = save(chosen[0].plot(*chosen[1:]), output or workspace.folder / "plots", name[:200])
    lines = "\n".join(str(path) for path in paths)
    common.show(
        {"runs": [run.id for run in chosen], "pictures": [str(path) for path in paths]}, lines
    )


def predict(
    run: str,
    /,
    *images: Path,
    top: int = 3,
    common: Common = _NO_COMMON,
) -> None:
    """Show the likeliest classes of image files.

    For example:

    eyetune predict latest photo.jpg another.png

    Parameters
    ----------
    run
        Id of a run, the beginning of it, its name, or latest.
    images
        PNG, JPEG, WebP, BMP or GIF files of any size.
    top
        How many classes to show of each.
    """
    if Path(run).is_file():
        raise UsageError(
            f"{run} is a file, where the run should be named.", fix=f"eyetune predict latest {run}"
        )
    if not images:
        raise UsageError("There is no image to look at.", fix=f"eyetune predict {run} photo.jpg")
    if top < 1:
        raise UsageError(
            "The number of classes is too small.", expected="--top of 1 or more", received=top
        )
    from eyetune.api.compare import open_run
    from eyetune.cli.tables import prediction_table

    chosen = open_run(run, workspace=common.open_workspace())
    _ = chosen.results
    load_keras()
    predictions = chosen.predict(images, top=top)
    value = {
        "run": chosen.id,
        "predictions": [
            {
                "image": one.image,
                "classes": [{"name": name, "probability": share} for name, share in one.classes],
            }
            for one in predictions
        ],
    }
    common.show(value, prediction_table(predictions))


def show(
    target: str = "latest",
    /,
    *,
    flags: RecipeFlags = _NO_FLAGS,
    diagram: Path | None = None,
    common: Common = _NO_COMMON,
) -> None:
    """Show a run, or the network that a recipe describes: each layer with shape, weights and cost,
    and a drawing.

    For example:

    eyetune show latest

    eyetune show recipe.toml --set model.batch_norm=true --diagram network.svg

    Parameters
    ----------
    target
        Id of a run, the beginning of it, its name, latest, or a recipe's TOML file.
    diagram
        Draw the network into this file (.svg or .png). That of a complete run lies in its folder
        already.
    """
    from eyetune.cli.tables import network_table, run_table

    if is_recipe_file(target):
        recipe = flags.apply(target, common)
        network = _network(recipe)
        drawn = _draw(network, diagram)
        common.show(
            {"recipe": recipe.values(), "network": network.to_json(), **drawn},
            network_table(network),
        )
        return
    if flags != _NO_FLAGS:
        raise UsageError(
            "A run is shown as it was trained.",
            fix="Leave out the recipe values, or name a recipe.toml.",
        )
    from eyetune.api.compare import open_run

    run = open_run(target, workspace=common.open_workspace())
    network = run.record.network
    drawn = _draw(network, diagram)
    value = {**run.to_json(), "network": network.to_json(), **drawn}
    where = [f"Pictures: {run.folder / 'plots'}"] if (run.folder / "plots").exists() else []
    common.show(value, run_table(run), network_table(network), *where)


def _network(recipe: Recipe) -> Network:
    from eyetune.data.load import shape_of

    load_keras()
    from eyetune.models.build import build, check
    from eyetune.models.structure import structure

    image_shape, num_classes = shape_of(recipe.data.source, recipe.data.image_size)
    check(recipe.model, image_shape)
    return structure(build(recipe.model, image_shape, num_classes))


def _draw(network: Network, path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    from eyetune.report.figures.network_diagram import network_diagram
    from eyetune.report.figures.run_figures import FORMATS, save

    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise UsageError(
            "The drawing has no known format.",
            expected="a name ending in .svg or .png",
            received=path,
        )
    save(network_diagram(network), path.parent, path.stem, [kind])
    return {"diagram": str(path)}
