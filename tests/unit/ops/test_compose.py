"""deploy/compose.yaml read as data, since a test machine has no Docker engine: mounts, ports, pins and confinement (O-8)."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import load_settings

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS = load_settings(DEPLOY / "compose/gateway.toml", {})


def mounts(service: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Source, target and mode of each mount."""
    parts = [text.split(":") for text in service.get("volumes", ())]
    return [(source, target, mode[0] if mode else "rw") for source, target, *mode in parts]


@pytest.mark.parametrize("name", SERVICES)
def test_each_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert "cap_add" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_each_image_is_pinned(name: str) -> None:
    """A tag with a full version: what was tried is what will run."""
    assert re.fullmatch(r"[a-z0-9/-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_exists(name: str) -> None:
    """Files of ours are mounted read-only; everything else is a volume that is declared."""
    for source, _, mode in mounts(SERVICES[name]):
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
            assert mode == "ro", source
        else:
            assert source in COMPOSE["volumes"]


def test_the_image_is_ours_in_the_version_of_the_program() -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    gateway = SERVICES["gateway"]
    assert (DEPLOY / gateway["build"]["context"] / "Dockerfile").exists()
    assert gateway["image"] == f"mail-gateway:{project['version']}"
    assert f"ARG VERSION={project['version']}\n" in (DEPLOY.parent / "Dockerfile").read_text()


def test_ports_are_those_of_the_settings() -> None:
    """Port 25 by IPv4 alone, so that Docker passes on who the client is; pages on this host only."""
    gateway = SERVICES["gateway"]
    published = dict(port.rsplit(":", 1)[::-1] for port in gateway["ports"])
    [door] = SETTINGS.smtp.listen
    assert published.pop(door.rpartition(":")[2]) == "0.0.0.0:${SMTP_PORT:-25}"
    assert SETTINGS.http.listen.rpartition(":")[2] not in published
    others = [
        port for service in SERVICES.values() for port in service.get("ports", ()) if port not in gateway["ports"]
    ]
    assert all(port.startswith("127.0.0.1:") for port in (*published.values(), *others))


def test_state_and_policies_are_where_the_settings_look() -> None:
    places = {target: source for source, target, _ in mounts(SERVICES["gateway"])}
    assert places["/etc/gateway/policies"] == "../policies"
    assert places[str(SETTINGS.state)] == "state"
    assert SETTINGS.policies.name == "policies"
    assert "/etc/gateway/gateway.toml" in places


def test_time_to_stop_is_longer_than_the_drain() -> None:
    """O-1."""
    minutes = int(SERVICES["gateway"]["stop_grace_period"].removesuffix("m"))
    assert minutes * 60 > SETTINGS.drain


def test_the_sample_policies_find_the_receiving_server() -> None:
    receiving = SERVICES["receiving"]
    main = yaml.safe_load((DEPLOY.parent / "policies/policy.yaml").read_text())["routes"]["main"]
    assert receiving["network_mode"] == "service:gateway"
    assert receiving["environment"]["MP_SMTP_BIND_ADDR"] == f"{main['host']}:{main['port']}"


def test_prometheus_asks_the_gateway_and_has_the_alerts() -> None:
    config = yaml.safe_load((DEPLOY / "compose/prometheus.yml").read_text())
    on_a_host = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    [job], [theirs] = config["scrape_configs"], on_a_host["scrape_configs"]
    assert job["job_name"] == theirs["job_name"]
    assert job["static_configs"] == [{"targets": [f"gateway:{SETTINGS.http.listen.rpartition(':')[2]}"]}]
    mounted = {target for _, target, _ in mounts(SERVICES["prometheus"])}
    assert {f"/etc/prometheus/{name}" for name in config["rule_files"]} <= mounted


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    provisioning = DEPLOY / "compose/grafana"
    [source] = yaml.safe_load((provisioning / "datasources.yaml").read_text())["datasources"]
    [provider] = yaml.safe_load((provisioning / "dashboards.yaml").read_text())["providers"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    places = {target: DEPLOY / place for place, target, _ in mounts(SERVICES["grafana"])}
    dashboards = list(places[provider["options"]["path"]].glob("*.json"))
    assert dashboards
    for dashboard in dashboards:
        assert json.loads(dashboard.read_text())["uid"]


def test_the_settings_of_the_image_load() -> None:
    """deploy/image/gateway.toml, with which the image runs when nothing is mounted."""
    settings = load_settings(DEPLOY / "image/gateway.toml", {})
    assert str(settings.state) == "/var/lib/gateway"
    assert settings.policies.name == "policies"
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    ports = sorted(int(each.rpartition(":")[2]) for each in (*settings.smtp.listen, settings.http.listen))
    assert f"EXPOSE {' '.join(map(str, ports))}\n" in dockerfile
    assert f"VOLUME {settings.state}\n" in dockerfile
    assert f"({settings.drain:.0f})" in dockerfile  # the advice on the time to stop


@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_pages_about_containers_say_what_the_image_is(language: str) -> None:
    """docs/how-to: port, user, volume and time to stop are those of the Dockerfile and of the settings."""
    page = (DEPLOY.parent / f"docs/how-to/{language}/container.md").read_text()
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    [run] = re.findall(r"^docker run .*$", page, re.MULTILINE)
    settings = load_settings(DEPLOY / "image/gateway.toml", {})
    [stop] = re.findall(r"--stop-timeout (\d+)", run)
    [door] = settings.smtp.listen
    assert int(stop) > settings.drain
    assert f"-p 0.0.0.0:25:{door.rpartition(':')[2]} " in run
    assert f"-v gateway:{settings.state} " in run
    [user] = re.findall(r"^USER (\d+):\1$", dockerfile, re.MULTILINE)
    assert f"install -d -o {user} -g {user} -m 0700" in page
