"""The command line says in French what argparse would say in English."""

from __future__ import annotations

import pytest

from datapilot_kernel.cli import build_parser

ENGLISH = ("argument", "required", "invalid", "usage:", "expected", "choose from", "show this")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["ask"], "il manque QUESTION, --source"),
        (["ask", "q", "--source"], "--source attend une valeur"),
        (["ask", "q", "--source", "x", "--engine", "foo"], "« foo » n’est pas possible (au choix : auto, local, claude)"),
        (["demo", "--port", "abc"], "--port attend un nombre entier, pas « abc »"),
        (["files", "--source", "x", "--json", "--yaml"], "--yaml ne va pas avec --json"),
        (["ask", "q", "--source", "x", "--frob"], "« --frob » n’est pas connu"),
        ([], "il manque COMMANDE"),
    ],
)
def test_wrong_usage_is_said_in_french(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(line)
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert not [word for word in ENGLISH if word in shown]


def test_every_help_is_french(capsys: pytest.CaptureFixture[str]) -> None:
    commands = build_parser()._subparsers._group_actions[0].choices  # type: ignore[union-attr]
    for name in [None, *commands]:  # type: ignore[misc]
        with pytest.raises(SystemExit):
            build_parser().parse_args([*([name] if name else []), "--help"])
        shown = capsys.readouterr().out
        assert shown.startswith("utilisation : datapilot")
        assert "montre cette aide" in shown
        assert not [word for word in ENGLISH[1:] if word in shown], name
