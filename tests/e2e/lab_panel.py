"""The panel of a JupyterLab, as a person handles it, and what its browser tests have in common.

One Lab over one platform serves the tests of every file (:mod:`tests.e2e.conftest`): a test leaves the sources that others
count on as they were, and looks for its own questions by their words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e import servers
from tests.lab_world import LabWorld
from tests.servers import Server

PANEL = servers.ROOT / "extension"
ARTEFACTS = servers.ROOT / "artefacts"
MARKS = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not Path(servers.CHROMIUM).exists(), reason="Chromium is not on this machine"),
    pytest.mark.skipif(
        not (PANEL / "datapilot_lab" / "labextension" / "package.json").is_file(),
        reason="the panel is not built (no node): make install says how",
    ),
]
SETTLED = """n => {
  const turns = [...document.querySelectorAll('.dp-Turn')];
  return turns.length > n && turns.every(turn => turn.getAttribute('aria-busy') === 'false');
}"""
# As Excel in France writes it: semicolons, decimal commas, days first, no UTF-8. No day is above 12: which of the two
# numbers is the month cannot be told, and a person is to say it.
CSV = "\r\n".join(
    [
        "Date de vente;Région;Vendeur;Montant",
        *(
            f"{1 + n % 12:02d}/{1 + n % 6:02d}/2026;{('Île-de-France', 'Bretagne', 'Occitanie')[n % 3]};{('Zoé', 'Anaïs')[n % 2]};"
            f"{1000 + n * 7},{n % 100:02d}"
            for n in range(120)
        ),
    ]
).encode("cp1252")
DROP = """async ({ name, bytes }) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: 'text/csv' }));
  const target = document.querySelector('.dp-Drop');
  for (const type of ['dragenter', 'dragover', 'drop']) {
    target.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    await new Promise(resolve => setTimeout(resolve, 100));
    if (type === 'dragover' && !document.querySelector('.dp-mod-over')) { throw new Error('nothing shows that it may be dropped'); }
  }
}"""
ENGLISH, FRENCH = "en", "fr_FR"


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.05)


@dataclass
class Warehouse:
    """A database with a table of sales, whose reading can be made to last.

    Its reader's rows pass a policy that waits while :meth:`busy` is entered. A lock on the table would not do: a source gives
    up a lock after two seconds, and the browser may take longer to press Stop.
    """

    url: str
    owner: Any
    reader: str
    _key: int

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Questions wait until the block ends."""
        import psycopg

        with psycopg.connect(str(self.owner.info.dsn), password="secret", autocommit=True) as holder:
            holder.execute("SELECT pg_advisory_lock(%s)", (self._key,))
            yield

    @property
    def waiting(self) -> int:
        """Statements over the table that run now."""
        found = self.owner.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state = 'active' AND query ILIKE '%%ventes%%'",
            (self.reader,),
        )
        return int(found.fetchone()[0])


@contextmanager
def warehouse(postgres: Server) -> Iterator[Warehouse]:
    """Make it; its tables go with the server, its reader at the end."""
    import psycopg

    url = postgres.new_database()
    reader, key = f"lecteur_{uuid4().hex[:8]}", 20_261_123
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE ventes (id int PRIMARY KEY, region text NOT NULL, montant numeric(12,2) NOT NULL, le date NOT NULL);"
            "INSERT INTO ventes SELECT n, (ARRAY['Nord','Sud','Élan'])[1 + n % 3], n * 1.25, date '2026-01-01' + n % 300"
            " FROM generate_series(1, 12000) n;"
            "CREATE FUNCTION patience() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
            f"  WHILE NOT pg_try_advisory_lock_shared({key}) LOOP PERFORM pg_sleep(0.02); END LOOP;"
            f"  RETURN pg_advisory_unlock_shared({key}); END $$;"
            "ALTER TABLE ventes ENABLE ROW LEVEL SECURITY;"
            f"CREATE ROLE {reader} LOGIN PASSWORD 'secret'; GRANT SELECT ON ventes TO {reader};"
            f"CREATE POLICY p ON ventes FOR SELECT TO {reader} USING ((SELECT patience()));"
            "ANALYZE ventes"
        )
        try:
            yield Warehouse(url.replace("postgres:secret@", f"{reader}:secret@"), owner, reader, key)
        finally:
            owner.execute(f"DROP OWNED BY {reader}; REVOKE ALL ON SCHEMA public FROM {reader}")


class Panel:
    """The panel of a page."""

    def __init__(self, page: Any, world: LabWorld) -> None:
        self.page, self.world = page, world
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.set_default_timeout(60_000)

    def open(self, path: str = "", query: str = "?reset", *, by_itself: bool = False) -> Panel:
        """Open JupyterLab at a path, and the chat; ``by_itself``: on a first visit it opens without being asked."""
        self.page.goto(f"{self.world.lab_url}{path}{query}")
        self.page.wait_for_function("() => window.jupyterapp?.commands.hasCommand('datapilot:open')", timeout=90_000)
        self.page.evaluate("() => window.jupyterapp.restored")
        if not path:
            self.page.wait_for_selector(".jp-Launcher")  # it comes last, and takes the focus from whoever types already
        if not by_itself:
            self.command("datapilot:open", panel="chat")
        self.page.wait_for_selector(".dp-Composer-text:not([disabled])", timeout=90_000)
        self.page.wait_for_selector(".dp-Source option:not([value=''])", state="attached")
        return self

    def command(self, name: str, **args: Any) -> None:
        """Run a command of JupyterLab; its end is waited for."""
        self.page.evaluate("([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)", [name, args])

    def tab(self, name: str) -> None:
        """Show a section by its tab."""
        self.page.locator("[role=tab].dp-Tab", has_text=name).click()

    def choose(self, name: str) -> None:
        """Choose a source, and wait until it may be asked."""
        self.page.locator(".dp-Source").select_option(label=name)
        self.page.wait_for_function(
            "name => document.querySelector('.dp-Source').selectedOptions[0].text === name", arg=name
        )
        self.page.wait_for_selector(".dp-Suggestions, .dp-Turn")

    def type(self, question: str) -> None:
        """Type a question and send it."""
        text = self.page.locator(".dp-Composer-text")
        text.fill(question)
        text.press("Enter")  # wherever the focus went meanwhile

    def ask(self, question: str) -> Any:
        """Ask, wait for the end, return the turn."""
        before = self.page.locator(".dp-Turn").count()
        self.type(question)
        return self.settled(before)

    def settled(self, before: int = 0) -> Any:
        """Wait until there are more turns than ``before`` and none runs; return the last."""
        self.page.wait_for_function(SETTLED, arg=before, timeout=60_000)
        return self.last

    @property
    def last(self) -> Any:
        """The last turn."""
        return self.page.locator(".dp-Turn").last

    def insert(self, turn: Any, form: str) -> None:
        """Insert an answer into the notebook, in a form whose words are given."""
        turn.locator(".dp-Insert > button").click()
        self.page.locator(".dp-Menu [role=menuitem]", has_text=form).click()

    def pin(self, turn: Any, where: str) -> None:
        """Pin an answer to a dashboard, by the words of the menu."""
        turn.locator(".dp-Pin > button").click()
        self.page.locator(".dp-Menu [role=menuitem]", has_text=where).click()

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme: ``Light`` or ``Dark``."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        light = "true" if name == "Light" else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")

    def shot(self, name: str) -> None:
        """Keep a picture."""
        self.page.screenshot(path=str(ARTEFACTS / f"panel_{name}.png"))

    def check(self) -> None:
        """No serious fault of accessibility in what is shown now."""
        self.page.add_script_tag(path=str(PANEL / "node_modules" / "axe-core" / "axe.min.js"))
        found = self.page.evaluate("() => axe.run('.dp-Sidebar', { resultTypes: ['violations'] })")
        bad = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
        assert [(v["id"], v["help"], [n["html"][:200] for n in v["nodes"]][:4]) for v in bad] == []

    @contextmanager
    def speaking(self, locale: str) -> Iterator[None]:
        """JupyterLab in another language until the block ends: its setting, as a person changes it; pages opened then have it."""
        self._speak(locale)
        try:
            yield
        finally:
            self._speak(FRENCH)

    def _speak(self, locale: str) -> None:
        self.page.evaluate(
            """locale => window.jupyterapp.serviceManager.settings.save(
              '@jupyterlab/translation-extension:plugin', JSON.stringify({ locale }))""",
            locale,
        )
