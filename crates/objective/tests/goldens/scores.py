#!/usr/bin/env python3
"""Reference scores of small generated forecasts, by the definitions in plain loops (numpy only for draws).

  python scores.py > scores.json

Nothing is sorted but for the quantiles, and pairs are enumerated. The quantile is interpolated between the
two neighbors of position q (S - 1).
"""
import json
import math

import numpy as np

LEVELS = [k / 20 for k in range(1, 20)]


def quantile(values, q):
    values = sorted(values)
    position = q * (len(values) - 1)
    low = math.floor(position)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (position - low)


def crps(xs, y, fair):
    n = len(xs)
    pairs = sum(abs(a - b) for a in xs for b in xs)
    return sum(abs(x - y) for x in xs) / n - pairs / (2 * (n * (n - 1) if fair else n * n))


def energy(points, y, fair):
    n = len(points)
    pairs = sum(math.dist(a, b) for a in points for b in points)
    return sum(math.dist(p, y) for p in points) / n - pairs / (2 * (n * (n - 1) if fair else n * n))


def window(cells):
    """Scores of the (truth, samples) cells of one window."""
    total = sum(abs(y) for y, _ in cells)
    n = len(cells)
    at = lambda q: [quantile(xs, q) for _, xs in cells]
    loss = lambda q: sum(2 * abs((z - y) * ((y <= z) - q)) for z, (y, _) in zip(at(q), cells))
    below = [sum(y < z for z, (y, _) in zip(at(q), cells)) / n for q in LEVELS]
    median = sum(abs(y - z) for z, (y, _) in zip(at(0.5), cells))
    mse = sum((y - sum(xs) / len(xs)) ** 2 for y, xs in cells) / n
    width = sum(b - a for a, b in zip(at(0.05), at(0.95))) / n
    inside = lambda p: sum(a <= y <= b for a, b, (y, _) in zip(at((1 - p) / 2), at((1 + p) / 2), cells)) / n
    return dict(observed=n, crps=sum(map(loss, LEVELS)) / len(LEVELS) / total,
                crps_samples=sum(crps(xs, y, False) for y, xs in cells) / total,
                nmae=median / total, mse=mse, mae=median / n, nrmse=math.sqrt(mse) / (total / n),
                mae_coverage=sum(abs(b - q) for b, q in zip(below, LEVELS)) / len(LEVELS), coverage_below=below,
                coverage_50=inside(0.5), coverage_80=inside(0.8), coverage_90=inside(0.9), width_90=width)


def case(name, seed, S, N, H, C, offset, missing):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** np.arange(C)
    truth = np.round((offset + rng.standard_normal((N, H, C))) * scale, 4)
    samples = np.round((offset + 1.3 * rng.standard_normal((S, N, H, C)) + 0.2) * scale, 4)
    observed = rng.random((N, H, C)) >= missing
    steps = [(n, h) for n in range(N) for h in range(H)]
    cells = [[(truth[n, h, c], list(samples[:, n, h, c])) for h in range(H) for c in range(C) if observed[n, h, c]] for n in range(N)]
    sums = [[(truth[n, h].sum(), list(samples[:, n, h].sum(-1))) for h in range(H) if observed[n, h].all()] for n in range(N)]
    return dict(name=name, shape=[S, N, H, C], truth=truth.ravel().tolist(), samples=samples.ravel().tolist(),
                observed=observed.ravel().tolist(), windows=[window(w) for w in cells], sums=[window(w) for w in sums],
                crps_plain=[crps(list(samples[:, n, h, c]), truth[n, h, c], False) for n, h in steps for c in range(C)],
                crps_fair=[crps(list(samples[:, n, h, c]), truth[n, h, c], True) for n, h in steps for c in range(C)] if S > 1 else None,
                energy_plain=[energy([samples[s, n].ravel() for s in range(S)], truth[n].ravel(), False) for n in range(N)],
                energy_fair=[energy([samples[s, n].ravel() for s in range(S)], truth[n].ravel(), True) for n in range(N)] if S > 1 else None)


cases = [
    case("two channels of unequal size", 1, 7, 3, 4, 2, 3.0, 0.0),
    case("a fifth missing", 2, 8, 3, 5, 2, 2.0, 0.2),
    case("one sample", 3, 1, 2, 3, 2, 1.0, 0.0),
    case("one channel", 4, 20, 2, 3, 1, 0.0, 0.0),
]
print(json.dumps(dict(cases=cases)).replace("}, {", "},\n{"))
