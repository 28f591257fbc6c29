//! Coherent noise in raw values: bits, moments, least squares.

use noise::{Coherent, NoiseConfig, NoiseError, Windows};
use tch::{Device, Kind, Tensor};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);
/// Windows per batch.
const BATCH: i64 = 32;
/// Steps and channels of a window.
const SIZE: [i64; 2] = [5, 2];

fn config(text: &str) -> NoiseConfig {
    toml::from_str(&format!("schedule = \"linear\"\nbeta_end = 0.1\n{text}")).unwrap()
}

fn coherent(text: &str) -> Coherent {
    Coherent::new(&config(text), Device::Cpu, Kind::Double).unwrap()
}

fn steps(t: i64) -> Tensor {
    Tensor::full([BATCH], t, (Kind::Int64, Device::Cpu))
}

/// The map from independent numbers to windows: its square is their covariance.
fn root() -> Tensor {
    let count = SIZE[0] * SIZE[1];
    let index = Tensor::arange(count, DOUBLE);
    let gap = (index.unsqueeze(0) - index.unsqueeze(1)).abs();
    (gap * 0.7_f64.ln()).exp().linalg_cholesky(false)
}

/// Skewed windows with mean `1, 2, …` and covariance `root rootᵀ`.
fn windows() -> Tensor {
    let count = SIZE[0] * SIZE[1];
    let skewed = -Tensor::rand([BATCH, count], DOUBLE).log() - 1.0; // mean 0, variance 1
    let mean = Tensor::arange(count, DOUBLE) + 1.0;
    (skewed.matmul(&root().tr()) + mean).view([BATCH, SIZE[0], SIZE[1]])
}

fn flat(windows: &Tensor) -> Tensor {
    let count = SIZE[0] * SIZE[1];
    windows.reshape([BATCH, count]) - (Tensor::arange(count, DOUBLE) + 1.0)
}

/// Mean of `each` over batches, in standard errors from `expected`: the largest of all elements.
fn off(batches: usize, expected: &Tensor, each: impl Fn() -> Tensor) -> f64 {
    let found: Vec<Tensor> = (0..batches).map(|_| each()).collect();
    let found = Tensor::stack(&found, 0);
    let error = found.std_dim(0, true, false) / (batches as f64).sqrt();
    let gap = found.mean_dim(0, false, Kind::Double) - expected;
    (gap / error.clamp_min(1e-12)).abs().max().double_value(&[])
}

const KINDS: [&str; 4] = [
    "shape = \"gaussian\"",
    "shape = \"window\"",
    "shape = \"gaussian\"\nspace = \"normal-scores\"",
    "shape = \"window\"\nspace = \"normal-scores\"",
];

/// Windows at step 0 and missing values, which may be NaN, come back bit for bit; everything else is a number.
#[test]
fn clean_windows_and_gaps_come_back_bit_for_bit() {
    tch::manual_seed(3);
    for kind in KINDS {
        let coherent = coherent(kind);
        let t = Tensor::arange(BATCH, (Kind::Int64, Device::Cpu)).remainder(3) * 50;
        let values = windows();
        let noised = coherent.apply_drawn(Windows::new(&values), &t).unwrap();
        let clean = t.eq(0).view([-1, 1, 1]);
        assert!(
            noised.eq_tensor(&values).logical_or(&clean.logical_not()).all().int64_value(&[]) == 1
        );
        assert!((&noised - &values).abs().max().double_value(&[]) > 0.1, "{kind}");

        let observed = Tensor::rand(values.size(), DOUBLE).gt(0.3);
        let _ = observed.narrow(2, 1, 1).narrow(1, 0, 2).fill_(0); // seen in no window
        let holes = values.where_self(&observed, &Tensor::from(f64::NAN));
        let given = Windows { observed: Some(&observed), ..Windows::new(&holes) };
        let noised = coherent.apply_drawn(given, &t).unwrap();
        assert!(
            noised.isnan().eq_tensor(&observed.logical_not()).all().int64_value(&[]) == 1,
            "{kind}"
        );
        let same =
            noised.eq_tensor(&values).logical_or(&clean.logical_and(&observed).logical_not());
        assert!(same.all().int64_value(&[]) == 1, "{kind}");
    }
}

/// Theorem: mean and covariance of noised windows are those of the windows, at every step and strength, with the batch's own
/// mean taken out; whatever their law.
#[test]
fn the_covariance_of_windows_survives() {
    tch::manual_seed(4);
    let covariance = root().matmul(&root().tr());
    for shape in ["gaussian", "window"] {
        for (lambda, t) in [(0, 100), (0, 30), (1, 60)] {
            let coherent =
                coherent(&format!("shape = \"{shape}\"\ninput = {{ reinject = {lambda} }}"));
            let noised =
                || flat(&coherent.apply_drawn(Windows::new(&windows()), &steps(t)).unwrap());
            let second = off(800, &covariance, || {
                let noised = noised();
                noised.tr().matmul(&noised) / BATCH as f64
            });
            assert!(second < 4.5, "{shape} {lambda} {t}: covariance off by {second} errors");
            let zero = Tensor::zeros([SIZE[0] * SIZE[1]], DOUBLE);
            let first = off(800, &zero, || noised().mean_dim(0, false, Kind::Double));
            assert!(first < 4.5, "{shape} {lambda} {t}: mean off by {first} errors");
        }
    }
}

/// The test above sees noise that does not belong to the windows: white noise of the same strength.
#[test]
fn white_noise_does_not_keep_the_covariance() {
    tch::manual_seed(4);
    let white = noise::Diffuser::new(config("").input(), Device::Cpu, Kind::Double).unwrap();
    let covariance = root().matmul(&root().tr());
    let gap = off(200, &covariance, || {
        let noised = white.apply_drawn(&flat(&windows()), &steps(50)).unwrap();
        noised.tr().matmul(&noised) / BATCH as f64
    });
    assert!(gap > 8.0, "{gap}");
}

/// Values of a variance are right where a third of each position is missing.
#[test]
fn gaps_do_not_weaken_the_noise() {
    tch::manual_seed(5);
    for shape in ["gaussian", "window"] {
        let coherent = coherent(&format!("shape = \"{shape}\"\ninput = {{ reinject = 0 }}"));
        let one = Tensor::ones([SIZE[0] * SIZE[1]], DOUBLE);
        let gap = off(3000, &one, || {
            let (values, observed) =
                (windows(), Tensor::rand([BATCH, SIZE[0], SIZE[1]], DOUBLE).gt(0.33));
            let given = Windows { observed: Some(&observed), ..Windows::new(&values) };
            let square = flat(&coherent.apply_drawn(given, &steps(80)).unwrap()).square();
            let seen = observed.view([BATCH, -1]).to_kind(Kind::Double);
            let sum =
                |of: &Tensor| of.sum_dim_intlist(Some([0_i64].as_slice()), false, Kind::Double);
            sum(&(square * &seen)) / sum(&seen)
        });
        assert!(gap < 4.5, "{shape}: {gap}");
    }
}

/// Least squares on noised windows is least squares on clean ones. On inputs with white noise it is ridge regression of
/// strength `1/SNR̃`, times `c/a`.
#[test]
fn least_squares_is_not_biased() {
    tch::manual_seed(6);
    let (t, lambda) = (60, 0.5);
    let covariance = root().matmul(&root().tr());
    let known = SIZE[0] * SIZE[1] - 1;
    let inputs = covariance.narrow(0, 0, known).narrow(1, 0, known);
    let outputs = covariance.narrow(0, 0, known).narrow(1, known, 1);
    let strength = format!("input = {{ reinject = {lambda} }}");
    let process = config(&strength).input().clone();
    let (signal, snr) = (process.signal()[t as usize], process.snr()[t as usize]);
    let ridge = &inputs + Tensor::eye(known, DOUBLE) / snr;
    let exact = Tensor::linalg_solve(&inputs, &outputs, true);
    let shrunk = Tensor::linalg_solve(&ridge, &outputs, true) / signal;
    // Coefficients of 30 samples of 100 batches.
    let fitted = |noised: &dyn Fn() -> (Tensor, Tensor)| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            let (one, other) = noised();
            x.push(one);
            y.push(other);
        }
        Tensor::cat(&x, 0).linalg_lstsq(&Tensor::cat(&y, 0), None, "gelsd").0
    };
    let split = |windows: &Tensor| (windows.narrow(1, 0, known), windows.narrow(1, known, 1));
    for shape in ["gaussian", "window"] {
        let coherent = coherent(&format!("shape = \"{shape}\"\n{strength}"));
        let noised =
            || split(&flat(&coherent.apply_drawn(Windows::new(&windows()), &steps(t)).unwrap()));
        let gap = off(30, &exact, || fitted(&noised));
        assert!(gap < 5.0, "{shape}: {gap}");
    }
    let white = noise::Diffuser::new(&process, Device::Cpu, Kind::Double).unwrap();
    let noised = || {
        let (x, y) = split(&flat(&windows()));
        (white.apply_drawn(&x, &steps(t)).unwrap(), y)
    };
    assert!(off(30, &shrunk, || fitted(&noised)) < 5.0);
    assert!(off(30, &exact, || fitted(&noised)) > 20.0);
}

/// The dependence of windows on what is known of them survives, which it would not if partners mixed winter and summer.
#[test]
fn what_is_known_keeps_its_effect() {
    tch::manual_seed(7);
    let coherent = coherent("shape = \"gaussian\"\ninput = { reinject = 0 }");
    let season = || {
        let known = Tensor::randn([BATCH, 2], DOUBLE);
        let level = known.narrow(1, 0, 1) * 2.0 - known.narrow(1, 1, 1);
        (windows() + level.view([-1, 1, 1]), known)
    };
    let expected = Tensor::from_slice(&[2.0, -1.0]).view([2, 1]).expand([2, 10], false);
    let with = |tells: bool| {
        off(1000, &expected, || {
            let (values, known) = season();
            let given = Windows { known: tells.then_some(&known), ..Windows::new(&values) };
            let noised = flat(&coherent.apply_drawn(given, &steps(60)).unwrap());
            known.tr().matmul(&noised) / BATCH as f64
        })
    };
    assert!(with(true) < 4.5, "{}", with(true));
    assert!(with(false) > 20.0, "{}", with(false));
}

#[test]
fn what_does_not_fit_is_refused() {
    let white = Coherent::new(&config(""), Device::Cpu, Kind::Float).unwrap_err();
    assert!(white.to_string().contains("Diffuser"), "{white}");
    let gaussian = config("shape = \"gaussian\"");
    let half = Coherent::new(&gaussian, Device::Cpu, Kind::BFloat16);
    assert!(matches!(half, Err(NoiseError::UnsupportedKind(Kind::BFloat16))));
    let coherent = coherent("shape = \"gaussian\"");
    let (values, few) = (windows(), Tensor::zeros([BATCH, 1, 2], DOUBLE));
    let known = Tensor::zeros([BATCH + 1, 2], DOUBLE);
    let empty = Tensor::zeros([0, 5, 2], DOUBLE);
    for (given, t, name) in [
        (Windows::new(&values), steps(1).narrow(0, 0, 3), "`t`"),
        (Windows::new(&empty), steps(1).narrow(0, 0, 0), "`values`"),
        (Windows { observed: Some(&few), ..Windows::new(&values) }, steps(1), "`observed`"),
        (Windows { known: Some(&known), ..Windows::new(&values) }, steps(1), "`known`"),
    ] {
        let error = coherent.apply_drawn(given, &t).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }
    assert!(coherent.apply_drawn(Windows::new(&values), &steps(101)).is_err());
}
