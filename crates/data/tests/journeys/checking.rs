//! Descriptions of tables by `data check` and `init`.

use std::path::Path;

use data::{DataConfig, Init, Suspicion};

use crate::support::{Folder, daily, dataset, message};

fn check(content: &str) -> data::Description {
    let folder = Folder::new();
    folder.write("t.csv", content);
    data::check(&DataConfig::new("t.csv", 1, 1), folder.path()).unwrap()
}

#[test]
fn a_table_is_described() {
    let description =
        data::check(&DataConfig::bundled("seattle-weather", 1, 1), Path::new("")).unwrap();
    assert_eq!((description.rows, description.season), (1461, Some(7)));
    assert_eq!(
        (description.series[0].from.as_str(), description.series[0].to.as_str()),
        ("2012-01-01", "2015-12-31")
    );
    let warm = &description.channels[1];
    assert_eq!((warm.name.as_str(), warm.role, warm.observed), ("temp_max", "target", 1461));
    assert!((warm.least + 1.6).abs() < 1e-6 && (warm.greatest - 35.6).abs() < 1e-5, "{warm:?}");
    let proposal = description.proposal.as_ref().unwrap();
    assert_eq!((proposal.context, proposal.horizon), (28, 7));
    // 70 % of 1461 is 1022: 1022 − 28 − 7 + 1 windows, every seventh without shared targets.
    assert_eq!((proposal.train_windows, proposal.disjoint_windows), (988, 142));
    assert_eq!((proposal.validation_windows, proposal.test_windows), (147 - 6, 292 - 6));
    let text = description.to_string();
    for part in [
        "seattle-weather\n  1461 rows in 1 series, 4 channels\n  time step 1d, natural cycle of 7 rows\n  understood: times in `date` as year first (`2012/01/01`), no offset from UTC; numbers with decimal `.`; cells separated by `,`\n  doubtful: nothing\n",
        "temp_max       target",
        "note: column `weather` is text: left out",
        "  ! `precipitation` is zero in 57 % of the rows",
        "  calendar = [\"weekday\", \"day-of-year\"]\n",
        "988 training windows, of which 142 share no target; 141 validation and 286 test windows. `ballast init` writes",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let json: serde_json::Value = serde_json::to_value(&description).unwrap();
    assert_eq!(json["channels"][1]["name"], "temp_max");
    assert_eq!(json["proposal"]["split"]["train"], 0.7);
}

#[test]
fn suspicious_channels_are_named_and_sound_ones_are_not() {
    let table = |f: &dyn Fn(usize) -> f64| {
        (0..200).fold("y\n".to_owned(), |text, i| text + &format!("{}\n", f(i)))
    };
    let wave = |i: usize| 20.0 + 5.0 * (i as f64).sin();
    let suspicions = |f: &dyn Fn(usize) -> f64| check(&table(f)).channels[0].suspicions.clone();
    assert_eq!(suspicions(&wave), []);
    assert_eq!(suspicions(&|_| 3.0), [Suspicion::Constant { value: 3.0 }]);
    let sentinel = suspicions(&|i| if i % 50 == 7 { -999.0 } else { wave(i) });
    assert_eq!(sentinel, [Suspicion::Sentinel { value: -999.0, count: 4 }]);
    let outlier = suspicions(&|i| if i == 120 { 1e7 } else { wave(i) });
    assert!(
        matches!(&outlier[..], [Suspicion::Outlier { value, time, .. }] if *value == 1e7 && time == "120"),
        "{outlier:?}"
    );
    let unit = suspicions(&|i| if i >= 130 { 1000.0 * wave(i) } else { wave(i) });
    assert!(
        unit.iter().any(|s| matches!(s, Suspicion::UnitChange { factor, time, .. } if *factor == 1000.0 && time == "130")),
        "{unit:?}"
    );
    let counter = suspicions(&|i| 100.0 + (3 * i + i % 3) as f64);
    assert_eq!(counter, [Suspicion::Counter]);
    let steep = suspicions(&|i| (0.05 * i as f64).exp() * wave(i));
    assert!(
        !steep.iter().any(|s| matches!(s, Suspicion::UnitChange { .. })),
        "growth is no unit change: {steep:?}"
    );
    let offset = suspicions(&|i| 1e9 + 200.0 * wave(i));
    assert!(offset.iter().any(|s| matches!(s, Suspicion::LostPrecision { .. })), "{offset:?}");
    let rare = suspicions(&|i| if i % 4 == 0 { wave(i) } else { 0.0 });
    assert_eq!(rare, [Suspicion::Intermittent { zeros: 0.75 }]);
}

#[test]
fn a_long_table_without_id_gets_one_proposed() {
    let mut text = "date,shop,sales\n".to_owned();
    for shop in ["north", "south"] {
        (1..=30).for_each(|d| text += &format!("2012-01-{d:02},{shop},{}\n", d % 7));
    }
    let description = check(&text);
    assert_eq!(description.id.as_deref(), Some("shop"));
    assert_eq!(description.series.len(), 2);
    assert!(description.to_string().contains("set `id = \"shop\"`"));
}

#[test]
fn findings_are_part_of_the_description() {
    let description = check(
        &daily(30)
            .replace("2012-01-05,4,-0.", "#")
            .lines()
            .filter(|l| !l.starts_with("2012-01-05") && !l.starts_with('#'))
            .fold(String::new(), |t, l| t + l + "\n"),
    );
    assert_eq!(description.findings.len(), 1);
    let text = description.to_string();
    assert!(text.contains("1 row missing between 2012-01-04 and 2012-01-06"), "{text}");
    assert!(text.contains("2 cells missing"), "{text}");
}

#[test]
fn init_proposes_a_configuration_that_loads() {
    let folder = Folder::new();
    folder.write("od\"d na\\me.csv", daily(100));
    folder.write("few.csv", daily(8));
    let way = |targets: &[&str], time: Option<&str>, horizon, context| {
        let targets =
            (!targets.is_empty()).then(|| targets.iter().map(|t| (*t).to_owned()).collect());
        let time = time.map(data::TimeColumns::from);
        let data = DataConfig { targets, time, ..DataConfig::new("od\"d na\\me.csv", 1, 1) };
        Init { data, horizon, context }
    };
    let ways = [
        way(&[], None, None, None),
        way(&["b"], None, Some(3), None),
        way(&["a"], Some("date"), Some(5), Some(10)),
    ];
    for way in ways {
        let data::Initial { config, about, .. } = data::init(&way, folder.path()).unwrap();
        assert_eq!(config.horizon, way.horizon.unwrap_or(7));
        if way.data.targets.is_some() {
            assert_eq!(config.targets, way.data.targets);
        }
        let prepared = data::load(&config, folder.path()).unwrap();
        assert!(!prepared.windows.train.is_empty() && !prepared.windows.test.is_empty());
        assert!(about.ends_with("100 rows, 1 series, time step 1d"), "{about}");
    }
    let short = Init { data: DataConfig::new("few.csv", 1, 1), horizon: Some(20), context: None };
    assert!(message(data::init(&short, folder.path())).starts_with("split needs 61 rows"));
}

/// Oracle: a training window, one of validation and one of test need three horizons and a row of context.
#[test]
fn init_takes_every_series_with_a_window() {
    let folder = Folder::new();
    let weeks = |count: i64| {
        let date = |week| jiff::civil::date(2020, 1, 6) + jiff::Span::new().weeks(week);
        (0..count).fold("week,y\n".to_owned(), |text, i| text + &format!("{},{}\n", date(i), i % 5))
    };
    for rows in [4, 5, 10, 25, 103] {
        folder.write("t.csv", weeks(rows as i64));
        for horizon in [1, 2, 3, 8, 13, 26, 34, 35] {
            let data = DataConfig::new("t.csv", 1, 1);
            let wishes = Init { data, horizon: Some(horizon), context: None };
            let found = data::init(&wishes, folder.path());
            if rows <= 3 * horizon {
                let needed = format!("split needs {} rows", 3 * horizon + 1);
                let message = message(found);
                assert!(
                    message.starts_with(&needed) && message.contains("`ballast forecast FILE`"),
                    "{message}"
                );
                continue;
            }
            let prepared = data::load(&found.unwrap().config, folder.path()).unwrap();
            let windows = prepared.windows;
            assert!(
                ![windows.train, windows.validation, windows.test]
                    .iter()
                    .any(data::Windows::is_empty)
            );
        }
    }
    // Two years of weeks: a sixth of them as context, as no season is held three times.
    let config = DataConfig::new("t.csv", 1, 1);
    let proposal = data::check(&config, folder.path()).unwrap().proposal.unwrap();
    assert_eq!((proposal.context, proposal.horizon), (12, 10));
    let wishes = Init { data: config, horizon: Some(26), context: None };
    let config = data::init(&wishes, folder.path()).unwrap().config;
    assert_eq!((config.context, config.split), (16, data::SplitConfig::Last([26, 26])));
}

/// The proposal of `data check` is what `init` writes.
#[test]
fn check_and_init_agree() {
    let folder = Folder::new();
    for rows in [6, 20, 64, 300, 1200] {
        folder.write("t.csv", daily(rows));
        let config = DataConfig::new("t.csv", 1, 1);
        let Some(proposal) = data::check(&config, folder.path()).unwrap().proposal else {
            panic!("{rows} rows have a proposal");
        };
        let wishes = Init { data: config, horizon: None, context: None };
        let config = data::init(&wishes, folder.path()).unwrap().config;
        assert_eq!(
            (config.context, config.horizon, config.split, config.calendar),
            (proposal.context, proposal.horizon, proposal.split, proposal.calendar)
        );
    }
}

#[test]
fn the_benchmarks_are_described() {
    let Some(path) = dataset("ETTh1.csv") else { return };
    let description = data::check(&DataConfig::new(path, 1, 1), Path::new("")).unwrap();
    assert_eq!(
        (description.rows, description.season, description.findings.len()),
        (17_420, Some(24), 0)
    );
    // A week and five days, and the calendar of hours.
    assert_eq!(description.proposal.unwrap().context, 288);
    let Some(path) = dataset("stocks/2016") else { return };
    let description = data::check(&DataConfig::new(path, 1, 1), Path::new("")).unwrap();
    assert_eq!((description.series.len(), description.season), (85, Some(5)));
    assert!(description.to_string().lines().count() < 90, "{description}");
}
