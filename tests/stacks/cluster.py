"""A Kubernetes API that keeps what it is sent, and runs every Job's container as a process on a disk of its own.

Not a cluster: nothing is scheduled, and nothing is checked that `kubernetes_validate` does not check. What it gives is
the manifests as ZenML's own orchestrator submits them, and steps that share no folder but the volume.
"""

import base64
import copy
import json
import multiprocessing
import os
import re
import runpy
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
import yaml

# A pod is a fork of a process that has imported what every pod imports: a fresh one spends 6 s of its 9 on that.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["warm.pipeline"])


def _warm_up() -> None:
    """Start that process: it looks for `warm.pipeline` on PYTHONPATH alone, and passes over what it does not find."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        patch.setenv("OMP_NUM_THREADS", "1")  # as in a pod's environment: torch reads it when it is imported
        forkserver.ensure_running()


@dataclass
class Cluster:
    """`image` is /app in every pod, `volume` the claim that they share; the node of the step `taken` goes away once."""

    folder: Path
    image: Path
    taken: str = ""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    submitted: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    logs: dict[str, list[str]] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _warm_up()
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(cluster.get(self.path))

            def do_POST(self) -> None:
                self.answer(cluster.post(self.path, self.body()), 201)

            def do_PATCH(self) -> None:
                self.answer(cluster.patch(self.path, self.body()))

            def do_DELETE(self) -> None:
                self.answer({"kind": "Status", "status": "Success"})

            def body(self) -> dict[str, Any]:
                return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

            def answer(self, content: dict[str, Any] | None, code: int = 200) -> None:
                text = json.dumps(content or {"kind": "Status", "status": "Failure", "code": 404}).encode()
                self.send_response(code if content is not None else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self.volume.mkdir(parents=True)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def volume(self) -> Path:
        return self.folder / "volume"

    @property
    def config(self) -> Path:
        """A kubeconfig that names this cluster as the stack files do."""
        path = self.folder / "kubeconfig"
        url = f"http://127.0.0.1:{self.server.server_port}"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "my-cluster",
            "clusters": [{"name": "here", "cluster": {"server": url}}],
            "users": [{"name": "me", "user": {"token": "no secret"}}],
            "contexts": [{"name": "my-cluster", "context": {"cluster": "here", "user": "me"}}],
        }
        path.write_text(yaml.safe_dump(content))
        return path

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        """The Job of every step, as it was submitted."""
        labels = {name: job["metadata"]["labels"] for name, job in self.submitted.items()}
        return {told["step_name"]: self.submitted[name] for name, told in labels.items() if "step_name" in told}

    @property
    def orchestrator(self) -> dict[str, Any]:
        (found,) = [job for job in self.submitted.values() if "step_name" not in job["metadata"]["labels"]]
        return found

    def get(self, path: str) -> dict[str, Any] | None:
        path = path.split("?")[0]
        if named := re.search(r"/jobs/([^/]+)$", path):
            return self.jobs.get(named[1])
        if re.search(r"/pods/([^/]+)$", path):  # the only pod that is asked for is the orchestrator's, of itself
            labels = {"job-name": self.orchestrator["metadata"]["name"]}
            return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "orchestrator", "labels": labels}}
        if path.endswith(("/jobs", "/pods")):
            return {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": []}
        return None

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path.split("?")[0].endswith("/jobs"):
            name, sent = body["metadata"]["name"], copy.deepcopy(body)
            self.submitted[name] = sent
            for rule in body["spec"]["podFailurePolicy"]["rules"]:
                for condition in rule.get("onPodConditions", []):
                    condition.setdefault("status", "True")  # as the real API fills it in
            self.jobs[name] = body | {"status": {"active": 1}}
            threading.Thread(target=self._run, args=(name, sent), daemon=True).start()
        elif path.split("?")[0].endswith("/secrets"):
            self.secrets[body["metadata"]["name"]] = body["data"]
        return body

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs[path.split("?")[0].rsplit("/", 1)[1]]
        job["metadata"].setdefault("annotations", {}).update(body["metadata"]["annotations"])
        return job

    def _run(self, name: str, job: dict[str, Any]) -> None:
        """As the Job's controller does it: again after a failure, on another disk, `backoffLimit` times."""
        labels, failed = job["metadata"]["labels"], True
        step = labels.get("step_name", "orchestrator")
        for attempt in range(job["spec"]["backoffLimit"] + 1):
            if failed := bool(self._pod(step, f"{name}-{attempt}", job)):
                self.failures[step] = attempt + 1
            else:
                break
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        kind = "Failed" if failed else "Complete"
        self.jobs[name]["status"] = {"conditions": [{"type": kind, "status": "True", "lastTransitionTime": now}]}

    def _pod(self, step: str, name: str, job: dict[str, Any]) -> int:
        """Run the Job's container once; its exit status."""
        (container,) = job["spec"]["template"]["spec"]["containers"]
        place = self.folder / "pods" / name
        shutil.copytree(self.image, place / "app", symlinks=True)
        state = place / "state"
        (state / "scratch").mkdir(parents=True)
        (self.volume / "checkpoints").mkdir(exist_ok=True)
        (state / "checkpoints").symlink_to(self.volume / "checkpoints")
        assert container["command"][:2] == ["python", "-m"], container["command"]
        given = {each["name"]: self._value(each) for each in container["env"]}
        environment = given | {"KUBECONFIG": str(self.config)} | _image_environment(place)
        command = [container["command"][2], *container["args"]]
        process = FORKS.Process(target=_container, args=(place, command, environment))
        process.start()
        if step == self.taken and step not in self.failures:
            self._take(process)
        process.join()
        self.logs.setdefault(step, []).append((place / "log").read_text())
        return int(process.exitcode or 0)

    def _take(self, process: Any) -> None:
        """The node goes away when there is a checkpoint: what Kubernetes sends then is SIGTERM."""
        while process.is_alive() and not list(self.volume.glob("checkpoints/*/epoch-*")):
            time.sleep(0.01)
        self.left = sorted(path.name for path in self.volume.glob("checkpoints/*/epoch-*"))
        process.terminate()

    def _value(self, variable: dict[str, Any]) -> str:
        if "value" in variable:
            return str(variable["value"])
        wanted = variable["valueFrom"]["secretKeyRef"]
        return base64.b64decode(self.secrets[wanted["name"]][wanted["key"]]).decode()


def _image_environment(place: Path) -> dict[str, str]:
    """What is of the image and the node, not of the manifest."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(place),
        "ZENML_CONFIG_PATH": str(place / "zenml"),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "DVC_SITE_CACHE_DIR": str(place / "dvc"),
        "OMP_NUM_THREADS": "1",
    }


def _container(place: Path, command: list[str], environment: dict[str, str]) -> None:
    """`python -m COMMAND` in the image; /app is the pod's copy of it, KUBECONFIG stands for the token mounted there."""
    assert "zenml" in sys.modules, "warm/pipeline.py was not imported before the fork"
    import kubernetes
    from kubernetes.config import kube_config

    log = os.open(place / "log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(environment)
    app, chdir, makedirs = place / "app", os.chdir, os.makedirs
    chdir(app)
    os.chdir = lambda path: chdir(app if path == "/app" else path)
    os.makedirs = lambda path, *rest, **named: None if path == "/app" else makedirs(path, *rest, **named)
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = environment["KUBECONFIG"]  # read when it was imported, before the fork
    kubernetes.config.load_incluster_config = kubernetes.config.load_kube_config
    for name in [name for name in sys.modules if name.split(".")[0] in ("ferline", "steps", "pipelines")]:
        del sys.modules[name]  # a pod has the image's
    sys.path[:0] = [str(app / "src"), str(app)]
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
