"""An ONNX file's convolutions in whole numbers of 8 bits: a third to a half of the time, under a third of the bytes.

Weights are rounded channel by channel; how far activations reach is measured on some faces. All else (heads, SVM,
softmax) stays as it was. Weights use 7 of their 8 bits: processors without VNNI add pairs of products in 16 bits, and
would cut off larger ones without a word.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ferline.errors import FerlineError

FEWEST = 32  # faces, to measure on
MOST = 512
AT_ONCE = 64


def quantise(path: Path, faces: np.ndarray) -> None:
    """In place. `faces` are of the network's own size, such as it was trained on."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if len(faces) < FEWEST:
        raise FerlineError(
            f"{len(faces)} faces are too few to measure on how far a network's values reach; give it at least {FEWEST}"
        )

    class Faces(CalibrationDataReader):
        def __init__(self) -> None:
            self._batches: Iterator[dict[str, Any]] = iter(
                [{"faces": faces[first : first + AT_ONCE]} for first in range(0, len(faces), AT_ONCE)]
            )

        def get_next(self) -> dict[str, Any] | None:
            return next(self._batches, None)

    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(path, ready, skip_symbolic_shape=True)  # batch normalisation goes into the convolutions
        quantize_static(
            ready,
            path,
            Faces(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
