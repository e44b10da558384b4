"""A headless Chromium, and a dashboard with records of every kind, whose pages have no errors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright

import eyetune as et
from eyetune.records import Workspace
from eyetune.records.study import StudyState
from eyetune.testing.labs import fabricated_lab
from eyetune.testing.studies import ACCURACY, PARAMETERS, fabricated_study
from eyetune.testing.workspaces import fabricated_workspace
from tests.e2e.test_dashboard import dashboard

SCREENSHOTS = Path("build/screenshots")
HOSTILE = "<img src=x onerror=\"document.title='attacked'\">"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--use-fake-device-for-media-stream",  # a webcam, for pages that have the permission
]
SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 844},
}


@dataclass
class Visit:
    """A page in a browser, and what its console said.

    Attributes:
        page: The page.
        home: Address of the dashboard.
        errors: Errors of scripts, and requests that failed.
        foreign: Requests to other servers.
    """

    page: Page
    home: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Open a page of the dashboard, and wait until it is connected."""
        self.page.goto(self.home + path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def show_cell(self, classes: Sequence[str], true: int, predicted: int) -> None:
        """Show the pictures of a cell of the confusion matrix, on the page of a run.

        Args:
            classes: Names of the classes.
            true: Number of the true class.
            predicted: Number of the predicted class.
        """
        for label, number in (("true class", true), ("predicted", predicted)):
            self.page.get_by_role("combobox", name=label).click()
            self.page.get_by_role("option", name=classes[number], exact=True).click()
            self.page.get_by_role("listbox").wait_for(state="detached")
        self.page.get_by_role("button", name="Show the pictures").click()

    def keep(self, name: str) -> None:
        """Keep a screenshot in build/screenshots."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with a real run, a lab, a study of two objectives, and many other runs."""
    folder = tmp_path_factory.mktemp("browser") / "workspace"
    workspace = fabricated_workspace(folder, num_runs=40, epochs_per_run=5)
    workspace.labs.save(fabricated_lab(8))
    fabricated_study(30, objectives=(ACCURACY, PARAMETERS), name="search", workspace=workspace)
    fabricated_study(12, name="interrupted", workspace=workspace)
    study = workspace.studies.find("interrupted")
    workspace.studies.save(study.model_copy(update={"state": StudyState.PAUSED}))
    et.data_check("digits", labels="none", progress=False).save(workspace=workspace)
    recipe = et.Recipe().with_({"fit.epochs": 2, "model.blocks": [4], "model.dense": [8]})
    et.train(recipe, "digits", name=HOSTILE, workspace=workspace, progress=False, plots=False)
    return workspace


@pytest.fixture(scope="session")
def home(records: Workspace) -> Iterator[str]:
    """Return the address of a dashboard."""
    with dashboard(records.folder, records.folder.parent / "log") as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return a headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(params=[("desktop", "light"), ("phone", "dark")], ids=["desktop", "phone"])
def visit(browser: Browser, home: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Return a page on a screen; errors of its console fail the test at its end."""
    size, scheme = request.param
    context = browser.new_context(viewport=SIZES[size], color_scheme=scheme)
    page = context.new_page()
    visit = Visit(page, home)

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and "404" not in message.text:
            visit.errors.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on(
        "request",
        lambda sent: (
            visit.foreign.append(sent.url)
            if not sent.url.startswith((home, "data:", "blob:", home.replace("http", "ws")))
            else None
        ),
    )
    yield visit
    context.close()
    assert not visit.errors
    assert not visit.foreign
