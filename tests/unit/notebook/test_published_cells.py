"""What a notebook's cells say without being run: questions, what a page makes of them, and what looks like a secret."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from datapilot_kernel.notebook import secrets
from datapilot_kernel.notebook.cells import replaced, written_in

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("%ask chiffre d'affaires", [("ask", "chiffre d'affaires", None, None)]),
        ('%ask -s "Ma source" -o ca --no-chart ventes par région', [("ask", "ventes par région", "ca", "Ma source")]),
        ("%%ask -o ca\nventes\npar région\n", [("ask", "ventes par région", "ca", None)]),
        ("x = 1\nca = %ask ventes\nprint(x)", [("ask", "ventes", "ca", None)]),
        (
            "%datapilot source Ventes\n%ask ventes",
            [("datapilot", "source Ventes", None, None), ("ask", "ventes", None, None)],
        ),
        ("%%sql -o t\nSELECT 1\nFROM t", [("sql", "SELECT 1\nFROM t", "t", None)]),
        ("%sql SELECT 1", [("sql", "SELECT 1", None, None)]),
        ("# %ask ventes\nprint('%ask')\n%asked x\na = 7 %ask", []),
        ("%%bash\n%ask ventes", []),
        ("%ask --wrong ventes", [("ask", "--wrong ventes", None, None)]),
    ],
)
def test_magics_are_read_off_the_source(source: str, said: list[tuple[str, str, str | None, str | None]]) -> None:
    assert [(w.kind, w.text, w.output, w.source) for w in written_in(source)] == said


def test_a_cell_keeps_everything_but_its_questions() -> None:
    source = "%datapilot source V\nif True:\n    %ask -o ca ventes\n    x = 1\nfor i in y:\n    %sql SELECT 1\nprint(ca.df)"
    made = replaced(source, lambda w: f"%tile t -o {w.output}" if w.kind == "ask" else None)
    assert made == "if True:\n    %tile t -o ca\n    x = 1\nfor i in y:\n    pass\nprint(ca.df)"
    assert replaced("%%ask\nventes\npar région", lambda w: "%tile t") == "%tile t"
    assert replaced("x = 1", lambda w: None) == "x = 1"


SECRETS = {
    'password = "hunter22"': "password",
    "mot_de_passe: 'quatre mots'": "password",
    "api_key='abcdefgh12'": "key",
    "JETON = 'abcdefghij'": "token",
    "url = postgresql://lea:s3cret@db/ventes": "connection",
    "dsn = 'host=db password=s3cret'": "connection",
    "-----BEGIN RSA PRIVATE KEY-----": "key",
    "k = AKIAABCDEFGHIJKLMNOP": "key",
    f"t = ghp_{'a' * 36}": "token",
    f"Authorization: Bearer {'x' * 24}": "token",
    "AccountKey=abcdefghijklmnopqrstuvwx": "key",
}
HARMLESS = [
    "password = getpass.getpass()", "url = postgresql://lea@db/ventes", "url = f'postgresql://lea:{pw}@db/x'", "token = tokens[0]",
    "%ask mots de passe oubliés par mois", "compte = 'abc'", "password=$PW",
]  # fmt: skip


@pytest.mark.parametrize("line", SECRETS)
def test_secrets_are_found_where_they_stand(line: str) -> None:
    assert [(s.cell, s.line, s.kind) for s in secrets.secrets_in(["x = 1", f"# a\n{line}\n"])] == [(1, 2, SECRETS[line])]
    long = f"{'x ' * 5000}{line}"
    assert [s.kind for s in secrets.secrets_in([long])] == [SECRETS[line]], "at the end of a long line"


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_read_from_elsewhere_is_none(line: str) -> None:
    assert secrets.secrets_in([line]) == []


def test_the_sidebars_rules_are_the_same() -> None:
    """The same patterns, in the same order: read off the TypeScript source."""
    source = (ROOT / "extension/src/publish/secrets.ts").read_text(encoding="utf-8")
    named = dict(re.findall(r"^const (NAMED\w*) =\s*/(.+)/i;$", source, re.MULTILINE))
    body = source[source.index("const PATTERNS") : source.index("];", source.index("const PATTERNS"))]
    theirs = []
    for kind, pattern, flags, name in re.findall(r"^  \['(\w+)', (?:/(.+)/(i?)|(NAMED\w*))\],?$", body, re.MULTILINE):
        theirs.append((kind, (named[name] if name else pattern).replace("\\/", "/"), bool(flags) or bool(name)))
    ours = [(kind, pattern, bool(flags & re.IGNORECASE)) for kind, pattern, flags in secrets._RULES]
    assert ours == theirs


def test_a_hostile_cell_takes_no_time() -> None:
    script = (
        "import json, time; from datapilot_kernel.notebook.secrets import secrets_in\n"
        "lines = ['a.' * 60000, 'pass' * 30000, 'eyJ' + 'a' * 120000, 'x://' * 30000]\n"
        "begun = time.process_time(); secrets_in(lines); print(json.dumps(time.process_time() - begun))"
    )
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-c", script], capture_output=True, check=True, timeout=60, cwd=ROOT
    )
    assert json.loads(done.stdout) < 5
