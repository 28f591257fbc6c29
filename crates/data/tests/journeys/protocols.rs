//! Benchmark protocols: window counts and scaler statistics, on the benchmark's own files where they are,
//! and on generated files of the same shape everywhere.

use std::path::Path;

use data::Prepared;

use crate::support::{Folder, config, dataset, message};

fn load(path: &Path, protocol: &str, context: usize, horizon: usize) -> Prepared {
    let text = format!(
        "path = {path:?}\ncontext = {context}\nhorizon = {horizon}\nsplit = {{ protocol = \"{protocol}\" }}"
    );
    data::load(&config(&text), Path::new("")).unwrap()
}

/// Validation and test windows, and the rows after the last target, as in the protocol's table.
fn counts(path: &Path, protocol: &str, cells: &[(usize, usize, usize, usize, usize)]) {
    for &(context, horizon, validation, test, last) in cells {
        let prepared = load(path, protocol, context, horizon);
        let windows = &prepared.windows;
        assert_eq!(
            windows.validation.len(),
            validation,
            "{protocol} {context} → {horizon}, validation"
        );
        assert_eq!(windows.test.len(), test, "{protocol} {context} → {horizon}, test");
        let end = windows.test.targets(test - 1).unwrap().end;
        assert_eq!(end, last, "{protocol} {context} → {horizon}, last row used");
    }
}

/// A file of `rows` hourly or daily rows whose column k is `(k + 1) · row`.
fn generated(rows: usize, columns: usize) -> (Folder, std::path::PathBuf) {
    let mut text = "date".to_owned();
    (0..columns).for_each(|k| text += &format!(",c{k}"));
    let mut day = jiff::civil::date(1980, 1, 1);
    for row in 0..rows {
        text += &format!("\n{day}");
        (0..columns).for_each(|k| text += &format!(",{}", (k + 1) * row));
        day = day.tomorrow().unwrap();
    }
    let folder = Folder::new();
    let path = folder.write("generated.csv", text);
    (folder, path)
}

const ETT: [(usize, usize, usize, usize, usize); 5] = [
    (24, 24, 30, 30, 14_328),
    (96, 96, 29, 29, 14_304),
    (96, 192, 28, 28, 14_304),
    (96, 336, 27, 27, 14_352),
    (96, 720, 23, 23, 14_352),
];
const EXCHANGE: [(usize, usize, usize, usize, usize); 2] =
    [(96, 96, 7, 15, 7_511), (96, 720, 1, 9, 7_559)];
const EXCHANGE_SHORT: [(usize, usize, usize, usize, usize); 1] = [(30, 30, 5, 5, 6_221)];
const ILI: [(usize, usize, usize, usize, usize); 2] = [(36, 24, 1, 2, 893), (36, 60, 1, 2, 929)];

#[test]
fn window_counts_match_the_published_protocols() {
    let (_folder, path) = generated(17_420, 3);
    counts(&path, "ett", &ETT);
    let (_folder, path) = generated(7_588, 3);
    counts(&path, "exchange", &EXCHANGE);
    counts(&path, "exchange-short", &EXCHANGE_SHORT);
    let (_folder, path) = generated(966, 3);
    counts(&path, "ili", &ILI);
}

#[test]
fn scaler_rows_and_first_targets_match_the_published_protocols() {
    // Oracle: k · (0, 1, …, n − 1) has mean k (n − 1)/2 and unbiased variance k² n (n + 1)/12.
    let expect = |prepared: &Prepared, n: f64| {
        for k in 0..3 {
            let (affine, factor) = (prepared.scaler().affine(0, k).unwrap(), (k + 1) as f64);
            assert!((affine.center / (factor * (n - 1.0) / 2.0) - 1.0).abs() < 1e-9);
            assert!((affine.spread / (factor * (n * (n + 1.0) / 12.0).sqrt()) - 1.0).abs() < 1e-9);
        }
    };
    let (_folder, path) = generated(17_420, 3);
    let short = load(&path, "ett", 24, 24);
    expect(&short, 8_640.0);
    assert_eq!(short.windows.train.origin(0), Some(192));
    let long = load(&path, "ett", 96, 96);
    assert_eq!(long.windows.train.origin(0), Some(264));
    assert_eq!(long.windows.train.targets(long.windows.train.len() - 1).unwrap().end, 8_640);
    let (_folder, path) = generated(7_588, 3);
    expect(&load(&path, "exchange", 96, 96), 5_311.0);
    expect(&load(&path, "exchange-short", 30, 30), 6_071.0); // includes the validation rows
}

/// Means and deviations (n − 1) of the first 8640 rows, computed with Python's `math.fsum` from the file.
#[test]
fn etth1_is_scaled_as_published() {
    let Some(path) = dataset("ETTh1.csv") else { return };
    counts(&path, "ett", &ETT);
    let prepared = load(&path, "ett", 24, 24);
    let expected = [
        ("HUFL", 7.937_742_246, 5.813_085_824),
        ("HULL", 2.021_038_657, 2.090_225_616),
        ("MUFL", 5.079_770_601, 5.519_112_981),
        ("MULL", 0.746_185_880, 1.926_490_764),
        ("LUFL", 2.781_762_386, 1.023_581_896),
        ("LULL", 0.788_453_124, 0.630_273_111),
        ("OT", 17.128_261_698, 9.177_022_118),
    ];
    same(&prepared, &expected);
    assert_eq!(prepared.panel.frequency().to_string(), "1h");
}

#[test]
fn exchange_rates_are_scaled_as_published() {
    let Some(path) = dataset("exchange_rate.csv") else { return };
    counts(&path, "exchange", &EXCHANGE);
    counts(&path, "exchange-short", &EXCHANGE_SHORT);
    let first = [("0", 0.722_935_875, 0.103_117_330), ("1", 1.671_601_238, 0.167_574_759)];
    same(&load(&path, "exchange", 96, 96), &first);
    let first = [("0", 0.758_763_649, 0.136_617_364), ("1", 1.660_850_351, 0.159_788_364)];
    same(&load(&path, "exchange-short", 30, 30), &first);
}

fn same(prepared: &Prepared, expected: &[(&str, f64, f64)]) {
    for (k, &(name, mean, std)) in expected.iter().enumerate() {
        let affine = prepared.scaler().affine(0, k).unwrap();
        assert_eq!(prepared.panel.channels().names()[k], name);
        // The file's digits are rounded to f32 on reading.
        assert!((affine.center / mean - 1.0).abs() < 1e-6, "{name}: {affine:?}");
        assert!((affine.spread / std - 1.0).abs() < 1e-6, "{name}: {affine:?}");
    }
}

/// Two tickers of 756 and 754 weekdays without holidays.
fn tickers() -> Folder {
    let folder = Folder::new();
    for (name, rows) in [("AAA", 756), ("BBB", 754)] {
        let mut text = "date,close,target\n".to_owned();
        let mut day = jiff::civil::date(2014, 1, 2);
        for row in 0..rows {
            text += &format!("{day},{row},{}\n", row * 2);
            loop {
                day = day.tomorrow().unwrap();
                if day.weekday().to_monday_zero_offset() < 5 && day.day_of_year() != 1 {
                    break;
                }
            }
        }
        folder.write(&format!("{name}.csv"), text);
    }
    folder
}

#[test]
fn stocks_are_windowed_as_published() {
    let folder = tickers();
    for (horizon, [train, validation, test], kept) in
        [(10, [510, 66, 142], 128), (60, [410, 16, 92], 80)]
    {
        let one = load(&folder.path().join("AAA.csv"), "stocks", horizon, horizon);
        let windows = &one.windows;
        let counts = [windows.train.len(), windows.validation.len(), windows.test.len()];
        assert_eq!(counts, [train, validation, test], "T = {horizon}");
        assert_eq!(windows.test.whole_batches(16).len(), kept);
    }
    let both = load(folder.path(), "stocks", 10, 10);
    assert_eq!(both.panel.series().len(), 2);
    // Oracle: 0..n − 1 has population variance (n² − 1)/12.
    for (series, n) in [(0, 529.0_f64), (1, 527.0)] {
        let affine = both.scaler().affine(series, 0).unwrap();
        assert!((affine.center - (n - 1.0) / 2.0).abs() < 1e-9);
        assert!((affine.spread - ((n * n - 1.0) / 12.0).sqrt()).abs() < 1e-9);
    }
}

#[test]
fn real_stocks_are_read_as_a_folder() {
    let Some(path) = dataset("stocks/2016") else { return };
    let text = format!(
        "path = {path:?}\ncontext = 10\nhorizon = 10\ntargets = [\"target\"]\n\
         past_covariates = [\"open\", \"high\", \"low\", \"close\", \"volume\"]\n\
         split = {{ protocol = \"stocks\" }}"
    );
    let all = data::load(&config(&text), Path::new("")).unwrap();
    assert_eq!(all.panel.series().len(), 85);
    assert_eq!(all.panel.rows(), 82 * 756 + 3 * 755);
    assert_eq!(all.panel.frequency().to_string(), "business-day");
    let apple = all.panel.series().iter().position(|s| s.name() == "AAPL").unwrap();
    // Means and population deviations of the first 529 rows, by Python's `math.fsum`.
    let expected = [
        (0.000_530_074, 0.015_912_076),
        (0.052_846_043, 0.017_147_289),
        (0.062_274_095, 0.017_028_674),
    ];
    for (channel, (mean, std)) in expected.into_iter().enumerate() {
        let affine = all.scaler().affine(apple, channel).unwrap();
        assert!((affine.center - mean).abs() < 1e-8, "{affine:?}");
        assert!((affine.spread - std).abs() < 1e-8, "{affine:?}");
    }
    let apple = load(&path.join("AAPL.csv"), "stocks", 10, 10).windows;
    assert_eq!([apple.train.len(), apple.validation.len(), apple.test.len()], [510, 66, 142]);
}

#[test]
fn a_protocol_on_the_wrong_file_says_so() {
    let (_folder, path) = generated(1_000, 1);
    let text =
        format!("path = {path:?}\ncontext = 24\nhorizon = 24\nsplit = {{ protocol = \"ett\" }}");
    assert_eq!(
        message(data::load(&config(&text), Path::new(""))),
        "split needs 14400 rows, series `generated` has 1000\n  hint: the protocol's borders are fixed; \
         use the benchmark's own file, or another `split`"
    );
}
