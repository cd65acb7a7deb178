"""A small convolutional network as a bundle's model, made with `onnx` alone, and bundles of it.

conv_model() -> ONNX bytes: pictures [N, 16, 16, 3] -> logits of blue, green, red: the mean color through a convolution.
bundle_of(folder, ...) -> bytes of a `.ursa` file that says it learned from some of the folder's pictures.
"""

import hashlib
import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests import hostile_bundles as hostile
from ursa.core.bundles.picture_hashes import PictureHashes

CHANNELS = 24  # eight for each color


def conv_model(*, scale=1.0, convolution=True, seed=0):
    """scale: of the head; a network of other numbers for another seed; convolution False: the head alone."""
    draw = np.random.default_rng(seed)
    mixed = np.repeat(np.eye(3, dtype=np.float32), CHANNELS // 3, axis=0)  # [24, 3]: red, green, blue
    kernel = (mixed[:, :, None, None] / 9 + draw.normal(0, 0.002, (CHANNELS, 3, 3, 3))).astype(np.float32)
    head = np.zeros((CHANNELS, 3), np.float32)
    for number in range(3):
        head[8 * number : 8 * number + 8, 2 - number] = scale * 12 / 255 / 8
    weights = {
        "axes": np.array([2, 3]),
        "head": head if convolution else head[::8] * 8,
        "bias": np.zeros(3, np.float32),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["pictures"], ["floats"], to=TensorProto.FLOAT),
        node("Transpose", ["floats"], ["channels"], perm=[0, 3, 1, 2]),
    ]
    if convolution:
        weights["kernel"] = kernel
        nodes += [
            node("Conv", ["channels", "kernel"], ["mixed"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("Relu", ["mixed"], ["positive"]),
        ]
    nodes += [
        node("ReduceMean", ["positive" if convolution else "channels", "axes"], ["means"], keepdims=0),
        node("Gemm", ["means", "head", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colors",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["N", hostile.SIZE, hostile.SIZE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return made.SerializeToString()


def parts_of(folder):
    """The files of class folders: of each class the last third is held out, and of that the last one for testing."""
    parts = {"train": [], "valid": [], "test": []}
    for place in sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")):
        files = sorted(place.iterdir())
        cut = 2 * len(files) // 3
        for name, some in (("train", files[:cut]), ("valid", files[cut:-1]), ("test", files[-1:])):
            parts[name] += some
    return parts


def bundle_of(folder=None, model=None, **changes):
    """changes: of bundle.json."""
    if folder is not None:
        keys = {
            name: [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
            for name, files in parts_of(folder).items()
        }
        changes.setdefault("pictures", PictureHashes.of(keys).to_json())
    training = {**hostile.document()["training"], "kept": "probe"}
    own = {
        "classes": list(hostile.CLASSES),
        "training": training,
        "parity": {"pictures": 64, "difference": 1e-6},
        **changes,
    }
    text = json.dumps(hostile.document(**own))
    return hostile.archive(hostile.files(conv_model() if model is None else model, text))
