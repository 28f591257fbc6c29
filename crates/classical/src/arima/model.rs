//! Orders of a seasonal ARMA model and its fit to differenced rows.

use super::likelihood::{Profile, conditional, exact};
use super::minimize::minimize;
use super::polynomial::{from_partial, product};

/// Largest magnitude of a partial autocorrelation, so that no root comes close to the unit circle.
const AUTO_BOUND: f64 = 0.99;
const MOVING_BOUND: f64 = 0.985;

/// Parameter of a coefficient that no fitted model had.
const NEW: f64 = 0.1;

/// Orders `(p, q)(P, Q)` of a model of rows that are already differenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Orders {
    pub(crate) auto: usize,
    pub(crate) moving: usize,
    pub(crate) seasonal_auto: usize,
    pub(crate) seasonal_moving: usize,
    /// Whether the differenced rows have a mean other than zero.
    pub(crate) constant: bool,
}

impl Orders {
    /// The number of coefficients.
    pub(crate) fn coefficients(&self) -> usize {
        self.sizes().iter().sum()
    }

    /// The number of unknowns: coefficients, mean, variance.
    pub(crate) fn unknowns(&self) -> usize {
        self.coefficients() + usize::from(self.constant) + 1
    }

    /// Parameters to start from.
    pub(crate) fn start(&self) -> Vec<f64> {
        vec![NEW; self.coefficients()]
    }

    /// Parameters to start from, those of a fitted model where both have them. A partial autocorrelation of zero leaves
    /// a model as it was, so a small one is close to it.
    pub(crate) fn start_from(&self, model: &Model) -> Vec<f64> {
        let mut rest = model.parameters.as_slice();
        let mut start = Vec::with_capacity(self.coefficients());
        let (from, to) = (model.orders.sizes(), self.sizes());
        for (known, wanted) in from.into_iter().zip(to) {
            let (part, after) = rest.split_at(known);
            start.extend((0..wanted).map(|at| part.get(at).map_or(NEW, |x| x.clamp(-2.0, 2.0))));
            rest = after;
        }
        start
    }

    fn sizes(&self) -> [usize; 4] {
        [self.auto, self.moving, self.seasonal_auto, self.seasonal_moving]
    }

    /// Full polynomials `φ` and `θ` from parameters on the real line.
    pub(crate) fn polynomials(&self, parameters: &[f64], season: usize) -> (Vec<f64>, Vec<f64>) {
        let (auto, rest) = parameters.split_at(self.auto);
        let (moving, rest) = rest.split_at(self.moving);
        let (seasonal_auto, seasonal_moving) = rest.split_at(self.seasonal_auto);
        let stable = |part: &[f64], bound: f64| {
            from_partial(&part.iter().map(|x| bound * x.tanh()).collect::<Vec<f64>>())
        };
        let phi = product(&stable(auto, AUTO_BOUND), &stable(seasonal_auto, AUTO_BOUND), season);
        // The polynomial 1 + Σ θⱼBʲ is invertible where 1 - Σ (-θⱼ)Bʲ is stationary.
        let minus =
            product(&stable(moving, MOVING_BOUND), &stable(seasonal_moving, MOVING_BOUND), season);
        (phi, minus.iter().map(|theta| -theta).collect())
    }
}

/// Likelihood by which the coefficients are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likelihood {
    Exact,
    Conditional,
}

/// A fitted model of differenced rows.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) orders: Orders,
    pub(crate) parameters: Vec<f64>,
    pub(crate) phi: Vec<f64>,
    pub(crate) theta: Vec<f64>,
    pub(crate) profile: Profile,
    /// Akaike's criterion with its correction for few rows.
    pub(crate) criterion: f64,
}

impl Model {
    /// Fits the coefficients from `start` until a step changes the deviance by less than `tolerance`. `None` where the
    /// rows are too few.
    pub(crate) fn fit(
        rows: &[f64],
        season: usize,
        orders: Orders,
        likelihood: Likelihood,
        start: &[f64],
        tolerance: f64,
    ) -> Option<Model> {
        let rest = rows.len().checked_sub(orders.unknowns() + 2)?;
        let profile = |parameters: &[f64]| -> Option<Profile> {
            let (phi, theta) = orders.polynomials(parameters, season);
            match likelihood {
                Likelihood::Exact => exact(rows, &phi, &theta, orders.constant),
                Likelihood::Conditional => conditional(rows, &phi, &theta, orders.constant),
            }
        };
        // Coefficients at their bound gain nothing from going further out.
        let objective = |parameters: &[f64]| {
            let outside: f64 = parameters.iter().map(|x| (x.abs() - 4.0).max(0.0).powi(2)).sum();
            profile(parameters)
                .map_or(f64::NAN, |profile| profile.deviance / rows.len() as f64 + outside)
        };
        let (parameters, _) = minimize(&objective, start, 60, tolerance / rows.len() as f64);
        let profile = profile(&parameters)?;
        let (phi, theta) = orders.polynomials(&parameters, season);
        let unknowns = orders.unknowns() as f64;
        // The conditional likelihood leaves out the first rows; it is stretched to all of them.
        let all = match likelihood {
            Likelihood::Exact => profile.deviance,
            Likelihood::Conditional => {
                profile.deviance * rows.len() as f64 / (rows.len() - phi.len()) as f64
            }
        };
        let criterion =
            all + 2.0 * unknowns + 2.0 * unknowns * (unknowns + 1.0) / (rest as f64 + 1.0);
        criterion.is_finite().then_some(Model {
            orders,
            parameters,
            phi,
            theta,
            profile,
            criterion,
        })
    }
}
