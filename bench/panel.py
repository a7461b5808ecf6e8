"""The JupyterLab panel: the size of its bundle, what it adds to Lab's start, and how fast an event becomes something seen.

- *bundle*: bytes of what is loaded with every page, and of what is loaded when a section is first shown.
- *start*: from the navigation to a launcher that is drawn, with the panel and without it, in turn, in one Chromium with an
  empty cache each time. Target: <= 150 ms more.
- *pixels*: from the read of an event in the page to the frame that shows it: the first step, and the answer's sentence.

Run it alone on the machine.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.e2e import servers
from tests.lab_world import lab_world

ROUNDS = 7
TARGET_MS = 150
BUNDLE = servers.ROOT / "extension" / "datapilot_lab" / "labextension"
_WATCH = """() => {
  const seen = (window.__seen = {});
  const read = ReadableStreamDefaultReader.prototype.read;
  ReadableStreamDefaultReader.prototype.read = async function () {
    const found = await read.call(this);
    const text = found.value instanceof Uint8Array ? new TextDecoder().decode(found.value) : '';
    for (const name of ['step', 'outcome']) {
      if (text.includes(`event: ${name}`)) seen[name] ??= performance.now();
    }
    return found;
  };
  const shown = { step: '.dp-Running [role=status]', outcome: '.dp-Sentence' };
  const first = {};
  new MutationObserver(() => {
    for (const [name, selector] of Object.entries(shown)) {
      const node = document.querySelector(selector);
      const isNew = node && (name === 'outcome' || (first[name] ??= node.textContent) !== node.textContent);
      if (isNew && seen[name] && !seen[name + '_shown']) {
        seen[name + '_shown'] = -1;
        requestAnimationFrame(() => { seen[name + '_shown'] = performance.now(); });
      }
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def main() -> int:
    """Print the three."""
    _bundle()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ours = stack.enter_context(lab_world(Path(folder) / "ours"))
        bare = Path(folder) / "bare"
        (bare / "config" / "labconfig").mkdir(parents=True)
        page_config = bare / "config" / "labconfig" / "page_config.json"
        page_config.write_text(json.dumps({"disabledExtensions": {"datapilot-lab": True}}), encoding="utf-8")
        (bare / "notebooks").mkdir()
        without = stack.enter_context(servers.lab(bare, bare / "notebooks")).removesuffix("/tree")
        _start({"with the panel": ours.lab_url, "without": without})
        _pixels(ours.lab_url)
    return 0


def _bundle() -> None:
    sizes = {p.name: p.stat().st_size for p in (BUNDLE / "static").glob("*.js")}
    load = json.loads((BUNDLE / "package.json").read_text(encoding="utf-8"))["jupyterlab"]["_build"]["load"]
    entry = sizes[Path(load).name]
    print(f"bundle      {entry / 1024:7.0f} KiB with every page's first script, {sum(sizes.values()) / 1024:.0f} KiB in all")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:3]:
        print(f"            {size / 1024:7.0f} KiB {re.sub(r'[.].*', '', name)}")


def _start(addresses: dict[str, str]) -> None:
    times: dict[str, list[float]] = {name: [] for name in addresses}
    for turn in range(ROUNDS + 1):
        for name, address in addresses.items():
            with servers.page(width=1280, height=720) as (page, _):
                page.goto(f"{address}?reset", wait_until="commit")
                page.wait_for_selector(".jp-Launcher-body", timeout=120_000)
                taken = float(page.evaluate("performance.now()"))
            if turn:  # the first of each pays for the disk
                times[name].append(taken)
    medians = {name: statistics.median(found) for name, found in times.items()}
    for name, found in times.items():
        print(
            f"{name:<16} median {medians[name]:6.0f} ms   min {min(found):6.0f}   max {max(found):6.0f}   ({ROUNDS} starts)"
        )
    above = medians["with the panel"] - medians["without"]
    print(f"added to Lab's start: {above:.0f} ms   target <= {TARGET_MS} ms   {'ok' if above <= TARGET_MS else 'MISSED'}")


def _pixels(address: str) -> None:
    found: dict[str, list[float]] = {"step": [], "outcome": []}
    with servers.page(width=1280, height=720) as (page, _):
        for turn in range(ROUNDS):
            page.goto(address)
            page.wait_for_selector(".dp-Source option:not([value=''])", state="attached", timeout=120_000)
            page.locator("button[aria-label='Nouvelle conversation']").click()
            page.evaluate(_WATCH)
            page.locator(".dp-Composer-text").fill(f"chiffre d'affaires des {turn + 2} derniers mois par région")
            page.keyboard.press("Enter")
            page.wait_for_function("window.__seen.outcome_shown > 0", timeout=60_000)
            seen: dict[str, Any] = page.evaluate("window.__seen")
            for name, values in found.items():
                if seen.get(f"{name}_shown", -1) > 0:
                    values.append(seen[f"{name}_shown"] - seen[name])
    for name, said in (("step", "first step"), ("outcome", "answer")):
        values = found[name]
        if values:
            print(
                f"{said:<16} median {statistics.median(values):6.1f} ms from the event to its frame   max {max(values):.1f}"
            )


if __name__ == "__main__":
    sys.exit(main())
