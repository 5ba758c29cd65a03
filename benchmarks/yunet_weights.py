"""`src/ferline/faces/yunet.onnx` from the library that its weights come with: libfacedetection, as yuface 2023.5.1 of
PyPI has it compiled for Linux on x86-64.

    uv pip install --target yuface_only --no-deps yuface==2023.5.1
    python benchmarks/yunet_weights.py yuface_only/yuface/libfacedetection.so --out src/ferline/faces/yunet.onnx

The library is plain data to this: nothing of it is run. The graph is libfacedetection's (Wu, Peng and Yu, 2023), its
outputs are named and shaped as OpenCV's FaceDetectorYN asks for them. OpenCV's own file is the larger network of the
same paper, 76,000 weights where this has 53,000.
"""

import argparse
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
OF = {
    "cls": 1,
    "obj": 1,
    "bbox": 4,
    "kps": 10,
}  # numbers of a cell: is it a face, is it an object, its box, five points


def weights_in(library: bytes) -> dict[str, np.ndarray]:
    """The arrays of a little-endian ELF64 library by the names of its symbols."""
    if library[:6] != b"\x7fELF\x02\x01":
        raise SystemExit("this is no ELF64 library")
    (start,), (number,) = struct.unpack_from("<Q", library, 0x28), struct.unpack_from("<H", library, 0x3C)
    sections = [struct.unpack_from("<IIQQQQIIQQ", library, start + 64 * index) for index in range(number)]
    symbols = next(section for section in sections if section[1] == 11)  # SHT_DYNSYM
    names = sections[symbols[6]][4]
    found = {}
    for at in range(symbols[4], symbols[4] + symbols[5], 24):
        name, _, _, section, address, size = struct.unpack_from("<IBBHQQ", library, at)
        text = library[names + name : library.index(b"\0", names + name)].decode()
        if text.endswith(("_weight", "_bias")):
            offset = sections[section][4] + address - sections[section][3]
            found[text] = np.frombuffer(library, "<f4", size // 4, offset)
    return found


class Graph:
    """ONNX nodes, each of which gives one value, named by its number unless told otherwise."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, name: str = "", **how: object) -> str:
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **how))
        return name

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convolution(self, value: str, name: str, weight: np.ndarray, **how: object) -> str:
        bias = self.constant(f"{name}_bias", self.weights[f"{name}_bias"])
        return self.node("Conv", value, self.constant(f"{name}_weight", weight), bias, **how)

    def first(self, value: str) -> str:
        """3 x 3 of stride 2, whose 27 weights a filter lie as rows, columns, colours, and five more of nothing."""
        weight = self.weights["backbone__model0_pw_weight"].reshape(-1, 32)[:, :27].reshape(-1, 3, 3, 3)
        how = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
        return self.node("Relu", self.convolution(value, "backbone__model0_pw", weight.transpose(0, 3, 1, 2), **how))

    def unit(self, value: str, name: str, relu: bool = True) -> str:
        """Every pixel's channels mixed, then each channel by its own 3 x 3, whose weights lie with channels last."""
        filters = len(self.weights[f"{name}_pw_bias"])
        mixing = self.weights[f"{name}_pw_weight"].reshape(filters, -1, 1, 1)
        value = self.convolution(value, f"{name}_pw", mixing, kernel_shape=[1, 1])
        own = self.weights[f"{name}_dw_weight"].reshape(3, 3, filters).transpose(2, 0, 1)[:, None]
        value = self.convolution(value, f"{name}_dw", own, kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=filters)
        return self.node("Relu", value) if relu else value

    def stage(self, value: str, number: int) -> str:
        return self.unit(self.unit(value, f"backbone__model{number}_dp1"), f"backbone__model{number}_dp2")

    def halved(self, value: str) -> str:
        return self.node("MaxPool", value, kernel_shape=[2, 2], strides=[2, 2])

    def joined(self, coarse: str, fine: str, twice: str) -> str:
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Add", self.node("Resize", coarse, "", twice, **how), fine)


def features(graph: Graph) -> Sequence[str]:
    """The pictures of 8, 16 and 32 pixels a cell that faces are told from."""
    value = graph.halved(graph.unit(graph.first("input"), "backbone__model0_dp"))
    value = graph.stage(graph.stage(value, 1), 2)
    levels = []
    for number in (3, 4, 5):
        value = graph.stage(graph.halved(value), number)
        levels.append(value)
    fine, middle, coarse = levels
    twice = graph.constant("twice", np.array([1, 1, 2, 2], np.float32))
    coarse = graph.unit(coarse, "neck__lateral_convs__2")
    middle = graph.unit(graph.joined(coarse, middle, twice), "neck__lateral_convs__1")
    fine = graph.unit(graph.joined(middle, fine, twice), "neck__lateral_convs__0")
    return fine, middle, coarse


def network(weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    graph = Graph(weights)
    levels, outputs = features(graph), []
    for kind, numbers in OF.items():
        shape = graph.constant(f"{kind}_shape", np.array([1, -1, numbers], np.int64))
        for level, (value, stride) in enumerate(zip(levels, STRIDES, strict=True)):
            value = graph.unit(value, f"bbox_head__multi_level_{kind}__{level}", relu=False)
            value = graph.node("Transpose", value, perm=[0, 2, 3, 1])
            name = f"{kind}_{stride}"
            if kind in ("cls", "obj"):
                graph.node("Sigmoid", graph.node("Reshape", value, shape), name=name)
            else:
                graph.node("Reshape", value, shape, name=name)
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, (640 // stride) ** 2, numbers]))
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])  # blue, green, red; 0 to 255
    made = helper.make_graph(graph.nodes, "yunet", [picture], outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    weights = weights_in(given.library.read_bytes())
    given.out.write_bytes(network(weights).SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
