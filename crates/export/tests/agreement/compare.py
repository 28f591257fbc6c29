"""Runs exported files, and prints the largest differences to the forecasts beside them as JSON.

Usage: compare.py onnx|torchscript FOLDER NAME...
"""

import json
import sys
from pathlib import Path

import numpy as np

form, folder, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]


def read(case, entry):
    numbers = np.fromfile(case / f"{entry['name']}.bin", entry["kind"])
    return numbers.reshape(entry["size"])


def onnx(path):
    import onnx
    import onnxruntime

    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 2  # a warning is a fault of the file
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(["samples", "quantiles"], inputs)


def torchscript(path):
    import torch

    torch.set_num_threads(1)
    module = torch.jit.load(str(path))
    return lambda inputs: [module(*map(torch.from_numpy, inputs.values())).numpy()]


def of_samples(name):
    return int(name.endswith("noise") or name == "chi_square")


found = {}
for name in names:
    case = folder / name
    listed = json.loads((case / "list.json").read_text())
    inputs = {entry["name"]: read(case, entry) for entry in listed["inputs"]}
    expected, rounding = read(case, listed["expected"]), read(case, listed["rounding"])
    spread = read(case, listed["spread"]).ravel()
    run = onnx(case / "forecast.onnx") if form == "onnx" else torchscript(case / "forecast.pt")
    found[name] = []
    # Another number of windows, of samples, and of both.
    for samples, windows in [(len(expected), expected.shape[1]), (3, 1)]:
        part = {}
        for key, value in inputs.items():
            value = value[:samples, :windows] if of_samples(key) else value[:windows]
            part[key] = np.ascontiguousarray(value)
        drawn, *quantiles = run(part)
        wanted = expected[:samples, :windows]
        assert drawn.shape == wanted.shape, (drawn.shape, wanted.shape)
        gap = np.maximum(np.abs(drawn - wanted) - rounding[:samples, :windows], 0) / spread
        gap[np.isnan(drawn) & np.isnan(wanted)] = 0
        found[name].append(float(gap.max()))
        own = np.quantile(drawn, listed["levels"], axis=0)
        for quantiles in quantiles:
            np.testing.assert_allclose(quantiles, own, rtol=1e-9, err_msg=name)
print(json.dumps(found))
