"""Names in data sets and workspaces of others stay text: none of them runs a script."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import Browser

import eyetune as et
from eyetune.records import Workspace
from eyetune.records.check_store import CheckRecord, RecordedFinding, check_key
from eyetune.report.figures.colors import WORSE
from eyetune.testing.labs import fabricated_lab
from tests.browser.conftest import Visit
from tests.browser.test_pages import LIMIT_MILLISECONDS
from tests.e2e.test_dashboard import dashboard

SCRIPT = "document.title='attacked'"
# Each ends an attribute, and begins one that is a script
CLASS_NAMES = tuple(f'{name}" :t="{SCRIPT}" y="' for name in "ab")
FILE_NAMES = (f"n :t='{SCRIPT}' \\", "\\x")  # a backslash hides the end of an attribute
TECHNIQUE = f'<img src=x onerror="{SCRIPT}">'
THUMBNAIL = "data:image/jpeg;base64,AAAA"


@pytest.fixture(scope="module")
def hostile_records(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with names that attack each place where they are shown."""
    folder = tmp_path_factory.mktemp("hostile")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    for number, image in enumerate(pixels):
        name = CLASS_NAMES[number % 2]
        (folder / "photos" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "photos" / name / f"{number}.png")
    workspace = Workspace(folder / "workspace")
    recipe = et.Recipe().with_({"fit.epochs": 1, "fit.batch_size": 8, "model.blocks": [4]})
    et.train(recipe, folder / "photos", workspace=workspace, progress=False, plots=False)
    lab = fabricated_lab(2)
    effects = tuple(effect.model_copy(update={"name": TECHNIQUE}) for effect in lab.techniques)
    workspace.labs.save(lab.model_copy(update={"techniques": effects}))
    finding = RecordedFinding(
        kind="unlike-all-others",
        files=FILE_NAMES,
        splits=("train",) * 2,
        labels=CLASS_NAMES,
        score=0.9,
        text=f"{FILE_NAMES[0]} is strange.",
    )
    thumbnails = dict.fromkeys(FILE_NAMES, THUMBNAIL)
    workspace.checks.save(
        CheckRecord(source="digits", facts={}, findings=(finding,), thumbnails=thumbnails)
    )
    return workspace


@pytest.fixture(scope="module")
def hostile_home(hostile_records: Workspace) -> Iterator[str]:
    """Return the address of a dashboard that shows them."""
    with dashboard(hostile_records.folder, hostile_records.folder.parent / "log") as address:
        yield address


@pytest.fixture
def hostile(browser: Browser, hostile_home: str) -> Iterator[Visit]:
    """Return a page of that dashboard, which must not have been attacked at the end."""
    context = browser.new_context()
    visit = Visit(context.new_page(), hostile_home)
    yield visit
    assert visit.page.title() != "attacked"
    context.close()


def test_class_names_of_pictures(hostile: Visit, hostile_records: Workspace) -> None:
    run = et.open_run(workspace=hostile_records)
    (true, predicted), *_ = np.argwhere(run.evaluation(run.shown_split).confusion > 0)
    page = hostile.open(f"/runs/{run.id}")
    hostile.show_cell(run.record.data.class_names, true, predicted)
    page.locator("figure img").first.wait_for(timeout=LIMIT_MILLISECONDS)
    shown = page.locator("figure [alt]").first.get_attribute("alt")
    assert run.record.data.class_names[predicted] in (shown or "")


def test_file_names_of_findings(hostile: Visit) -> None:
    page = hostile.open("/data?source=digits")
    page.get_by_role("button", name=f"Confirm: {FILE_NAMES[0]} is strange.").wait_for()
    for name in FILE_NAMES:
        page.get_by_role("img", name=name, exact=True).first.wait_for(state="attached")


def test_technique_names_of_labs(hostile: Visit) -> None:
    page = hostile.open("/labs/lab-1")
    page.locator(f"[role=img] svg path[fill='{WORSE}']").first.hover(force=True)
    tip = page.get_by_text(" points (")
    tip.first.wait_for(state="attached")
    assert TECHNIQUE in tip.first.inner_text()


def test_loading_the_page_of_a_source_starts_no_work(
    hostile_home: str, hostile_records: Workspace
) -> None:
    """A picture on a page of another site can load any address; only a browser shows it."""
    source = str(hostile_records.folder.parent / "photos")
    httpx.get(f"{hostile_home}/data", params={"source": source}, timeout=60)
    httpx.get(f"{hostile_home}/workbench", timeout=60)
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        assert not [command for command in commands if "show" in command and source in command]
        time.sleep(0.02)
    assert not hostile_records.path("dashboard", f"samples-{check_key(source)}.png").exists()
