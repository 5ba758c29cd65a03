"""A run on the Kubernetes stack: ZenML's own orchestrator, every step a process with its own disk, artifacts in S3."""

import json
import re
from typing import Any

import kubernetes_validate
import mlflow
import pytest
import yaml
from checkout import HERE, IMAGE, STACKS, STEPS, image_of
from cluster import Cluster
from project_folder import Project

VERSION = "1.32"
GPU = "nvidia.com/gpu"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Cluster:
    """After the run, in the middle of which the node of the training was taken away."""
    folder = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(folder, image_of(project, folder / "image"), taken="train_cnn_lstm")
    settings = project.folder / STACKS / "run-kubernetes.yaml"
    content = yaml.safe_load(settings.read_text())
    content["steps"] = {"train_cnn_lstm": content["steps"]["train_cnn_lstm"]}
    content["settings"]["orchestrator"]["job_monitoring_interval"] = 0.3  # 3 s otherwise, for each of nine steps
    settings.write_text(yaml.safe_dump(content))
    project.run("zenml", "stack", "set", "ferline-kubernetes")
    run = ["zenml", "pipeline", "run", "fer_training", "-c", str(settings), "-b", "build.yaml"]
    try:
        project.run(*run, KUBECONFIG=str(cluster.config))
        assert set(cluster.steps) == STEPS
    except AssertionError:
        for step, logs in cluster.logs.items():
            print(f"==== {step}", *logs, sep="\n")
        raise
    return cluster


def pod_of(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["template"]["spec"]


def container_of(job: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod_of(job)["containers"]
    return container


def test_every_manifest_is_what_kubernetes_takes(cluster):
    for job in [cluster.orchestrator, *cluster.steps.values()]:
        kubernetes_validate.validate({"apiVersion": "batch/v1", "kind": "Job", **job}, VERSION, strict=True)
        assert container_of(job)["image"] == IMAGE


def test_only_training_asks_for_a_gpu(cluster):
    gpus = {name: container_of(job)["resources"].get("limits", {}).get(GPU) for name, job in cluster.steps.items()}
    assert gpus == dict.fromkeys(STEPS) | {"train_cnn_lstm": "1"}
    training, other = (pod_of(cluster.steps[name]) for name in ("train_cnn_lstm", "crop_faces"))
    assert training["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert training["tolerations"] == [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    assert not other.keys() & {"nodeSelector", "tolerations"}


def test_checkpoints_are_on_the_volume_and_scratch_is_not(cluster):
    for job in cluster.steps.values():
        mounts = {each["mountPath"]: each["name"] for each in container_of(job)["volumeMounts"]}
        volumes = {each["name"]: each for each in pod_of(job)["volumes"]}
        assert volumes[mounts["/state"]]["persistentVolumeClaim"] == {"claimName": "ferline-state"}
        assert "emptyDir" in volumes[mounts["/state/scratch"]]
        assert {"name": "FERLINE_SCRATCH", "value": "../state/scratch"} in container_of(job)["env"]


def test_a_pod_has_time_to_save_and_training_is_tried_again(cluster):
    job = cluster.steps["train_cnn_lstm"]
    assert pod_of(job)["terminationGracePeriodSeconds"] == 120
    assert pod_of(job)["restartPolicy"] == "Never"
    assert job["spec"]["backoffLimit"] == 12
    assert cluster.steps["crop_faces"]["spec"]["backoffLimit"] == 2
    first = job["spec"]["podFailurePolicy"]["rules"][0]
    assert first["action"] == "Count", "every failure counts here, as it does for ZenML's server"


def test_no_secret_is_in_a_manifest(cluster):
    text = json.dumps([cluster.orchestrator, *cluster.steps.values()])
    assert "a secret" not in text
    assert all(
        "valueFrom" in each
        for job in cluster.steps.values()
        for each in container_of(job)["env"]
        if each["name"] == "ZENML_STORE_API_TOKEN"
    )


def test_a_training_whose_node_goes_away_goes_on_elsewhere(cluster):
    assert cluster.left, "there was no checkpoint yet"
    assert cluster.failures == {"train_cnn_lstm": 1}
    stopped, ended = cluster.logs["train_cnn_lstm"]
    assert "asked to stop (SIGTERM)" in stopped
    assert re.findall(r"cnn_lstm  epoch (\d+)/12", ended) == [str(epoch) for epoch in range(1, 13)]
    assert not list(cluster.volume.glob("checkpoints/cnn_lstm-*")), "the pod that ended it went on from the volume"


def test_every_pod_had_the_data_only_from_the_remote(cluster):
    assert not list(cluster.image.glob("data/raw/tiny/*.parquet"))
    assert (cluster.image / "data" / "raw" / "tiny" / "manifest.json").exists()
    with_images = {path.parts[-6] for path in cluster.folder.glob("pods/*/app/data/raw/tiny/*.parquet")}
    assert len(with_images) == 1, "only ingest reads the raw set"


def test_the_champion_is_registered_and_the_comparison_is_one_run(cluster, servers):
    client = mlflow.MlflowClient(servers["MLFLOW_TRACKING_URI"])
    assert client.get_model_version_by_alias("ferline", "champion").tags["architecture"] == "cnn_lstm"
    experiment = client.get_experiment_by_name("fer_training").experiment_id
    runs = client.search_runs([experiment])
    kinds = sorted(run.data.tags["ferline.kind"] for run in runs)
    assert kinds == ["architecture", "pipeline"]
    (row,) = [run for run in runs if run.data.tags["ferline.kind"] == "architecture"]
    steps = [point.step for point in client.get_metric_history(row.info.run_id, "curves/train_loss")]
    assert sorted(steps) == list(range(1, 13)), "one whole curve over both pods, no epoch twice"


READ = """
import json, os, sys
from pathlib import Path
from zenml.client import Client
import steps
found = {}
for step in Client().list_pipeline_runs(size=1).items[0].steps.values():
    for outputs in step.outputs.values():
        for each in outputs:
            loaded = each.load()
            inside = Path(os.environ["FERLINE_SCRATCH"]) in loaded.folder.parents
            found[each.uri] = [loaded.digest, each.run_metadata["digest"], str(each.content_hash), inside]
print("FOUND", json.dumps(found))
"""


def test_artifacts_come_back_from_the_bucket_onto_an_empty_disk(cluster, project, tmp_path):
    environment = {"FERLINE_SCRATCH": str(tmp_path / "scratch"), "KUBECONFIG": str(cluster.config)}
    told = project.run("python", "-c", READ, **environment)
    found = json.loads(told.split("FOUND ")[1].splitlines()[0])
    assert len(found) == len(STEPS) + 1, "validate has two"
    for uri, (digest, noted, cached, downloaded) in found.items():
        assert uri.startswith("s3://my-bucket/zenml/"), uri
        assert digest == noted == cached, uri
        assert downloaded, uri


def test_an_object_that_was_changed_in_the_bucket_is_refused(cluster, project, bucket):
    (found,) = [each for each in bucket.objects.filter(Prefix="zenml/train_cnn_lstm/") if "safetensors" in each.key]
    content = found.get()["Body"].read()
    bucket.put_object(Key=found.key, Body=content[:-1] + bytes([content[-1] ^ 1]))
    try:
        told = project.run("python", "-c", READ, ok=False, KUBECONFIG=str(cluster.config))
        assert re.search(r"model\.safetensors: corrupt \(SHA-256", told)
    finally:
        bucket.put_object(Key=found.key, Body=content)


def test_the_cluster_file_is_what_kubernetes_takes_and_has_what_the_stack_names():
    parts = list(yaml.safe_load_all((HERE / STACKS / "cluster.yaml").read_text()))
    for part in parts:
        kubernetes_validate.validate(part, VERSION, strict=True)
    stack = yaml.safe_load((HERE / STACKS / "kubernetes.yaml").read_text())["components"]["orchestrator"]
    names = {part["kind"]: part["metadata"]["name"] for part in parts}
    assert stack["configuration"]["kubernetes_namespace"] == names["Namespace"]
    assert stack["configuration"]["service_account_name"] == names["ServiceAccount"]
    assert names["PersistentVolumeClaim"] == "ferline-state"


@pytest.mark.parametrize("name", ["run-kubernetes", "run-kubeflow"])
def test_a_line_for_every_training_of_the_parameters(name):
    given = yaml.safe_load((HERE / STACKS / f"{name}.yaml").read_text())["steps"]
    architectures = yaml.safe_load((HERE / "params.yaml").read_text())["architectures"]
    assert set(given) == {f"train_{architecture}" for architecture in architectures}
