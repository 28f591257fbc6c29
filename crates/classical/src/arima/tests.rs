use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::likelihood::exact;
use super::model::{Likelihood, Model, Orders};
use super::polynomial::{differencing, psi};
use super::*;

/// Airline passengers by month in thousands, 1949 to 1960. Box & Jenkins (1970), *Time Series Analysis*, series G.
#[rustfmt::skip]
const PASSENGERS: [f64; 144] = [
    112.0, 118.0, 132.0, 129.0, 121.0, 135.0, 148.0, 148.0, 136.0, 119.0, 104.0, 118.0,
    115.0, 126.0, 141.0, 135.0, 125.0, 149.0, 170.0, 170.0, 158.0, 133.0, 114.0, 140.0,
    145.0, 150.0, 178.0, 163.0, 172.0, 178.0, 199.0, 199.0, 184.0, 162.0, 146.0, 166.0,
    171.0, 180.0, 193.0, 181.0, 183.0, 218.0, 230.0, 242.0, 209.0, 191.0, 172.0, 194.0,
    196.0, 196.0, 236.0, 235.0, 229.0, 243.0, 264.0, 272.0, 237.0, 211.0, 180.0, 201.0,
    204.0, 188.0, 235.0, 227.0, 234.0, 264.0, 302.0, 293.0, 259.0, 229.0, 203.0, 229.0,
    242.0, 233.0, 267.0, 269.0, 270.0, 315.0, 364.0, 347.0, 312.0, 274.0, 237.0, 278.0,
    284.0, 277.0, 317.0, 313.0, 318.0, 374.0, 413.0, 405.0, 355.0, 306.0, 271.0, 306.0,
    315.0, 301.0, 356.0, 348.0, 355.0, 422.0, 465.0, 467.0, 404.0, 347.0, 305.0, 336.0,
    340.0, 318.0, 362.0, 348.0, 363.0, 435.0, 491.0, 505.0, 404.0, 359.0, 310.0, 337.0,
    360.0, 342.0, 406.0, 396.0, 420.0, 472.0, 548.0, 559.0, 463.0, 407.0, 362.0, 405.0,
    417.0, 391.0, 419.0, 461.0, 472.0, 535.0, 622.0, 606.0, 508.0, 461.0, 390.0, 432.0,
];

fn orders(p: usize, q: usize, sp: usize, sq: usize, constant: bool) -> Orders {
    Orders { auto: p, moving: q, seasonal_auto: sp, seasonal_moving: sq, constant }
}

fn fitted(rows: &[f64], season: usize, orders: Orders) -> Model {
    Model::fit(rows, season, orders, Likelihood::Exact, &orders.start(), 1e-9).unwrap()
}

fn logs() -> Vec<f64> {
    PASSENGERS.iter().map(|value| value.ln()).collect()
}

fn differenced_logs() -> Vec<f64> {
    differences::difference(&differences::difference(&logs(), 12), 1)
}

fn close(found: f64, wanted: f64, tolerance: f64) {
    assert!((found - wanted).abs() < tolerance, "{found} against {wanted}");
}

/// Rows of an ARMA(1, 1) with φ = 0.7, θ = 0.4 and mean 3, whose innovations are sums of twelve numbers of the linear
/// congruential generator `x ← 1103515245 x + 12345 mod 2³¹`, over 2³¹, less six.
fn mixed_rows() -> Vec<f64> {
    let mut x: u64 = 1;
    let mut before = (0.0, 0.0);
    (0..120)
        .map(|_| {
            let sum: f64 = (0..12)
                .map(|_| {
                    x = (x * 1_103_515_245 + 12_345) % (1 << 31);
                    x as f64 / f64::from(2_u32.pow(31))
                })
                .sum();
            let error = sum - 6.0;
            before = (0.7 * before.0 + error + 0.4 * before.1, error);
            3.0 + before.0
        })
        .collect()
}

// Golden values: statsmodels 0.15.0, SARIMAX with simple differencing, fitted by lbfgs and then nm to 1e-12.

#[test]
fn the_airline_model_is_that_of_another_library() {
    let model = fitted(&differenced_logs(), 12, orders(0, 1, 0, 1, false));
    close(model.theta[0], -0.401_823_1, 2e-4);
    close(model.theta[11], -0.556_936_5, 2e-4);
    close(model.profile.variance, 0.001_348_1, 1e-6);
    close(-0.5 * model.profile.deviance, 244.696_486_8, 1e-5);
    close(model.criterion, -483.203_997, 1e-4);
}

#[test]
fn a_seasonal_autoregression_is_that_of_another_library() {
    let model = fitted(&differenced_logs(), 12, orders(1, 0, 1, 0, false));
    close(model.phi[0], -0.374_464_3, 2e-4);
    close(model.phi[11], -0.463_72, 2e-4);
    close(-0.5 * model.profile.deviance, 240.406_409_5, 1e-5);
}

#[test]
fn a_mixed_model_with_a_mean_is_that_of_another_library() {
    let rows = mixed_rows();
    close(rows.iter().sum(), 359.325_698_935_481_5, 1e-8);
    let model = fitted(&rows, 1, orders(1, 1, 0, 0, true));
    close(model.phi[0], 0.781_287_1, 5e-4);
    close(model.theta[0], 0.199_349_3, 5e-4);
    close(model.profile.mean, 0.632_913_2 / (1.0 - 0.781_287_1), 1e-3);
    close(-0.5 * model.profile.deviance, -181.808_210_4, 1e-5);
    close(model.criterion, 371.964_247, 1e-4);
}

/// A forecaster with given orders, in the units of its rows.
fn forecaster(values: &[f64], season: usize, differences: (usize, usize), orders: Orders) -> Arima {
    let mut rows = values.to_vec();
    (0..differences.1).for_each(|_| rows = differences::difference(&rows, season));
    (0..differences.0).for_each(|_| rows = differences::difference(&rows, 1));
    let model = fitted(&rows, season, orders);
    let lags = differencing(differences.0, differences.1, season);
    let mut arima = Arima::new(&model, lags, values.len()).unwrap();
    values.iter().for_each(|value| arima.follow(*value));
    arima.calibrate(&model);
    arima
}

#[test]
fn forecasts_without_innovations_are_those_of_another_library() {
    let mut arima = forecaster(&logs(), 12, (1, 1), orders(0, 1, 0, 1, false));
    arima.std = 0.0;
    let paths = arima.paths(6, 1, &mut ChaCha8Rng::seed_from_u64(1));
    // Forecasts of the differences by statsmodels, summed up here.
    let ahead = [0.012_560_9, 0.007_967_9, 0.048_775_6, -0.067_940_5, 0.009_674_7, 0.010_934_7];
    let mut known = logs();
    for (found, difference) in paths.iter().next().unwrap().iter().zip(ahead) {
        let at = known.len();
        known.push(difference + known[at - 1] + known[at - 12] - known[at - 13]);
        close(*found, known[at], 5e-5);
    }
    let rows = mixed_rows();
    let mut arima = forecaster(&rows, 1, (0, 0), orders(1, 1, 0, 0, true));
    arima.std = 0.0;
    let paths = arima.paths(6, 1, &mut ChaCha8Rng::seed_from_u64(1));
    let wanted = [1.311_209_9, 1.657_344_5, 1.927_775, 2.139_058_9, 2.304_132_3, 2.433_102];
    paths.iter().next().unwrap().iter().zip(wanted).for_each(|(a, b)| close(*a, b, 1e-3));
}

#[test]
fn the_mean_and_spread_of_paths_are_those_of_the_psi_weights() {
    const COUNT: usize = 20_000;
    let mut arima = forecaster(&logs(), 12, (1, 1), orders(0, 1, 0, 1, false));
    arima.range = (-1e3, 1e3);
    let phi = differencing(1, 1, 12);
    let theta = fitted(&differenced_logs(), 12, orders(0, 1, 0, 1, false)).theta;
    let weights = psi(&phi, &theta, 24);
    let paths = arima.paths(24, COUNT, &mut ChaCha8Rng::seed_from_u64(2));
    // The innovations are the known ones, whose mean is close to zero but not zero, and half a Gaussian.
    let known = arima.shocks.iter().sum::<f64>() / arima.shocks.len() as f64;
    let width = 1.06 * (arima.shocks.len() as f64).powf(-0.2);
    let mean = arima.std * known / (1.0 + width * width).sqrt();
    let variance = arima.std.powi(2) - mean * mean;
    let still = Arima { std: 0.0, ..arima.clone() };
    let still = still.paths(24, 1, &mut ChaCha8Rng::seed_from_u64(2));
    let still = still.iter().next().unwrap();
    for step in [0, 1, 11, 12, 23] {
        let values: Vec<f64> = paths.step(step).collect();
        let average = values.iter().sum::<f64>() / COUNT as f64;
        let drift = mean * (1.0 + weights[..step].iter().sum::<f64>());
        let squares: Vec<f64> = values.iter().map(|value| (value - average).powi(2)).collect();
        let found = squares.iter().sum::<f64>() / COUNT as f64;
        let fourth = squares.iter().map(|square| square * square).sum::<f64>() / COUNT as f64;
        let error = ((fourth - found * found) / COUNT as f64).sqrt();
        let wanted = variance * (1.0 + weights[..step].iter().map(|psi| psi * psi).sum::<f64>());
        // The filter is not quite steady after 131 rows, hence the share of 2e-3.
        assert!((found - wanted).abs() < 4.0 * error + 2e-3 * wanted, "{step}: {found} {wanted}");
        let off = average - still[step] - drift;
        assert!(off.abs() < 4.0 * (found / COUNT as f64).sqrt(), "{step}: {off}");
    }
}

#[test]
fn closed_forms_of_first_order_models() {
    // AR(1) at its likelihood: the determinant of n rows is 1 / (1 - φ²).
    let rows = [0.5, -0.2, 0.9, 0.1];
    let phi: f64 = 0.6;
    let squares = rows[0] * rows[0] * (1.0 - phi * phi)
        + rows.windows(2).map(|pair| (pair[1] - phi * pair[0]).powi(2)).sum::<f64>();
    let found = exact(&rows, &[phi], &[], false).unwrap();
    close(found.variance, squares / 4.0, 1e-12);
    let two_pi = 2.0 * std::f64::consts::PI;
    close(
        found.deviance,
        4.0 * (1.0 + (two_pi * squares / 4.0).ln()) - (1.0 - phi * phi).ln(),
        1e-10,
    );
    // MA(1): the determinant of two rows is (1 + θ²)² - θ².
    let (a, b, theta): (f64, f64, f64) = (0.5, -0.2, 0.5);
    let (own, cross) = (1.0 + theta * theta, theta);
    let determinant = own * own - cross * cross;
    let squares = (own * (a * a + b * b) - 2.0 * cross * a * b) / determinant;
    let found = exact(&[a, b], &[], &[theta], false).unwrap();
    close(found.variance, squares / 2.0, 1e-12);
    close(found.deviance, 2.0 * (1.0 + (two_pi * squares / 2.0).ln()) + determinant.ln(), 1e-10);
}

#[test]
fn passengers_are_modeled_in_logarithms_with_differences() {
    let arima = Arima::fit(&Past { values: &PASSENGERS, seasons: &[12] }).unwrap();
    assert!(arima.log);
    assert_eq!(arima.lags, differencing(1, 1, 12));
}

#[test]
fn following_rows_is_the_same_as_filtering_all() {
    let past = Past { values: &PASSENGERS[..110], seasons: &[12] };
    let mut followed = Arima::fit(&past).unwrap();
    let mut whole = Arima { recent: Vec::new(), time: 0, ..followed.clone() };
    let (phi, theta) = (followed.filter.phi().to_vec(), followed.filter.theta()[1..].to_vec());
    whole.filter = Filter::new(&phi, &theta).unwrap();
    PASSENGERS[110..].iter().for_each(|value| followed.observe(*value));
    PASSENGERS.iter().for_each(|value| whole.observe(*value));
    assert_eq!(followed.recent, whole.recent);
    for (a, b) in followed.filter.state().iter().zip(whole.filter.state()) {
        close(*a, *b, 1e-9);
    }
    let mut rngs = [ChaCha8Rng::seed_from_u64(3), ChaCha8Rng::seed_from_u64(3)];
    let [a, b] = &mut rngs;
    let (a, b) = (followed.paths(12, 50, a), whole.paths(12, 50, b));
    a.iter().flatten().zip(b.iter().flatten()).for_each(|(x, y)| close(*x, *y, 1e-5 * y.abs()));
}

#[test]
fn a_missing_row_is_the_mean_ahead() {
    let mut gap = Arima::fit(&Past { values: &PASSENGERS, seasons: &[12] }).unwrap();
    let mut still = Arima { std: 0.0, ..gap.clone() };
    let ahead = still.paths(2, 1, &mut ChaCha8Rng::seed_from_u64(4));
    gap.observe(f64::NAN);
    still = Arima { std: 0.0, ..gap };
    let next = still.paths(1, 1, &mut ChaCha8Rng::seed_from_u64(4));
    close(next.step(0).next().unwrap(), ahead.step(1).next().unwrap(), 1e-6);
}

#[test]
fn paths_of_steep_growth_stay_near_the_known_rows() {
    for growth in [1.05_f64, 1.3, 2.0] {
        let values: Vec<f64> =
            (0..40).map(|row| growth.powi(row) * (1.0 + 0.05 * f64::from(row * 7 % 5))).collect();
        let arima = Arima::fit(&Past { values: &values, seasons: &[] }).unwrap();
        let paths = arima.paths(400, 20, &mut ChaCha8Rng::seed_from_u64(5));
        let (low, high) = arima.bounds();
        let (low, high) = (arima.original(low, 0), arima.original(high, 0));
        assert!(paths.iter().flatten().all(|value| (low..=high).contains(value)));
    }
}

/// Share of the four rows after each of many simulated series of `count` rows that lie in the central 80 %.
fn coverage(count: usize, phi: f64, theta: f64, sums: bool) -> f64 {
    const SERIES: u64 = 150;
    const HORIZON: usize = 4;
    let mut covered = 0;
    for seed in 0..SERIES {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (mut row, mut error, mut sum) = (0.0, 0.0, 0.0);
        let all: Vec<f64> = (0..count + HORIZON)
            .map(|_| {
                let next: f64 = rng.sample(StandardNormal);
                row = phi * row + next + theta * error;
                error = next;
                sum += row;
                if sums { sum } else { row }
            })
            .collect();
        let arima = Arima::fit(&Past { values: &all[..count], seasons: &[] }).unwrap();
        let paths = arima.paths(HORIZON, 200, &mut rng);
        for step in 0..HORIZON {
            let below = paths.step(step).filter(|value| *value < all[count + step]).count();
            covered += usize::from((20..=180).contains(&below));
        }
    }
    covered as f64 / (SERIES as usize * HORIZON) as f64
}

#[test]
fn intervals_cover_rows_of_simulated_series() {
    // Steps of one series are correlated; 150 series alone give a standard error of 0.033.
    for (count, phi, theta, sums, most_missing) in
        [(200, 0.6, 0.0, false, 0.08), (60, 0.6, 0.3, false, 0.12), (100, 0.0, -0.5, true, 0.1)]
    {
        let found = coverage(count, phi, theta, sums);
        assert!((0.8 - most_missing..0.87).contains(&found), "{count} {phi} {theta}: {found}");
    }
}
