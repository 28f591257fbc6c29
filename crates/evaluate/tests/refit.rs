//! Evaluations score the weights that have not seen the test rows; forecasts come from those of the refit.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use evaluate::{evaluate_run, forecast};
use train::{Config, Control, Loaded, RunOptions, prepare, update};

fn run(folder: &Path, refit: bool) -> std::path::PathBuf {
    let text = format!(
        "seed = 3\n[data]\npath = \"{}\"\ncontext = 8\nhorizon = 4\n[noise]\nschedule = \"none\"\n\
        [model]\nhidden = 8\n[train]\nepochs = 2\nsteps_per_epoch = 8\nrefit = {refit}\n",
        folder.join("data.csv").display()
    );
    let config = Config::parse(&text, "test", &[]).unwrap();
    let path = folder.join(format!("refit-{refit}"));
    let training = prepare(&config, &path, RunOptions::default()).unwrap();
    training.run(&Control::default(), &mut |_| {}).unwrap();
    path
}

#[test]
fn each_set_of_weights_has_its_use() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("day,a\n");
    for row in 0..160 {
        let x = f64::from(row);
        let _ =
            writeln!(text, "{row},{}", 5.0 + 0.02 * x + (x / 3.0).sin() + 0.3 * (x * 1.7).sin());
    }
    let input = folder.path().join("data.csv");
    fs::write(&input, text).unwrap();
    let [with, without] = [true, false].map(|refit| run(folder.path(), refit));
    let options = RunOptions::default();
    // Oracle: the scores of the same training without a refit.
    let scores = [&with, &without].map(|path| evaluate_run(path, options).unwrap());
    let [one, other] = scores.map(|scores| serde_json::to_string(&scores).unwrap());
    assert_eq!(one, other);

    let levels = [0.1, 0.5, 0.9];
    let forecasts = [&with, &without]
        .map(|path| forecast(path, &input, &[], &levels, 1, options, None).unwrap());
    assert_eq!(forecasts[0].refitted_on, Some(160));
    assert_eq!(forecasts[1].refitted_on, None);
    assert_eq!(forecasts[0].series[0].times, ["160", "161", "162", "163"]);
    assert_ne!(forecasts[0].series, forecasts[1].series);
    // Oracle: the scaler of the refit, mean and standard deviation of all rows.
    let loaded = Loaded::open(&with).unwrap();
    let affine = loaded.latest().pipeline().scaler().affine(0, 0).unwrap();
    let values = (0..160).map(|row| {
        let x = f64::from(row);
        5.0 + 0.02 * x + (x / 3.0).sin() + 0.3 * (x * 1.7).sin()
    });
    let mean = values.clone().sum::<f64>() / 160.0;
    let variance = values.map(|x| (x - mean).powi(2)).sum::<f64>() / 159.0;
    assert!((affine.center - mean).abs() < 1e-5 && (affine.spread - variance.sqrt()).abs() < 1e-5);

    // An update forecasts from then on, and the scores stay.
    let newer = folder.path().join("newer.csv");
    let mut text = fs::read_to_string(&input).unwrap();
    for row in 160..170 {
        let _ = writeln!(text, "{row},{}", 8.0 + (f64::from(row) / 3.0).sin());
    }
    fs::write(&newer, text).unwrap();
    let control = Control::default();
    let updated = update(&with, &newer, &[], options, &control, &mut |_, _| {}).unwrap();
    assert_eq!(updated.added[0].rows, 10);
    let later = forecast(&with, &input, &[], &levels, 1, options, None).unwrap();
    assert_eq!(later.refitted_on, Some(170));
    assert_eq!(later.series[0].times, forecasts[0].series[0].times);
    assert_ne!(later.series, forecasts[0].series);
    assert_eq!(serde_json::to_string(&evaluate_run(&with, options).unwrap()).unwrap(), one);
}
