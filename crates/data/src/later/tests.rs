use std::fmt::Write;
use std::fs;

use super::*;
use crate::config::DataConfig;
use crate::prepare::prepare;

/// A table of two series `u` and `v`, of these rows each; `edit` changes its text.
fn read(folder: &Path, rows: [usize; 2], edit: &dyn Fn(String) -> String) -> std::path::PathBuf {
    let mut text = String::from("id,day,y,x\n");
    for (name, rows) in ["u", "v"].iter().zip(rows) {
        for row in 0..rows {
            let _ = writeln!(text, "{name},2024-01-{:02},{},{}", row + 1, row * row % 7, row);
        }
    }
    let path = folder.join("table.csv");
    fs::write(&path, edit(text)).unwrap();
    path
}

fn config(path: &Path) -> DataConfig {
    DataConfig {
        id: Some("id".to_owned()),
        targets: Some(vec!["y".to_owned()]),
        past_covariates: vec!["x".to_owned()],
        calendar: vec![crate::CalendarFeature::Weekday],
        ..DataConfig::new(path, 4, 2)
    }
}

/// Oracle: counts by hand, the rows of the training scaled by the scaler of the training, and windows by their formula.
#[test]
fn a_newer_table_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let same = |text| text;
    let path = read(folder.path(), [20, 15], &same);
    let config = config(&path);
    let old = prepare(&config, crate::read(&config, Path::new("")).unwrap()).unwrap();
    assert_eq!(old.known[0].rows, 20);
    assert_eq!((&*old.known[1].first, &*old.known[1].last), ("2024-01-01", "2024-01-15"));
    assert_eq!(old.known[1].prints.len(), 15 * DIGITS);
    let again = old.pipeline.continuation(&path, &old.known).unwrap();
    assert_eq!((again.added.len(), again.revised, &*again.known), (0, 0, &[20, 15][..]));
    let (whole, _) = old.pipeline.prepare(again.panel, false).unwrap();
    assert_eq!(
        (whole.panel.values(), whole.fingerprint),
        (old.panel.values(), old.fingerprint.clone())
    );

    let edit = |text: String| {
        text.replace("u,2024-01-03,4,2", "u,2024-01-03,5,2")
            .replace("v,2024-01-02,1,1", "v,2024-01-02,,1")
            + "w,2024-01-01,1,1\n"
    };
    let path = read(folder.path(), [25, 15], &edit);
    let found = old.pipeline.continuation(&path, &old.known).unwrap();
    assert_eq!((found.revised, found.left_out.len(), &*found.left_out[0].series), (2, 1, "w"));
    let added = AddedRows {
        series: "u".to_owned(),
        rows: 5,
        first: "2024-01-21".to_owned(),
        last: "2024-01-25".to_owned(),
    };
    assert_eq!(found.added, [added]);
    let (newer, filled) = old.pipeline.prepare(found.panel.clone(), false).unwrap();
    assert_eq!((newer.panel.rows(), newer.windows.train.len(), filled), (40, 20 + 10, 1));
    assert_eq!(newer.pipeline.scaler(), old.pipeline.scaler());
    let width = newer.panel.channels().len();
    assert_eq!(
        newer.panel.values()[5 * width..20 * width],
        old.panel.values()[5 * width..20 * width]
    );
    // The gap takes the value before it.
    assert_eq!(newer.panel.values()[26 * width], newer.panel.values()[25 * width]);
    let (masked, filled) = old.pipeline.prepare(found.panel, true).unwrap();
    assert!(!masked.panel.is_observed(26, 0) && filled == 0);
}

#[test]
fn other_tables_do_not_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = read(folder.path(), [20, 15], &|text| text);
    let config = config(&path);
    let old = prepare(&config, crate::read(&config, Path::new("")).unwrap()).unwrap();
    let refused = |rows, edit: &dyn Fn(String) -> String, words: &str| {
        let path = read(folder.path(), rows, edit);
        let text = old.pipeline.continuation(&path, &old.known).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    };
    refused([20, 14], &|text| text, "series `v` has 14 rows, and the model knows 15");
    refused([25, 0], &|text| text, "series `v`, which the model was trained on, is missing");
    refused(
        [25, 18],
        &|text| text.replace("u,2024-01-01,0,0\n", ""),
        "is at 2024-01-02, and in the training it was at 2024-01-01",
    );
    refused([25, 18], &|text| text.replace("x\n", "z\n"), "`x`");
}
