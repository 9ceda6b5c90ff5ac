"""The manifests of deploy/kubernetes, as data: what must hold of them without a cluster (O-1, O-5, O-8)."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.reloader import inspect
from gateway.settings import Settings, parse_listen

ROOT = Path(__file__).resolve().parents[3]
BASE, OFFICE = ROOT / "deploy/kubernetes/base", ROOT / "deploy/kubernetes/office"


def documents(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(file.read_text()))


def stateful() -> dict[str, Any]:
    [found] = documents(BASE / "statefulset.yaml")
    return found


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = stateful()["spec"]["template"]["spec"]
    return spec


def settings() -> Settings:
    return Settings.model_validate(tomllib.loads((BASE / "gateway.toml").read_text()))


def test_every_file_is_named_and_is_there() -> None:
    for folder in (BASE, OFFICE):
        [kustomization] = documents(folder / "kustomization.yaml")
        named = [*kustomization.get("resources", []), *(patch["path"] for patch in kustomization.get("patches", []))]
        assert all((folder / name).exists() for name in named)
    here = {file.name for file in BASE.iterdir()} - {"kustomization.yaml", "gateway.toml"}
    assert here == set(documents(BASE / "kustomization.yaml")[0]["resources"])


def test_selectors_find_the_pod_and_ports_are_those_that_listen() -> None:
    labels = stateful()["spec"]["template"]["metadata"]["labels"]
    selectors = [stateful()["spec"]["selector"]["matchLabels"]]
    selectors += [service["spec"]["selector"] for service in documents(BASE / "service.yaml")]
    selectors += [documents(BASE / "disruption.yaml")[0]["spec"]["selector"]["matchLabels"]]
    selectors += [documents(BASE / "network.yaml")[0]["spec"]["podSelector"]["matchLabels"]]
    assert all(selector == labels for selector in selectors)
    [container] = pod()["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    smtp, http = parse_listen(settings().smtp.listen[0]), parse_listen(settings().http.listen)
    assert ports == {"smtp": smtp.port, "http": http.port}
    targets = {port["targetPort"] for service in documents(BASE / "service.yaml") for port in service["spec"]["ports"]}
    assert targets == ports.keys()


def test_it_drains_before_it_is_killed_and_probes_ask_for_life_only() -> None:
    """O-1, O-5: a probe on /readyz would take the door away while senders could still be told 451."""
    assert pod()["terminationGracePeriodSeconds"] > settings().drain
    [container] = pod()["containers"]
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[name]["httpGet"] == {"path": "/livez", "port": "http"}


def test_it_has_no_privilege_and_keeps_its_state() -> None:
    """O-8."""
    [container] = pod()["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["automountServiceAccountToken"] is False
    assert f"USER {pod()['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text()
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    [claim] = stateful()["spec"]["volumeClaimTemplates"]
    assert mounts[claim["metadata"]["name"]] == str(settings().state)


def test_no_variable_of_the_cluster_looks_like_a_setting() -> None:
    """A service called gateway would set GATEWAY_PORT and the like, which are unknown settings (exit 78)."""
    assert pod()["enableServiceLinks"] is False


def test_the_clients_address_reaches_us() -> None:
    """SPF judges the client, not a node of the cluster."""
    mail = documents(BASE / "service.yaml")[0]["spec"]
    assert (mail["type"], mail["externalTrafficPolicy"], mail["ports"][0]["port"]) == ("LoadBalancer", "Local", 25)


def test_an_offices_policies_come_together_as_a_folder(tmp_path: Path) -> None:
    """As a kubelet lays them out: links to a hidden folder, which is exchanged as a whole. And they are a policy."""
    [kustomization] = documents(OFFICE / "kustomization.yaml")
    [generated] = kustomization["configMapGenerator"]
    [volume] = documents(OFFICE / "policies.yaml")[0]["spec"]["template"]["spec"]["volumes"]
    keys = {Path(name).name: ROOT / name for name in generated["files"]}
    items = volume["configMap"]["items"]
    assert {item["key"] for item in items} == keys.keys()
    assert kustomization["generatorOptions"] == {"disableNameSuffixHash": True}
    mounted = tmp_path / "policies"
    hidden = mounted / "..2026_11_22"
    for item in items:
        (hidden / item["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(keys[item["key"]], hidden / item["path"])
    (mounted / "..data").symlink_to(hidden.name)
    for top in {Path(item["path"]).parts[0] for item in items}:
        (mounted / top).symlink_to(f"..data/{top}")
    policy, problems = inspect(mounted, datetime(2026, 11, 22, tzinfo=UTC))
    assert policy, problems
    assert "directive-1077" in policy.directives


@pytest.mark.parametrize("folder", ["base", "office"])
def test_kubectl_renders_it(folder: str, tmp_path: Path) -> None:
    """Where a kubectl of this decade is installed."""
    program = shutil.which("kubectl")
    version = subprocess.run([program, "version", "--client"], capture_output=True, text=True) if program else None
    if program is None or version is None or "Kustomize Version: v5" not in version.stdout:
        pytest.skip("no kubectl with kustomize 5 here")
    shutil.copytree(ROOT / "deploy/kubernetes", tmp_path / "k")
    shutil.copytree(ROOT / "policies", tmp_path / "k/office/policies")
    done = subprocess.run([program, "kustomize", str(tmp_path / "k" / folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kinds = sorted(document["kind"] for document in yaml.safe_load_all(done.stdout))
    expected = ["ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service", "StatefulSet"]
    assert kinds == sorted([*expected, "ConfigMap"] if folder == "office" else expected)
