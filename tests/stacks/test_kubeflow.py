"""What ZenML's Kubeflow orchestrator compiles for our settings, and the pod that its step operator starts to train."""

from typing import Any

import kubernetes_validate
import pytest
import yaml
from checkout import HERE, IMAGE, STACKS, STEPS
from google.protobuf import json_format
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec
from kubernetes.client import ApiClient
from project_folder import Project
from zenml.integrations.kubernetes.flavors.kubernetes_step_operator_flavor import KubernetesStepOperatorSettings
from zenml.integrations.kubernetes.manifest_utils import (
    build_job_manifest,
    build_pod_manifest,
    pod_template_manifest_from_pod,
)

NOBODY = """
apiVersion: v1
kind: Config
current-context: my-cluster
clusters: [{name: here, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: me, user: {token: none}}]
contexts: [{name: my-cluster, context: {cluster: here, user: me}}]
"""


@pytest.fixture(scope="module")
def compiled(project: Project) -> dict[str, Any]:
    """The pipeline as it is written down to be sent to Kubeflow; nobody is there to take it."""
    settings = project.folder / STACKS / "run-kubeflow.yaml"
    content = yaml.safe_load(settings.read_text())
    content["steps"] = {"train_cnn_lstm": content["steps"]["train_cnn_lstm"]}
    settings.write_text(yaml.safe_dump(content))
    (project.folder / "nobody").write_text(NOBODY)
    kube = {"KUBECONFIG": str(project.folder / "nobody")}
    project.run("zenml", "stack", "set", "ferline-kubeflow", **kube)
    run = ["zenml", "pipeline", "run", "fer_training", "-c", str(settings), "-b", "build.yaml"]
    project.run(*run, **kube)
    (path,) = (project.folder / ".ferline" / "zenml" / "kubeflow").glob("*/pipelines/*.yaml")
    return dict(yaml.safe_load(path.read_text()))


def executors(compiled: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Step (with - for _) to container."""
    found = compiled["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-"): each["container"] for name, each in found.items()}


def test_the_pipeline_is_what_kubeflow_takes(compiled):
    spec = json_format.ParseDict(compiled, PipelineSpec())  # refuses what the specification does not know
    assert spec.schema_version.startswith("2.")
    tasks = spec.root.dag.tasks
    assert set(tasks) == {name.replace("_", "-") for name in STEPS}
    assert list(tasks["train-cnn-lstm"].dependent_tasks) == ["augment-cnn-lstm", "resize-48x1"]


def test_every_task_is_a_step_of_ours_in_our_image_with_our_settings(compiled, servers):
    for name, container in executors(compiled).items():
        assert container["image"] == IMAGE
        assert container["command"] == ["python", "-m", "zenml.entrypoints.entrypoint"]
        assert container["args"][-1].replace("_", "-") == name
        env = {each["name"]: each["value"] for each in container["env"]}
        assert env["MLFLOW_TRACKING_URI"] == servers["MLFLOW_TRACKING_URI"]
        assert env["FERLINE_SCRATCH"] == "../state/scratch"
        assert not any("a secret" in value for value in env.values())
        assert container["resources"].get("resourceCpuLimit", container["resources"].get("cpuLimit"))
        assert "accelerator" not in container["resources"], "the task of a training waits for its pod, without a GPU"


def test_the_pod_of_a_training_has_gpu_volume_and_time_and_is_what_kubernetes_takes():
    step = yaml.safe_load((HERE / STACKS / "run-kubeflow.yaml").read_text())["steps"]["train_cnn_lstm"]
    stack = yaml.safe_load((HERE / STACKS / "kubeflow.yaml").read_text())["components"]
    assert step["step_operator"] == stack["step_operator"]["name"]
    settings = KubernetesStepOperatorSettings(**step["settings"]["step_operator"])
    pod = build_pod_manifest(None, IMAGE, ["python"], ["-m", "it"], False, settings.pod_settings)
    job = build_job_manifest("train", pod_template_manifest_from_pod(pod), backoff_limit=0)
    written = ApiClient().sanitize_for_serialization(job)
    kubernetes_validate.validate({"apiVersion": "batch/v1", "kind": "Job", **written}, "1.32", strict=True)
    spec = written["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 120
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert {"name": "state", "mountPath": "/state"} in spec["containers"][0]["volumeMounts"]
    assert spec["volumes"][0] == {"name": "state", "persistentVolumeClaim": {"claimName": "ferline-state"}}
