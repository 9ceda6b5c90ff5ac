"""What is watched is there: a real Prometheus scrapes a real `gateway run` with mail through it, and every query of the
dashboards and of the alerts is asked of it (safety O-6, S-44)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import values
from gateway.metrics.reference import described
from tests.support import grafana
from tests.support.certificates import write_certificate
from tests.support.corpus import CorpusCase, cases
from tests.support.dns_thread import dns_thread
from tests.support.gateway_process import GatewayProcess, prepared
from tests.support.prometheus import INSTALLED, SHIPPED, Prometheus, running_prometheus
from tests.support.sink import Sink
from tests.support.sink_thread import sink_thread
from tests.support.submission import submit

pytestmark = pytest.mark.skipif(not INSTALLED, reason="needs Debian's package prometheus")

SENT = ("01", "02", "03", "13")  # cases of the corpus: relayed and signed, held with a notice, a citizen, deferred
SELECTOR = re.compile(r"\b((?:gateway_\w+|up)\b(?:\{[^}]*\})?)")
QUIET = {"gateway_canary_as_expected", "gateway_canary_last_run_timestamp_seconds"}  # without canaries among the cases
TESTS = sorted(SHIPPED.glob("*.test.yaml"))


@dataclass(frozen=True)
class Watched:
    gate: GatewayProcess
    sink: Sink
    prometheus: Prometheus
    cases: list[CorpusCase]

    def send(self) -> list[str]:
        """Every case once; the replies."""
        return [
            submit(
                self.gate.port,
                case.message,
                case.sender,
                case.recipients,
                address=case.session["client"],
                helo=case.helo,
            )
            for case in self.cases
        ]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Gateway with a certificate, receiving server, DNS, Prometheus; some mail has gone through."""
    folder = tmp_path_factory.mktemp("watched")
    chosen = [case for case in cases() if case.name[:2] in SENT]
    zone = {name: types for case in chosen for name, types in case.served.items()}
    with ExitStack() as stack:
        sink, dns = stack.enter_context(sink_thread(Sink())), stack.enter_context(dns_thread(zone))
        gate = prepared(folder, sink.port, dns.address, workers=2)
        _encrypt(gate)
        gate.start()
        stack.callback(gate.stop)
        prometheus = stack.enter_context(running_prometheus(folder / "prometheus", gate.http))
        prometheus.await_true(lambda: prometheus.query("gateway_ready == 1"), f"not ready: {gate.get('/readyz')}")
        found = Watched(gate, sink, prometheus, chosen)
        for _ in range(3):
            assert sorted(reply[:3] for reply in found.send()) == ["250", "250", "250", "451"]
        prometheus.await_true(lambda: prometheus.query('gateway_held{state="held"} > 0'), "held mail is not counted")
        yield found


def _encrypt(gate: GatewayProcess) -> None:
    settings = gate.folder / "gateway.toml"
    paths = "".join(f'{name} = "{path}"\n' for name, path in write_certificate(gate.folder).items())
    settings.write_text(settings.read_text().replace("[dns]", f"{paths}[dns]"))


# ---- the scrape -----------------------------------------------------------------------------------------------------


def test_promtool_finds_nothing_to_say_about_a_scrape(watched: Watched) -> None:
    """O-6: names, types, HELP and units as Prometheus wants them."""
    text = watched.gate.get("/metrics")[1]
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_every_metric_of_the_reference_is_scraped_and_no_other(watched: Watched) -> None:
    """docs/metrics.md tells the truth; what a gateway at peace does not show is named here."""
    families = {family.name: family for family in text_string_to_metric_families(watched.gate.get("/metrics")[1])}
    told = {one.name.removesuffix("_total"): one for one in described()}
    assert families.keys() <= told.keys()
    assert told.keys() - families.keys() <= QUIET
    for name, family in families.items():
        assert family.documentation == told[name].meaning
        assert family.type == told[name].kind


def test_labels_have_the_values_that_are_listed(watched: Watched) -> None:
    """S-44: label sets are bounded, and the list is complete."""
    names = {"worker-0", "worker-1", "services"}
    unlisted = set()
    for family in text_string_to_metric_families(watched.gate.get("/metrics")[1]):
        for sample in family.samples:
            for label, value in sample.labels.items():
                listed = values.LISTED.get(family.name, {}).get(label)
                if label == "process" and not listed:
                    listed = tuple(names)
                if label != "le" and (value not in listed if listed else label not in values.OPEN):
                    unlisted.add((family.name, label, value))
    assert unlisted == set()


def test_the_gauges_tell_what_is(watched: Watched) -> None:
    """Held mail, readiness, certificate, neighbours, workers: against what the test knows."""
    ask = watched.prometheus.query

    def one(expression: str) -> float:
        (sample,) = ask(expression)
        return float(sample["value"][1])

    held = len(watched.gate.json("quarantine", "list"))
    watched.prometheus.await_true(lambda: one('gateway_held{state="held"}') == held, f"{held} are held")
    assert held
    assert one("gateway_workers") == one("gateway_workers_up") == 2
    assert one('gateway_downstream_up{route="main"}') == 1
    assert 0 < one("gateway_certificate_expiry_timestamp_seconds - time()") <= 86_400
    assert one("gateway_policy_last_reload_successful") == 1
    assert len(ask("gateway_process_resident_memory_bytes > 1e7")) == 3
    assert len(ask("gateway_process_open_fds > 5")) == 3
    assert {sample["metric"]["check"] for sample in ask("gateway_check_up == 1")} >= {"store", "dns", "policy"}


# ---- the dashboards -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_query_of_the_dashboard_has_data(watched: Watched, language: str) -> None:
    """Each parses, and returns something where a healthy gateway has something to show."""
    for panel in grafana.panels(language):
        for query in grafana.queries(panel, rate_interval="1m"):
            if query.may_be_empty:
                watched.prometheus.query(query.expression)
            else:
                watched.prometheus.await_true(
                    lambda query=query: watched.prometheus.query(query.expression),
                    f"{query.panel}: nothing comes of {query.expression}",
                )
    (policy,) = grafana.dashboard(language)["annotations"]["list"]
    watched.prometheus.query(policy["expr"].replace("$instance", ".*"))


def test_the_dashboard_shows_only_the_chosen_gateway(watched: Watched) -> None:
    for panel in grafana.panels("en"):
        for query in grafana.queries(panel, rate_interval="1m", instance="mx9.longan.edu.vn:9925"):
            if "ALERTS" not in query.expression:
                assert watched.prometheus.query(query.expression) == [], query


# ---- the alerts -----------------------------------------------------------------------------------------------------


def _rules() -> list[dict[str, str]]:
    loaded = yaml.safe_load((SHIPPED / "alerts.yaml").read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def test_promtool_approves_of_settings_and_rules() -> None:
    """Each alert has been seen firing and not firing."""
    tests = [path.name for path in TESTS]
    for words in (("check", "config", "prometheus.yml"), ("test", "rules", *tests)):
        done = subprocess.run(["promtool", *words], cwd=SHIPPED, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_look_at_series_that_exist(watched: Watched) -> None:
    """A misspelt metric or label never fires, and nobody would notice."""
    for rule in _rules():
        for selector in set(SELECTOR.findall(rule["expr"])) - QUIET:
            watched.prometheus.await_true(
                lambda selector=selector: watched.prometheus.query(selector), f"{rule['alert']}: there is no {selector}"
            )


def test_a_healthy_gateway_raises_only_the_alarms_it_should(watched: Watched) -> None:
    """The certificate ends tomorrow, DNS knows nobody's canary, three messages of twelve were deferred; else all is well."""
    watched.prometheus.await_true(
        lambda: all(rule["health"] == "ok" for rule in watched.prometheus.rules().values()), "rules are not evaluated"
    )
    rules = watched.prometheus.rules()
    assert rules.keys() == {rule["alert"] for rule in _rules()}
    raised = {name for name, rule in rules.items() if rule["state"] != "inactive"}
    assert "GatewayCertificateEnding" in raised
    disk = {"GatewayDiskLow", "GatewayDiskFull"}  # of the machine that runs the test
    assert raised - disk <= {"GatewayCertificateEnding", "GatewayCanaryUnexpected", "GatewayManyDeferred"}


def test_a_refused_policy_and_a_dead_server_are_seen(watched: Watched) -> None:
    """F-1, F-34: what the alarms rest on changes, and changes back."""
    ask, await_true = watched.prometheus.query, watched.prometheus.await_true
    policy = watched.gate.folder / "policies" / "policy.yaml"
    good = policy.read_text()
    watched.sink.script["connect"] = b"421 4.3.2 Closing\r\n"
    policy.write_text("rules: [")
    try:
        await_true(lambda: ask("gateway_policy_last_reload_successful == 0"), "the bad policy is not seen")
        assert ask('gateway_policy_problems{severity="error"} > 0')
        await_true(lambda: ask("gateway_downstream_up == 0"), "the server is gone, and nobody sees it")
        await_true(lambda: watched.gate.get("/readyz")[0] == 503 and ask("gateway_ready == 0"), "it is ready")
    finally:
        policy.write_text(good)
        del watched.sink.script["connect"]
    await_true(lambda: ask("gateway_policy_last_reload_successful == 1"), "the policy is good again")
    await_true(lambda: watched.gate.get("/readyz")[0] == 200 and ask("gateway_ready == 1"), "it is not ready again")


# ---- the pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["docs/how-to/en/alerts.md", "docs/how-to/vi/canh-bao.md"])
def test_every_alert_has_its_section(page: str) -> None:
    """The runbook of an alert is an anchor that exists, in both languages; and no section is of an alert that is gone."""
    root = SHIPPED.parents[1]
    headings = re.findall(r"^### (Gateway\w+)$", (root / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted({rule["alert"] for rule in _rules()})
    for rule in _rules():
        file, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (root / file).is_file()
        assert anchor == rule["alert"].lower()
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_the_sample_of_test_cases_is_complete() -> None:
    """Every alert has a case that fires and one that does not."""
    fires, calm = set(), set()
    for case in (case for path in TESTS for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]):
        for check in case.get("promql_expr_test", []):
            (name,) = re.findall(r'alertname="(\w+)"', check["expr"])
            (fires if check["exp_samples"] else calm).add(name)
    assert fires == calm == {rule["alert"] for rule in _rules()}


def test_dead_processes_leave_no_gauges_behind(watched: Watched) -> None:
    """A killed worker's memory, descriptors and sessions go; its counters stay."""
    gate = watched.gate
    before, (victim, other) = _started(gate), gate.workers()
    subprocess.run(["kill", "-9", str(victim)], check=True)
    gate.await_true(lambda: len({*gate.workers(), other} - {victim}) == 2, "no new worker")
    gate.await_true(lambda: _started(gate).keys() == before.keys(), "the new worker is not shown")
    assert sum(_started(gate)[name] != began for name, began in before.items()) == 1
    watched.prometheus.await_true(
        lambda: watched.prometheus.query('gateway_process_restarts_total{process="worker"} == 1'), "no restart counted"
    )
    assert watched.prometheus.query('gateway_messages_total{reply="2yz"} >= 9')


def _started(gate: GatewayProcess) -> dict[str, float]:
    """When each process began."""
    return {
        sample.labels["process"]: sample.value
        for family in text_string_to_metric_families(gate.get("/metrics")[1])
        if family.name == "gateway_process_start_time_seconds"
        for sample in family.samples
    }
