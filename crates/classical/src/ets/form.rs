//! Forms of exponential smoothing, and their parameters.

/// How a part enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    None,
    Additive,
    Multiplicative,
}

/// The trend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trend {
    None,
    Additive,
    Damped,
}

/// A form: error, trend and season.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether the error is a share of the forecast.
    pub(super) relative: bool,
    pub(super) trend: Trend,
    pub(super) season: Kind,
}

impl Form {
    /// All forms in use, the simple ones first: additive errors go with no or additive seasons, relative errors with
    /// all. Multiplicative parts need positive values.
    pub(super) fn all(seasonal: bool, positive: bool) -> Vec<Form> {
        let mut forms = Vec::new();
        for season in [Kind::None, Kind::Additive, Kind::Multiplicative] {
            for trend in [Trend::None, Trend::Additive, Trend::Damped] {
                for relative in [false, true] {
                    let multiplied = season == Kind::Multiplicative;
                    let known = seasonal || season == Kind::None;
                    let allowed = if relative { positive } else { !multiplied };
                    if known && allowed {
                        forms.push(Form { relative, trend, season });
                    }
                }
            }
        }
        forms
    }

    pub(super) fn has_trend(self) -> bool {
        self.trend != Trend::None
    }

    pub(super) fn has_season(self) -> bool {
        self.season != Kind::None
    }

    /// The number of smoothing parameters: α, β, φ, γ as far as the form has them.
    pub(super) fn weights(self) -> usize {
        let of_trend = match self.trend {
            Trend::None => 0,
            Trend::Additive => 1,
            Trend::Damped => 2,
        };
        1 + of_trend + usize::from(self.has_season())
    }

    /// The number of estimated numbers, the variance among them, with `season` rows per season.
    pub(super) fn size(self, season: usize) -> usize {
        let states = 1 + usize::from(self.has_trend());
        self.weights() + states + if self.has_season() { season - 1 } else { 0 } + 1
    }
}

/// Smoothing parameters; a part that the form leaves out has weight 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Weights {
    pub(super) alpha: f64,
    pub(super) beta: f64,
    pub(super) gamma: f64,
    pub(super) phi: f64,
}

/// Bounds of φ.
const PHI: (f64, f64) = (0.8, 0.98);

/// Distance of the other bounds from 0 and 1.
const MARGIN: f64 = 1e-4;

fn share(x: f64) -> f64 {
    MARGIN + (1.0 - 2.0 * MARGIN) / (1.0 + (-x).exp())
}

fn share_slope(x: f64) -> f64 {
    let s = 1.0 / (1.0 + (-x).exp());
    (1.0 - 2.0 * MARGIN) * s * (1.0 - s)
}

fn unshare(s: f64) -> f64 {
    let s = ((s - MARGIN) / (1.0 - 2.0 * MARGIN)).clamp(1e-9, 1.0 - 1e-9);
    (s / (1.0 - s)).ln()
}

impl Form {
    /// Weights inside the usual region from unbounded numbers: `0 < α < 1`, `0 < β < α`, `0 < γ < 1 − α`,
    /// `0.8 < φ < 0.98`.
    pub(super) fn bounded(self, x: &[f64]) -> Weights {
        let mut rest = x[1..].iter().map(|x| share(*x));
        let mut next = || rest.next().unwrap_or(0.0);
        let alpha = share(x[0]);
        let beta = if self.has_trend() { alpha * next() } else { 0.0 };
        let phi = match self.trend {
            Trend::None => 0.0,
            Trend::Additive => 1.0,
            Trend::Damped => PHI.0 + (PHI.1 - PHI.0) * next(),
        };
        let gamma = if self.has_season() { (1.0 - alpha) * next() } else { 0.0 };
        Weights { alpha, beta, gamma, phi }
    }

    /// The unbounded numbers of weights.
    pub(super) fn unbounded(self, weights: Weights) -> Vec<f64> {
        let mut x = vec![unshare(weights.alpha)];
        if self.has_trend() {
            x.push(unshare(weights.beta / weights.alpha));
        }
        if self.trend == Trend::Damped {
            x.push(unshare((weights.phi - PHI.0) / (PHI.1 - PHI.0)));
        }
        if self.has_season() {
            x.push(unshare(weights.gamma / (1.0 - weights.alpha)));
        }
        x
    }

    /// The gradient by the unbounded numbers from that by the weights.
    pub(super) fn chain(self, x: &[f64], by: Weights, out: &mut [f64]) {
        let weights = self.bounded(x);
        let mut of_alpha = by.alpha;
        let mut index = 1;
        if self.has_trend() {
            of_alpha += by.beta * weights.beta / weights.alpha;
            out[index] = by.beta * weights.alpha * share_slope(x[index]);
            index += 1;
        }
        if self.trend == Trend::Damped {
            out[index] = by.phi * (PHI.1 - PHI.0) * share_slope(x[index]);
            index += 1;
        }
        if self.has_season() {
            of_alpha -= by.gamma * weights.gamma / (1.0 - weights.alpha);
            out[index] = by.gamma * (1.0 - weights.alpha) * share_slope(x[index]);
        }
        out[0] = of_alpha * share_slope(x[0]);
    }
}
