#!/usr/bin/env python3
"""Reference fits of volatility and smoothing models by other libraries (arch, statsmodels), on generated series.

  python baselines.py > baselines.json
"""
import json
import warnings

import arch
import numpy as np
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

warnings.filterwarnings("ignore")


def returns(seed, n, mu, omega, alpha, beta, nu):
    rng = np.random.default_rng(seed)
    r, variance = [], omega / (1 - alpha - beta)
    for _ in range(n):
        z = rng.standard_t(nu) * np.sqrt((nu - 2) / nu)
        r.append(mu + np.sqrt(variance) * z)
        variance = omega + alpha * (r[-1] - mu) ** 2 + beta * variance
    return np.round(r, 6)


def garch(r):
    """GARCH(1,1)-t by arch, presample squares and variance at the sample variance as here."""
    model = arch.arch_model(r, mean="Constant", vol="GARCH", p=1, q=1, dist="t", rescale=False)
    fit = model.fit(backcast=float(np.var(r)), disp="off", tol=1e-12, options={"maxiter": 2000})
    p = fit.params
    return dict(mu=p["mu"], omega=p["omega"], alpha=p["alpha[1]"], beta=p["beta[1]"], nu=p["nu"],
                log_likelihood=fit.loglikelihood, variance=list(fit.conditional_volatility[-3:] ** 2))


def smoothing(seed, n, m, trend, damped, seasonal, weights):
    """Forecasts of statsmodels with known weights and the initial states that are used here."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    y = np.round(10 + 0.05 * t + 3 * np.sin(2 * np.pi * t / 6) + rng.standard_normal(n), 6)
    head = y[: m if seasonal else 10]
    level = head.mean()
    known = dict(initial_level=level)
    if trend:
        known["initial_trend"] = 0.0
    if seasonal:
        known["initial_seasonal"] = head - level
    model = ETSModel(y, error="add", trend="add" if trend else None, damped_trend=damped,
                     seasonal="add" if seasonal else None, seasonal_periods=m if seasonal else None,
                     initialization_method="known", **known)
    fit = model.smooth([weights[name] for name in model.param_names])
    assert not seasonal or abs(fit.resid[0]) < 1e-12, "the first season in its own order"
    return dict(y=y.tolist(), season=m if seasonal else 1, alpha=weights["smoothing_level"],
                beta=weights["smoothing_trend"] if trend else 0.0,
                gamma=weights["smoothing_seasonal"] if seasonal else 0.0,
                phi=(weights["damping_trend"] if damped else 1.0) if trend else 0.0,
                forecast=fit.forecast(15).tolist(), squares=float(np.sum(fit.resid ** 2)))


WEIGHTS = dict(smoothing_level=0.3, smoothing_trend=0.1, smoothing_seasonal=0.25, damping_trend=0.9)
series = [returns(1, 1500, 0.05, 0.05, 0.1, 0.85, 6.0), returns(5, 800, 0.0, 0.1, 0.15, 0.7, 4.5)]
print(json.dumps(dict(
    arch=arch.__version__,
    garch=[dict(returns=r.tolist(), **garch(r)) for r in series],
    ets=[smoothing(3, 80, 6, t, d, s, WEIGHTS) for s in (False, True) for t, d in ((False, False), (True, False), (True, True))],
)))
