"""Writes schedules.csv and reinjection.csv: the values that tests/golden.rs compares with.

    pip install mpmath==1.4.1 && python generate.py

Everything is computed with 60 digits from the definitions: products, not sums of logarithms;
bisection, not inverse formulas. Parameters are exact decimals.
"""

import csv
import pathlib

from mpmath import cos, exp, floor, log, mp, mpf, nstr, pi, sqrt

mp.dps = 60
HERE = pathlib.Path(__file__).parent


def linear(steps, start, end):
    return [start + (end - start) * mpf(i) / max(steps - 1, 1) for i in range(steps)]


def quadratic(steps, start, end):
    return [b * b for b in linear(steps, sqrt(start), sqrt(end))]


def sigmoid(steps, start, end):
    return [start + (end - start) / (1 + exp(-x)) for x in linear(steps, mpf(-6), mpf(6))]


def constant(steps, start, end):
    return [end] * steps


def jsd(steps, start, end):
    return [mpf(1) / (steps - t + 1) for t in range(1, steps + 1)]


def cosine(steps, start, end):
    s = mpf("0.008")
    f = [cos((mpf(t) / steps + s) / (1 + s) * pi / 2) ** 2 for t in range(steps + 1)]
    betas = [1 - f[t] / f[t - 1] for t in range(1, steps + 1)]
    assert all(beta < mpf("0.999") for beta in betas[:-1]), "cut before the last step"
    return [min(beta, mpf("0.999")) for beta in betas]


def custom(steps, start, end):
    return [mpf(b) for b in ("0.5", "0", "0.25", "1", "0.125")]


CASES = [
    (linear, 100, "0.0001", "0.1"),
    (linear, 1000, "0.0001", "0.02"),
    (linear, 1000, "0", "1"),
    (linear, 1, "0.25", "0.5"),
    (quadratic, 100, "0.0001", "0.1"),
    (quadratic, 1000, "0.00085", "0.012"),
    (sigmoid, 100, "0.0001", "0.1"),
    (sigmoid, 1000, "0.0000001", "0.002"),
    (constant, 100, "0", "0.1"),
    (constant, 1000, "0", "0.000001"),
    (cosine, 1000, "0", "0"),
    (cosine, 50, "0", "0"),
    (cosine, 1, "0", "0"),
    (jsd, 100, "0", "0"),
    (jsd, 1000, "0", "0"),
    (custom, 5, "0", "0"),
]
STRENGTHS = ["0", "0.001", "0.5", "1", "2", "1000"]


def text(value):
    return nstr(value, 25, strip_zeros=False) if abs(value) != mp.inf else str(value)


def ratio(a, b):
    return a / b if b != 0 else mp.inf


def logarithm(value):
    return {0: -mp.inf, mp.inf: mp.inf}.get(value) or log(value)


def alpha_bar_at(tau, betas, alpha_bar):
    """ln ᾱ is linear within a step; ᾱ is, where the step destroys everything."""
    t = int(floor(tau))
    if t == len(betas):
        return alpha_bar[t]
    alpha, within = 1 - betas[t], tau - t
    return alpha_bar[t] * (alpha**within if alpha > 0 else 1 - within)


def equivalent_step(wanted, betas, alpha_bar):
    """The smallest τ with ᾱ_τ <= wanted, by bisection."""
    low, high = mpf(0), mpf(len(betas))
    if wanted >= 1:
        return low
    for _ in range(190):
        middle = (low + high) / 2
        if alpha_bar_at(middle, betas, alpha_bar) <= wanted:
            high = middle
        else:
            low = middle
    return high


with open(HERE / "schedules.csv", "w", newline="") as a, open(
    HERE / "reinjection.csv", "w", newline=""
) as b:
    tables, processes = csv.writer(a, lineterminator="\n"), csv.writer(b, lineterminator="\n")
    tables.writerow("schedule steps start end t beta alpha_bar noise_variance snr log_snr".split())
    processes.writerow(
        "schedule steps start end t strength signal std snr equivalent_alpha_bar equivalent_step".split()
    )
    for rule, steps, start, end in CASES:
        betas = rule(steps, mpf(start), mpf(end))
        alpha_bar = [mpf(1)]
        for beta in betas:
            alpha_bar.append(alpha_bar[-1] * (1 - beta))
        name = [rule.__name__, steps, start, end]
        for t in sorted({0, 1, 2, 3, steps // 4, steps // 2, 3 * steps // 4, steps - 1, steps}):
            if t > steps:
                continue
            A, N = alpha_bar[t], 1 - alpha_bar[t]
            beta = betas[t - 1] if t else mpf(0)
            snr = ratio(A, N)
            tables.writerow(name + [t] + [text(v) for v in (beta, A, N, snr, logarithm(snr))])
            for strength in STRENGTHS:
                x, s = sqrt(A) + mpf(strength), sqrt(N)
                scale = sqrt(x * x + s * s)
                E = x * x / (x * x + s * s)
                row = (x / scale, s / scale, ratio(x * x, N), E)
                tau = equivalent_step(E, betas, alpha_bar)
                processes.writerow(name + [t, strength] + [text(v) for v in (*row, tau)])
