"""What to do about a gap: recipe values that train on pictures like the camera's."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from eyetune.analysis.gap import Cause, Points
from eyetune.recipe import Recipe
from eyetune.recipe.changes import value_text

CAMERA = "ov2640"
LARGE_SHARE = 0.5  # of the training images: who measures the gap cares about the camera most
OF_LENS_AND_SENSOR = ("color cast", "exposure", "sharpness", "noise")
_AUGMENT_INSTEAD: dict[str, dict[str, Any]] = {
    "color cast": {"augment.color": 0.3},
    "exposure": {"augment.contrast": 0.3},
    "noise": {"augment.noise": 0.05},
}


def advice_on(
    fallen: Points, causes: Sequence[Cause], recipe: Recipe | None
) -> tuple[dict[str, Any], list[str]]:
    """Return recipe values that train on pictures like the camera's, and what else to do.

    Args:
        fallen: By how much accuracy falls.
        causes: The causes that were tested, the largest first.
        recipe: The recipe of the run; None if it has none.

    Returns:
        Values by path, and sentences.
    """
    certain = [cause for cause in causes if cause.certain]
    edits: dict[str, Any] = {}
    sentences = []
    recipe = recipe or Recipe()
    has_camera = recipe.data.camera != "none"
    for cause in certain:
        if cause.name in OF_LENS_AND_SENSOR and cause.setting.get("camera_is_sharper"):
            sentences.append(
                "The camera's pictures are sharper than those of the data set: train on sharper "
                "ones, for example on larger originals."
            )
        elif cause.name in OF_LENS_AND_SENSOR and not has_camera:
            edits |= {"data.camera": CAMERA, "data.camera_share": LARGE_SHARE}
        elif cause.name in OF_LENS_AND_SENSOR and recipe.data.camera_share < LARGE_SHARE:
            edits["data.camera_share"] = LARGE_SHARE
        elif cause.name in OF_LENS_AND_SENSOR:
            edits |= _AUGMENT_INSTEAD.get(cause.name, {})
        elif cause.name == "framing":
            zoom = float(cause.setting["zoom"])
            edits["augment.zoom"] = round(min(0.5, max(zoom, 1 / zoom) - 1), 2)
            nearer = "nearer to" if zoom > 1 else "farther from"
            sentences.append(f"Or hold the camera {nearer} the things.")
        elif cause.name == "orientation":
            new_edits, sentence = _on_orientation(str(cause.setting["orientation"]))
            edits |= new_edits
            sentences.append(sentence)
    values = recipe.values()
    edits = {path: value for path, value in edits.items() if values[path] != value}
    if fallen.certain and not certain:
        sentences.append(
            "None of these properties explains the gap beyond doubt. Other things, other "
            "backgrounds or too few pictures may: put pictures of the camera among the training "
            "images."
        )
    elif has_camera and not edits:
        sentences.append(
            "The network was trained with data.camera already: put pictures of the camera among "
            "the training images."
        )
    return edits, sentences


def _on_orientation(orientation: str) -> tuple[dict[str, Any], str]:
    if orientation == "upside down or upright":
        return {"augment.upside_down": True}, "Some pictures are upside down."
    if orientation == "mirrored":
        return {"augment.flip": True}, "Or turn off the mirroring of the camera (hmirror)."
    if "90" in orientation:
        return {}, "The pictures lie on their side: turn the camera or its pictures."
    return {"augment.upside_down": True}, (
        "If the camera always hangs like that, turn its pictures in the firmware instead "
        "(vflip and hmirror)."
    )


def train_command(run: str, edits: dict[str, Any]) -> str:
    """Return the command that trains the recipe of a run with other values; "" without any.

    Example:
        >>> train_command("3f2a", {"data.camera": "ov2640"})
        'eyetune train 3f2a --set data.camera=ov2640'
    """
    if not edits:
        return ""
    arguments = ["eyetune", "train", run]
    for path, value in edits.items():
        arguments += ["--set", f"{path}={value_text(value)}"]
    return shlex.join(arguments)
