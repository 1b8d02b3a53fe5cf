"""In a browser the report fits a phone, a desk and paper: nothing on the page is wider than the page."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from report_runs import LEDGER, a_run, a_run_of_trees, points, some_scores, validated

from parties.report import render

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Every section is opened.  What lies in a box that scrolls by itself may be wider than the box.
MEASURE = """
const found = {};
addEventListener("load", () => {
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, width = page.documentElement.clientWidth;
    page.querySelectorAll("details").forEach(section => section.open = true);
    const wide = [...page.querySelectorAll("body *")].filter(element =>
      element.getBoundingClientRect().right > width + 0.5 && !element.parentElement.closest(".wide"));
    found[frame.name] = {
      width, height: page.documentElement.scrollHeight, scroll: page.documentElement.scrollWidth,
      wide: wide.map(each => `${each.tagName} ${each.className}: ${each.textContent.slice(0, 40)}`),
    };
  }
  const result = document.createElement("pre");
  result.id = "result";
  result.textContent = JSON.stringify(found);
  document.body.replaceChildren(result);
});
"""


def laid_out(pages, folder):
    """Return by name what a browser makes of pages {name: (html, width in CSS pixels)}."""
    style = "border:0;height:20000px"
    frames = "".join(
        f'<iframe name="{name}" style="{style};width:{width}px" srcdoc="{html.escape(page)}"></iframe>'
        for name, (page, width) in pages.items()
    )
    outer = folder / "outer.html"
    outer.write_text(
        f"<!doctype html><meta charset=utf-8><script>{MEASURE}</script>{frames}", encoding="utf-8"
    )
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'browser'}", "--dump-dom", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    (result,) = re.findall(r'<pre id="result">(.*?)</pre>', done.stdout)
    return json.loads(html.unescape(result))


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to lay the page out")
def test_nothing_overflows_a_phone_a_desk_or_paper(tmp_path):
    scores = some_scores()
    long = "a-segment-whose-name-is-one-word-of-more-letters-than-a-phone-has-room-for"
    segment = np.array(["cards", long, "mortgages"] * 500, object)
    more = {"validation": validated(scores, segment), "purpose": "x" * 200}
    more["coefficients"] = more["guest_only_coefficients"] = {f"{long}-{i}": -12.5 for i in range(3)}
    more["months"] = [
        {"month": f"2026-{m:02d}", "rows": 900, "score": 0.01, "columns": {long: 0.2, "age": 0.1}}
        for m in range(1, 13)
    ]
    more["correlation"] = {f"insurer: {long}": {long: -0.5}}
    reports = {
        "regression": render(a_run(scores) | more, [LEDGER], points(scores)),
        "trees": render(a_run_of_trees(scores) | more, [LEDGER], points(scores)),
    }
    pages = {}
    for kind, page in reports.items():
        printed = page.replace("@media print", "@media all")
        pages |= {f"{kind} phone": (page, 390), f"{kind} desk": (page, 1280), f"{kind} A4": (printed, 718)}
    spilt = reports["trees"].replace("<main>", '<main><p style="width:2000px">wide</p>')
    found = laid_out(pages | {"spilt": (spilt, 1280)}, tmp_path)
    for name, (_, width) in pages.items():
        assert found[name]["wide"] == [], name
        assert found[name]["width"] == found[name]["scroll"] == width, name
        assert found[name]["height"] > 2000
    assert found["spilt"]["scroll"] > 1280 and found["spilt"]["wide"]  # the yardstick sees what is too wide
