"""The containers' files fit together and the commands they call, without an engine that would run them."""

from __future__ import annotations

import os
import re
import shlex
from itertools import combinations
from pathlib import Path
from typing import Any

import typer
from ruamel.yaml import YAML

from parties.cli.application import application

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "compose"
COMPOSE: dict[str, Any] = YAML(typ="safe").load(FOLDER / "compose.yaml")
SERVICES = COMPOSE["services"]
SCRIPT = (FOLDER / "party").read_text("utf-8")
IMAGE = (FOLDER / "Dockerfile").read_text("utf-8")
PARTIES = {name: service for name, service in SERVICES.items() if "command" in service}


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return the volumes of a service by the folder on which they are mounted."""
    return {folder: name for name, folder in (text.split(":")[:2] for text in service["volumes"])}


def test_every_volume_network_and_service_that_is_named_is_declared_and_used() -> None:
    volumes = {name for service in SERVICES.values() for name in mounts(service).values()}
    assert volumes == set(COMPOSE["volumes"])
    networks = {name for service in SERVICES.values() for name in service.get("networks", ())}
    assert networks == set(COMPOSE["networks"])
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_whoever_meets_has_a_network_of_their_own_that_leads_nowhere() -> None:
    assert all(network["internal"] for network in COMPOSE["networks"].values())
    for pair in combinations(PARTIES, 2):
        shared = set.intersection(*(set(PARTIES[name]["networks"]) for name in pair))
        assert shared == {"-".join(sorted(pair))}
    assert SERVICES["tables"]["network_mode"] == "none"


def test_no_party_can_write_but_to_its_own_volumes_and_the_mail() -> None:
    for name, service in PARTIES.items():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        own = {volume for volume in mounts(service).values() if volume.startswith(name)}
        assert own == {name, f"{name}-cache"}
        assert set(mounts(service).values()) - own <= {"mail", "tables"}
        assert all(text.endswith(":ro") for text in service["volumes"] if text.startswith("tables:"))


def test_the_folders_and_roles_are_those_of_the_entry_point() -> None:
    assert re.search(r'^ENTRYPOINT \["party"\]$', IMAGE, re.MULTILINE)
    assert os.access(FOLDER / "party", os.X_OK)
    arms = re.findall(r"^(\w+)\)$", SCRIPT, re.MULTILINE)
    assert sorted(arms) == sorted(role for service in PARTIES.values() for role in service["command"])
    folders = dict(re.findall(r"\$\{(VFL_\w+):-(/[\w/]+)\}", SCRIPT))
    for name, service in PARTIES.items():
        where = mounts(service)
        assert where[folders["VFL_HOME"]] == name
        assert where[folders["VFL_MAIL"]] == "mail"
        has_table = service["command"] != ["arbiter"]
        assert (where.get(folders["VFL_TABLES"]) == "tables") is has_table
    assert f"WORKDIR {folders['VFL_HOME']}" in IMAGE
    assert set(re.findall(r"--name (\w+)|name=(\w+)", SCRIPT)) == {
        ("bank", ""),
        ("", "insurer"),
        ("", "trustee"),
    }


def test_the_image_copies_what_there_is() -> None:
    for line in re.findall(r"^COPY (?:--\S+ )?(.+)$", IMAGE, re.MULTILINE):
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source


def test_every_command_exists_with_its_options() -> None:
    root = typer.main.get_command(application)
    texts = [SCRIPT.replace('"$verb"', "host"), SCRIPT.replace('"$verb"', "arbiter")]
    texts += SERVICES["tables"]["entrypoint"]
    lines = [
        line for text in texts for line in re.findall(r"(?:^|exec |\|\| |^ +)(vfl .+?)(?: &&|$)", text, re.M)
    ]
    assert len(lines) >= 10
    for line in lines:
        command, words = root, iter(shlex.split(line)[1:])
        while hasattr(command, "commands"):
            command = command.commands[next(words)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line
