//! New data for a trained model.

use data::Pipeline;

use crate::support::{Folder, daily, load_with, message};

const KEYS: &str =
    "context = 5\nhorizon = 3\nsplit = { train = 0.6, validation = 0.2, test = 0.2 }\n";

/// The pipeline as a checkpoint carries it.
fn saved(content: &str, keys: &str) -> Pipeline {
    let prepared = load_with(content, &format!("{KEYS}{keys}")).unwrap();
    let text = serde_json::to_string(&prepared.pipeline).unwrap();
    let back: Pipeline = serde_json::from_str(&text).unwrap();
    assert_eq!(back, prepared.pipeline);
    back
}

#[test]
fn a_forecast_starts_after_the_last_row() {
    let pipeline = saved(&daily(60), "calendar = [\"weekday\"]");
    let folder = Folder::new();
    let path = folder.write("new.csv", daily(20)); // another name, another length
    let input = pipeline.forecast_input(&path).unwrap();
    assert_eq!(input.times(0).unwrap(), ["2012-01-21", "2012-01-22", "2012-01-23"]);
    assert_eq!(input.windows.len(), 1);
    let (start, origin) = (input.windows.start(0).unwrap(), input.windows.origin(0).unwrap());
    assert_eq!((start, origin, input.panel.rows()), (15, 20, 23));
    let affine = pipeline.scaler().affine(0, 0).unwrap();
    let last = input.panel.row(19).unwrap();
    assert!((f64::from(last[0]) - (19.0 - affine.center) / affine.spread).abs() < 1e-6);
    let future = input.panel.row(20).unwrap();
    assert!(future[0].is_nan() && future[1].is_nan());
    // 2012-01-21 is a Saturday: five sevenths of the week.
    let angle = std::f32::consts::TAU * 5.0 / 7.0;
    assert!((future[2] - angle.sin()).abs() < 1e-6 && (future[3] - angle.cos()).abs() < 1e-6);
    assert!(!input.panel.observed().unwrap()[20 * 4]);
    let mut forecast = vec![0.0; 2 * 3 * 2]; // two paths; zero is the training mean
    input.to_original(0, &mut forecast).unwrap();
    assert!((f64::from(forecast[0]) - affine.center).abs() < 1e-5);
}

#[test]
fn filling_does_not_invent_the_future() {
    for fill in ["forward", "interpolate"] {
        let pipeline = saved(
            &daily(60),
            &format!(
                "fill = \"{fill}\"\npast_covariates = [\"b\"]\ntargets = [\"a\"]\nscale = \"none\""
            ),
        );
        let folder = Folder::new();
        let path = folder.write("new.csv", daily(20).replace(",17,", ",,"));
        let input = pipeline.forecast_input(&path).unwrap();
        let filled = if fill == "forward" { 16.0 } else { 17.0 };
        assert_eq!(input.panel.row(17).unwrap()[0], filled);
        let observed = input.panel.observed().unwrap();
        assert!(!observed[17 * 2] && observed[18 * 2]);
        for row in 20..23 {
            assert!(input.panel.row(row).unwrap().iter().all(|v| v.is_nan()), "{fill}: row {row}");
            assert!(!observed[row * 2] && !observed[row * 2 + 1]);
        }
    }
}

#[test]
fn forecasts_continue_from_the_last_level() {
    let rows = (0..60).fold("y\n".to_owned(), |t, i| t + &format!("{}\n", 100 + 3 * i));
    let pipeline = saved(&rows, "transform = \"difference\"\nscale = \"none\"");
    let folder = Folder::new();
    let path = folder.write("new.csv", "y\n1\n2\n3\n4\n5\n50\n");
    let input = pipeline.forecast_input(&path).unwrap();
    let mut forecast = vec![1.0, 2.0, -4.0];
    input.to_original(0, &mut forecast).unwrap();
    assert_eq!(forecast, [51.0, 53.0, 49.0]);
    assert_eq!(input.times(0).unwrap(), ["6", "7", "8"]);
}

#[test]
fn known_future_covariates_are_taken_from_the_rows_after_the_targets() {
    let table = |rows: usize, future: usize| {
        (0..rows + future).fold("t,y,p\n".to_owned(), |text, i| {
            let y = if i < rows { (i % 7).to_string() } else { String::new() };
            text + &format!("{i},{y},{}\n", i * 10)
        })
    };
    let pipeline =
        saved(&table(60, 0), "targets = [\"y\"]\nfuture_covariates = [\"p\"]\nscale = \"none\"");
    let folder = Folder::new();
    let path = folder.write("new.csv", table(10, 4));
    let input = pipeline.forecast_input(&path).unwrap();
    assert_eq!(input.panel.rows(), 13);
    let p: Vec<f32> = (10..13).map(|r| input.panel.row(r).unwrap()[1]).collect();
    assert_eq!(p, [100.0, 110.0, 120.0]);
    let path = folder.write("short.csv", table(10, 1));
    assert_eq!(
        message(pipeline.forecast_input(&path)),
        "short.csv: series `short` lacks `p` for row 2 of 3 to be forecast\n  hint: `future_covariates` must \
         be given for every row of the horizon, with the targets left empty"
    );
}

#[test]
fn what_does_not_fit_the_model_is_refused() {
    let pipeline = saved(&daily(60), "");
    let folder = Folder::new();
    let check = |name: &str, content: &str, start: &str| {
        let path = folder.write(name, content);
        let text = message(pipeline.forecast_input(&path));
        assert!(text.starts_with(start), "{text}");
    };
    check(
        "few.csv",
        &daily(3),
        "few.csv: series `few` ends with 3 rows, the model looks back over 5",
    );
    check("other.csv", "date,a,c\n2012-01-01,1,2\n", "other.csv:1:1: no column `b` for `targets`");
    let hourly =
        (0..20).fold("date,a,b\n".to_owned(), |t, h| t + &format!("2012-01-01 {h:02}:00,1,{h}\n"));
    check(
        "hourly.csv",
        &hourly,
        "hourly.csv: series `hourly` has time step 1h, the model was trained on 1d",
    );
    assert!(pipeline.forecast_input(&folder.path().join("none.csv")).is_err());
}

#[test]
fn a_series_the_scaler_never_saw_is_named() {
    let table = |names: &[&str]| {
        names.iter().fold("id,t,y\n".to_owned(), |text, id| {
            (0..40).fold(text, |text, i| text + &format!("{id},{i},{}\n", i % 5))
        })
    };
    let pipeline = saved(&table(&["a", "b"]), "id = \"id\"");
    let folder = Folder::new();
    let path = folder.write("new.csv", table(&["b", "c"]));
    let input = pipeline.forecast_input(&path).unwrap();
    assert_eq!(input.windows.len(), 1);
    assert_eq!(input.panel.series()[0].name(), "b");
    let left_out = &input.left_out[0];
    assert_eq!(left_out.series, "c");
    assert!(left_out.reason.contains("series `c` was not in the training data"), "{left_out:?}");
    let shared =
        saved(&table(&["a", "b"]), "id = \"id\"\nscale = { kind = \"standard\", per = \"all\" }");
    let input = shared.forecast_input(&path).unwrap();
    assert_eq!((input.windows.len(), input.left_out.len()), (2, 0));
    // A model of one series takes no other in silence.
    let one = saved(&table(&["a"]), "id = \"id\"");
    let path = folder.write("other.csv", table(&["c"]));
    let text = message(one.forecast_input(&path));
    assert!(text.starts_with("other.csv: series `c` was not in the training data"), "{text}");
}

/// Found by fuzzing: the scaler became infinite, and the pipeline was stored without a number there.
#[test]
fn a_step_beyond_the_range_of_numbers_is_refused() {
    let content =
        (0..30).fold("y\n".to_owned(), |t, i| t + if i == 6 { "1e-44\n" } else { "12.5\n" });
    let text = message(load_with(&content, &format!("{KEYS}transform = \"return\"")));
    assert!(text.contains("t.csv: transform = \"return\" is undefined at"), "{text}");
    assert!(
        text.contains("row 7") && text.contains("beyond the range of 32-bit numbers"),
        "{text}"
    );
    let content =
        content.replace("1e-44", "3e38").replacen("12.5\n12.5\n3e38", "12.5\n-3e38\n3e38", 1);
    let text = message(load_with(&content, &format!("{KEYS}transform = \"difference\"")));
    assert!(text.contains("transform = \"difference\" is undefined at"), "{text}");
}

#[test]
fn a_stored_pipeline_that_was_changed_is_refused() {
    let pipeline = saved(&daily(60), "calendar = [\"weekday\"]");
    let folder = Folder::new();
    let path = folder.write("new.csv", daily(20));
    let stored = serde_json::to_string(&pipeline).unwrap();
    for (part, other, says) in [
        ("\"targets\":2", "\"targets\":9", "its channels have other numbers by role"),
        ("\"targets\":2", "\"targets\":0", "its channels have other numbers by role"),
        ("\"past\":0", "\"past\":18446744073709551615", "its channels have other numbers by role"),
        ("\"channels\":[\"a\"", "\"channels\":[\"c\"", "its scaler is not one of its channels"),
        ("\"spread\":", "\"spread\":-", "its scaler is not one of its channels"),
    ] {
        let changed = stored.replacen(part, other, 1);
        assert_ne!(changed, stored, "{part}");
        let changed: Pipeline = serde_json::from_str(&changed).unwrap();
        let text = message(changed.forecast_input(&path));
        assert_eq!(
            text,
            format!("the stored pipeline was changed: {says}\n  hint: train the model again")
        );
    }
}
