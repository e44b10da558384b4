"""Make the pictures of docs/gallery.md, from a few trainings on handwritten digits.

python tools/make_gallery.py
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import eyetune as et
from eyetune.report.figures.picture import Picture
from pictures import with_few_colors

FOLDER = Path(__file__).parent.parent / "docs" / "images" / "gallery"
DOTS_PER_INCH = 100
SPACE = """
"optimizer.learning_rate" = {low = 0.0003, high = 0.03, sampling = "log"}
"fit.batch_size" = {values = [16, 32, 64]}
"model.width" = {low = 0.25, high = 1.0}
"model.activation" = {values = ["relu", "tanh"]}
"""


def main() -> None:
    """Write all pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in pictures(Path(folder)).items():
            save(picture, FOLDER / f"{name}.png")
            print(name, flush=True)
        sheet = contact_sheet(Path(folder))
        shutil.move(sheet, FOLDER / "contact-sheet.png")


def pictures(folder: Path) -> dict[str, Picture]:
    """Return the pictures by name."""
    options: Any = {"workspace": folder / "workspace", "progress": False}
    base = et.portfolio_recipe("resnet8").with_({"model.width": 0.5, "augment.flip": False})
    recipe = base.with_({"fit.epochs": 12, "fit.batch_size": 32})
    run = et.train(recipe, "digits", name="resnet8", plots=False, **options)
    other = et.train(
        recipe.with_({"optimizer.learning_rate": 0.01}), "digits", name="slower", plots=False,
        **options,
    )  # fmt: skip
    lab = et.lab(
        et.Recipe().with_({"fit.epochs": 3}), "digits", final_seeds=2, workers=2,
        techniques=("batch-norm", "learning-rate", "shift", "dropout", "activation"), **options,
    )  # fmt: skip
    study = et.tune(
        recipe=et.Recipe().with_({"fit.epochs": 6}), data="digits", space=et.Space.from_toml(SPACE),
        trials=24, scheduler="halving", max_epochs=6, workers=2, plots=False,
        objective=["val_accuracy", "parameters"], **options,
    )  # fmt: skip
    baseline = et.train(et.Recipe().with_({"fit.epochs": 1}), "digits", plots=False, **options)
    explained = run.explain(3)
    return {
        "curves": run.plot(other),
        "confusion": run.plot_confusion(),
        "network": baseline.plot_network(),
        "feature-maps": explained.plot_feature_maps(),
        "heatmaps": explained.plot_heatmaps() or run.plot(),
        "lab-effects": lab.plot(),
        "study-parallel": study.plot_parallel(),
        "study-curves": study.plot_curves(),
        "study-importances": study.plot_importances(),
        "study-front": study.plot_front(),
        "range-test": et.find_learning_rate(recipe, data="digits", **options).plot(),
    }


def contact_sheet(folder: Path) -> Path:
    """Return a contact sheet of pictures that the first run classifies, as a file."""
    images = et.load("digits").test.images
    photos = folder / "photos"
    photos.mkdir()
    for number in range(12):
        image = Image.fromarray(np.asarray(images[number])).resize((160, 120))
        image.save(photos / f"{number}.png")
    answers = et.predict("resnet8", photos, workspace=folder / "workspace", progress=False)
    path = folder / "sheet.png"
    answers.contact_sheet().save(path)
    return path


def save(picture: Picture, path: Path) -> None:
    """Write a picture with few colors."""
    picture.savefig(path, dpi=DOTS_PER_INCH, bbox_inches="tight")
    path.write_bytes(with_few_colors(path.read_bytes()))


if __name__ == "__main__":
    main()
