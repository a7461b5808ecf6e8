"""The documents name what there is: settings, commands, parts of the doctor, files that links lead to, and figures of defaults."""

from __future__ import annotations

import argparse
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from datapilot_kernel.cli import build_parser
from hub_config.docker_gate.settings import GateSettings
from hub_config.doctor import PARTS
from hub_config.hub.settings import HubSettings
from hub_config.hub.spawning.container_settings import ContainerSettings
from hub_config.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
GENERATED = {"settings.md", "permissions.md"}
_VARIABLE = re.compile(r"\bDATAPILOT_[A-Z0-9_]*[A-Z0-9]\b")
# What is read by programs that no settings class describes: the compose file's words, a person's own machine, tests.
_OTHERS = ("docker-compose.yml", ".env.example", "datapilot-server", "datapilot_kernel", "hub_config/images", "hub_config/commands",
           "hub_config/people/letters.py", "hub_config/settings.py", "hub_config/queries", "dashboards", "Makefile", "bench")  # fmt: skip


def _known_variables() -> set[str]:
    found = set()
    classes: tuple[type[BaseSettings], ...] = (Settings, HubSettings, ContainerSettings, GateSettings)
    for one in classes:
        prefix = one.model_config.get("env_prefix", "")
        found |= {f"{prefix}{name}".upper() for name in one.model_fields}
    for name in _OTHERS:
        place = ROOT / name
        files = (
            [place] if place.is_file() else [path for path in place.rglob("*") if path.suffix in {".py", ".sh", ".conf", ""}]
        )
        for path in files:
            if path.is_file():
                found |= set(_VARIABLE.findall(path.read_text(encoding="utf-8", errors="replace")))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    assert not set(_VARIABLE.findall(page.read_text(encoding="utf-8"))) - _known_variables()


def _words_after(command: str, page: Path) -> list[list[str]]:
    """The words after a command in a page's code: between backquotes, or in a block."""
    text = page.read_text(encoding="utf-8")
    code = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for block in re.findall(r"```[a-z]*\n(.*?)```", text, flags=re.DOTALL):
        code += block.splitlines()
    found = []
    for line in code:
        for match in re.finditer(rf"(?:^|[\s/;]){re.escape(command)} ([^`;|&>]*)", line):
            found.append(match[1].split())
    return found


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _options(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    commands = _choices(build_parser())
    for words in _words_after("datapilot", page):
        name = words[0] if words else ""
        # A placeholder, an option, prose in capitals, the name in a sentence of code.
        if not re.fullmatch(r"[a-z][a-z-]+", name):
            continue
        assert name in commands, f"datapilot {name}"
        parser, actions = commands[name], _choices(commands[name])
        if actions and len(words) > 1 and re.fullmatch(r"[a-z][a-z-]+", words[1].rstrip(",")):
            assert words[1].rstrip(",") in actions, f"datapilot {name} {words[1]}"
            parser = actions[words[1].rstrip(",")]
        for word in words[1:]:
            if re.fullmatch(r"--[a-z-]+", word):
                assert word in _options(parser), f"datapilot {name} … {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_word_of_the_servers_command_exists(page: Path) -> None:
    script = (ROOT / "datapilot-server").read_text(encoding="utf-8")
    there = set(re.findall(r"^cmd_([a-z]+)\(\)", script, flags=re.MULTILINE))
    for words in _words_after("datapilot-server", page):
        if words and re.fullmatch(r"[a-z]+", words[0]):
            assert words[0] in there, words


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert anchor in anchors, f"{link}: {sorted(anchors)}"


def test_the_doctors_parts_are_those_that_the_server_asks_for() -> None:
    """``./datapilot-server doctor`` goes to each part once, each where it can be seen."""
    script = (ROOT / "datapilot-server").read_text(encoding="utf-8")
    asked = re.findall(r"--part ([a-z]+)", script)
    assert sorted(asked) == sorted(PARTS)
    assert {entry.name for entry in entry_points(group="datapilot.doctor")} == {"server"}


def test_what_is_said_about_durations_is_the_default() -> None:
    """The page for data protection gives durations, each with its setting's name where that is changed."""
    text = (ROOT / "docs/fr/protection-des-donnees.md").read_text(encoding="utf-8")
    units = {"days": "jours", "hours": "heures", "minutes": "minutes", "seconds": "minutes"}
    said = re.findall(r"(\d+) (jours|heures|minutes)[^|(]*\(`DATAPILOT_([A-Z_]+)`\)", text)
    assert len(said) >= 6
    for number, unit, name in said:
        hub = name.removeprefix("HUB_").lower()
        field = HubSettings.model_fields[hub] if hub in HubSettings.model_fields else Settings.model_fields[name.lower()]
        value = field.default // 60 if name.endswith("_SECONDS") else field.default
        assert units[name.rpartition("_")[2].lower()] == unit if name.rpartition("_")[2].lower() in units else True
        assert int(number) == value, name


def test_the_examples_of_company_sign_in_are_accepted() -> None:
    """Every block of JSON of the page goes through the settings that it is for."""
    import json

    from pydantic import TypeAdapter

    from hub_config.company import CompanyRule
    from hub_config.hub.settings import Provider

    text = (ROOT / "docs/company-sign-in.md").read_text(encoding="utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)]
    providers = [p for b in blocks if "client_id" in b[0] for p in TypeAdapter(tuple[Provider, ...]).validate_python(b)]
    rules = [r for b in blocks if "tenant" in b[0] for r in TypeAdapter(tuple[CompanyRule, ...]).validate_python(b)]
    assert len(providers) >= 3
    assert len(rules) >= 2
    for rule in rules:
        # A claim that a rule looks at must be one that leaves the hub.
        provider = next(provider for provider in providers if provider.issuer == rule.issuer)
        assert rule.claim is None or rule.claim in provider.claims


def test_the_example_of_an_ssh_tunnel_is_accepted() -> None:
    import json

    from hub_config.api.data_sources import ConnectionIn

    text = (ROOT / "docs/office-databases.md").read_text(encoding="utf-8")
    body = re.search(r"POST /api/v1/data-sources/test\n(\{.*?\})\n```", text, flags=re.DOTALL)
    assert body is not None
    ConnectionIn.model_validate(json.loads(body[1]))
