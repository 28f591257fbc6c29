"""Forecasts sales.csv with sales.onnx as the documentation shows; prints its quantiles beside those of forecast.csv."""

import json

import numpy as np
import onnxruntime
import pandas as pd

rows = pd.read_csv("sales.csv", parse_dates=["date"]).tail(8)
ahead = pd.read_csv("forecast.csv", parse_dates=["date"])
times = pd.concat([rows["date"], ahead["date"]]).to_numpy("datetime64[us]").astype(int)
rng = np.random.default_rng(1)
noise = {
    "latent_noise": rng.standard_normal((20_000, 1, 2), "float32"),
    "value_noise": rng.standard_normal((20_000, 1, 4, 1), "float32"),
}
window = {"context": [rows[["sales"]]], "time": [times]}
session = onnxruntime.InferenceSession("sales.onnx", providers=["CPUExecutionProvider"])
samples, quantiles = session.run(None, window | noise)
print(
    json.dumps(
        {
            "ballast": ahead.filter(regex="_q").to_numpy().tolist(),
            "onnx": quantiles[:, 0, :, 0].T.tolist(),
            "spread": samples[:, 0, :, 0].std(axis=0).tolist(),
        }
    )
)
