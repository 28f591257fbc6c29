use std::fmt::Write;

use data::DataConfig;

use super::*;
use crate::table::Wanted;

/// Rows of a wave, with other ones from `first` on.
fn table(folder: &Path, name: &str, first: usize) -> Table {
    let mut text = "time,x\n".to_owned();
    for row in 0..120 {
        let usual = 30.0 + 8.0 * (row as f64 * 0.7).sin() + ((row * 37) % 11) as f64 * 0.3;
        let value = if row < first { usual } else { 20.0 + ((row * 29) % 17) as f64 };
        writeln!(text, "{row},{value:.3}").unwrap();
    }
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    let data = DataConfig { path: Some(path), ..DataConfig::new("", 1, 1) };
    Table::read(&Wanted { data, horizon: Some(4), context: Some(12), season: None }).unwrap()
}

/// The rows after the origin of a fold change none of its forecasts, and none before: not those of classical methods, and
/// not those of the network, whose choices by the held-out rows (epoch, normalization, ridge) are turned off here.
#[test]
fn no_fold_sees_later_rows() {
    let folder = tempfile::tempdir().unwrap();
    let fixed = [
        "train.epochs=2",
        "train.keep=\"last\"",
        "train.choose_instance_norm=false",
        "train.ridge_start=false",
    ];
    let overrides = fixed.map(str::to_owned).to_vec();
    let options = Options { overrides, ..Options::default() };
    let fit = |name: &str, first: usize| {
        let table = table(folder.path(), &format!("{name}.csv"), first);
        Fitted::fit(&table, &folder.path().join(name), &options).unwrap()
    };
    let honest = fit("honest", 120);
    assert!(honest.members.iter().any(|member| member == NETWORK));
    let (history, origins) = (honest.classics[0].history(), &honest.classics[0].layout().origins);
    for fold in [0, 4] {
        let poisoned = fit(&format!("poisoned-{fold}"), origins[fold]);
        let other = poisoned.classics[0].history();
        for (index, (ours, theirs)) in history.folds.iter().zip(&other.folds).enumerate() {
            assert_eq!(ours.members.len(), honest.members.len());
            if index <= fold {
                for (member, name) in honest.members.iter().enumerate() {
                    let same = ours.members[member] == theirs.members[member];
                    assert!(same, "{name}: fold {index} sees rows after fold {fold}");
                }
                assert!(ours.members.last().unwrap().is_some(), "the network has a forecast");
            }
        }
        // The test sees something: the next fold has seen the changed rows.
        let next = |history: &History| history.folds[fold + 1].members.clone();
        for (member, (ours, theirs)) in next(history).iter().zip(&next(other)).enumerate() {
            assert!(ours.is_none() || ours != theirs, "{}", honest.members[member]);
        }
    }
}
