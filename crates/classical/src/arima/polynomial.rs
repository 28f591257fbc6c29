//! Lag polynomials of seasonal ARMA models.

/// Coefficients `φ` of a stationary autoregression `1 - φ₁B - … - φₚBᵖ` from its partial autocorrelations in (-1, 1).
///
/// # References
/// Barndorff-Nielsen & Schou (1973), *On the parametrization of autoregressive models by partial autocorrelations*.
pub(crate) fn from_partial(partial: &[f64]) -> Vec<f64> {
    let mut phi: Vec<f64> = Vec::with_capacity(partial.len());
    for &last in partial {
        let before = phi.clone();
        let order = before.len();
        phi.iter_mut().enumerate().for_each(|(at, phi)| *phi -= last * before[order - 1 - at]);
        phi.push(last);
    }
    phi
}

/// Coefficients `c` of `1 - Σ cⱼBʲ = (1 - Σ aᵢBⁱ)(1 - Σ bₖB^(k season))`.
pub(crate) fn product(a: &[f64], b: &[f64], season: usize) -> Vec<f64> {
    let mut out = vec![0.0; a.len() + b.len() * season];
    out[..a.len()].copy_from_slice(a);
    for (k, b) in b.iter().enumerate() {
        let shift = (k + 1) * season;
        out[shift - 1] += b;
        a.iter().enumerate().for_each(|(i, a)| out[shift + i] -= a * b);
    }
    out
}

/// Coefficients `c` of `1 - Σ cⱼBʲ = (1 - B)^differences (1 - B^season)^seasonal`.
pub(crate) fn differencing(differences: usize, seasonal: usize, season: usize) -> Vec<f64> {
    let once = |out: Vec<f64>, lag: usize| product(&out, &[1.0], lag);
    let out = (0..differences).fold(Vec::new(), |out, _| once(out, 1));
    (0..seasonal).fold(out, |out, _| once(out, season))
}

/// Autocovariances `γ₀ … γ_count` of `φ(B) u = e` with innovations of variance one, from the Levinson recursion run
/// backward to the partial autocorrelations and then forward. `None` where the autoregression is not stationary.
pub(crate) fn autocovariances(phi: &[f64], count: usize) -> Option<Vec<f64>> {
    let mut orders: Vec<Vec<f64>> = vec![phi.to_vec()];
    let mut variance = 1.0;
    for order in (1..=phi.len()).rev() {
        let current = orders.last()?;
        let last = current[order - 1];
        let rest = 1.0 - last * last;
        if rest.is_nan() || rest <= 1e-12 {
            return None;
        }
        variance /= rest;
        let lower = (0..order - 1)
            .map(|at| (current[at] + last * current[order - 2 - at]) / rest)
            .collect();
        orders.push(lower);
    }
    let mut gamma = vec![variance];
    for lag in 1..=count {
        let order = lag.min(phi.len());
        let coefficients = &orders[phi.len() - order];
        // At lags up to the order, the autoregression of order `lag` holds the covariance exactly.
        gamma.push(coefficients.iter().enumerate().map(|(j, c)| c * gamma[lag - 1 - j]).sum());
    }
    Some(gamma)
}

/// Weights `ψ₁ … ψ_count` of `θ(B) / φ(B) = 1 + Σ ψⱼBʲ`, where `θ(B) = 1 + Σ θⱼBʲ`.
pub(crate) fn psi(phi: &[f64], theta: &[f64], count: usize) -> Vec<f64> {
    let mut psi: Vec<f64> = Vec::with_capacity(count);
    for lag in 1..=count {
        let moving = theta.get(lag - 1).copied().unwrap_or(0.0);
        let auto: f64 = phi
            .iter()
            .take(lag)
            .enumerate()
            .map(|(j, phi)| if j + 1 == lag { *phi } else { phi * psi[lag - 2 - j] })
            .sum();
        psi.push(moving + auto);
    }
    psi
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: &[f64], b: &[f64]) {
        assert_eq!(a.len(), b.len(), "{a:?} {b:?}");
        a.iter().zip(b).for_each(|(x, y)| assert!((x - y).abs() < 1e-10, "{a:?} {b:?}"));
    }

    #[test]
    fn partial_autocorrelations_of_order_two() {
        // φ₂ = κ₂, φ₁ = κ₁ (1 - κ₂).
        close(&from_partial(&[0.5, -0.3]), &[0.65, -0.3]);
    }

    #[test]
    fn products_are_those_of_polynomials() {
        close(&product(&[0.5], &[0.4], 4), &[0.5, 0.0, 0.0, 0.4, -0.2]);
        close(&differencing(1, 1, 4), &[1.0, 0.0, 0.0, 1.0, -1.0]);
        close(&differencing(2, 0, 4), &[2.0, -1.0]);
    }

    #[test]
    fn autocovariances_of_short_autoregressions() {
        let gamma = 1.0 / (1.0 - 0.49);
        close(
            &autocovariances(&[0.7], 3).unwrap(),
            &[gamma, 0.7 * gamma, 0.49 * gamma, 0.343 * gamma],
        );
        // Box & Jenkins, equation (3.2.28): γ₀ = (1 - φ₂) / ((1 + φ₂)((1 - φ₂)² - φ₁²)), ρ₁ = φ₁ / (1 - φ₂).
        let (a, b) = (0.65, -0.3);
        let zero = (1.0 - b) / ((1.0 + b) * ((1.0 - b) * (1.0 - b) - a * a));
        let one = zero * a / (1.0 - b);
        close(&autocovariances(&[a, b], 2).unwrap(), &[zero, one, a * one + b * zero]);
        assert!(autocovariances(&[1.0], 1).is_none());
    }

    #[test]
    fn psi_weights_of_a_mixed_model() {
        // ARMA(1, 1): ψⱼ = (φ + θ) φʲ⁻¹.
        close(&psi(&[0.5], &[0.3], 3), &[0.8, 0.4, 0.2]);
    }
}
