"""What people do on the page of a study: control it, try values, and keep ranges of its trials."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import expect

from eyetune.cli.common import INTERRUPTED
from eyetune.errors import NotFoundError
from eyetune.records import RunState, Workspace
from eyetune.records.requests import RequestKind
from eyetune.records.study import StudyState
from tests.browser.conftest import Visit
from tests.browser.test_pages import LIMIT_MILLISECONDS
from tests.e2e.commands import started

LIMIT_SECONDS = LIMIT_MILLISECONDS / 1000


def test_trial_by_hand_is_enqueued(visit: Visit, records: Workspace) -> None:
    study = records.studies.find("interrupted")
    page = visit.open("/studies/interrupted")
    page.get_by_role("button", name="Try values").click()
    page.get_by_label("learning_rate").fill("0.00123")
    page.get_by_role("button", name="Try them").click()
    page.get_by_text("The trial is enqueued.").wait_for()
    (request,) = records.requests.pending(study.id)
    assert request.hyperparameters["learning_rate"] == 0.00123
    page.get_by_role("button", name="Try values").click()
    page.get_by_label("learning_rate").fill("7")
    page.get_by_role("button", name="Try them").click()
    page.get_by_role("alert").filter(has_text="learning_rate cannot have this value").wait_for()
    assert page.get_by_role("button", name="Try them").is_visible()  # for another attempt
    page.get_by_role("button", name="Cancel").click()
    records.requests.remove(request)


@pytest.fixture
def running(records: Workspace) -> Iterator[str]:
    """Return the id of a study that this process runs."""
    study = records.studies.find("interrupted")
    records.studies.save(study.model_copy(update={"state": StudyState.RUNNING}))
    with records.studies.claim(study.id):
        yield study.id
    records.studies.save(study)
    records.requests.forget_orders(study.id)


def test_running_study_is_paused(visit: Visit, records: Workspace, running: str) -> None:
    page = visit.open("/studies/interrupted")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("It pauses: whole epochs are kept.").wait_for()
    (request,) = records.requests.pending(running)
    assert request.kind is RequestKind.PAUSE


def test_brushing_an_axis_keeps_some_trials(visit: Visit) -> None:
    page = visit.open("/studies/search")
    chart = page.get_by_role("img", name="trials across their hyperparameters")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    lines = "path[stroke-width='1.5']"
    before = chart.locator(lines).evaluate_all(_FAINT)
    x, top, bottom = box["x"] + 48, box["y"] + 90, box["y"] + box["height"] - 26
    page.mouse.move(x, top)
    page.mouse.down()
    page.mouse.move(x, (top + bottom) / 2, steps=6)
    page.mouse.up()
    page.wait_for_timeout(500)
    after = chart.locator(lines).evaluate_all(_FAINT)
    assert before == 0
    assert after > 0
    page.get_by_role("status").filter(has_text="in these ranges").wait_for()
    visit.keep(f"study-brushed-{page.viewport_size['width']}")  # type: ignore[index]
    assert chart.locator(_SELECTED).count() == 1
    page.get_by_role("button", name="Show all trials").click()
    expect(chart.locator(_SELECTED)).to_have_count(0)


# A range on an axis: as it is dragged, and as the chart draws it again.
_SELECTED = "path[fill='rgb(160,197,232)'], path[fill='#cfd2d7']"
_FAINT = """paths => paths.filter(
  path => parseFloat(path.getAttribute('stroke-opacity') || '1') < 0.1).length"""


def test_range_that_is_entered_keeps_some_trials(visit: Visit, records: Workspace) -> None:
    trials = records.studies.trials(records.studies.find("search").id)
    finished = [trial for trial in trials if trial.objectives]
    page = visit.open("/studies/search")
    chart = page.get_by_role("img", name="trials across their hyperparameters")
    rows = page.locator("tbody tr")
    before = rows.count()
    page.get_by_role("combobox", name="Axis").click()
    page.get_by_role("option", name="activation", exact=True).click()
    page.get_by_role("combobox", name="values").click()
    page.get_by_role("option", name="tanh", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keep this range").click()
    status = page.get_by_role("status").filter(has_text="in these ranges")
    status.wait_for()
    kept = sum(trial.all_values["activation"] == "tanh" for trial in finished)
    expect(status).to_contain_text(f"{kept} of {len(finished)} trials")
    expect(status).to_contain_text("activation tanh")
    expect(rows).to_have_count(kept)
    page.get_by_role("combobox", name="Axis").click()
    page.get_by_role("option", name="val_accuracy", exact=True).click()
    page.get_by_label("from", exact=True).fill("0.4")
    page.get_by_role("button", name="Keep this range").click()
    kept = sum(
        trial.all_values["activation"] == "tanh" and trial.objectives[0] >= 0.4
        for trial in finished
        if trial.objectives
    )
    expect(status).to_contain_text(f"{kept} of {len(finished)} trials")
    expect(rows).to_have_count(kept)
    chart.locator(_SELECTED).first.wait_for(state="attached")
    assert chart.locator("path[stroke-width='1.5']").evaluate_all(_FAINT) > 0
    page.get_by_role("button", name="Show all trials").click()
    status.wait_for(state="hidden")
    expect(rows).to_have_count(before)


@pytest.mark.parametrize("visit", [("desktop", "light")], indirect=True, ids=["desktop"])
def test_study_of_another_process_is_paused_resumed_and_stopped(
    visit: Visit, records: Workspace, tmp_path: Path
) -> None:
    arguments = [
        "--data=digits",
        "--name=elsewhere",
        "--trials=60",
        "--workers=0",
        "--max-epochs=2",
    ]
    arguments += ["--space=lab", "--batch-size=128"]
    with (
        purged("elsewhere", records),
        (tmp_path / "log").open("w") as errors,
        started("tune", *arguments, "--workspace", records.folder, errors=errors) as process,
    ):
        page = visit.open("/studies")
        page.get_by_role("link", name="elsewhere").click(timeout=LIMIT_MILLISECONDS)
        page.get_by_role("img", name="validation accuracy of trials by epoch").wait_for(
            timeout=LIMIT_MILLISECONDS
        )
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Resume").wait_for(timeout=LIMIT_MILLISECONDS)
        assert process.wait(timeout=LIMIT_SECONDS) == INTERRUPTED
        study = records.studies.find("elsewhere")
        assert study.state is StudyState.PAUSED
        num_trials = len(records.studies.trials(study.id))
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("button", name="Stop").click(timeout=LIMIT_MILLISECONDS)
        page.get_by_text("COMPLETE", exact=True).wait_for(timeout=LIMIT_MILLISECONDS)
        assert records.studies.find("elsewhere").state is StudyState.COMPLETE
        trials = records.studies.trials(study.id)
        assert num_trials <= len(trials) < 60
        states = {run.state for run in records.runs.all() if run.study_id == study.id}
        assert RunState.RUNNING not in states


@contextmanager
def purged(name: str, records: Workspace) -> Iterator[None]:
    """Delete a study at the end of the block, so that other tests do not see it."""
    try:
        yield
    finally:
        with suppress(NotFoundError):
            records.studies.purge(records.studies.find(name).id)
