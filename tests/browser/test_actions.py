"""What people do on the pages: annotate runs, control studies, look at data, try pictures."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import FilePayload

import eyetune as et
from eyetune.records import Workspace, query
from eyetune.records.check_store import check_key
from eyetune.values.numbers import percentage
from tests.browser.conftest import HOSTILE, Visit
from tests.browser.test_pages import LIMIT_MILLISECONDS


def picture(seed: int = 0) -> FilePayload:
    """Return a picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"name": f"{seed}.png", "mimeType": "image/png", "buffer": file.getvalue()}


def test_dropped_pictures_are_classified(visit: Visit) -> None:
    page = visit.open("/try")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    damaged: FilePayload = {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"}
    chooser.value.set_files([picture(0), picture(1), damaged])
    page.get_by_text("int8: ").nth(1).wait_for(timeout=LIMIT_MILLISECONDS)
    assert page.get_by_text("int8: ").count() == 2
    page.get_by_text("no.png cannot be read").wait_for()
    visit.keep(f"try-answers-{page.viewport_size['width']}")  # type: ignore[index]


_DROP = """({bytes, name}) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
  const options = {dataTransfer: transfer, bubbles: true, cancelable: true};
  document.querySelector('.q-uploader').dispatchEvent(new DragEvent('dragover', options));
  const drop = () => {
    const area = document.querySelector('.q-uploader__dnd');
    if (area) area.dispatchEvent(new DragEvent('drop', options)); else setTimeout(drop, 50);
  };
  drop();
}"""


def test_picture_that_is_dragged_onto_the_page_is_classified(visit: Visit) -> None:
    page = visit.open("/try")
    page.locator(".q-uploader").wait_for()
    one = picture(2)
    page.evaluate(_DROP, {"bytes": list(one["buffer"]), "name": "dragged.png"})
    page.get_by_text("int8: ").wait_for(timeout=LIMIT_MILLISECONDS)
    page.get_by_text("dragged.png").wait_for()


def test_webcam_is_classified_until_it_is_stopped(visit: Visit) -> None:
    visit.page.context.grant_permissions(["camera"])
    page = visit.open("/try")
    page.get_by_role("button", name="Use the webcam").click()
    page.get_by_text("int8: ").wait_for(timeout=LIMIT_MILLISECONDS)
    visit.keep(f"try-webcam-{page.viewport_size['width']}")  # type: ignore[index]
    page.get_by_role("button", name="Stop the webcam").click()
    page.get_by_role("button", name="Use the webcam").wait_for()
    assert not page.get_by_label("webcam", exact=True).is_visible()


def test_webcam_that_may_not_be_used_is_explained(visit: Visit) -> None:
    page = visit.open("/try")
    page.get_by_role("button", name="Use the webcam").click()
    page.get_by_text("The webcam cannot be used.").wait_for()


def test_samples_of_a_source_are_shown(visit: Visit) -> None:
    page = visit.open("/data?source=digits")
    page.get_by_role("img", name="balance").wait_for(timeout=LIMIT_MILLISECONDS)
    page.get_by_role("img", name="samples of each class").wait_for()
    visit.keep(f"data-samples-{page.viewport_size['width']}")  # type: ignore[index]


def test_folder_is_checked(visit: Visit, records: Workspace, tmp_path: Path) -> None:
    for seed in range(12):
        folder = tmp_path / ("cat" if seed < 6 else "dog")
        folder.mkdir(exist_ok=True)
        (folder / f"{seed}.png").write_bytes(picture(seed)["buffer"])
    (tmp_path / "cat" / "copy.png").write_bytes(picture(0)["buffer"])
    page = visit.open(f"/data?source={tmp_path}")
    page.get_by_text("This source has not been checked yet.").wait_for()
    page.get_by_role("button", name="Check the data").click()
    page.get_by_text("exact-duplicate: ").first.wait_for(timeout=LIMIT_MILLISECONDS)
    visit.keep(f"data-checked-{page.viewport_size['width']}")  # type: ignore[index]
    page.get_by_role("button", name="Confirm: ").first.click()
    page.get_by_role("button", name="Move 1 confirmed file aside").click()
    page.get_by_text(f"Move 1 file of {tmp_path} aside?").wait_for()
    page.get_by_role("button", name="Move them").click()
    page.get_by_text("1 file moved aside.").wait_for()
    assert len(list(tmp_path.glob("*/*.png"))) == 12


def test_finding_is_confirmed_and_reopened(visit: Visit, records: Workspace) -> None:
    page = visit.open("/data?source=digits")
    page.get_by_role("button", name="Confirm: ").first.click()
    page.get_by_role("radio", name="confirmed", exact=True).click()
    page.get_by_text("1 confirmed of").wait_for()
    findings = records.checks.get(check_key("digits")).findings
    assert [finding.decision for finding in findings].count("confirmed") == 1
    page.get_by_role("button", name="Reopen: ").click()
    page.get_by_text("0 confirmed of").wait_for()


def test_note_and_tags_are_written(visit: Visit, records: Workspace) -> None:
    run = et.open_run(HOSTILE, workspace=records)
    page = visit.open(f"/runs/{run.id}")
    page.get_by_role("textbox", name="Note").fill("<b>In the sun</b>")
    page.get_by_role("combobox", name="Tags").fill("lamp")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved").wait_for()
    record = records.runs.get(run.id)
    assert (record.note, record.tags) == ("<b>In the sun</b>", ("lamp",))
    page = visit.open("/")
    page.get_by_label("Filter").fill("tags=lamp")
    page.get_by_text("1 of ").wait_for()
    records.runs.annotate(run.id, note="", tags=())


def test_selected_runs_are_tagged(visit: Visit, records: Workspace) -> None:
    page = visit.open("/")
    page.get_by_label("Filter").fill("cifar10 validation_accuracy>0.7")
    own = [run for run in records.runs.all() if not run.study_id]
    chosen = query.choose(own, ["validation_accuracy>0.7", "data=cifar10"])
    page.get_by_text(f"{len(chosen)} of ").wait_for()
    page.locator("tbody [role=checkbox]").nth(0).click()
    page.locator("tbody [role=checkbox]").nth(1).click()
    page.get_by_role("button", name="Tag", exact=True).click()
    page.get_by_role("combobox", name="Add").fill("chosen")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Change").click()
    page.locator(".q-badge", has_text="chosen").nth(1).wait_for()
    tagged = [run for run in records.runs.all() if "chosen" in run.tags]
    assert len(tagged) == 2
    for run in tagged:
        records.runs.annotate(run.id, tags=())


def test_values_of_each_epoch_are_a_table(visit: Visit, records: Workspace) -> None:
    run = et.open_run(HOSTILE, workspace=records)
    page = visit.open(f"/runs/{run.id}")
    page.get_by_text("Values of each epoch", exact=True).click()
    page.get_by_role("columnheader", name="validation accuracy").wait_for()
    last = percentage(run.history[-1].val_accuracy)
    page.get_by_role("row").filter(has=page.get_by_role("cell", name=last)).first.wait_for()
    visit.keep(f"epochs-{page.viewport_size['width']}")  # type: ignore[index]


def test_knobs_are_explained(visit: Visit) -> None:
    page = visit.open("/workbench")
    page.get_by_text("What these values mean", exact=True).first.click()
    page.get_by_text("images in each training step", exact=True).wait_for()
    page.get_by_text("What these values mean", exact=True).nth(1).click()
    page.get_by_text("filters of each convolution", exact=True).wait_for()
    page.get_by_text("Augmentation", exact=True).click()  # its knobs are made when it is opened
    page.get_by_label("cutout", exact=True).wait_for()
    visit.keep(f"knobs-{page.viewport_size['width']}")  # type: ignore[index]


def test_network_is_drawn_and_explained(visit: Visit) -> None:
    page = visit.open("/runs/latest")
    page.get_by_text("Diagram", exact=True).click()
    page.get_by_role("img", name="the network, layer by layer").wait_for()
    page.get_by_role("button", name="Explain").click()
    activations = page.get_by_role("img", name="Activations of each layer for the image")
    activations.wait_for(timeout=LIMIT_MILLISECONDS)
    visit.keep(f"explained-{page.viewport_size['width']}")  # type: ignore[index]


def test_run_is_exported_and_downloaded(visit: Visit, records: Workspace) -> None:
    run = et.open_run(HOSTILE, workspace=records)
    shutil.rmtree(records.path("exports", run.id), ignore_errors=True)
    page = visit.open(f"/runs/{run.id}")
    page.get_by_role("button", name="Export").click()
    page.get_by_role("link", name="firmware.zip").wait_for(timeout=LIMIT_MILLISECONDS)
    visit.keep(f"firmware-{page.viewport_size['width']}")  # type: ignore[index]
    with page.expect_download() as downloading:
        page.get_by_role("link", name="firmware.zip").click()
    with zipfile.ZipFile(downloading.value.path()) as archive:
        names = archive.namelist()
    assert "firmware-esp-eye/model.tflite" in names
    assert "firmware-esp-eye/esp-idf/main/image.c" in names
    page.get_by_role("button", name="Export").click()  # it asks before it replaces the files
    page.get_by_text("Replace the export in").wait_for()
    page.get_by_role("button", name="Cancel").click()
