//! A linear reader of features: ridge regression, scored on windows that it has not seen.

use baseline::penalized;
use record::Probe;
use stats::Pairing;
use tch::{Kind, Tensor};
use train::TrainError;

/// Rows of features or outputs, `[N, P]`, f64 on the CPU, one per window.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) train: Tensor,
    pub(crate) validation: Tensor,
    pub(crate) test: Tensor,
}

/// Standardized features, ready for ridge regressions of several outputs.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Features standardized by the training windows, with a 1 at the end of each row.
    designs: Parts,
    gram: Tensor,
}

/// Candidate penalties per training window, for features of unit variance: from nearly none to one that shrinks
/// the coefficients of features without information to nearly zero.
const STRENGTHS: [f64; 6] = [1e-4, 1e-2, 0.1, 1.0, 10.0, 100.0];

impl Reader {
    pub(crate) fn new(features: &Parts) -> Result<Reader, TrainError> {
        let along = [0_i64];
        let mean = features.train.f_mean_dim(along.as_slice(), true, Kind::Double)?;
        let std = features.train.f_var_dim(along.as_slice(), false, true)?.f_sqrt()?;
        // A constant feature has no information, and its column is zero.
        let std = std.f_where_self(&std.f_greater(1e-12)?, &std.f_ones_like()?)?;
        let design = |part: &Tensor| -> Result<Tensor, TrainError> {
            let rows = (part - &mean) / &std;
            let ones = rows.f_narrow(1, 0, 1)?.f_ones_like()?;
            Ok(Tensor::f_cat(&[rows, ones], 1)?)
        };
        let designs = Parts {
            train: design(&features.train)?,
            validation: design(&features.validation)?,
            test: design(&features.test)?,
        };
        let gram = designs.train.f_tr()?.f_matmul(&designs.train)?;
        Ok(Reader { designs, gram })
    }

    /// Fits on training windows, chooses the penalty on validation windows, scores on test windows.
    /// Returns the probe and the `R²` of each output, NaN for an output that does not vary.
    pub(crate) fn probe(
        &self,
        outputs: &Parts,
        pairing: &Pairing,
    ) -> Result<(Probe, Vec<f64>), TrainError> {
        let Parts { train, validation, test } = &self.designs;
        let moment = train.f_tr()?.f_matmul(&outputs.train)?;
        let strengths = STRENGTHS.map(|strength| strength * train.size()[0] as f64);
        let map = penalized(&self.gram, &moment, &strengths, |map| -> Result<f64, TrainError> {
            let error = (validation.f_matmul(map)? - &outputs.validation).f_square()?;
            Ok(error.f_mean(Kind::Double)?.f_double_value(&[])?)
        })?;
        let predicted = test.f_matmul(&map.f_to_kind(Kind::Double)?)?;
        let mean = outputs.train.f_mean_dim([0_i64].as_slice(), true, Kind::Double)?;
        let squares = |forecast: &Tensor| (&outputs.test - forecast).f_square();
        score(&squares(&predicted)?, &squares(&mean)?, pairing)
    }
}

/// `R²` from squared errors of the map and of the mean, `[N, Q]`, with the standard error of a ratio of means:
///
/// ```text
/// R² = 1 − E/V        SE of the mean of u_w = (E/V · v_w − e_w)/V        E, V: means of e_w, v_w
/// ```
fn score(map: &Tensor, mean: &Tensor, pairing: &Pairing) -> Result<(Probe, Vec<f64>), TrainError> {
    let over = |values: &Tensor, axis: i64| -> Result<Vec<f64>, TrainError> {
        let sums = values.f_sum_dim_intlist(Some([axis].as_slice()), false, Kind::Double)?;
        Ok(Vec::try_from(sums)?)
    };
    let (e, v) = (over(map, 1)?, over(mean, 1)?);
    let average = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (error, total) = (average(&e), average(&v));
    let ratio = error / total;
    let each = over(map, 0)?.into_iter().zip(over(mean, 0)?);
    let each = each.map(|(e, v)| 1.0 - e / v).collect();
    if !ratio.is_finite() {
        return Ok((Probe { r2: None, error: None }, each));
    }
    let influence = e.iter().zip(&v).map(|(e, v)| (ratio * v - e) / total).collect();
    let spread = pairing.difference(&[influence]).map(|difference| difference.error);
    Ok((Probe { r2: Some(1.0 - ratio), error: spread }, each))
}

/// Lower bound on the information of a linear reader about one output, in nats, averaged over the outputs. If each
/// output is normal by itself,
///
/// ```text
/// I(z; y_j) ≥ −½ ln(1 − R²_j)        as h(y | ŷ) ≤ h(y − ŷ) ≤ ½ ln 2πe E (y − ŷ)²
/// ```
///
/// with equality where features and output are jointly normal. Negative `R²` counts as 0.
pub(crate) fn information(r2: &[f64]) -> Option<f64> {
    let finite: Vec<f64> = r2.iter().copied().filter(|r2| r2.is_finite()).collect();
    let nats = finite.iter().map(|r2| -0.5 * (-r2.max(0.0)).ln_1p()).sum::<f64>();
    let mean = nats / finite.len() as f64;
    mean.is_finite().then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    const F64: (Kind, Device) = (Kind::Double, Device::Cpu);

    fn parts(mut of: impl FnMut(i64) -> Tensor, sizes: [i64; 3]) -> Parts {
        let [train, validation, test] = sizes.map(&mut of);
        Parts { train, validation, test }
    }

    fn independent(windows: i64) -> Pairing {
        let origins: Vec<String> = (0..windows).map(|time| time.to_string()).collect();
        Pairing::new(&origins, 1, 1)
    }

    /// Features `a x + s ε` and outputs `x` with `x ~ N(0, I)`, both `[N, dims]`.
    fn noised(a: f64, s: f64, dims: i64, sizes: [i64; 3]) -> (Parts, Parts) {
        let clean = parts(|n| Tensor::randn([n, dims], F64), sizes);
        let noise = |x: &Tensor| x * a + x.randn_like() * s;
        let features = Parts {
            train: noise(&clean.train),
            validation: noise(&clean.validation),
            test: noise(&clean.test),
        };
        (features, clean)
    }

    /// Oracle: the best linear reader of a white signal in white noise explains `1/(1 + 1/SNR)` of it, and has
    /// `½ ln(1 + SNR)` nats about each value. A fit on n windows loses about `P/n` of the unexplained rest.
    #[test]
    fn a_linear_reader_explains_what_the_noise_leaves() {
        let sizes = [4000, 500, 2000];
        for snr in [0.04_f64, 0.25, 1.0, 9.0, 400.0] {
            let (a, s) = ((snr / (1.0 + snr)).sqrt(), (1.0 / (1.0 + snr)).sqrt());
            let (features, clean) = noised(a, s, 4, sizes);
            let reader = Reader::new(&features).unwrap();
            let (probe, each) = reader.probe(&clean, &independent(2000)).unwrap();
            let expected = 1.0 / (1.0 + 1.0 / snr);
            let (found, error) = (probe.r2.unwrap(), probe.error.unwrap());
            let slack = 6.0 * error + 2.0 * 4.0 / 4000.0 * (1.0 - expected);
            assert!((found - expected).abs() < slack, "SNR {snr}: {probe:?}, expected {expected}");
            assert!(error < 0.02 && error > 0.0, "{probe:?}");
            let nats = information(&each).unwrap();
            let possible = crate::information::possible(snr).unwrap();
            // d nats/d R² = ½/(1 − R²); the error of each of the four outputs is about twice that of their mean.
            let slack = slack * 2.0 / (1.0 - expected);
            assert!((nats - possible).abs() < slack, "SNR {snr}: {nats}, {possible}");
        }
    }

    /// Oracle: features without information explain nothing. The largest penalty shrinks them to nearly nothing,
    /// although they are half as many as the training windows.
    #[test]
    fn noise_explains_nothing() {
        let (features, clean) = noised(0.0, 1.0, 150, [300, 200, 400]);
        let (probe, _) = Reader::new(&features).unwrap().probe(&clean, &independent(400)).unwrap();
        assert!(probe.r2.unwrap().abs() < 0.02, "{probe:?}");
    }

    /// Oracle: least squares by another solver with the penalty as rows of the design, and the strength with the
    /// smallest validation error. The features have several scales, and one is constant.
    #[test]
    fn the_probe_is_ridge_regression() {
        let (train, validation, test, dims) = (60, 40, 50, 5);
        let scale = Tensor::from_slice(&[1.0, 1e-4, 30.0, 5.0, 0.0]);
        let shift = Tensor::from_slice(&[0.0, 1.0, -20.0, 3.0, 7.0]);
        let weights = Tensor::randn([dims, 3], F64);
        let x = parts(|n| Tensor::randn([n, dims], F64), [train, validation, test]);
        let y = |x: &Tensor| x.matmul(&weights) + Tensor::randn([x.size()[0], 3], F64) * 2.0 + 1.5;
        let outputs = Parts { train: y(&x.train), validation: y(&x.validation), test: y(&x.test) };
        let seen = |x: &Tensor| x * &scale + &shift;
        let features =
            Parts { train: seen(&x.train), validation: seen(&x.validation), test: seen(&x.test) };

        let mean = features.train.mean_dim(0, true, Kind::Double);
        let std = features.train.std_dim(0, false, true);
        let centered = outputs.train.mean_dim(0, true, Kind::Double);
        let varying = |part: &Tensor| ((part - &mean) / &std).narrow(1, 0, dims - 1);
        let held = varying(&features.validation);
        let fits = STRENGTHS.map(|strength| {
            let rows = Tensor::eye(dims - 1, F64) * (strength * train as f64).sqrt();
            let design = Tensor::cat(&[varying(&features.train), rows], 0);
            let zeros = Tensor::zeros([dims - 1, 3], F64);
            let target = Tensor::cat(&[&outputs.train - &centered, zeros], 0);
            let map = design.linalg_lstsq(&target, None, "gelsd").0;
            let error = (held.matmul(&map) + &centered - &outputs.validation).square();
            (error.mean(Kind::Double).double_value(&[]), map)
        });
        let best = &fits.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap().1;
        let left = (varying(&features.test).matmul(best) + &centered - &outputs.test).square();
        let all = (&outputs.test - &centered).square();
        let sum = |squares: &Tensor| squares.sum(Kind::Double).double_value(&[]);
        let expected = 1.0 - sum(&left) / sum(&all);

        let (probe, each) =
            Reader::new(&features).unwrap().probe(&outputs, &independent(test)).unwrap();
        assert!((probe.r2.unwrap() - expected).abs() < 1e-5, "{probe:?}, expected {expected}");
        for (output, r2) in each.into_iter().enumerate() {
            let column = |squares: &Tensor| sum(&squares.select(1, output as i64));
            assert!((r2 - (1.0 - column(&left) / column(&all))).abs() < 1e-5);
        }
    }

    /// Oracle: the spread of `R²` over repetitions with new test windows. Nothing else varies much, because there are
    /// many training windows.
    #[test]
    fn the_error_is_the_spread_over_repetitions() {
        let (features, clean) = noised(0.7, 0.7, 2, [4000, 100, 3]);
        let repetitions = 300;
        let mut found = Vec::new();
        let mut errors = 0.0;
        for _ in 0..repetitions {
            let (again, truth) = noised(0.7, 0.7, 2, [1, 1, 200]);
            let again = Reader::new(&Parts { test: again.test, ..copy(&features) }).unwrap();
            let outputs = Parts { test: truth.test, ..copy(&clean) };
            let probe = again.probe(&outputs, &independent(200)).unwrap().0;
            found.push(probe.r2.unwrap());
            errors += probe.error.unwrap() / f64::from(repetitions);
        }
        let center = found.iter().sum::<f64>() / found.len() as f64;
        let variance = found.iter().map(|r2| (r2 - center).powi(2)).sum::<f64>() / 299.0;
        // A standard deviation of 300 has a standard error of 4 %; Bartlett's weights cost a little.
        let ratio = errors / variance.sqrt();
        assert!((0.72..1.28).contains(&ratio), "{ratio}");
    }

    /// Oracle: the jackknife over windows. Errors and variances rise and fall together, so that their ratio is more
    /// certain than either alone.
    #[test]
    fn the_error_is_that_of_a_ratio() {
        let n = 200;
        let mean = Tensor::randn([n, 1], F64).square();
        let map = &mean * (Tensor::randn([n, 1], F64) * 0.03 + 0.3);
        let (e, v): (Vec<f64>, Vec<f64>) =
            (Vec::try_from(map.view(-1)).unwrap(), Vec::try_from(mean.view(-1)).unwrap());
        let sum = |values: &[f64]| values.iter().sum::<f64>();
        let (all_e, all_v) = (sum(&e), sum(&v));
        let without: Vec<f64> =
            e.iter().zip(&v).map(|(e, v)| 1.0 - (all_e - e) / (all_v - v)).collect();
        let center = sum(&without) / n as f64;
        let squares = sum(&without.iter().map(|r2| (r2 - center).powi(2)).collect::<Vec<_>>());
        let expected = (squares * (n - 1) as f64 / n as f64).sqrt();
        let probe = score(&map, &mean, &independent(n)).unwrap().0;
        assert!((probe.r2.unwrap() - (1.0 - all_e / all_v)).abs() < 1e-12);
        // The lags of Bartlett's weights add noise of about 15 %.
        let ratio = probe.error.unwrap() / expected;
        assert!((0.4..1.8).contains(&ratio), "{ratio}");
    }

    fn copy(parts: &Parts) -> Parts {
        Parts {
            train: parts.train.shallow_clone(),
            validation: parts.validation.shallow_clone(),
            test: parts.test.shallow_clone(),
        }
    }

    #[test]
    fn outputs_that_do_not_vary_have_no_r2() {
        let (features, mut outputs) = noised(1.0, 0.1, 2, [50, 20, 30]);
        for part in [&mut outputs.train, &mut outputs.validation, &mut outputs.test] {
            *part = part.zeros_like();
        }
        let reader = Reader::new(&features).unwrap();
        let (probe, each) = reader.probe(&outputs, &independent(30)).unwrap();
        assert_eq!(probe, Probe { r2: None, error: None });
        assert_eq!(information(&each), None);
    }
}
