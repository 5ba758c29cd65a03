"""A project folder in which the tests run commands as a user does."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import warm
import yaml

from ferline.datasets.synthetic import faces

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Project:
    """A folder in which commands run as a user runs them (but start in a moment: `warm`)."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, ok: bool = True, **environment: str) -> str:
        """What the command printed; its exit status must be as expected."""
        done = subprocess.run(
            [warm.program(command[0]), *command[1:]],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        output = COLOURS.sub("", done.stdout)
        assert (done.returncode == 0) is ok, f"{command} ended with {done.returncode}:\n{output[-6000:]}"
        return output

    def train(self, ok: bool = True, **environment: str) -> str:
        return self.run("zenml", "pipeline", "run", "fer_training", ok=ok, **environment)

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@ferline.invalid"]
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content))


def ran(output: str) -> set[str]:
    return set(re.findall(r"Step (\S+) has finished", output))


def cached(output: str) -> set[str]:
    return set(re.findall(r"Using cached version of step (\S+?)\.", output))


def bad_rows() -> list[dict[str, Any]]:
    """What people really have in their folders."""
    good = next(iter(faces(1, 1, seed=3)))
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00N \x00\x00N \x08\x02\x00\x00\x00"
    images = {
        "truncated": good["image"][: len(good["image"]) // 2],
        "text": b"this is a text file that somebody named .png",
        "nothing": b"",
        "huge": header + b"\x00" * 64,
    }
    rows = [
        {"id": name, "image": image, "label": "happy", "subject": "q", "split": "train"}
        for name, image in images.items()
    ]
    return [*rows, {"id": "unlabelled", "image": good["image"], "label": "hungry", "subject": "q", "split": "train"}]


def small(content: dict[str, Any]) -> None:
    """Two small networks for two epochs; the rest as it is in the demo."""
    content["profile"] = "quick"
    content["dataset"] = {"name": "tiny", "protocol": "official"}
    content["validation"] |= {"min_per_class": 2, "max_bad_share": 0.2}
    content["promotion"]["gates"] = {"min_macro_f1": 0.0, "min_class_recall": 0.0, "max_latency_ms": 10000}
    content["evaluation"] = {"resamples": 200, "robustness": {"faces": 14, "strengths": 1}, "occlusion": {"faces": 7}}
    kept = {name: content["architectures"][name] for name in ("cnn_lstm", "cnn_lstm_svm")}
    for architecture in kept.values():
        architecture["training"] = {"epochs": 2, "batch_size": 16, "learning_rate": 0.001, "device": "cpu"}
    content["architectures"] = kept
    content["compute"] = {"checkpoint_seconds": 0}
    content["profiles"] = {"quick": {}}
