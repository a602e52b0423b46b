"""The Helm chart: its configuration is one the gateway takes, and Helm renders what is meant where it is at hand."""

import re
import tomllib

import pytest

from gateway.configuration import check_settings
from gateway.server import split_address
from tests.deploy.places import DEPLOY, read

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
_CHART = DEPLOY / "helm" / "decisioning-gateway"
_VALUES = yaml.safe_load((_CHART / "values.yaml").read_text())
_EVERYTHING = {
    "ingress": {"enabled": True, "tlsSecretName": "tls"},
    "autoscaling": {"enabled": True},
    "imagePullSecrets": [{"name": "registry"}],
    "nodeSelector": {"disk": "fast"},
    "tolerations": [{"key": "spot"}],
    "networkPolicy": {"clients": [{"podSelector": {}}], "redis": {"peers": [{"podSelector": {}}]}},
}


def settings():
    return check_settings(tomllib.loads(_VALUES["config"]), "values.yaml")


def test_chart_and_application_have_the_version_of_the_project():
    chart = yaml.safe_load((_CHART / "Chart.yaml").read_text())
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert (chart["apiVersion"], chart["name"], chart["appVersion"]) == ("v2", "decisioning-gateway", version)


def test_the_default_configuration_is_one_the_gateway_takes():
    assert list(settings().client) == ["your-client-code"]


def test_the_ports_of_the_pod_are_those_of_the_configuration():
    ports = dict(re.findall(r"name: (\w+)\n +containerPort: (\d+)", (_CHART / "templates/deployment.yaml").read_text()))
    web = settings().web
    assert ports == {"public": str(split_address(web.listen)[1]), "admin": str(split_address(web.admin_listen)[1])}
    assert _VALUES["podAnnotations"]["prometheus.io/port"] == ports["admin"]


def test_a_pod_gets_more_time_to_stop_than_it_needs():
    needed_ms = _VALUES["stopDelaySeconds"] * 1000 + settings().web.drain_ms
    assert _VALUES["terminationGracePeriodSeconds"] * 1000 > needed_ms


def test_the_secret_holds_the_variables_the_configuration_names():
    keys = set(re.findall(r"key: (\w+)", (_CHART / "templates/deployment.yaml").read_text()))
    assert keys == {settings().redis.url_env, settings().redis.key_secret_env}


def test_every_value_is_used_and_every_used_value_exists():
    templates = "\n".join(path.read_text() for path in (_CHART / "templates").iterdir())
    templates = templates.replace("$policy.", ".Values.networkPolicy.")
    used = set(re.findall(r"\.Values\.([\w.]+)", templates))
    for path in used:
        place = _VALUES
        for part in path.split("."):
            assert part in place, path
            place = place[part]
    assert {path.split(".")[0] for path in used} == set(_VALUES)


@pytest.mark.parametrize("changes", [{}, _EVERYTHING, {"networkPolicy": {"enabled": False}}])
def test_helm_renders_documents_that_belong_together(changes):
    helm = pytest.importorskip("helm_python", reason="Helm is not installed (helm-python-sdk brings it)")
    with helm.Chart.load(str(_CHART)) as chart:
        rendered = chart.render(changes, name="demo", namespace="prod")
    found = {doc["kind"]: doc for text in rendered.values() for doc in yaml.safe_load_all(text) if doc}
    expected = {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service"}
    expected |= {"NetworkPolicy"} if changes.get("networkPolicy", {}).get("enabled", True) else set()
    expected |= {"Ingress", "HorizontalPodAutoscaler"} if changes is _EVERYTHING else set()
    assert set(found) == expected
    assert tomllib.loads(found["ConfigMap"]["data"]["gateway.toml"]) == tomllib.loads(_VALUES["config"])
    pod = found["Deployment"]["spec"]["template"]
    assert found["Service"]["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert [port["targetPort"] for port in found["Service"]["spec"]["ports"]] == ["public"]
    assert ("replicas" in found["Deployment"]["spec"]) is (changes is not _EVERYTHING)
