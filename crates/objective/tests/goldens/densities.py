#!/usr/bin/env python3
"""Reference values for this crate's tests, by integration at 30 digits (needs mpmath).

  python densities.py > densities.json

Each value is computed from its definition, never by the formula under test: noised densities as the
convolution of the clean density with a Gaussian (no mixture, no erfcx), the CRPS as the integral of
squared differences of distribution functions.
"""
import itertools
import json

from mpmath import betainc, erfc, exp, expm1, inf, log, log1p, loggamma, mp, mpf, ncdf, npdf, pi, quad, sqrt

mp.dps = 30


def t_pdf(x, df):
    norm = loggamma((df + 1) / 2) - loggamma(df / 2) - log(pi * df) / 2
    return exp(norm - (df + 1) / 2 * log(1 + x * x / df))


def laplace_pdf(x, _):
    return exp(-abs(x)) / 2


def t_cdf(x, df):
    tail = betainc(df / 2, mpf(1) / 2, 0, df / (df + x * x), regularized=True) / 2
    return 1 - tail if x > 0 else tail


def laplace_cdf(x, _):
    return 1 - exp(-x) / 2 if x > 0 else exp(x) / 2


def cuts(r, s):
    """Where the integrand over eps may bend: around 0 (noise), around r/s (law, width 1/s), between."""
    points = {mpf(0), r / s}
    for k in (1, 3, 6, 12, 24, 48):
        points |= {mpf(k), mpf(-k)}
    for k in (0.1, 0.3, 1, 3, 10, 30, 100, 1000, 10000):
        points |= {r / s + k / s, r / s - k / s}
    for k in range(1, 24):
        points.add(r / s * k / 24)
    return sorted(points)


def noised(pdf, r, s, df):
    """log density at r of X + s eps."""
    points = cuts(r, s)
    points = [p for p in points if abs(p) <= 60 or abs(p) <= abs(r / s)]
    # quad stops at an absolute error: bring the integrand to the size of 1 first
    size = max(pdf(r - s * p, df) * npdf(p) for p in points)
    # beyond the last cuts the integrand decays like the Gaussian
    ends = [points[0] - 20] + points + [points[-1] + 20]
    return log(quad(lambda eps: pdf(r - s * eps, df) * npdf(eps) / size, ends)) + log(size)


def crps(cdf, y, df):
    below = quad(lambda x: cdf(x, df) ** 2, [-inf, -100, -10, -3, -1, 0, y] if y > 0 else [-inf, -100, -10, -3, y])
    above = quad(lambda x: (1 - cdf(x, df)) ** 2 if x <= 0 else cdf(-x, df) ** 2, [y, y + 1, y + 3, y + 10, y + 100, inf])
    return below + above


def rows(function, *axes):
    return [[float(v) for v in point] + [float(function(*map(mpf, point)))] for point in itertools.product(*axes)]


out = {
    # residual/scale, s/scale, df, log density (scale 1)
    "student_noised": rows(lambda r, s, df: noised(t_pdf, r, s, df),
                           ["0", "0.5", "2", "5", "10", "40", "1000"], ["0.001", "0.03", "0.3", "1", "3", "30"],
                           ["2.05", "3", "6", "30", "1000"]),
    "laplace_noised": rows(lambda r, s: noised(laplace_pdf, r, s, None),
                           ["0", "0.01", "0.5", "2", "5", "10", "40", "200"],
                           ["0.001", "0.03", "0.3", "1", "3", "30", "300"]),
    "student_crps": rows(lambda y, df: crps(t_cdf, y, df), ["0", "0.3", "1", "4", "30"], ["2.05", "3", "6", "30", "1000"]),
    "laplace_crps": rows(lambda y: crps(laplace_cdf, y, None), ["0", "0.3", "1", "4", "30"]),
    "gaussian_crps": rows(lambda y: crps(lambda x, _: ncdf(x), y, None), ["0", "0.3", "1", "4", "30"]),
    "student_cdf": rows(t_cdf, ["-1000", "-7", "-1", "-0.01", "0", "0.3", "2", "9", "100000"],
                        ["2.0001", "2.05", "3", "6", "30", "1000", "1000000"]),
    # special functions
    "expm1_minus": rows(lambda x: expm1(x) - x, ["-50", "-3", "-0.26", "-0.25", "-0.1", "-1e-3", "-1e-7", "1e-12", "1e-5", "0.01", "0.24", "0.26", "1", "20"]),
    "ln_mills": rows(lambda u: u * u / 2 + log(erfc(u / sqrt(2)) / 2), ["0", "1e-6", "0.3", "1", "5", "15", "24.9", "25.1", "100", "10000"]),
    "ln_ndtr_positive": rows(lambda v: log1p(-erfc(v / sqrt(2)) / 2), ["0", "1e-6", "0.3", "1", "5", "8", "30"]),
    "ln_gamma_half_step": rows(lambda z: loggamma(z + mpf(1) / 2) - loggamma(z), ["0.6", "1", "1.5", "7", "19.9", "20.1", "50", "1000", "1000000"]),
    "stirling": rows(lambda z: z * log(z) - z - loggamma(z), ["0.6", "1", "1.5", "7", "19.9", "20.1", "50", "1000", "1000000"]),
}
print(json.dumps(out).replace("]], ", "]],\n").replace("], [", "],\n  ["))
