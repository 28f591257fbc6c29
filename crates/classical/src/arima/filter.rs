//! The Kalman filter of a stationary ARMA model, in the form of Harvey.

use super::polynomial::autocovariances;

/// Change of the state's covariance below which it is taken as steady.
const STEADY: f64 = 1e-7;

/// Filter of `φ(B) w = θ(B) e` with innovations of variance one, started from the stationary law.
///
/// ```text
/// w_t = α_t[0],   α_{t+1}[i] = φ_{i+1} α_t[0] + α_t[i+1] + θ_i e_{t+1},   θ_0 = 1
/// ```
///
/// # References
/// Harvey (1993), *Time Series Models*, section 4.4; Gardner, Harvey & Phillips (1980), *Algorithm AS 154*.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// `φ`, filled with zeros to the size of the state.
    phi: Vec<f64>,
    /// `1, θ₁, …`, filled with zeros to the size of the state.
    theta: Vec<f64>,
    /// Mean of the next state given the rows so far.
    mean: Vec<f64>,
    /// Its covariance, lower triangle; empty once it is steady.
    covariance: Vec<f64>,
}

/// Expectation of the next row before the filter sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    /// Mean of the next row.
    pub(crate) mean: f64,
    /// Its variance, in units of the innovations' variance.
    pub(crate) variance: f64,
}

impl Filter {
    /// `None` where the autoregression is not stationary.
    pub(crate) fn new(phi: &[f64], theta: &[f64]) -> Option<Filter> {
        let size = phi.len().max(theta.len() + 1);
        let pad = |mut values: Vec<f64>| {
            values.resize(size, 0.0);
            values
        };
        let mut moving = vec![1.0];
        moving.extend_from_slice(theta);
        let (phi, theta) = (pad(phi.to_vec()), pad(moving));
        let covariance = stationary(&phi, &theta)?;
        Some(Filter { mean: vec![0.0; size], phi, theta, covariance })
    }

    pub(crate) fn ahead(&self) -> Ahead {
        let variance = self.covariance.first().copied().unwrap_or(1.0);
        Ahead { mean: self.mean[0], variance }
    }

    /// Moves on by one row, which was `error` away from the mean ahead.
    pub(crate) fn advance(&mut self, error: f64) {
        let gains = self.gains();
        self.shift(error, &gains);
        self.settle();
    }

    /// How much one unit of error of the next row moves each component of the state's mean.
    pub(crate) fn gains(&self) -> Vec<f64> {
        let mut gains = vec![0.0; self.phi.len()];
        self.gains_into(&mut gains);
        gains
    }

    pub(crate) fn gains_into(&self, gains: &mut [f64]) {
        gains
            .iter_mut()
            .enumerate()
            .for_each(|(at, gain)| *gain = self.phi[at] + self.first(at + 1));
    }

    /// Whether the covariance no longer changes, so that the variance ahead is one and the gains stay.
    pub(crate) fn is_steady(&self) -> bool {
        self.covariance.is_empty()
    }

    /// Covariance of component `at` with the first one, over the first one's variance.
    fn first(&self, at: usize) -> f64 {
        let size = self.phi.len();
        if at >= size {
            0.0
        } else if self.covariance.is_empty() {
            self.theta[at]
        } else {
            self.covariance[at * size] / self.covariance[0]
        }
    }

    /// Moves the mean on.
    pub(crate) fn shift(&mut self, error: f64, gains: &[f64]) {
        propagate(&mut self.mean, &self.phi, error, gains);
    }

    /// Mean of the next state.
    pub(crate) fn state(&self) -> &[f64] {
        &self.mean
    }

    /// Autoregressive coefficients, filled with zeros to the size of the state.
    pub(crate) fn phi(&self) -> &[f64] {
        &self.phi
    }

    /// Moving-average coefficients with the one in front, filled with zeros to the size of the state.
    #[cfg(test)]
    pub(crate) fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// Moves the covariance on: `P'ᵢⱼ = Pᵢ₊₁,ⱼ₊₁ - Pᵢ₊₁,₀ Pⱼ₊₁,₀ / P₀₀ + θᵢθⱼ`.
    pub(crate) fn settle(&mut self) {
        if self.covariance.is_empty() {
            return;
        }
        let size = self.phi.len();
        let variance = self.covariance[0];
        let column: Vec<f64> = (1..size).map(|at| self.covariance[at * size]).collect();
        let mut change = 0.0_f64;
        for row in 0..size {
            let (head, tail) = self.covariance.split_at_mut((row + 1) * size);
            let here = &mut head[row * size..=row * size + row];
            let own = self.theta[row];
            if row + 1 == size {
                here.iter_mut().zip(&self.theta).for_each(|(p, theta)| *p = own * theta);
                break;
            }
            let factor = column[row] / variance;
            let below = &tail[1..=row + 1];
            for (((p, below), theta), side) in
                here.iter_mut().zip(below).zip(&self.theta).zip(&column)
            {
                *p = below - factor * side + own * theta;
            }
            change = change.max((here[0] - own).abs());
        }
        if change < STEADY {
            self.covariance = Vec::new();
        }
    }
}

/// Moves the mean of a state on by one row that was `error` away from its first component.
pub(crate) fn propagate(mean: &mut [f64], phi: &[f64], error: f64, gains: &[f64]) {
    let first = mean[0];
    let size = mean.len();
    for at in 0..size {
        let next = if at + 1 < size { mean[at + 1] } else { 0.0 };
        mean[at] = phi[at] * first + next + gains[at] * error;
    }
}

/// Covariance of the state under the stationary law, lower triangle of `[size, size]`. The first column follows from
/// the autocovariances, and the others from `P = T P Tᵀ + θ θᵀ`, solved from the last corner up.
fn stationary(phi: &[f64], theta: &[f64]) -> Option<Vec<f64>> {
    let size = phi.len();
    let gamma = mixed(phi, theta)?;
    let psi = super::polynomial::psi(phi, &theta[1..], size);
    let weight = |lag: usize| if lag == 0 { 1.0 } else { psi[lag - 1] };
    let mut p = vec![0.0; size * size];
    let mut column = vec![gamma[0]; size];
    for (at, out) in column.iter_mut().enumerate().skip(1) {
        *out = (at..size).map(|k| phi[k] * gamma[k - at + 1] + theta[k] * weight(k - at)).sum();
    }
    for row in (0..size).rev() {
        for at in (0..=row).rev() {
            let next = |i: usize| column.get(i).copied().unwrap_or(0.0);
            let corner = if row + 1 < size { p[(row + 1) * size + at + 1] } else { 0.0 };
            p[row * size + at] = if at == 0 {
                column[row]
            } else {
                phi[row] * phi[at] * gamma[0]
                    + phi[row] * next(at + 1)
                    + phi[at] * next(row + 1)
                    + corner
                    + theta[row] * theta[at]
            };
        }
    }
    Some(p)
}

/// Autocovariances of the mixed model at lags 0 … size: `γ(k) = Σᵢⱼ θᵢ θⱼ γ_φ(k + i - j)`.
fn mixed(phi: &[f64], theta: &[f64]) -> Option<Vec<f64>> {
    let size = phi.len();
    let order = phi.iter().rposition(|phi| *phi != 0.0).map_or(0, |last| last + 1);
    let pure = autocovariances(&phi[..order], 2 * size)?;
    let terms: Vec<(usize, f64)> =
        theta.iter().copied().enumerate().filter(|(_, theta)| *theta != 0.0).collect();
    let gamma = (0..=size)
        .map(|lag| {
            terms
                .iter()
                .flat_map(|&(i, a)| terms.iter().map(move |&(j, b)| (i, j, a * b)))
                .map(|(i, j, weight)| weight * pure[(lag + i).abs_diff(j)])
                .sum()
        })
        .collect();
    Some(gamma)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log-likelihood by the filter at variance one, up to the constant of 2π.
    fn by_filter(values: &[f64], phi: &[f64], theta: &[f64]) -> f64 {
        let mut filter = Filter::new(phi, theta).unwrap();
        let mut sum = 0.0;
        for value in values {
            let ahead = filter.ahead();
            let error = value - ahead.mean;
            sum -= 0.5 * (error * error / ahead.variance + ahead.variance.ln());
            filter.advance(error);
        }
        sum
    }

    /// The same from the full covariance of all rows, whose autocovariances are sums of many ψ weights.
    fn by_covariance(values: &[f64], phi: &[f64], theta: &[f64]) -> f64 {
        let rows = values.len();
        let mut psi = vec![1.0];
        psi.extend(super::super::polynomial::psi(phi, theta, 3000));
        let gamma = |lag: usize| -> f64 { psi.iter().zip(&psi[lag..]).map(|(a, b)| a * b).sum() };
        let mut l = vec![vec![0.0_f64; rows]; rows];
        let mut sum = 0.0;
        let mut whitened = vec![0.0; rows];
        for i in 0..rows {
            for j in 0..=i {
                let inner: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
                let rest = gamma(i - j) - inner;
                l[i][j] = if i == j { rest.sqrt() } else { rest / l[j][j] };
            }
            let inner: f64 = (0..i).map(|k| l[i][k] * whitened[k]).sum();
            whitened[i] = (values[i] - inner) / l[i][i];
            sum -= 0.5 * whitened[i] * whitened[i] + l[i][i].ln();
        }
        sum
    }

    #[test]
    fn the_likelihood_is_that_of_the_joint_gaussian() {
        let values: Vec<f64> = (0..40)
            .map(|row| (f64::from(row) * 0.7).sin() + f64::from(row % 5) * 0.3 - 0.6)
            .collect();
        let cases: [(&[f64], &[f64]); 6] = [
            (&[], &[]),
            (&[0.7], &[]),
            (&[], &[-0.6]),
            (&[0.65, -0.3], &[0.4]),
            (&[0.5, 0.0, 0.0, 0.4, -0.2], &[0.3, 0.0, 0.0, -0.5, -0.15]),
            (&[0.9], &[0.2, 0.5, -0.3]),
        ];
        for (phi, theta) in cases {
            let (a, b) = (by_filter(&values, phi, theta), by_covariance(&values, phi, theta));
            assert!((a - b).abs() < 1e-5, "{phi:?} {theta:?}: {a} against {b}");
        }
    }

    #[test]
    fn the_closed_form_of_a_first_order_autoregression() {
        let (values, phi) = ([0.3, -1.0, 0.4], 0.6);
        let scale: f64 = 1.0 - phi * phi;
        let mut wanted = -0.5 * (values[0] * values[0] * scale - scale.ln());
        for row in 1..3 {
            wanted -= 0.5 * (values[row] - phi * values[row - 1]).powi(2);
        }
        assert!((by_filter(&values, &[phi], &[]) - wanted).abs() < 1e-12);
    }

    #[test]
    fn the_filter_becomes_steady() {
        let mut filter = Filter::new(&[0.5], &[0.4]).unwrap();
        (0..60).for_each(|_| filter.advance(0.1));
        assert!(filter.covariance.is_empty());
        assert_eq!(filter.gains(), vec![0.9, 0.0]);
        assert!(Filter::new(&[1.2], &[]).is_none());
    }
}
