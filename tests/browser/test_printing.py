"""A report on paper: all rows, nothing to press, and no line wider than the page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.report.pages.test_study_page import STUDY, page_of

A4 = 794  # width in pixels at 96 per inch


def test_report_prints_all_rows_within_the_page(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page_of(STUDY), encoding="utf-8")
    context = browser.new_context(viewport={"width": A4, "height": 1123})
    page = context.new_page()
    page.goto(path.as_uri())
    rows, buttons = page.locator("tr:visible"), page.locator("button.more:visible")
    on_screen = rows.count()
    assert buttons.count() > 0
    page.emulate_media(media="print")
    assert rows.count() > on_screen
    assert buttons.count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= A4
    assert page.pdf(format="A4").startswith(b"%PDF")
    context.close()
