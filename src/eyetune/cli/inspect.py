"""`eyetune show`, `evaluate`, `plot` and `compare`: inspecting trained runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from eyetune.cli.common import (
    Common,
    ModelFileFlags,
    ModelFileOptions,
    RecipeFlags,
    RecipeOptions,
    check_output_folder,
    is_recipe_file,
    load_keras,
)
from eyetune.errors import UsageError
from eyetune.values.pixels import pixels_text

if TYPE_CHECKING:
    from eyetune.recipe import Recipe
    from eyetune.values.network import Network

MAX_FILE_NAME = 200  # characters of a name that lists runs
_NO_COMMON = Common()
_NO_FLAGS = RecipeFlags()
_NO_FILE_FLAGS = ModelFileFlags()


def evaluate(
    run: str = "latest",
    /,
    *,
    split: Literal["test", "validation"] = "test",
    recompute: Annotated[bool, Parameter(negative="")] = False,
    tta: Annotated[bool, Parameter(negative="")] = False,
    flips: Annotated[bool, Parameter(negative="", show=False)] = False,
    images: Annotated[int | None, Parameter(show_default="all")] = None,
    files: ModelFileOptions = _NO_FILE_FLAGS,
    common: Common = _NO_COMMON,
) -> None:
    """Show the accuracy of a run or of a model file, overall and by class.

    It shows loss, accuracy, balanced accuracy, confusion matrix and calibration error, and recall,
    precision and F1 by class. Intervals are 95% intervals.

    For example:

        eyetune evaluate latest
        eyetune evaluate 3f2a --split validation --json
        eyetune evaluate latest --split validation --tta
        eyetune evaluate model.tflite --data cifar10

    Parameters
    ----------
    run
        The run: its id, the beginning of the id, its name, or `latest`. Or a .keras or .tflite
        file, float or quantized.
    split
        Split to evaluate on. Make choices on validation; use test once, at the end.
    recompute
        Classify the images again instead of using the recorded predictions.
    tta
        Also evaluate with test-time augmentation: the mean of the predictions for each image and
        its mirror image.
    flips
        Former name of --tta.
    images
        Number of images to use with a model file, the first ones of the split.
    """
    from eyetune.device.export.model_file import is_model_file

    if is_model_file(run):
        if recompute or tta or flips:
            raise UsageError(
                "A model file has no recorded predictions.",
                fix="Leave out --recompute and --tta, or name a run.",
            )
        _evaluate_file(run, split, images, files, common)
        return
    files.check_absent(run)
    if images is not None:
        raise UsageError(
            "--images is for model files.",
            expected="a .keras or .tflite file",
            received=run,
            fix="A run is evaluated on all images of the split: leave the option out.",
        )
    with_tta = tta or flips
    from eyetune.api.run import open_run
    from eyetune.cli.run_tables import evaluation_tables, tta_lines, verdict_line
    from eyetune.records.run import require_images

    chosen = open_run(run, workspace=common.open_workspace())
    is_recorded = chosen.workspace.predictions.has(chosen.id, split)
    is_computed = recompute or not is_recorded
    if is_computed or with_tta:
        _ = chosen.results  # raises a UsageError if there is no trained network yet
        require_images(chosen.record)
        load_keras()
    result = chosen.evaluate(split) if is_computed else chosen.evaluation(split)
    names = chosen.record.data.class_names
    value = {"run": chosen.id, "split": split, **result.to_json(), "classes": list(names)}
    if split == "test":
        value["verdict"] = chosen.verdict.to_json()
    parts = evaluation_tables(chosen.record.label, names, split, result, chosen.record.data.noun)
    if split == "test":
        parts.append(verdict_line(chosen))
    if with_tta:
        gain = chosen.evaluate_tta(split)
        macs = 2 * chosen.record.network.macs
        value["with_tta"] = {**gain.to_json(), "macs": macs}
        # The former names.
        value["with_flips"] = {**value["with_tta"], "multiply_adds": macs}
        parts += tta_lines(chosen, split, gain)
    common.show(value, *parts)


def _evaluate_file(
    path: str, split: str, num_images: int | None, files: ModelFileFlags, common: Common
) -> None:
    from eyetune.api.evaluate_file import evaluate_file
    from eyetune.api.file_images import require_data
    from eyetune.cli.run_tables import evaluation_tables

    result = evaluate_file(
        path,
        require_data(files.data, f"eyetune evaluate {path}"),
        split=split,
        num_images=num_images,
        pixels=files.pixels,
        unsafe=files.unsafe,
    )
    parts = evaluation_tables(path, result.class_names, split, result.evaluation)
    how = f"{result.dtype} input, pixels from {pixels_text(result.pixels)}"
    common.show(
        result.to_json(),
        *parts,
        result.judgement.text,
        f"Computed by {result.interpreter}: {how}.",
    )


def compare(
    *runs: str,
    output: Annotated[
        Path | None, Parameter(metavar="FOLDER", show_default="plots in the workspace")
    ] = None,
    common: Common = _NO_COMMON,
) -> None:
    """Compare runs with a baseline: how much better, how certain.

    Runs of one recipe with different seeds are combined. Differences are of validation accuracy,
    with a 95% interval from a paired bootstrap over the same images; p-values are corrected for
    the number of comparisons (Holm).

    For example:

        eyetune compare baseline augmented
        eyetune compare 3f2a 77b0 91c4 --output pictures

    Parameters
    ----------
    runs
        Two or more runs: ids, beginnings of ids, names, or `latest`. The first is the baseline.
    output
        Folder for the pictures of the comparison (PNG and SVG).
    """
    check_output_folder(output)
    import eyetune
    from eyetune.cli.comparison_tables import comparison_tables
    from eyetune.report.console import escape
    from eyetune.report.figures.picture import save

    workspace = common.open_workspace()
    chosen = [eyetune.open_run(reference, workspace=workspace) for reference in runs]
    comparison = eyetune.compare(*chosen)
    file_name = "comparison-" + "-".join(run.id for run in chosen)
    folder = output or workspace.path("plots")
    paths = save(comparison.plot(), folder, file_name[:MAX_FILE_NAME])
    value = {**comparison.to_json(), "pictures": [str(path) for path in paths]}
    common.show(value, *comparison_tables(comparison), f"Picture: {escape(str(paths[0]))}")


def plot(
    *runs: str,
    output: Annotated[
        Path | None,
        Parameter(metavar="FOLDER", show_default="the run's folder, or plots in the workspace"),
    ] = None,
    common: Common = _NO_COMMON,
) -> None:
    """Draw the curves, confusion matrix and network of runs.

    For one run it draws curves, confusion matrix, mistakes and network; for several runs, their
    curves in one picture.

    For example:

        eyetune plot latest
        eyetune plot 3f2a 77b0 --output pictures

    Parameters
    ----------
    runs
        Runs: ids, beginnings of ids, names, or `latest` (the default).
    output
        Folder for the pictures (PNG and SVG).
    """
    check_output_folder(output)
    from eyetune.api.run import open_run
    from eyetune.report.console import escape
    from eyetune.report.figures.picture import save

    workspace = common.open_workspace()
    chosen = [open_run(reference, workspace=workspace) for reference in runs or ("latest",)]
    for run in chosen:
        if not run.history:
            raise UsageError(
                f"Run {run.record.label} has no complete epoch to draw.",
                received=f"{run.state}: {run.record.error or 'no epochs'}",
            )
    if len(chosen) == 1:
        paths = chosen[0].save_plots(output)
    else:
        figure = chosen[0].plot(*chosen[1:])
        file_name = "curves-" + "-".join(run.id for run in chosen)
        folder = output or workspace.path("plots")
        paths = save(figure, folder, file_name[:MAX_FILE_NAME])
    names = [str(path) for path in paths]
    common.show(
        {"runs": [run.id for run in chosen], "pictures": names}, "\n".join(map(escape, names))
    )


def show(
    target: str = "latest",
    /,
    *,
    diagram: Annotated[Path | None, Parameter(metavar="FILE", show_default=False)] = None,
    flags: RecipeOptions = _NO_FLAGS,
    common: Common = _NO_COMMON,
) -> None:
    """Show a run or a recipe, and its network layer by layer.

    Each layer is shown with its shape, parameters and cost.

    For example:

        eyetune show latest
        eyetune show recipe.toml --set model.batch_norm=true --diagram network.svg

    Parameters
    ----------
    target
        A run (its id, the beginning of the id, its name, or `latest`) or a recipe file (.toml).
    diagram
        File for a drawing of the network (.svg or .png). The folder of a complete run contains
        one already.
    """
    _check_diagram(diagram)
    if is_recipe_file(target):
        _show_recipe(flags.apply(target, common), diagram, common)
        return
    if flags != _NO_FLAGS:
        raise UsageError(
            "A run is shown as it was trained, without recipe options.",
            fix="Leave out the recipe options, or name a recipe file.",
        )
    _show_run(target, diagram, common)


def _show_recipe(recipe: Recipe, diagram: Path | None, common: Common) -> None:
    from eyetune.cli.run_tables import network_table

    network = _network(recipe)
    value = {"recipe": recipe.values(), "network": network.to_json(), **_draw(network, diagram)}
    common.show(value, network_table(network))


def _show_run(reference: str, diagram: Path | None, common: Common) -> None:
    from eyetune.api.run import open_run
    from eyetune.cli.run_tables import network_table, run_table
    from eyetune.report.console import escape

    run = open_run(reference, workspace=common.open_workspace())
    network = run.record.network
    value = {**run.to_json(), "network": network.to_json(), **_draw(network, diagram)}
    plots = run.folder / "plots"
    paths = [f"Pictures: {escape(str(plots))}"] if plots.exists() else []
    common.show(value, run_table(run), network_table(network, run.record.data.noun), *paths)


def _network(recipe: Recipe) -> Network:
    from eyetune.data.load import shape_of

    load_keras()
    from eyetune.models.build import build
    from eyetune.models.structure import structure

    image_shape, num_classes = shape_of(recipe.data)
    return structure(build(recipe.model, image_shape, num_classes))


def _check_diagram(path: Path | None) -> None:
    if path is not None and path.suffix.lower() not in (".svg", ".png"):
        raise UsageError(
            "The drawing has an unknown format.",
            expected="a file name that ends in .svg or .png",
            received=path,
        )


def _draw(network: Network, path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    from eyetune.report.figures.network_diagram import network_diagram
    from eyetune.report.figures.picture import save

    format_name = path.suffix.removeprefix(".").lower()
    save(network_diagram(network), path.parent, path.stem, [format_name])
    return {"diagram": str(path)}
