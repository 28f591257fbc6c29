//! Formats, layouts and roles.

use crate::support::{Folder, config, daily, message, read, read_with};

#[test]
fn the_bundled_set_is_read_as_documented() {
    let config = data::DataConfig::bundled("seattle-weather", 28, 7);
    let panel = data::read(&config, std::path::Path::new("")).unwrap();
    assert_eq!(panel.rows(), 1461);
    assert_eq!(panel.channels().names(), ["precipitation", "temp_max", "temp_min", "wind"]);
    assert_eq!(panel.row(1).unwrap(), [10.9, 10.6, 2.8, 4.5]);
    assert_eq!(panel.time(1460).unwrap(), "2015-12-31");
    assert_eq!(panel.frequency().to_string(), "1d");
    assert_eq!(panel.observed(), None);
    assert_eq!(panel.notes(), ["column `weather` is text: left out"]);
}

#[test]
fn one_table_written_many_ways_is_one_panel() {
    let plain = "date,a,b\n2012-01-01,1.5,2\n2012-01-02,,4\n2012-01-03,-3.25,6\n";
    let expected = read(plain).unwrap();
    assert_eq!(expected.values().len(), 6);
    assert_eq!(expected.observed().unwrap(), [true, true, false, true, true, true]);
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() })
            .collect()
    };
    let gzip = |text: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, text).unwrap();
        out.finish().unwrap()
    };
    let german = "date;a;b\n01.01.2012;1,5;2\n02.01.2012;;4\n03.01.2012;-3,25;6\n";
    let ways: Vec<(&str, Vec<u8>)> = vec![
        ("BOM", [b"\xef\xbb\xbf", plain.as_bytes()].concat()),
        ("CRLF", plain.replace('\n', "\r\n").into()),
        ("CR", plain.replace('\n', "\r").into()),
        ("no last line end", plain.trim_end().into()),
        ("blank lines", plain.replace('\n', "\n\n").into()),
        ("tabs", plain.replace(',', "\t").into()),
        ("bars", plain.replace(',', "|").into()),
        ("quotes", plain.replace("1.5", "\"1.5\"").replace("date", "\"date\"").into()),
        ("spaces", plain.replace(',', " , ").into()),
        ("UTF-16 LE with mark", [b"\xff\xfe".to_vec(), utf16(plain, false)].concat()),
        ("UTF-16 BE with mark", [b"\xfe\xff".to_vec(), utf16(plain, true)].concat()),
        ("UTF-16 LE without mark", utf16(plain, false)),
        ("gzip", gzip(plain.as_bytes())),
        (
            "two gzip members",
            [gzip(&plain.as_bytes()[..20]), gzip(&plain.as_bytes()[20..])].concat(),
        ),
        ("German", german.into()),
        (
            "text column",
            "date,a,b,w\n2012-01-01,1.5,2,x\n2012-01-02,NA,4,y\n2012-01-03,-3.25,6,z\n".into(),
        ),
    ];
    for (way, bytes) in ways {
        let panel = read(&bytes).unwrap_or_else(|e| panic!("{way}: {e}"));
        assert_eq!(panel.fingerprint(), expected.fingerprint(), "{way}");
        assert_eq!(panel.observed(), expected.observed(), "{way}");
    }
}

#[test]
fn another_value_is_another_fingerprint() {
    let base = read(daily(5)).unwrap().fingerprint();
    assert_eq!(base, read(daily(5)).unwrap().fingerprint());
    assert_ne!(base, read(daily(6)).unwrap().fingerprint());
    assert_ne!(base, read(daily(5).replace("date,a", "date,c")).unwrap().fingerprint());
    assert_ne!(base, read(daily(5).replace(",3,", ",3.5,")).unwrap().fingerprint());
    assert_ne!(base, read(daily(5).replace("2012-", "2013-")).unwrap().fingerprint());
}

#[test]
fn long_tables_become_series_of_unequal_length() {
    let long = "id,date,y,x\nb,2012-01-01,1,10\na,2012-01-01,5,50\nb,2012-01-02,2,20\n\
                b,2012-01-03,3,30\na,2012-01-02,6,60\na,2012-01-03,7,\nb,2012-01-04,4,40\n";
    let panel =
        read_with(long, "id = \"id\"\ntargets = [\"y\"]\npast_covariates = [\"x\"]").unwrap();
    let names: Vec<&str> = panel.series().iter().map(data::Series::name).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(panel.series()[1].rows(), 4..7);
    assert_eq!(panel.values()[..8], [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0]);
    assert_eq!(panel.values()[8..13], [5.0, 50.0, 6.0, 60.0, 7.0]);
    assert!(panel.values()[13].is_nan() && !panel.observed().unwrap()[13]);
    assert_eq!(panel.time(4).unwrap(), "2012-01-01");
}

#[test]
fn a_folder_is_one_series_per_file() {
    let folder = Folder::new();
    folder.write("d/B.csv", "date,y\n2012-01-01,1\n2012-01-02,2\n2012-01-03,3\n");
    folder.write("d/A.csv", "y,date\n4,2012-01-01\n5,2012-01-02\n"); // columns are found by name
    folder.write("d/.hidden.csv", "not a table");
    folder.write("d/README.md", "not a table");
    let panel =
        data::read(&config("path = \"d\"\ncontext = 1\nhorizon = 1"), folder.path()).unwrap();
    let names: Vec<&str> = panel.series().iter().map(data::Series::name).collect();
    assert_eq!(names, ["A", "B"]);
    assert_eq!(panel.values(), [4.0, 5.0, 1.0, 2.0, 3.0]);

    folder.write("d/C.csv", "date,z\n2012-01-01,1\n");
    let error = data::read(&config("path = \"d\"\ncontext = 1\nhorizon = 1"), folder.path());
    assert_eq!(
        message(error),
        "d/C.csv:1:1: column `y` is missing\n  hint: every file of a folder needs the columns of d/A.csv"
    );
}

#[test]
fn roles_order_the_channels() {
    let table =
        "date,price,load,temp,area,region\n2012-01-01,1,2,3,7,north\n2012-01-02,4,5,6,7,north\n";
    let keys = "targets = [\"load\"]\npast_covariates = [\"temp\"]\nfuture_covariates = [\"price\"]\n\
                static_covariates = [\"area\", \"region\"]\ncalendar = [\"weekday\"]";
    let panel = read_with(table, keys).unwrap();
    let channels = panel.channels();
    assert_eq!(channels.names(), ["load", "temp", "price", "weekday.sin", "weekday.cos"]);
    assert_eq!(
        (
            channels.targets(),
            channels.past_covariates(),
            channels.known_ahead(),
            channels.calendar()
        ),
        (0..1, 1..2, 2..5, 3..5)
    );
    assert_eq!(panel.row(1).unwrap()[..3], [5.0, 6.0, 4.0]);
    assert_eq!(panel.statics().names(), ["area", "region=north"]);
    assert_eq!(panel.statics().values(), [0.0, 1.0]);
}

/// Oracle: differences by hand, beside what is read as it is; one with a missing side is missing.
#[test]
fn spreads_are_differences_among_the_past_covariates() {
    let table = "date,high,x,y,low,a,b,z\n2012-01-01,5,1,2,3.5,9,4,7\n2012-01-02,6,3,4,,1,2,8\n";
    let keys = "targets = [\"y\"]\npast_covariates = [\"x\"]\nfuture_covariates = [\"z\"]\n\
                spreads = [[\"high\", \"low\"], [\"a\", \"b\"]]";
    let panel = read_with(table, keys).unwrap();
    assert_eq!(panel.channels().names(), ["y", "x", "high - low", "a - b", "z"]);
    assert_eq!(panel.channels().past_covariates(), 1..4);
    assert_eq!(panel.row(0).unwrap(), [2.0, 1.0, 1.5, 5.0, 7.0]);
    let second = panel.row(1).unwrap();
    assert_eq!([second[0], second[1], second[3], second[4]], [4.0, 3.0, -1.0, 8.0]);
    assert!(second[2].is_nan());
    // Targets that are not named are the rest.
    let rest = read_with(table, "spreads = [[\"high\", \"low\"]]").unwrap();
    assert_eq!(rest.channels().names(), ["x", "y", "a", "b", "z", "high - low"]);
}

#[test]
fn a_column_is_numeric_text_or_an_error_by_its_share_of_numbers() {
    let table = |bad: usize| {
        let cell = |i: usize| if i < bad { "x".to_owned() } else { i.to_string() };
        (0..10).fold("date,a,b\n".to_owned(), |t, i| {
            t + &format!("2012-01-{:02},{i},{}\n", i + 1, cell(i))
        })
    };
    assert_eq!(read(table(0)).unwrap().channels().names(), ["a", "b"]);
    assert_eq!(read(table(5)).unwrap().channels().names(), ["a"]);
    assert_eq!(read(table(10)).unwrap().channels().names(), ["a"]);
    assert!(message(read(table(4))).starts_with("t.csv:2:14: `x` in column `b` is not a number"));
    // Asked for by name, text is an error whatever its share.
    let asked = read_with(table(10), "targets = [\"b\"]");
    assert!(message(asked).starts_with("t.csv:2:14: `x` in column `b` is not a number"));
}

#[test]
fn configs_are_read_back_as_written() {
    let text = r#"
        path = "x.csv"
        delimiter = ";"
        decimal = ","
        encoding = "latin-1"
        header = false
        missing = ["-999"]
        id = "id"
        time = "date"
        time_zone = "Europe/Berlin"
        frequency = "1h"
        unsorted = "sort"
        duplicates = "mean"
        fill = "forward"
        targets = ["y"]
        future_covariates = ["p"]
        calendar = ["hour", "day-of-year"]
        context = 24
        horizon = 12
        split = { validation_from = "2014-01-01", test_from = "2015-01-01" }
        purge = 3
        transform = "log"
        scale = { kind = "robust", per = "all" }
        stride = 2
    "#;
    let read = config(text);
    read.validate().unwrap();
    assert_eq!(config(&toml::to_string(&read).unwrap()), read);
    let minimal = data::DataConfig::new("x.csv", 2, 1);
    assert_eq!(config(&toml::to_string(&minimal).unwrap()), minimal);
}
