"""Reads NAME-forecast.parquet and NAME-forecast-samples.parquet with pandas and Polars, and prints what they find."""

import json
import sys

import pandas as pd
import polars as pl


def plain(value):
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def same(ours, theirs):
    rows = zip(ours.itertuples(index=False), theirs.iter_rows())
    return all([plain(a) for a in one] == [plain(b) for b in other] for one, other in rows)


found = {}
for name in sys.argv[1:]:
    whole, paths = f"{name}-forecast.parquet", f"{name}-forecast-samples.parquet"
    pandas, polars = pd.read_parquet(whole), pl.read_parquet(whole)
    samples = pl.read_parquet(paths)
    found[name] = {
        "pandas": [str(kind) for kind in pandas.dtypes][:3],
        "polars": [str(kind) for kind in polars.dtypes][:3],
        "samples": [str(kind) for kind in samples.dtypes],
        "first": plain(pandas.iloc[0, 0]),
        "equal": same(pandas, polars) and same(pd.read_parquet(paths), samples),
    }
print(json.dumps(found))
