"""The files of deploy/ held against the project: what they copy, run and read is there."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

from bridge.app.http import STOP_S
from bridge.app.service import DRAIN_S
from bridge.cli.parser import parser
from bridge.config import scalars
from bridge.config.model import DeskListener, VendorModel
from tests.flow.running import WITHIN_S, serve, world, write_config

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


def _compose() -> Any:
    return yaml.safe_load((CONTAINER / "compose.yaml").read_text(encoding="utf-8"))


def test_what_an_installation_puts_beside_compose_yaml_is_neither_committed_nor_sent_to_the_builder() -> None:
    bridge = _compose()["services"]["bridge"]
    mounted = [volume.split(":")[0] for volume in bridge["volumes"] if volume.startswith("./")]
    assert mounted == ["./smsbridge"]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "deploy/container/smsbridge/" in ignored
    assert f"deploy/container/{bridge['env_file']['path']}" in ignored
    assert "deploy" in (ROOT / ".dockerignore").read_text(encoding="utf-8").split()


def test_big_mails_wait_on_a_disk() -> None:
    """Debian's /tmp may be memory, which counts for the unit's MemoryMax."""
    assert "\nEnvironment=TMPDIR=/var/tmp\n" in UNIT
    assert "\nPrivateTmp=yes\n" in UNIT, "it makes /var/tmp writable too"
    bridge = _compose()["services"]["bridge"]
    assert [volume for volume in bridge["volumes"] if volume.endswith(":/tmp")] == ["spool:/tmp"]
    assert "tmpfs" not in bridge


def test_the_health_of_the_container_is_whether_the_bridge_takes_mail(tmp_path: Path) -> None:
    health = _compose()["services"]["bridge"]["healthcheck"]["test"]
    assert health[:3] == ["CMD", "python", "-c"]
    port = str(DeskListener().port)
    assert port in health[3]

    def healthy() -> bool:
        code = health[3].replace(port, str(bridge.ports["desk"]))
        ran = subprocess.run(
            [sys.executable, "-c", code], timeout=WITHIN_S, check=False, stderr=subprocess.DEVNULL
        )
        return ran.returncode == 0

    with world() as (vendor, smarthost):
        bridge = serve(write_config(tmp_path, vendor, smarthost))
        try:
            assert healthy()
        finally:
            assert bridge.stop() == 0
        assert not healthy()


def test_the_unit_does_not_restart_on_a_wrong_configuration_and_waits_for_the_drain() -> None:
    assert "\nRestartPreventExitStatus=78\n" in UNIT
    assert "\nType=notify\n" in UNIT
    whole_s = (
        DRAIN_S + scalars.duration(VendorModel.model_fields["send_timeout"].default) / 1_000 + 2 * STOP_S
    )
    (stop_s,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.M)
    assert int(stop_s) > whole_s
    assert _compose()["services"]["bridge"]["stop_grace_period"] == f"{stop_s}s"
    assert "\nUser=smsbridge\n" in UNIT, "a fixed user: its group can be given certificates and keys"
