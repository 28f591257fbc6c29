//! Leakage, which no forecast may profit from: targets of another part, of another series, statistics of later rows.

use std::ops::Range;

use data::{Prepared, Rolling, Split, Windows};
use proptest::prelude::*;

use crate::support::{config, daily, load_with, message, read_with};

/// Every window's rows, checked one by one against the parts.
fn check(
    prepared: &Prepared,
    context: usize,
    horizon: usize,
    lost: usize,
) -> Result<(), TestCaseError> {
    let parts = prepared.split.parts();
    let each = |w: &Windows, pick: &dyn Fn(usize) -> Range<usize>, inside: bool| {
        for i in 0..w.len() {
            let (start, origin) = (w.start(i).unwrap(), w.origin(i).unwrap());
            let s = w.series(i).unwrap();
            let (series, part) = (prepared.panel.series()[s].rows(), pick(s));
            prop_assert_eq!(origin - start, context);
            prop_assert!(part.start <= origin && origin + horizon <= part.end);
            prop_assert!(series.start + lost <= start && origin + horizon <= series.end);
            prop_assert!(!inside || start >= part.start, "training context outside its part");
        }
        Ok(())
    };
    each(&prepared.windows.train, &|s| parts[s].train.clone(), true)?;
    each(&prepared.windows.validation, &|s| parts[s].validation.clone(), false)?;
    each(&prepared.windows.test, &|s| parts[s].test.clone(), false)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Law: no window of any part holds a target of another part or series.
    #[test]
    fn no_window_crosses_a_border(
        lengths in proptest::collection::vec(40usize..90, 1..4),
        context in 1usize..8, horizon in 1usize..5, stride in 1usize..6, purge in 0usize..4,
        difference: bool,
    ) {
        let mut table = "id,t,y\n".to_owned();
        for (s, &n) in lengths.iter().enumerate() {
            (0..n).for_each(|i| table += &format!("s{s},{i},{}\n", i * i));
        }
        let transform = if difference { "difference" } else { "none" };
        let keys = format!(
            "id = \"id\"\ntime = \"t\"\ncontext = {context}\nhorizon = {horizon}\nstride = {stride}\n\
             purge = {purge}\ntransform = \"{transform}\"\n\
             split = {{ train = 0.6, validation = 0.2, test = 0.2 }}"
        );
        let prepared = load_with(&table, &keys).unwrap();
        check(&prepared, context, horizon, usize::from(difference))?;
        // Training windows start at every row that leaves room.
        let expected: usize = prepared.split.parts().iter()
            .map(|p| (p.train.len() + 1).saturating_sub(context + horizon + usize::from(difference)))
            .sum();
        prop_assert_eq!(prepared.windows.train.len(), expected);
    }

    /// Law: scaled and unscaled, every value is what it was, through every transform.
    #[test]
    fn scaling_and_transforms_are_undone(
        values in proptest::collection::vec(0.5f32..2000.0, 30..60),
        kind in prop::sample::select(vec!["standard", "robust", "max-abs", "none"]),
        transform in prop::sample::select(vec!["none", "log", "difference", "return"]),
    ) {
        let table = values.iter().fold("y\n".to_owned(), |t, v| t + &format!("{v}\n"));
        let keys = format!(
            "context = 3\nhorizon = 4\nscale = \"{kind}\"\ntransform = \"{transform}\"\n\
             split = {{ train = 0.6, validation = 0.2, test = 0.2 }}"
        );
        let prepared = load_with(&table, &keys).unwrap();
        for i in 0..prepared.windows.test.len() {
            let rows = prepared.windows.test.targets(i).unwrap();
            let mut scaled = prepared.panel.values()[rows.clone()].to_vec();
            prepared.to_original(rows.start, 4, &mut scaled).unwrap();
            for (back, row) in scaled.iter().zip(rows.clone()) {
                let close = (back - values[row]).abs() <= 2e-4 * values[row].abs().max(values[rows.start - 1]);
                prop_assert!(close, "{transform} {kind}: {back} for {}", values[row]);
            }
            let original = prepared.original_targets(rows.clone()).unwrap();
            for (back, row) in original.iter().zip(rows) {
                prop_assert!((back - values[row]).abs() <= 1e-4 * values[row].abs().max(1.0));
            }
        }
    }
}

/// The leakage guard: rows after the training part do not move the scaler by a bit.
#[test]
fn the_scaler_sees_training_rows_only() {
    let keys = "context = 5\nhorizon = 2\nsplit = { train = 0.5, validation = 0.25, test = 0.25 }";
    let before = load_with(daily(100), keys).unwrap();
    let mut changed = String::new();
    for (i, line) in daily(100).lines().enumerate() {
        changed += &if i > 50 { line.replacen(",", ",9", 1) } else { line.to_owned() };
        changed += "\n";
    }
    let after = load_with(&changed, keys).unwrap();
    assert_eq!(before.scaler(), after.scaler());
    assert_ne!(before.fingerprint, after.fingerprint);
    // Oracle: 0..49 has mean 24.5 and unbiased variance n(n + 1)/12.
    let affine = before.scaler().affine(0, 0).unwrap();
    assert!((affine.center - 24.5).abs() < 1e-12);
    assert!((affine.spread - (50.0_f64 * 51.0 / 12.0).sqrt()).abs() < 1e-12);
}

/// A share of the training rows is their end: windows lie in it, validation, test and scaler stay as they were.
#[test]
fn fewer_training_rows_change_nothing_else() {
    let keys = "context = 5\nhorizon = 2\nsplit = { train = 0.7, validation = 0.1, test = 0.2 }";
    let all = load_with(daily(100), keys).unwrap();
    let tenths = load_with(daily(100), &format!("{keys}\ntrain_fraction = 0.2")).unwrap();
    // 14 of 70 rows: 14 − 7 + 1 windows, the last of which is the last of all.
    assert_eq!(tenths.windows.train.starts().collect::<Vec<_>>(), (56..64).collect::<Vec<_>>());
    assert_eq!(tenths.windows.train.start(7), all.windows.train.start(63));
    assert_eq!(tenths.windows.validation, all.windows.validation);
    assert_eq!(tenths.windows.test, all.windows.test);
    assert_eq!(tenths.scaler(), all.scaler());
    let same = load_with(daily(100), &format!("{keys}\ntrain_fraction = 1")).unwrap();
    assert_eq!(same.windows, all.windows);
    let none = load_with(daily(100), &format!("{keys}\ntrain_fraction = 0.05")).unwrap_err();
    assert!(none.to_string().contains("training"), "{none}");
}

#[test]
fn missing_cells_stay_out_of_the_scaler_and_marked_after_filling() {
    let mut table = daily(60);
    table = table.replace(",7,", ",,").replace(",8,", ",,").replace(",40,", ",,");
    let keys = "context = 5\nhorizon = 2\nsplit = { train = 0.5, validation = 0.25, test = 0.25 }\nscale = \"none\"";
    for (fill, seventh, eighth) in [("forward", 6.0, 6.0), ("interpolate", 7.0, 8.0)] {
        let prepared = load_with(&table, &format!("{keys}\nfill = \"{fill}\"")).unwrap();
        assert_eq!(prepared.panel.row(7).unwrap()[0], seventh, "{fill}");
        assert_eq!(prepared.panel.row(8).unwrap()[0], eighth, "{fill}");
        let observed = prepared.panel.observed().unwrap();
        assert!(!observed[14] && !observed[16] && !observed[80] && observed[15]);
        assert!(prepared.original_targets(7..8).unwrap()[0].is_nan(), "a filled cell is no truth");
    }
    let masked = load_with(&table, keys).unwrap();
    assert!(masked.panel.row(7).unwrap()[0].is_nan(), "never a silent zero");
    let standard = load_with(&table, &keys.replace("\"none\"", "\"standard\"")).unwrap();
    let seen: Vec<f64> = (0..30).filter(|i| ![7, 8].contains(i)).map(f64::from).collect();
    let mean = seen.iter().sum::<f64>() / 28.0;
    assert!((standard.scaler().affine(0, 0).unwrap().center - mean).abs() < 1e-12);
}

#[test]
fn interpolation_does_not_reach_over_a_border() {
    // Rows 49 and 50 are missing; the border lies between them.
    let table = daily(100).replace(",49,", ",,").replace(",50,", ",,");
    let keys = "context = 5\nhorizon = 2\nscale = \"none\"\nfill = \"interpolate\"\n\
                split = { train = 0.5, validation = 0.25, test = 0.25 }";
    let prepared = load_with(&table, keys).unwrap();
    assert_eq!(prepared.panel.row(49).unwrap()[0], 48.0);
    assert_eq!(prepared.panel.row(50).unwrap()[0], 48.0);
}

#[test]
fn dates_rows_and_fractions_split_alike() {
    let keys = |split: &str| format!("context = 5\nhorizon = 2\nsplit = {split}");
    let by = |split: &str| load_with(daily(100), &keys(split)).unwrap();
    let fractions = by("{ train = 0.5, validation = 0.25, test = 0.25 }");
    let rows = by("{ rows = [50, 25, 25] }");
    // Row 50 is 2012-02-20, row 75 is 2012-03-16: January 31, February 29 days.
    let dates = by("{ validation_from = \"2012-02-20\", test_from = \"2012-03-16\" }");
    assert_eq!(fractions.split, rows.split);
    assert_eq!(fractions.split, dates.split);
    let until = by(
        "{ validation_from = \"2012-02-20\", test_from = \"2012-03-16\", until = \"2012-03-20\" }",
    );
    assert_eq!(until.split.parts()[0].test, 75..79);
}

#[test]
fn rolling_origins_follow_one_another() {
    let config = config("path = \"t.csv\"\ncontext = 5\nhorizon = 2\npurge = 1");
    let panel = read_with(daily(100), "").unwrap();
    let rolling = Rolling { folds: 3, test: 10, validation: 5, train: None };
    let folds = Split::rolling(&config, rolling, &panel).unwrap();
    let test: Vec<Range<usize>> = folds.iter().map(|f| f.parts()[0].test.clone()).collect();
    assert_eq!(test, [70..80, 80..90, 90..100]);
    assert_eq!(folds[1].parts()[0].validation, 75..79);
    assert_eq!(folds[1].parts()[0].train, 0..74);
    let sliding = Rolling { train: Some(30), ..rolling };
    assert_eq!(Split::rolling(&config, sliding, &panel).unwrap()[2].parts()[0].train, 55..84);
    let prepared = data::prepare_fold(&config, panel.clone(), folds[0].clone()).unwrap();
    assert_eq!(prepared.windows.test.len(), 9);
    check(&prepared, 5, 2, 0).unwrap();
    // A sliding training part starts inside the series: contexts stay inside it.
    let third = Split::rolling(&config, sliding, &panel).unwrap()[2].clone();
    let prepared = data::prepare_fold(&config, panel.clone(), third).unwrap();
    assert_eq!(prepared.windows.train.start(0), Some(55));
    check(&prepared, 5, 2, 0).unwrap();
    let too_many = Rolling { folds: 20, ..rolling };
    let text = message(Split::rolling(&config, too_many, &panel));
    assert_eq!(
        text,
        "split needs 206 rows, series `t` has 100\n  hint: take fewer folds or shorter parts"
    );
}

#[test]
fn windows_that_do_not_fit_are_explained() {
    let text = message(load_with(daily(20), "context = 12\nhorizon = 5"));
    assert_eq!(
        text,
        "training part has no window: the longest series has 14 usable rows there, context 12 and horizon 5 need 17\n  \
         hint: shorten context or horizon, give training more rows, or bring more data"
    );
}
