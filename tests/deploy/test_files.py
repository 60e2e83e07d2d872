"""The files of deploy/ held against the project: what they copy, run and read is there."""

import re
import shlex
import tomllib
from pathlib import Path

import yaml

from bridge.app.http import STOP_S
from bridge.app.service import DRAIN_S
from bridge.cli.parser import parser
from bridge.config import scalars
from bridge.config.model import VendorModel

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "deploy" / "container"
UNIT = (ROOT / "deploy" / "systemd" / "smsbridge.service").read_text(encoding="utf-8")


def test_the_container_is_built_from_all_that_the_wheel_needs() -> None:
    text = (CONTAINER / "Containerfile").read_text(encoding="utf-8")
    copied = {word for line in re.findall(r"^COPY (?!--)(.*)", text, re.M) for word in line.split()[:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    about = project["project"]
    needed = {*wheel["packages"], *wheel["force-include"], about["readme"], *about["license-files"]}
    assert copied == needed | {"pyproject.toml", "constraints.txt"}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert not copied & set(ignored)


def test_what_the_unit_and_the_containers_start_are_commands_of_ours() -> None:
    (started,) = re.findall(r"^ExecStart=/opt/smsbridge/bin/smsbridge (.*)$", UNIT, re.M)
    services = [
        service
        for name in ("compose.yaml", "compose.demo.yaml")
        for service in yaml.safe_load((CONTAINER / name).read_text(encoding="utf-8"))["services"].values()
    ]
    commands = [shlex.split(started), *(one["command"] for one in services if "command" in one)]
    containerfile = (CONTAINER / "Containerfile").read_text(encoding="utf-8")
    (run,) = re.findall(r"^CMD (.*)$", containerfile, re.M)
    commands.append(yaml.safe_load(run))
    assert len(commands) == 3
    for command in commands:
        parser().parse_args(command)
    for one in services:
        assert (CONTAINER / one["build"]["context"]).resolve() == ROOT
        assert (ROOT / one["build"]["dockerfile"]).is_file()


def test_the_unit_does_not_restart_on_a_wrong_configuration_and_waits_for_the_drain() -> None:
    assert "\nRestartPreventExitStatus=78\n" in UNIT
    assert "\nType=notify\n" in UNIT
    whole_s = (
        DRAIN_S + scalars.duration(VendorModel.model_fields["send_timeout"].default) / 1_000 + 2 * STOP_S
    )
    (stop_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.M)
    assert int(stop_s) > whole_s
    compose = yaml.safe_load((CONTAINER / "compose.yaml").read_text(encoding="utf-8"))
    assert compose["services"]["bridge"]["stop_grace_period"] == f"{stop_s}s"
    assert "\nUser=smsbridge\n" in UNIT, "a fixed user: its group can be given certificates and keys"
