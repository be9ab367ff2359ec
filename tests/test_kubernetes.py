"""deploy/kubernetes: rendered by kustomize, held against Kubernetes' own schemas and against what Vigie says of itself elsewhere."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from streams import edges
from streams.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.parent.name for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
#: Of operators: the schemas of kinds that Kubernetes itself does not know.
CUSTOM = {path.stem: json.loads(path.read_text()) for path in (ROOT / "tests" / "data" / "crds").glob("*.json")}


@cache
def rendered(overlay: str) -> tuple[dict[str, Any], ...]:
    """The objects of an overlay."""
    kubectl = Path(sys.executable).parent / "kubectl"
    done = subprocess.run(
        [kubectl, "kustomize", str(KUBERNETES / "overlays" / overlay)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower(), done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, *kinds: str) -> dict[str, dict[str, Any]]:
    """Objects of these kinds by name."""
    return {one["metadata"]["name"]: one for one in rendered(overlay) if one["kind"] in kinds}


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    """The pods' specs by their owner's name."""
    return {name: one["spec"]["template"] for name, one in of_kind(overlay, "StatefulSet", "Deployment").items()}


def settings_of(overlay: str) -> dict[str, str]:
    """The ConfigMap of settings."""
    (found,) = (one["data"] for name, one in of_kind(overlay, "ConfigMap").items() if name.startswith("vigie-settings"))
    return dict(found)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_takes_every_object(overlay: str) -> None:
    assert {"small", "rectorat"} <= set(OVERLAYS)
    for one in rendered(overlay):
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, "1.37", strict=True)
    collects = {"vigie-collector"} if overlay == "rectorat" else set()
    assert set(pods(overlay)) == {"vigie-worker", "vigie-observer"} | collects


def strict(schema: Any) -> Any:
    """The same schema, which takes no member that it does not name, as a server with strict field validation."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(each) for name, each in schema.items()}
    if (
        "properties" in schema
        and schema.get("type") == "object"
        and "x-kubernetes-preserve-unknown-fields" not in schema
    ):
        found.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
    return found


def hold_against_operator(one: dict[str, Any]) -> None:
    """Hold an object against the schema of the operator that takes it."""
    group, _, version = one["apiVersion"].partition("/")
    crd = CUSTOM[one["kind"]]
    assert group == crd["group"]
    assert version in crd["versions"], f"{one['kind']}: its operator serves {sorted(crd['versions'])}"
    schema = strict(crd["versions"][version])
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft7Validator(schema).validate(one)


def test_operators_take_every_object_of_theirs() -> None:
    found = [one for one in rendered("rectorat") if one["kind"] in CUSTOM]
    assert {one["kind"] for one in found} == CUSTOM.keys()
    for one in found:
        hold_against_operator(one)
        with pytest.raises(AssertionError):
            hold_against_operator({**one, "apiVersion": one["apiVersion"].partition("/")[0] + "/v1beta2"})
        with pytest.raises(jsonschema.ValidationError):
            hold_against_operator({**one, "spec": {**one["spec"], "mistake": 1}})


def test_a_mistake_would_be_found() -> None:
    broken = {**of_kind("small", "StatefulSet")["vigie-worker"]}
    broken["spec"] = {**broken["spec"], "replica": 2}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.37", strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_may_do_nothing_that_they_need_not(overlay: str) -> None:
    for name, template in pods(overlay).items():
        pod = template["spec"]
        (container,) = pod["containers"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert f"useradd --system --uid {pod['securityContext']['runAsUser']} " in (ROOT / "Dockerfile").read_text()
        budgets = of_kind(overlay, "PodDisruptionBudget")
        assert budgets[name]["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        policies = of_kind(overlay, "NetworkPolicy")
        assert policies[name]["spec"]["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        assert set(policies[name]["spec"]["policyTypes"]) == {"Ingress", "Egress"}


#: What a pod of that name runs, and the settings that say where it listens.
RUNS = {
    "vigie-worker": ("worker", "worker_host", "worker_port"),
    "vigie-observer": ("serve", "observer_host", "observer_port"),
    "vigie-collector": ("collect", "collector_host", "collector_port"),
}
POD_ADDRESS = "fd00::7"


def environment_of(overlay: str, container: dict[str, Any]) -> dict[str, str]:
    """What the container is given: its ConfigMap's settings, and its own variables."""
    all_settings = settings_of(overlay)
    given = dict(all_settings) if "envFrom" in container else {}
    for one in container["env"]:
        source = one.get("valueFrom", {})
        if "configMapKeyRef" in source:
            given[one["name"]] = all_settings[source["configMapKeyRef"]["key"]]
        else:
            given[one["name"]] = one.get("value", POD_ADDRESS)
    return given


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_are_settings_and_ports_those_of_the_code(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, template in pods(overlay).items():
        (container,) = template["spec"]["containers"]
        given = environment_of(overlay, container)
        files = {value for value in given.values() if value.startswith(("/kafka-ca/", "/redis-tls/"))}
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {str(Path(file).parent) for file in files} <= mounts
        assert "/tmp" in mounts
        assert ("/config" in mounts) == ("VIGIE_CONFIG_DIR" in given)
        volumes = {volume["name"] for volume in template["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
        for key, value in given.items():
            there = {"/config": str(ROOT / "config"), **dict.fromkeys(files, str(ROOT / "LICENSE"))}
            monkeypatch.setenv(key, there.get(value, value))
        settings = load_settings()
        command, host, port_name = RUNS[name]
        assert container["args"] == [command]
        assert getattr(settings, host) == POD_ADDRESS  # of either kind
        port = getattr(settings, port_name)
        assert container["ports"] == [{"containerPort": port, "name": "http"}]
        for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            assert container[probe]["httpGet"] == {"path": path, "port": "http"}
        service = of_kind(overlay, "Service")[name]["spec"]
        assert service["selector"].items() <= template["metadata"]["labels"].items()
        assert service["ports"] == [{"name": "http", "port": port, "targetPort": "http"}]
        ingress = of_kind(overlay, "NetworkPolicy")[name]["spec"]["ingress"]
        assert ingress[0]["ports"] == [{"port": port, "protocol": "TCP"}]
        for key in given:
            monkeypatch.delenv(key)


def test_a_collector_knows_kafka_and_tokens_alone() -> None:
    (container,) = pods("rectorat")["vigie-collector"]["spec"]["containers"]
    assert not [name for name in environment_of("rectorat", container) if "REDIS" in name]
    assert "envFrom" not in container


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_servers_that_settings_name_can_be_reached(overlay: str) -> None:
    """What a NetworkPolicy leaves out cannot be connected to."""
    given = settings_of(overlay)
    policies = of_kind(overlay, "NetworkPolicy")
    for name, needed in (
        ("vigie-worker", ("VIGIE_KAFKA_BOOTSTRAP_SERVERS", "VIGIE_REDIS_URL")),
        ("vigie-observer", ("VIGIE_KAFKA_BOOTSTRAP_SERVERS", "VIGIE_REDIS_URL", "VIGIE_ALERTMANAGER_URL")),
        ("vigie-collector", ("VIGIE_KAFKA_BOOTSTRAP_SERVERS",)),
    ):
        if name not in pods(overlay):
            continue
        allowed = {
            port
            for rule in policies[name]["spec"]["egress"]
            for each in rule["ports"]
            for port in range(each["port"], each.get("endPort", each["port"]) + 1)
        }
        ports = {int(port) for key in needed for port in re.findall(r":(\d+)", given[key])}
        assert ports
        assert ports <= allowed


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_lists_are_all_there_and_roll_pods_when_they_change(overlay: str) -> None:
    (name,) = (name for name in of_kind(overlay, "ConfigMap") if name.startswith("vigie-lists"))
    lists = of_kind(overlay, "ConfigMap")[name]["data"]
    shipped = {path.name: path.read_text() for path in (ROOT / "config").glob("*.yaml") if path.stem != "kustomization"}
    assert lists == shipped
    assert re.fullmatch(r"vigie-lists-[a-z0-9]{10}", name)
    for template in pods(overlay).values():
        used = {one["configMap"]["name"] for one in template["spec"]["volumes"] if "configMap" in one}
        assert used == ({name} if any(one["name"] == "lists" for one in template["spec"]["volumes"]) else set())


def test_workers_are_static_members_and_stop_in_their_time() -> None:
    worker, observer = (
        of_kind("rectorat", "StatefulSet")["vigie-worker"],
        of_kind("rectorat", "Deployment")["vigie-observer"],
    )
    assert worker["spec"]["replicas"] <= Settings().topic_partitions
    assert worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 30  # a worker takes 25 s at most
    assert observer["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 12  # an observer 10 s
    # Two observers share an archive only where two nodes can mount it.
    for overlay in OVERLAYS:
        claim = of_kind(overlay, "PersistentVolumeClaim")["vigie-archive"]
        several = of_kind(overlay, "Deployment")["vigie-observer"]["spec"]["replicas"] > 1
        assert claim["spec"]["accessModes"] == (["ReadWriteMany"] if several else ["ReadWriteOnce"])
    for template in pods("rectorat").values():
        (spread,) = template["spec"]["topologySpreadConstraints"]
        assert spread["topologyKey"] == "topology.kubernetes.io/zone"
        (container,) = template["spec"]["containers"]
        if "envFrom" in container:
            assert {"secretRef": {"name": "vigie-secrets", "optional": False}} in container["envFrom"]


def test_topics_are_as_designed_and_users_have_the_documented_rights() -> None:
    given = settings_of("rectorat")
    designs = {
        design.name: design
        for design in edges.topic_designs(
            Settings(
                topic_replication_factor=given["VIGIE_TOPIC_REPLICATION_FACTOR"],
                topic_min_insync_replicas=given["VIGIE_TOPIC_MIN_INSYNC_REPLICAS"],
            )
        )
    }
    topics = of_kind("rectorat", "KafkaTopic")
    assert topics.keys() == designs.keys()
    for name, topic in topics.items():
        design, config = designs[name], topic["spec"]["config"]
        assert (topic["spec"]["partitions"], topic["spec"]["replicas"]) == (
            design.partitions,
            design.replication_factor,
        )
        assert config["retention.ms"] == design.retention_hours * 3_600_000
        assert config["retention.bytes"] == (design.partition_bytes_max or -1)
        assert config["min.insync.replicas"] == design.min_insync_replicas
        assert config["message.timestamp.type"] == "LogAppendTime"
        assert (config["cleanup.policy"], config["unclean.leader.election.enable"]) == ("delete", False)
    documented = (ROOT / "docs" / "operations" / "secure.md").read_text()
    for user, spec in of_kind("rectorat", "KafkaUser").items():
        for acl in spec["spec"]["authorization"]["acls"]:
            words = " ".join(f"--operation {operation}" for operation in acl["operations"])
            line = f"$acls --allow-principal User:{user} {words} --{acl['resource']['type']} {acl['resource']['name']}"
            assert line in documented


def test_what_is_scraped_and_judged_is_the_same_as_elsewhere() -> None:
    monitors = of_kind("rectorat", "PodMonitor")
    for name, template in pods("rectorat").items():  # each its own job: rules tell them apart by it
        labels = template["metadata"]["labels"].items()
        scraped = [one for one, each in monitors.items() if each["spec"]["selector"]["matchLabels"].items() <= labels]
        assert scraped == [name]
        (endpoint,) = monitors[name]["spec"]["podMetricsEndpoints"]
        assert (endpoint["port"], endpoint.get("honorTimestamps", True)) == ("http", True)
    (rule,) = of_kind("rectorat", "PrometheusRule").values()
    named = {group["name"] for group in rule["spec"]["groups"]}
    files = [yaml.safe_load(path.read_text()) for path in (ROOT / "deploy/prometheus/rules").glob("*.yml")]
    assert named == {group["name"] for file in files for group in file["groups"]}
    boards = {name: one for name, one in of_kind("rectorat", "ConfigMap").items() if name.startswith("vigie-board-")}
    assert len(boards) == len(list((ROOT / "deploy/grafana/dashboards").glob("*.json")))
    for board in boards.values():
        assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
        ((file, text),) = board["data"].items()
        assert (ROOT / "deploy/grafana/dashboards" / file).read_text() == text
