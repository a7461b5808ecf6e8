"""Answers in a real browser: JupyterLab and Voilà, no way out, and a saved notebook that is only reopened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import servers
from tests.platform_support import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
]
SETUP = """from tests.scripted_client import ScriptedClient
get_ipython()._datapilot_magics.session.open_client = ScriptedClient
%datapilot source demo as boutique"""
CELLS = [
    SETUP,
    "%ask total",
    "%ask ca par région",
    "%ask ca par mois",
    "%ask ambigu",
    "%%sql\nSELECT region FROM commandes",
    "%ask la météo",
]
# Not what the page shows, which is « idle » before the kernel can be reached: cells run too early wait for ever.
KERNEL_IS_READY = """() => {
  const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
  return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
FIRST_CHART = "() => JSON.stringify(document.querySelector('.js-plotly-plot')?.data?.[0]?.customdata ?? null)"
ARTEFACTS = servers.ROOT / "artefacts"
# Voilà's own page template asks a CDN for an icon font; the answers must not depend on it (they draw without).
VOILA_FONT = "/npm/@fortawesome/fontawesome-free"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("browser")
    (root / "notebooks").mkdir()
    servers.notebook(root / "notebooks" / "reponses.ipynb", CELLS)
    servers.notebook(root / "notebooks" / "tableau.ipynb", CELLS)
    ARTEFACTS.mkdir(exist_ok=True)
    return root


@pytest.fixture(scope="module")
def saved(folder: Path) -> Path:
    """Run the notebook in JupyterLab as a person does, edit a chip, click a choice, save; check what is seen on the way."""
    with servers.lab(folder, folder / "notebooks") as url, servers.page(height=3600) as (page, outside):
        page.goto(f"{url}/reponses.ipynb?reset")
        page.wait_for_selector(".jp-Notebook-cell", timeout=60_000)
        page.wait_for_function(KERNEL_IS_READY, timeout=60_000)
        page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_selector("text=Je ne connais pas ce mot", timeout=90_000)
        page.wait_for_selector(".js-plotly-plot .bars", timeout=60_000)
        _shows_the_answers(page)
        page.wait_for_function("document.querySelector('.js-plotly-plot').innerText.includes('14\u202f109,29')")

        # The chips are live: the static ones are hidden, but those of SQL, which has no others; a click opens an editor; applying it runs the plan again.
        static = page.locator(".dp-static:visible")
        static.nth(1).wait_for(state="detached")
        assert static.count() == 1
        assert "Tables" in static.first.inner_text()
        drawn = page.evaluate(FIRST_CHART)
        page.locator(".dp-bar button", has_text="Tri").first.click()
        page.locator(".dp-bar button", has_text="Inverser").click()
        page.wait_for_selector(".dp-bar button:has-text('du plus petit au plus grand')", timeout=60_000)
        page.wait_for_function(f"({FIRST_CHART})() !== {json.dumps(drawn)}", timeout=60_000)  # the chart follows

        # A choice that is clicked answers in the place of the question back.
        page.locator(".dp-bar button.dp-go", has_text="Par mois").click()
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length === 3", timeout=60_000)
        page.screenshot(path=str(ARTEFACTS / "test_lab.png"), full_page=True)
        page.evaluate("() => void window.jupyterapp.commands.execute('docmanager:save')")
        wait_until(lambda: _charts(folder / "notebooks" / "reponses.ipynb") == 3)
        assert outside == []
    return folder / "notebooks" / "reponses.ipynb"


def _shows_the_answers(page: Any, sentence: str = "Bretagne arrive en tête") -> None:
    for wanted in ("123\u202f456,78\u00a0€", sentence, "<b>Nord</b> & Est", "Gouverné"):
        page.locator(f"text={wanted}").first.wait_for()
    page.locator("table.dp-table").nth(1).wait_for(state="attached")


def _charts(path: Path) -> int:
    """The charts among the outputs of a notebook, as it was saved; none while it is being written."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except ValueError:
        return 0
    outputs = [o for c in cells for o in c["outputs"]]
    return sum("application/vnd.plotly.v1+json" in o.get("data", {}) for o in outputs)


@pytest.mark.usefixtures("saved")
def test_answers_in_jupyterlab(saved: Path) -> None:
    made = json.loads(saved.read_text(encoding="utf-8"))
    outputs = [o for c in made["cells"] for o in c["outputs"]]
    assert _charts(saved) == 3
    assert not any(o["output_type"] == "error" for o in outputs)


def test_a_saved_notebook_shows_its_answers_without_running(saved: Path, folder: Path) -> None:
    made = json.loads(saved.read_text(encoding="utf-8"))
    made["metadata"]["kernelspec"]["name"] = "absent"  # nothing can run
    reopened = saved.with_name("relu.ipynb")
    reopened.write_text(json.dumps(made), encoding="utf-8")
    with servers.lab(folder, saved.parent, theme="JupyterLab Dark") as url, servers.page(height=3600) as (page, outside):
        page.goto(f"{url}/relu.ipynb?reset")
        page.wait_for_selector(".jp-Notebook-cell", timeout=60_000)
        if page.locator(".jp-Dialog").count():
            page.keyboard.press("Escape")
        # Plotly's renderer keeps a picture of what it drew, and shows it until somebody points at it.
        page.wait_for_selector(":is(.jp-RenderedPlotly img, .js-plotly-plot)", timeout=60_000)
        _shows_the_answers(page, "maximum de 14\u202f109,29\u00a0€ (Bretagne)")  # as it was left: in reversed order
        page.locator(".dp-static:visible").nth(2).wait_for()  # the reading, as text
        page.wait_for_function("!document.querySelector('.jp-Notebook').innerText.includes('Loading widget')")
        assert "Error displaying widget" not in page.inner_text("body")
        page.screenshot(path=str(ARTEFACTS / "test_reopened.png"), full_page=True)
        assert outside == []


def _open_voila(page: Any, url: str) -> None:
    """Open the page, until its widgets are there.

    The widgets' manager gives up on models that come while a slow machine draws the charts for two seconds (our own pages mend
    it: :mod:`dashboards.interactive.files`). Whoever meets it in stock Voilà opens the page again.
    """
    for _ in range(4):
        page.goto(url)
        page.wait_for_selector(".js-plotly-plot .bars", timeout=60_000)
        page.wait_for_selector(":is(.dp-live button.dp-go, :text('Error displaying widget'))", timeout=60_000)
        if page.locator("text=Error displaying widget").count() == 0:
            return
    raise AssertionError("the widgets never came")


def test_answers_in_voila(folder: Path) -> None:
    with servers.voila(folder, folder / "notebooks" / "tableau.ipynb") as url, servers.page(height=3600) as (page, outside):
        _open_voila(page, url)
        page.wait_for_selector("table.dp-table >> nth=1", timeout=90_000)
        _shows_the_answers(page)
        assert page.locator("text=%ask >> visible=true").count() == 0  # no code is seen
        drawn = page.evaluate(FIRST_CHART)
        page.locator(".dp-bar button", has_text="Tri").first.click()
        page.locator(".dp-bar button", has_text="Inverser").click()
        page.wait_for_function(f"({FIRST_CHART})() !== {json.dumps(drawn)}", timeout=90_000)
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length === 2", timeout=90_000)
        page.locator(".dp-bar button.dp-go", has_text="Par mois").click()
        page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length === 3", timeout=90_000)
        page.screenshot(path=str(ARTEFACTS / "test_voila.png"), full_page=True)
        assert [address for address in outside if VOILA_FONT not in address] == []
