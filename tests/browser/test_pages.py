"""Each page loads without errors, its main action works, and axe finds no serious fault."""

from __future__ import annotations

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import expect

import eyetune as et
from eyetune.records import Workspace, query
from tests.browser.conftest import HOSTILE, Visit
from tests.records.fabricate import make_epoch

LIMIT_MILLISECONDS = 120_000  # for what loads Keras on a busy machine
MAX_LINKS = 10  # to the sections, at the top of each page
PAGES = {
    "workbench": "/workbench",
    "runs": "/",
    "run": "/runs/latest",
    "studies": "/studies",
    "study": "/studies/search",
    "labs": "/labs",
    "lab": "/labs/lab-1",
    "data": "/data?source=digits",
    "try": "/try",
}


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_serious_fault(visit: Visit, name: str) -> None:
    page = visit.open(PAGES[name])
    page.wait_for_timeout(500)
    visit.keep(f"{name}-{page.viewport_size['width']}")  # type: ignore[index]
    found = Axe().run(page).response["violations"]
    faults = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    described = [(fault["id"], fault["nodes"][0]["html"][:200]) for fault in faults]
    assert not described
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0, "the page scrolls sideways"


def test_hostile_name_stays_text(visit: Visit) -> None:
    page = visit.open("/")
    page.get_by_text(HOSTILE).first.wait_for()
    page.get_by_role("link", name=HOSTILE).click()
    page.get_by_role("heading", level=1).wait_for()
    assert page.title() != "attacked"


def test_filter_and_comparison_of_runs(visit: Visit, records: Workspace) -> None:
    page = visit.open("/")
    own = [run for run in records.runs.all() if not run.study_id]
    chosen = query.choose(own, ["validation_accuracy>0.7", "data=cifar10"])
    page.get_by_label("Filter").fill("cifar10 validation_accuracy>0.7")
    page.get_by_text(f"{len(chosen)} of ").wait_for()
    page.locator("tbody [role=checkbox]").nth(0).click()
    page.locator("tbody [role=checkbox]").nth(1).click()
    page.get_by_role("button", name="Compare the selected runs").click()
    page.get_by_role("heading", name="Comparison").wait_for()
    page.get_by_role("table", name="differences between the recipes").wait_for()


def test_cell_of_the_confusions_shows_its_pictures(visit: Visit, records: Workspace) -> None:
    run = et.open_run(workspace=records)
    confusion = run.evaluation().confusion
    true, predicted = np.argwhere(confusion > 0)[0]
    page = visit.open(f"/runs/{run.id}")
    visit.show_cell(run.record.data.class_names, true, predicted)
    page.locator("figure img").first.wait_for()


def test_click_on_a_cell_shows_its_pictures(visit: Visit, records: Workspace) -> None:
    run = et.open_run(workspace=records)
    names, confusion = run.record.data.class_names, run.evaluation().confusion
    true, predicted = map(int, np.unravel_index(confusion.argmax(), confusion.shape))
    page = visit.open(f"/runs/{run.id}")
    chart = page.get_by_role("img", name="confusion matrix")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    left, right, top, bottom = 90, 16, 44, 90  # the margins of the matrix in its chart
    width = (box["width"] - left - right) / len(names)
    height = (box["height"] - top - bottom) / len(names)
    page.mouse.click(
        box["x"] + left + (predicted + 0.5) * width, box["y"] + top + (true + 0.5) * height
    )
    title = f"of class {names[true]}, classified as {names[predicted]}"
    page.get_by_role("heading", name=title).wait_for()
    page.locator("figure img").first.wait_for()


def test_curve_moves_while_a_run_is_trained(visit: Visit, records: Workspace) -> None:
    from tests.records.fabricate import add_run

    run = add_run(records, name="live")
    with records.runs.claim(run.id):
        records.runs.save_epochs(run.id, [make_epoch(1)])
        page = visit.open(f"/runs/{run.id}")
        page.get_by_text("1 of 10", exact=True).wait_for()
        records.runs.save_epochs(run.id, [make_epoch(2)])
        page.get_by_text("2 of 10", exact=True).wait_for()
    records.runs.purge(run.id)


def test_workbench_trains_what_its_knobs_say(visit: Visit, records: Workspace) -> None:
    page = visit.open("/workbench")
    page.get_by_label("epochs", exact=True).fill("2")
    name = f"bench-{page.viewport_size['width']}"  # type: ignore[index]
    page.get_by_label("Name of the run").fill(name)
    page.get_by_text("MACs").wait_for(timeout=LIMIT_MILLISECONDS)
    page.get_by_role("button", name="Copy as command").click()
    page.get_by_text(f"fit.epochs=2 --name {name}").wait_for()
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text("COMPLETE, 2 of 2 epochs").wait_for(timeout=LIMIT_MILLISECONDS)
    curve = page.get_by_role("img", name="accuracy by epoch").locator("path[stroke-width='2']")
    curve.first.wait_for(state="attached")
    visit.keep(name)
    run = records.runs.find(name)
    assert run.recipe.fit.epochs == 2
    records.runs.purge(run.id)


def test_workbench_explains_what_a_recipe_refuses(visit: Visit) -> None:
    page = visit.open("/workbench")
    page.get_by_label("learning rate", exact=True).fill("-1")
    page.get_by_role("alert").filter(has_text="learning_rate").first.wait_for()
    page.get_by_label("epochs", exact=True).fill("3")  # another knob does not hide it
    page.wait_for_timeout(1_000)
    assert page.get_by_role("alert").filter(has_text="learning_rate").count() > 0
    assert page.get_by_role("button", name="Train", exact=True).is_disabled()
    page.get_by_label("learning rate", exact=True).fill("0.01")
    page.get_by_role("alert").filter(has_text="learning_rate").first.wait_for(state="hidden")
    page.get_by_text("MACs").wait_for(timeout=LIMIT_MILLISECONDS)
    train = page.get_by_role("button", name="Train", exact=True)
    expect(train).to_be_enabled(timeout=LIMIT_MILLISECONDS)  # no training of before is left


def test_workbench_keeps_the_reason_why_a_network_cannot_be_built(visit: Visit) -> None:
    page = visit.open("/workbench")
    page.get_by_text("MACs").wait_for(timeout=LIMIT_MILLISECONDS)
    page.get_by_label("Data: a name or a path").fill("nowhere")
    reason = page.get_by_role("alert").filter(has_text="nowhere").first
    reason.wait_for(timeout=LIMIT_MILLISECONDS)
    page.get_by_label("learning rate", exact=True).fill("-1")
    page.get_by_role("alert").filter(has_text="learning_rate").first.wait_for()
    assert reason.is_visible()
    assert page.get_by_role("button", name="Train", exact=True).is_disabled()


def test_workbench_applies_a_technique(visit: Visit) -> None:
    page = visit.open("/workbench")
    page.get_by_label("Technique").click()
    page.get_by_role("option", name="batch-norm", exact=True).click()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("switch", name="batch norm")).to_be_checked()
    page.get_by_label("Technique").click()  # its knobs were shown again, and still describe it
    page.get_by_role("button", name="Add a block").click()
    page.get_by_label("filters").nth(2).wait_for()
    parameters = page.get_by_text("167,562", exact=True)
    expect(parameters).to_have_count(0, timeout=LIMIT_MILLISECONDS)
    page.get_by_role("button", name="Copy as command").click()
    page.get_by_text("model.batch_norm=true").wait_for()


def test_page_that_does_not_exist_keeps_the_links(visit: Visit) -> None:
    page = visit.open("/no-such-page")
    page.get_by_role("heading", name="Page not found").wait_for()
    page.get_by_role("link", name="Runs").wait_for()
    answer = page.request.get(f"{visit.home}/api/none")
    assert answer.status == 404
    assert answer.json()["error"]["type"] == "NotFoundError"


def test_study_that_has_just_begun_has_no_faults(visit: Visit, records: Workspace) -> None:
    study = records.studies.find("interrupted")
    begun = records.studies.create("begun", study.settings)
    page = visit.open("/studies/begun")
    page.get_by_text("No trial has begun yet").wait_for()
    page.wait_for_timeout(1_000)
    records.studies.purge(begun.id)


def test_importance_of_a_study(visit: Visit) -> None:
    page = visit.open("/studies/search")
    page.get_by_role("button", name="Importance and slices").click()
    page.get_by_role("img", name="Importance").wait_for()


def test_pages_are_reached_by_keyboard(visit: Visit) -> None:
    page = visit.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").startswith("Skip")
    for _ in range(MAX_LINKS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Studies":
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Studies").wait_for()
