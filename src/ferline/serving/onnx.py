"""A TrainedModel as one ONNX file: from the pixels of a face to the calibrated share of every emotion.

    input   faces    uint8[batch, side, side, channels]: cut out and scaled as the card's preprocessing says
    output  shares   float32[batch, emotions]: rows sum to 1
            votes    float32[batch, votes_emotions]: of a model of two heads, what share of people would say what

The scaling to [0, 1], the normalisation, the SVM where there is one, the temperature and the softmax are inside, so a
program in any language needs the face's pixels alone. The file's metadata holds the emotions in the output's order
and how training cut faces out, as JSON. In 8 bits (`onnx_int8`) it answers nearly as the network does, and faster.
"""

import json
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ferline.errors import FerlineError
from ferline.evaluation import latency
from ferline.models.network import Network, to_input
from ferline.models.trained import TrainedModel
from ferline.serving.onnx_int8 import quantise

TOLERANCE = 1e-4  # of a share, between torch and ONNX Runtime
ALIKE = 0.9  # of the faces, that 8 bits must tell as torch does
BATCHES = (1, 2, 5)  # of the comparison: an exporter that froze the batch's size shows at once
PREFIX = "ferline."
OPSET = 20  # the first with AffineGrid
REPEATS, SECONDS = 20, 0.5  # as ferline.evaluation.latency


@dataclass(frozen=True)
class Exported:
    """What was written, and how it compares with the network it came from, one face at a time on one thread."""

    path: Path
    size_bytes: int
    difference: float  # the largest of any share
    torch_ms: float
    onnx_ms: float
    alike: float | None = None  # in 8 bits: the share of the faces it was measured on that it tells as torch does

    def text(self) -> str:
        near = f"shares within {self.difference:.0e} of torch's"
        if self.alike is not None:
            near = f"8 bits; tells {self.alike:.1%} of the faces as torch does, shares within {self.difference:.2f}"
        return (
            f"{self.path}: {self.size_bytes / 1e6:.1f} MB; {near}; one face on "
            f"one thread {self.onnx_ms:.2f} ms, with torch {self.torch_ms:.2f}"
        )


class _Whole(nn.Module):
    """The network with what stands before and after it in prediction."""

    def __init__(self, network: Network, temperatures: Sequence[float]) -> None:
        super().__init__()
        self.network, self.temperatures = network, temperatures

    def forward(self, faces: Tensor) -> tuple[Tensor, ...]:
        features = self.network.features(to_input(faces, *self.network.normalisation))
        logits = [self.network.classify(features)]
        if len(self.temperatures) > 1 and self.network.votes_head:
            logits.append(self.network.votes_head(features))
        return tuple(_shares(*each) for each in zip(logits, self.temperatures, strict=True))


def _shares(logits: Tensor, temperature: float) -> Tensor:
    return (logits.double() / temperature).softmax(dim=1).float()


def export(model: TrainedModel, target: Path, faces: np.ndarray | None = None) -> Exported:
    """Write the file once it is known to answer as torch does; nothing is left behind where it does not.

    With `faces` of the network's own size in 8 bits, measured on them.
    """
    onnx, runtime = _libraries()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.onnx")
    _make_folder(target)
    try:
        _convert(model, temporary)
        if faces is not None:
            quantise(temporary, faces)
        graph = onnx.load(temporary)
        _forget_the_exporter(graph)
        onnx.helper.set_model_props(graph, metadata_of(model))
        onnx.checker.check_model(graph, full_check=True)
        onnx.save(graph, temporary)
        session = _session(runtime, temporary)
        difference, alike = _compared(model, session) if faces is None else _alike(model, session, faces)
        face = {"faces": _faces(model, 1)}
        onnx_ms = _median_ms(lambda: session.run(None, face))
        torch_ms = latency.measure(model, _faces(model, 1)[0])["median_ms"]
        temporary.replace(target)
    except OSError as error:
        raise FerlineError(f"{target}: could not be written ({error.strerror or error})") from None
    finally:
        temporary.unlink(missing_ok=True)
    return Exported(target, target.stat().st_size, difference, torch_ms, onnx_ms, alike)


def _make_folder(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FerlineError(f"{target}: could not be written ({error.strerror})") from None


def metadata_of(model: TrainedModel) -> dict[str, str]:
    """What a user of the file must know, each as JSON."""
    card = model.card
    known = {
        "emotions": list(model.emotions),
        "input": {**card["input"], "colour": "grey" if card["input"]["channels"] == 1 else "rgb", "layout": "NHWC"},
        "preprocessing": card["preprocessing"],
        "architecture": card["architecture"],
        "temperature": model.temperature,
        "model_digest": model.digest,
        "data_digest": card["data_digest"],
    }
    if model.tells_votes:
        known["votes_emotions"] = list(model.voted().emotions)
    return {f"{PREFIX}{key}": json.dumps(value, sort_keys=True) for key, value in known.items()}


def _libraries() -> tuple[Any, Any]:
    """Looked for here: only who exports needs them."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it, and says so in ten lines)
    except ImportError as error:
        raise FerlineError(
            f"{error.name} is not installed, and the export to ONNX needs it. Run: "
            "uv pip install onnx onnxscript onnxruntime"
        ) from None
    return onnx, onnxruntime


def _convert(model: TrainedModel, path: Path) -> None:
    whole = _Whole(model.network(), [each.temperature for each in _outputs(model).values()]).eval()
    example = torch.from_numpy(_faces(model, 2))  # of one face torch would freeze the batch at 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own old calls, 20 lines for an LSTM
        torch.onnx.export(
            whole,
            (example,),
            path,
            dynamo=True,
            opset_version=OPSET,
            input_names=["faces"],
            output_names=list(_outputs(model)),
            dynamic_shapes={"faces": {0: torch.export.Dim("batch")}},
            external_data=False,
            verbose=False,
        )


def _forget_the_exporter(graph: Any) -> None:
    """Drop what torch notes beside each node: stack traces, with the paths of the machine that exported."""
    parts = graph.graph
    for each in (parts, *parts.node, *parts.value_info, *parts.input, *parts.output, *parts.initializer):
        del each.metadata_props[:]
        each.doc_string = ""


def _session(runtime: Any, path: Path) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _outputs(model: TrainedModel) -> dict[str, TrainedModel]:
    """The model by the name of each output that it answers."""
    return {"shares": model} | ({"votes": model.voted()} if model.tells_votes else {})


def _compared(model: TrainedModel, session: Any) -> tuple[float, None]:
    """The largest difference of a share from torch's."""
    worst = 0.0
    for count in BATCHES:
        worst = max(worst, max(_differences(model, session, _faces(model, count)).values()))
    if not worst <= TOLERANCE:
        raise FerlineError(
            f"{model.folder}: its ONNX form gives shares up to {worst:.1e} away from torch's, where {TOLERANCE:.0e} is "
            "allowed. Nothing was written"
        )
    return worst, None


def _alike(model: TrainedModel, session: Any, faces: np.ndarray) -> tuple[float, float]:
    """The largest difference, and the share of faces that are told as torch does, by the head that agrees less."""
    alike = 1.0
    for name, answering in _outputs(model).items():
        told = session.run([name], {"faces": faces})[0].argmax(1)
        alike = min(alike, float((told == answering.predict(faces).argmax(1)).mean()))
    if alike < ALIKE:
        raise FerlineError(
            f"{model.folder}: in 8 bits it tells {alike:.1%} of these faces as torch does, and {ALIKE:.0%} is the "
            "least that is allowed. Nothing was written; export it without --int8"
        )
    return max(_differences(model, session, faces).values()), alike


def _differences(model: TrainedModel, session: Any, faces: np.ndarray) -> dict[str, float]:
    """Of each output, how far a share is from torch's at most."""
    outputs = _outputs(model)
    given = dict(zip(outputs, session.run(list(outputs), {"faces": faces}), strict=True))
    return {name: float(abs(given[name] - answering.predict(faces)).max()) for name, answering in outputs.items()}


def _faces(model: TrainedModel, count: int) -> np.ndarray:
    """Coarse blocks, each picture darker than the next: noise pixel by pixel looks alike to most networks."""
    side, channels = model.card["input"]["side"], model.card["input"]["channels"]
    random = np.random.default_rng(count)
    blocks = random.integers(0, 256, (count, 6, 6, channels)) * np.linspace(0.2, 1, count).reshape(-1, 1, 1, 1)
    places = np.arange(side) * 6 // side
    return np.ascontiguousarray(blocks[:, places][:, :, places].astype(np.uint8))


def _median_ms(call: Callable[[], Any]) -> float:
    times: list[float] = []
    while len(times) < REPEATS or sum(times) < 1000 * SECONDS:
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))
