"""The page in a browser: it renders, in light and dark, without errors and without asking the network for anything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mergekit_speech.reports.kinds import page
from tests.reports.documents import analysis_document, bench_document, sweep_document

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
# The dark theme, as the browser's own setting says it.
DARK = "--blink-settings=preferredColorScheme=0"
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 26)"}
# Says what a reader would see; it is added to the test's copy alone.
PROBE = """<script>addEventListener("load", () => document.body.dataset.seen = JSON.stringify({
  paper: getComputedStyle(document.body).backgroundColor,
  wide: document.documentElement.scrollWidth > innerWidth,
  drawings: [...document.querySelectorAll("figure svg")].map((svg) => svg.getBoundingClientRect().height),
  requests: performance.getEntriesByType("resource").map((entry) => entry.name),
}))</script></body>"""


@pytest.fixture(scope="module")
def browser() -> str:
    """The browser's path."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        missing = f"no browser on PATH, tried {', '.join(NAMES)}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing}: install chromium")
        pytest.skip(missing)
    return found


def look(browser: str, text: str, folder: Path, *flags: str) -> tuple[dict[str, Any], str, Mapping[str, Any]]:
    """Opens a page; returns what a reader would see, the browser's console, and its log of the network."""
    path, log = folder / "report.html", folder / "network.json"
    path.write_text(text.replace("</body>", PROBE), encoding="utf-8")
    command = [browser, *FLAGS, *flags, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}"]
    command += ["--enable-logging=stderr", "--virtual-time-budget=2000", "--dump-dom", path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    seen = done.stdout.partition('data-seen="')[2].partition('"')[0].replace("&quot;", '"')
    return json.loads(seen), done.stderr, json.loads(log.read_text(encoding="utf-8"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_renders_without_errors_or_requests(browser: str, tmp_path: Path, theme: str) -> None:
    text = page({**bench_document(), "attached": [sweep_document(), analysis_document()]})
    flags = ["--window-size=500,900", *([DARK] if theme == "dark" else [])]
    seen, console, network = look(browser, text, tmp_path, *flags)
    assert seen["paper"] == PAPER[theme]
    assert len(seen["drawings"]) == 7
    assert min(seen["drawings"]) > 50
    assert not seen["wide"]
    assert seen["requests"] == []
    assert "CONSOLE" not in console
    starts = [event["params"]["url"] for event in network["events"] if "url" in event.get("params", {})]
    assert [url for url in starts if url.startswith("http") and "report" in url] == []


def test_console_and_requests_are_noticed(browser: str, tmp_path: Path) -> None:
    bad = '<img src="http://127.0.0.1:9/gone.png"><script>console.error("broken"); nothing()</script></body>'
    text = page(bench_document()).replace("</body>", bad)
    seen, console, network = look(browser, text, tmp_path)
    assert seen["requests"] == ["http://127.0.0.1:9/gone.png"]
    assert "CONSOLE" in console
    assert "gone.png" in json.dumps(network)
