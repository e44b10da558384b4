"""Take the screenshots that README.md shows, after `make demo`.

    python tools/make_screenshots.py eyetune-workspace

They are the workbench of the dashboard, and the report of the demo's export. It needs Chromium and
the development tools.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from pictures import with_few_colors

FOLDER = Path(__file__).parent.parent / "docs" / "images"
WIDTH, HEIGHT = 1280, 1000
SECONDS_TO_SETTLE = 12.0  # until the network of the workbench is drawn


def main(workspace: Path) -> None:
    """Take all screenshots."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("There is no chromium: apt-get install chromium")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        report = workspace / "firmware" / "report.html"
        page.goto(report.resolve().as_uri())
        take(page, "report")
        log = Path(folder) / "log"
        with log.open("w") as stream:
            command = [sys.executable, "-m", "eyetune", "serve", "--port", "0", "--no-browser"]
            server = subprocess.Popen([*command, "--workspace", str(workspace)], stderr=stream)
        while not (found := re.findall(r"http://\S+", log.read_text())):
            time.sleep(0.1)
        page.goto(f"{found[0]}workbench")
        time.sleep(SECONDS_TO_SETTLE)
        take(page, "dashboard")
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
        browser.close()


def take(page: Page, name: str) -> None:
    """Write a screenshot with few colors."""
    (FOLDER / f"{name}.png").write_bytes(with_few_colors(page.screenshot()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
