//! Mutual information between a latent variable and the windows it was read from.

use tch::{Device, Kind, Tensor};
use train::TrainError;

/// One Gaussian with independent coordinates per window: posteriors, or approximations of them.
#[derive(Debug)]
pub(crate) struct Gaussians {
    /// `[N, D]`, f64 on the CPU.
    mean: Tensor,
    /// `[N, D]`.
    variance: Tensor,
}

/// An estimate and its standard error, in nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Nats {
    pub(crate) nats: f64,
    pub(crate) error: f64,
}

impl Gaussians {
    /// From means and logarithms of standard deviations, `[N, D]`.
    pub(crate) fn new(mean: &Tensor, log_std: &Tensor) -> Result<Gaussians, TrainError> {
        let wide = |tensor: &Tensor| tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double);
        Ok(Gaussians { mean: wide(mean)?, variance: (wide(log_std)? * 2.0).f_exp()? })
    }

    /// One draw from each Gaussian, by standard normal `noise` `[N, D]`.
    pub(crate) fn draw(&self, noise: &Tensor) -> Result<Tensor, TrainError> {
        Ok(self.mean.f_addcmul(&self.variance.f_sqrt()?, noise)?)
    }

    /// `ln N(z_i; μ_j, σ_j²)` up to a constant that depends on `D` alone, `[N, N]` with `i` along the rows. The
    /// square is expanded, so that no tensor of size `N² D` is made.
    fn log_densities(&self, z: &Tensor) -> Result<Tensor, TrainError> {
        let precision = self.variance.f_reciprocal()?;
        let scaled = self.mean.f_mul(&precision)?;
        let over_dims = |tensor: Tensor| {
            tensor.f_sum_dim_intlist(Some([1_i64].as_slice()), false, Kind::Double)
        };
        let own = over_dims(self.mean.f_mul(&scaled)? + self.variance.f_log()?)?;
        let squares = z.f_square()?.f_matmul(&precision.f_tr()?)?;
        Ok((squares - z.f_matmul(&scaled.f_tr()?)? * 2.0 + own) * -0.5)
    }

    /// Estimate of the information about `i` in a draw `z_i` from the latent law of window `i`, with these Gaussians
    /// as `f(z | j)`.
    ///
    /// ```text
    /// 1/N Σ_i ln [ f(z_i | i) / (1/N Σ_j f(z_i | j)) ]    ≤ ln N
    /// ```
    ///
    /// If `f(· | i)` is the law of `z_i`, its expectation is `I(z; i)` for equally likely windows, which is the mean
    /// divergence from the aggregate posterior (Hoffman & Johnson 2016). Any other `f` gives less, by the
    /// divergence between the two posteriors of `i` (Barber & Agakov 2003).
    pub(crate) fn information(&self, z: &Tensor) -> Result<Nats, TrainError> {
        let log = self.log_densities(z)?;
        let windows = log.size()[0] as f64;
        let mixture = log.f_logsumexp([1_i64].as_slice(), false)? - windows.ln();
        let pointwise = log.f_diagonal(0, 0, 1)? - mixture;
        let error = (pointwise.f_var(true)?.f_double_value(&[])? / windows).sqrt();
        Ok(Nats { nats: pointwise.f_mean(Kind::Double)?.f_double_value(&[])?, error })
    }

    /// Gaussian approximations of the law of `z` given the clean window, with the noise of the window integrated
    /// out, from the posteriors at `M ≥ 2` independent draws of the noise.
    ///
    /// ```text
    /// z | x_0, j  ≈  N( c + w (m_j − c), v_j + C + w C/M )        w = B/(B + C/M)
    /// ```
    ///
    /// `m_j` and `v_j` are the means over the draws of the posterior mean and variance. `C` is the variance of the
    /// posterior mean within a window, `B` its variance between windows, and `c` its mean, each per dimension over
    /// all windows. Where noise drowns the windows, `B = 0` and all laws are equal; without noise they are the
    /// posteriors.
    pub(crate) fn over_noise(draws: &[Gaussians]) -> Result<Gaussians, TrainError> {
        let stack = |of: fn(&Gaussians) -> &Tensor| {
            Tensor::f_stack(&draws.iter().map(of).collect::<Vec<_>>(), 0)
        };
        let (means, variances) = (stack(|g| &g.mean)?, stack(|g| &g.variance)?);
        let over = |tensor: &Tensor| tensor.f_mean_dim([0_i64].as_slice(), false, Kind::Double);
        let mean = over(&means)?;
        let within = over(&means.f_var_dim([0_i64].as_slice(), true, false)?)?;
        let of_mean = &within / draws.len() as f64;
        let between = mean.f_var_dim([0_i64].as_slice(), true, false)?;
        let between = (between - &of_mean).f_clamp_min(0.0)?;
        // Without any variance every weight is right, and this one is finite.
        let weight = &between / (&between + &of_mean).f_clamp_min(f64::MIN_POSITIVE)?;
        let center = over(&mean)?;
        Ok(Gaussians {
            mean: (mean - &center) * &weight + &center,
            variance: over(&variances)? + within + weight * of_mean,
        })
    }
}

/// The most information that a value of unit variance can give about itself through white noise, in nats; `None`
/// without noise.
///
/// ```text
/// I(x_0; x̃_t) = ½ ln(1 + SNR̃(t))        x_0 ~ N(0, 1)
/// ```
pub(crate) fn possible(snr: f64) -> Option<f64> {
    snr.is_finite().then(|| 0.5 * snr.ln_1p())
}

#[cfg(test)]
mod tests {
    use super::*;

    const F64: (Kind, Device) = (Kind::Double, Device::Cpu);
    const N: i64 = 1000;

    fn normal(size: &[i64]) -> Tensor {
        Tensor::randn(size, F64)
    }

    fn constant_log_std(mean: &Tensor, std: f64) -> Gaussians {
        Gaussians::new(mean, &mean.full_like(std.ln())).unwrap()
    }

    fn near(found: Nats, expected: f64, slack: f64) {
        let distance = (found.nats - expected).abs();
        assert!(distance < 6.0 * found.error + slack, "{found:?}, expected {expected}");
    }

    /// Oracle: `q(z | x) = N(a x, s²)` with `x ~ N(0, I)` has `I = D/2 ln(1 + a²/s²)`. With N windows the
    /// mixture is off by about the information of one window in N, `e^I / (2 N)`.
    #[test]
    fn a_linear_channel_has_its_shannon_information() {
        for (a, s, dims) in [(1.0, 1.0, 1), (3.0, 1.0, 1), (0.5, 2.0, 1), (1.0, 0.7, 3)] {
            let posterior = constant_log_std(&(normal(&[N, dims]) * a), s);
            let found = posterior.information(&posterior.draw(&normal(&[N, dims])).unwrap());
            let expected = dims as f64 / 2.0 * (a / s).powi(2).ln_1p();
            assert!(expected < 2.0, "well below ln N");
            near(found.unwrap(), expected, expected.exp() / N as f64);
        }
    }

    /// Oracle: the information about which of N windows it is does not exceed `ln N`, and a posterior that ignores
    /// its window has none, for every draw.
    #[test]
    fn information_lies_between_nothing_and_the_logarithm_of_the_windows() {
        let sharp = constant_log_std(&normal(&[N, 4]), 1e-6);
        let found = sharp.information(&sharp.draw(&normal(&[N, 4])).unwrap()).unwrap();
        assert!((found.nats - (N as f64).ln()).abs() < 1e-9, "{found:?}");
        let deaf = constant_log_std(&Tensor::zeros([N, 4], F64), 0.3);
        let found = deaf.information(&deaf.draw(&normal(&[N, 4])).unwrap()).unwrap();
        assert!(found.nats.abs() < 1e-12 && found.error < 1e-12, "{found:?}");
    }

    /// Oracle: densities in plain loops, of Gaussians that differ in mean and variance.
    #[test]
    fn the_mixture_is_that_of_its_densities() {
        let (mean, log_std, noise) = (normal(&[5, 3]), normal(&[5, 3]) * 0.5, normal(&[5, 3]));
        let posterior = Gaussians::new(&mean, &log_std).unwrap();
        let z = posterior.draw(&noise).unwrap();
        let log = |i: i64, j: i64| -> f64 {
            let (mut sum, two_pi) = (0.0, 2.0 * std::f64::consts::PI);
            for d in 0..3 {
                let std = log_std.double_value(&[j, d]).exp();
                let gap = (z.double_value(&[i, d]) - mean.double_value(&[j, d])) / std;
                sum += -0.5 * gap * gap - std.ln() - 0.5 * two_pi.ln();
            }
            sum
        };
        let pointwise = (0..5).map(|i| {
            let mixture = (0..5).map(|j| log(i, j).exp()).sum::<f64>() / 5.0;
            log(i, i) - mixture.ln()
        });
        let pointwise: Vec<f64> = pointwise.collect();
        let expected = pointwise.iter().sum::<f64>() / 5.0;
        let squares: f64 = pointwise.iter().map(|nats| (nats - expected).powi(2)).sum();
        let found = posterior.information(&z).unwrap();
        assert!((found.nats - expected).abs() < 1e-10, "{found:?}, {expected}");
        assert!((found.error - (squares / 4.0 / 5.0).sqrt()).abs() < 1e-10, "{found:?}");
    }

    /// Oracle: `z = b (a x + s ε) + σ η` has the information `½ ln(1 + a² b²/(b² s² + σ²))` about `x`, and
    /// `½ ln(1 + b² (a² + s²)/σ²)` about the noised window. With M draws the estimate of the first is lower by at
    /// most `½ ln(1 + 1/M)`.
    #[test]
    fn information_on_the_clean_window_leaves_out_the_noise() {
        let draws = 8;
        for (a, s) in
            [(1.0, 0.0), (0.9_f64, (1.0 - 0.81_f64).sqrt()), (0.5, 0.75_f64.sqrt()), (0.0, 1.0)]
        {
            let (b, std) = (1.5, 0.5);
            let x = normal(&[N, 1]) * a;
            let posterior = || constant_log_std(&((&x + normal(&[N, 1]) * s) * b), std);
            let own = posterior();
            let z = own.draw(&normal(&[N, 1])).unwrap();
            let others: Vec<Gaussians> = (0..draws).map(|_| posterior()).collect();
            let clean = Gaussians::over_noise(&others).unwrap().information(&z).unwrap();
            let ratio = (a * b).powi(2) / ((b * s).powi(2) + std * std);
            let expected = 0.5 * ratio.ln_1p();
            let open = 0.5 * (1.0 / f64::from(draws)).ln_1p();
            let slack = if s == 0.0 { 0.0 } else { open };
            assert!(clean.nats < expected + 6.0 * clean.error + 0.01, "{clean:?}, {expected}");
            assert!(
                clean.nats > expected - slack - 6.0 * clean.error - 0.01,
                "{clean:?}, {expected}"
            );
            let noised = 0.5 * (b * b * (a * a + s * s) / (std * std)).ln_1p();
            near(own.information(&z).unwrap(), noised, noised.exp() / N as f64);
            if a == 0.0 {
                // The windows do not differ, and the estimated `B` is sampling error alone.
                assert!(clean.nats.abs() < 0.02, "pure noise has no information: {clean:?}");
            }
        }
    }

    /// Oracle: without noise the law given the clean window is the posterior itself.
    #[test]
    fn without_noise_the_law_is_the_posterior() {
        let (mean, log_std) = (normal(&[20, 3]), normal(&[20, 3]));
        let same: Vec<_> = (0..3).map(|_| Gaussians::new(&mean, &log_std).unwrap()).collect();
        let law = Gaussians::over_noise(&same).unwrap();
        let gap = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
        assert!(gap(&law.mean, &mean) < 1e-12);
        assert!(gap(&law.variance, &(log_std * 2.0).exp()) < 1e-12);
    }

    /// Oracles: `1 + SNR = 1/(1 − ᾱ)` at unit total variance, with the equivalent `ᾱ` under re-injection; and the
    /// estimator above, with the noised value itself as the latent variable.
    #[test]
    fn possible_information_is_the_capacity_of_white_noise() {
        let schedule = noise::Schedule::cosine(50).unwrap();
        let process =
            noise::Reinjection::new(schedule, 1.0, noise::Normalization::Variance).unwrap();
        assert_eq!(possible(process.snr()[0]), None);
        for t in [1, 10, 49, 50] {
            let expected = -0.5 * (1.0 - process.equivalent_alpha_bar()[t]).ln();
            let found = possible(process.snr()[t]).unwrap();
            assert!((found - expected).abs() < 1e-9 * expected, "{t}: {found}, {expected}");
        }
        let (a, s) = (process.signal()[40], process.std()[40]);
        let channel = constant_log_std(&(normal(&[N, 1]) * a), s);
        let found = channel.information(&channel.draw(&normal(&[N, 1])).unwrap()).unwrap();
        near(found, possible(process.snr()[40]).unwrap(), 0.01);
    }
}
