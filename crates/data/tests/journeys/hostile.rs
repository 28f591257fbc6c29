//! Hostile input: each case ends in correct data or in one message that names the place and the remedy.

use std::io::Write;

use crate::support::{Folder, config, message, read_with};

/// The result that a table must lead to.
enum Then {
    /// These values, in the order of the buffer (NaN: missing).
    Values(&'static [f32]),
    /// A message that starts so and contains a hint.
    Says(&'static str),
}

use Then::{Says, Values};

struct Case {
    name: &'static str,
    table: Vec<u8>,
    keys: &'static str,
    then: Then,
}

fn case(name: &'static str, table: impl AsRef<[u8]>, keys: &'static str, then: Then) -> Case {
    Case { name, table: table.as_ref().to_vec(), keys, then }
}

const N: f32 = f32::NAN;

#[rustfmt::skip]
fn structure() -> Vec<Case> {
    let mut zeros = b"date,y\n2012-01-01,1\n".to_vec();
    zeros.extend([0; 50]);
    vec![
        case("empty file", "", "", Says("t.csv: is empty")),
        case("one line end", "\n", "", Says("t.csv: is empty")),
        case("spaces", "  \n \n", "", Says("t.csv: is empty")),
        case("BOM alone", "\u{feff}", "", Says("t.csv: is empty")),
        case("header only", "date,y\n", "", Says("t.csv: has a header but no rows")),
        case("header without line end", "date,y", "", Says("t.csv: has a header but no rows")),
        case("one row", "date,y\n2012-01-01,1\n", "", Values(&[1.0])),
        case("no header", "2012-01-01,1\n2012-01-02,2\n", "", Says("t.csv:1:1: the first line has no column names, it starts with `2012-01-01`")),
        case("no header, said so", "2012-01-01,1\n2012-01-02,2\n", "header = false", Values(&[1.0, 2.0])),
        case("numbers only", "1,2\n3,4\n", "", Says("t.csv:1:1: the first line has no column names, it starts with `1`")),
        case("short row", "date,y,z\n2012-01-01,1,2\n2012-01-02,1\n", "", Says("t.csv:3:1: row has 2 cells, the header has 3")),
        case("long row", "date,y\n2012-01-01,1\n2012-01-02,1,2\n", "", Says("t.csv:3:1: row has 3 cells, the header has 2")),
        case("rows after blank lines", "date,y\n\n2012-01-01,1\n\n\n2012-01-02\n", "", Says("t.csv:6:1: row has 1 cell,")),
        case("line of spaces", "date,y\n2012-01-01,1\n   \n2012-01-02,2\n", "", Values(&[1.0, 2.0])),
        case("open quote", "date,y\n2012-01-01,\"1\n2012-01-02,2\n2012-01-03,3\n", "", Says("t.csv: no column of numbers besides time and id; line 2 has `1\\n2012-01-02,2\\n2012-01-03,3` in column `y`")),
        case("open quote eats cells", "date,y,z\n2012-01-01,\"1,2\n2012-01-02,2,3\n", "", Says("t.csv:2:1: row has 2 cells, the header has 3")),
        case("quoted line end in text", "date,y,w\n2012-01-01,1,\"a\nb\"\n2012-01-02,oops,c\n2012-01-03,2,c\n2012-01-04,3,c\n", "", Says("t.csv:4:12: `oops` in column `y`")),
        case("zero bytes after rows", &zeros, "", Says("t.csv: has a zero byte at byte 20")),
        case("zero byte in a number", "date,y\n2012-01-01,1\u{0}\n", "", Says("t.csv: has a zero byte at byte 19")),
        case("duplicate header", "date,y,y\n2012-01-01,1,2\n", "", Says("t.csv:1:8: column name `y` appears twice (columns 2 and 3)")),
        case("nameless column", ",date,y\n0,2012-01-01,5\n1,2012-01-02,6\n", "targets = [\"y\"]", Values(&[5.0, 6.0])),
        case("trailing delimiter", "date,y,\n2012-01-01,1,\n2012-01-02,2,\n", "", Values(&[1.0, 2.0])),
        case("text only", "date,w\n2012-01-01,a\n2012-01-02,b\n", "", Says("t.csv: no column of numbers besides time and id")),
        case("time only", "date\n2012-01-01\n2012-01-02\n", "", Says("t.csv: no column of numbers besides time and id")),
        case("empty target", "date,y,z\n2012-01-01,1,\n2012-01-02,2,NA\n", "targets = [\"z\"]", Says("t.csv: column `z` has no value in any row")),
        case("empty column, not asked for", "date,y,z\n2012-01-01,1,\n2012-01-02,2,NA\n", "", Values(&[1.0, 2.0])),
        case("constant channel", "date,y\n2012-01-01,3\n2012-01-02,3\n", "", Values(&[3.0, 3.0])),
        case("missing time column", "day,y\n2012-01-01,1\n", "time = \"date\"", Says("t.csv:1:1: no column `date` for `time`")),
        case("misspelled target", "date,load\n2012-01-01,1\n", "targets = [\"laod\"]", Says("t.csv:1:1: no column `laod` for `targets`, did you mean `load`?")),
        case("missing id", "date,y\n2012-01-01,1\n", "id = \"shop\"", Says("t.csv:1:1: no column `shop` for `id`")),
        case("time as target", "date,y\n2012-01-01,1\n", "targets = [\"date\"]\ntime = \"date\"", Says("data.time = \"date\": expected a column used once")),
        case("wrong delimiter", "date,y\n2012-01-01,1\n", "delimiter = \";\"\ntargets = [\"y\"]", Says("t.csv:1:1: no column `y` for `targets`")),
        case("static that changes", "date,y,k\n2012-01-01,1,a\n2012-01-02,2,b\n", "static_covariates = [\"k\"]", Says("t.csv:3:1: static covariate `k` changes from `a` to `b` within series `t`")),
        case("zip", b"PK\x03\x04rest", "", Says("t.csv: is a zip archive or a spreadsheet, not text")),
        case("zstd", b"\x28\xb5\x2f\xfdrest", "", Says("t.csv: is compressed with zstd")),
        case("database", b"SQLite format 3\0rest", "", Says("t.csv: is a database, not text")),
        case("UTF-32", b"\xff\xfe\0\0d\0\0\0", "", Says("t.csv: is UTF-32 text")),
        case("picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "", Says("t.csv: has a zero byte at byte")),
        case("UTF-16 cut in a pair", b"\xff\xfed\0,\0y\0\n\x001", "", Says("t.csv: ends too early")),
        case("gzip of nothing", b"\x1f\x8b\x08\0", "", Says("t.csv: ends too early")),
        case("gzip of garbage", b"\x1f\x8bgarbage garbage", "", Says("t.csv: ends too early")),
        case("Latin-1 header", b"date,temp\xe9rature\n2012-01-01,1\n", "targets = [\"temp\u{e9}rature\"]", Values(&[1.0])),
        case("Latin-1 header as UTF-8", b"date,temp\xe9rature\n2012-01-01,1\n", "encoding = \"utf-8\"", Says("t.csv: has a header that is not UTF-8")),
        case("Latin-1 cell", b"date,y\n2012-01-01,1\n2012-01-02,2\n2012-01-03,1\xb5\n", "", Says("t.csv:4:12: `1µ` in column `y` is not a number")),
    ]
}

#[rustfmt::skip]
fn numbers() -> Vec<Case> {
    let y = |cell: &str| format!("date,y\n2012-01-01,1\n2012-01-02,2\n2012-01-03,{cell}\n");
    let says = |text| Says(text);
    vec![
        case("1e308", y("1e308"), "", says("t.csv:4:12: `1e308` in column `y` is not a number\n  hint: beyond the range")),
        case("1e999", y("-1e999"), "", says("t.csv:4:12: `-1e999` in column `y` is not a number\n  hint: beyond the range")),
        case("tiny", y("1e-320"), "", Values(&[1.0, 2.0, 0.0])),
        case("largest", y("3.4028235e38"), "", Values(&[1.0, 2.0, f32::MAX])),
        case("inf", y("inf"), "", says("t.csv:4:12: `inf` in column `y` is not a number\n  hint: infinity is no observation")),
        case("-Infinity", y("-Infinity"), "", says("t.csv:4:12: `-Infinity` in column `y`")),
        case("inf as missing", y("inf"), "missing = [\"inf\"]", Values(&[1.0, 2.0, N])),
        case("NaN", y("NaN"), "", Values(&[1.0, 2.0, N])),
        case("#N/A", y("#N/A"), "", Values(&[1.0, 2.0, N])),
        case("null", y("null"), "", Values(&[1.0, 2.0, N])),
        case("dash", y("-"), "", Values(&[1.0, 2.0, N])),
        case("empty", y(""), "", Values(&[1.0, 2.0, N])),
        case("quoted empty", y("\"\""), "", Values(&[1.0, 2.0, N])),
        case("missing refused", y(""), "fill = \"error\"", says("t.csv:4:1: no value in column `y` of series `t` (1 missing cell in all)")),
        case("-999 stays a number", y("-999"), "", Values(&[1.0, 2.0, -999.0])),
        case("-999 as missing", y("-999"), "missing = [\"-999\"]", Values(&[1.0, 2.0, N])),
        case("thousands", y("\"1,234.5\""), "", says("t.csv:4:12: `1,234.5` in column `y` is not a number\n  hint: thousands separator? write `1234.5` or set `thousands = \",\"`")),
        case("thousands, set", y("\"1,234.5\""), "thousands = \",\"", Values(&[1.0, 2.0, 1234.5])),
        case("thousands in wrong places", y("\"1,23,4.5\""), "thousands = \",\"", says("t.csv:4:12: `1,23,4.5` in column `y` is not a number")),
        case("decimal comma among points", y("\"12,5\"").replace(",2\n", ",2.5\n"), "", says("t.csv:4:12: `12,5` in column `y` is not a number\n  hint: decimal comma? write `12.5` or set `decimal = \",\"`")),
        case("decimal comma", "date;y\n2012-01-01;1,5\n2012-01-02;2\n", "", Values(&[1.5, 2.0])),
        case("point under decimal comma", "date;y\n2012-01-01;1,5\n2012-01-02;2.5\n2012-01-03;3\n", "decimal = \",\"", says("t.csv:3:12: `2.5` in column `y` is not a number\n  hint: decimal point? write `2,5`")),
        case("comma that may be either", "date;y\n2012-01-01;1,234\n", "", says("t.csv:2:1: `1,234` in column `y` can be read as 1.234 and as 1234")),
        case("percent", y("12%"), "", says("t.csv:4:12: `12%` in column `y` is not a number\n  hint: write the numbers of the column in one unit and without it, as `12`")),
        case("currency", y("$12"), "", says("t.csv:4:12: `$12` in column `y` is not a number\n  hint: write the numbers of the column in one unit and without it, as `12`")),
        case("Unicode minus", y("\u{2212}5"), "", Values(&[1.0, 2.0, -5.0])),
        case("word", y("offline"), "", says("t.csv:4:12: `offline` in column `y` is not a number\n  hint: does it mean \"missing\"?")),
        case("hexadecimal", y("0x10"), "", says("t.csv:4:12: `0x10` in column `y` is not a number")),
        case("control character", y("1\u{7}"), "", says("t.csv:4:12: `1\\u{7}` in column `y` is not a number")),
        case("very long cell", y(&"9x".repeat(5000)), "", says("t.csv:4:12: `9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x9x…` in column `y`")),
        case("spreadsheet error", y("#DIV/0!"), "", says("t.csv:4:12: `#DIV/0!` in column `y` is not a number")),
        case("second number column", "date,y,z\n2012-01-01,1,2\n2012-01-02,2,3\n2012-01-03,3,x\n", "", says("t.csv:4:14: `x` in column `z` is not a number")),
        case("quotes before the cell", "date,w,y\n2012-01-01,\"a, b\",1\n2012-01-02,\"a, b\",x\n2012-01-03,c,3\n", "", says("t.csv:3:19: `x` in column `y` is not a number")),
        case("CRLF before the cell", y("x").replace('\n', "\r\n"), "", says("t.csv:4:12: `x` in column `y` is not a number")),
        case("blank lines before the cell", y("x").replace('\n', "\n\n"), "", says("t.csv:7:12: `x` in column `y` is not a number")),
        case("blank line in one column", "y\n1\n\n3\n", "", Values(&[1.0, N, 3.0])),
    ]
}

#[rustfmt::skip]
fn times() -> Vec<Case> {
    let t = |times: &[&str]| {
        times.iter().enumerate().fold("time,y\n".to_owned(), |text, (i, t)| text + &format!("\"{t}\",{i}\n"))
    };
    vec![
        case("text in time", t(&["2012-01-01", "soon"]), "", Says("t.csv:3:1: `soon` in column `time` is not a time of the form `2012-01-01`")),
        case("empty time", t(&["2012-01-01", ""]), "", Says("t.csv:3:1: `` in column `time` is not a time of the form `2012-01-01`\n  hint: every row needs a time")),
        case("no such day", t(&["2012-02-28", "2012-02-30"]), "", Says("t.csv:3:1: `2012-02-30` in column `time` is not a time")),
        case("month 13", t(&["2012-12-01", "2012-13-01"]), "", Says("t.csv:3:1: `2012-13-01` in column `time`")),
        case("year 0", t(&["0000-01-01", "0001-01-01"]), "time = \"time\"", Says("t.csv:2:1: `0000-01-01` in column `time` is not a time")),
        case("two forms", t(&["2012-01-01", "02.01.2012"]), "", Says("t.csv:3:1: `02.01.2012` in column `time` is not a time of the form `2012-01-01`")),
        case("offset on some", t(&["2012-01-01 00:00Z", "2012-01-01 01:00"]), "", Says("t.csv:3:1: `2012-01-01 01:00` in column `time` is not a time of the form `2012-01-01 00:00Z`\n  hint: some times carry an offset")),
        case("day or month first", t(&["01/02/2012", "05/06/2012"]), "", Says("t.csv:2:1: `01/02/2012` in column `time` can be read as 2012-02-01 and as 2012-01-02")),
        case("day or month first, said", t(&["01/02/2012", "02/02/2012"]), "time_format = \"%d/%m/%Y\"", Values(&[0.0, 1.0])),
        case("pattern that does not fit", t(&["2012-01-01"]), "time_format = \"%d/%m/%Y\"", Says("t.csv:2:1: `2012-01-01` in column `time` is not a time")),
        case("unsorted", t(&["2012-01-02", "2012-01-01"]), "", Says("t.csv:3:1: series `t`, row 2: time goes back")),
        case("repeated", t(&["2012-01-01", "2012-01-01"]), "", Says("t.csv:3:1: series `t`, row 2: time 2012-01-01 is there already")),
        case("far future", t(&["2012-01-01", "2012-01-02", "9999-12-31"]), "", Says("t.csv:4:1: series `t`, row 3: with step 1d, 2917554 rows are missing and only 3 present")),
        case("jitter", t(&["2012-01-01 00:00:00", "2012-01-01 01:00:00", "2012-01-01 02:00:00", "2012-01-01 03:00:07"]), "", Says("t.csv:5:1: series `t`, row 4: time 2012-01-01 03:00:07 is no whole number of steps (1h)")),
        case("jitter taken as it comes", t(&["2012-01-01 00:00:00", "2012-01-01 03:00:07"]), "frequency = \"irregular\"", Values(&[0.0, 1.0])),
        case("nanoseconds", t(&["2012-01-01 00:00:00.000000001"]), "time = \"time\"", Says("t.csv:2:1: `2012-01-01 00:00:00.000000001` in column `time` is not a time")),
        case("decimal seconds", t(&["0.5", "1.5"]), "time = \"time\"", Values(&[0.0, 1.0])),
        case("huge row number", t(&["4611686018427387902", "4611686018427387903"]), "", Values(&[0.0, 1.0])),
        case("row numbers at both ends", t(&["-4611686018427387903", "4611686018427387903"]), "", Values(&[0.0, 1.0])),
        case("row number out of range", t(&["9223372036854775806"]), "time = \"time\"", Says("t.csv:2:1: `9223372036854775806` in column `time` is not a time")),
        case("unreadable date column, not asked for", "date,y\nyesterday,1\ntoday,2\n", "", Says("t.csv:2:1: `yesterday` in column `date` is not a time")),
        case("unknown zone", t(&["2012-01-01"]), "time_zone = \"Europe/Atlantis\"", Says("data.time_zone = \"Europe/Atlantis\": expected an IANA time zone")),
        case("unknown step", t(&["2012-01-01"]), "frequency = \"fortnight\"", Says("data.frequency = \"fortnight\": expected a step such as")),
        case("step that does not fit", t(&["2012-01-01", "2012-01-02"]), "frequency = \"7d\"", Says("t.csv:3:1: series `t`, row 2: time 2012-01-02 is no whole number of steps (7d)")),
        case("calendar of row numbers", t(&["1", "2"]), "calendar = [\"hour\"]", Says("data.calendar = [\"hour\"]: expected a time column with dates")),
    ]
}

fn run(cases: Vec<Case>) -> usize {
    let count = cases.len();
    for Case { name, table, keys, then } in cases {
        match then {
            Values(expected) => {
                let panel = read_with(&table, keys).unwrap_or_else(|e| panic!("{name}: {e}"));
                let got = panel.values();
                let same = |(a, b): (&f32, &f32)| a == b || (a.is_nan() && b.is_nan());
                let equal = got.len() == expected.len() && got.iter().zip(expected).all(same);
                assert!(equal, "{name}: {got:?}, expected {expected:?}");
                let masked = expected.iter().any(|v| v.is_nan());
                assert_eq!(panel.observed().is_some(), masked, "{name}: mask");
            }
            Says(start) => {
                let text = message(read_with(&table, keys));
                assert!(text.starts_with(start), "{name}:\n{text}\nexpected\n{start}");
                assert!(text.len() < 1000, "{name}: a message of {} bytes", text.len());
                let explained = text.contains("\n  hint: ") || text.contains(": expected ");
                assert!(
                    explained || text.contains("empty") || text.contains("no rows"),
                    "{name}: {text}"
                );
            }
        }
    }
    count
}

#[test]
fn structure_is_read_right_or_refused() {
    assert!(run(structure()) >= 40);
}

#[test]
fn numbers_are_read_right_or_refused() {
    assert!(run(numbers()) >= 35);
}

#[test]
fn times_are_read_right_or_refused() {
    assert!(run(times()) >= 22);
}

/// The configuration alone: key, value and range.
#[test]
fn configurations_out_of_range_are_refused() {
    let cases = [
        (
            "context = 0\nhorizon = 1",
            "data.context = 0: expected a number of rows from 1 to 1000000",
        ),
        ("context = 1\nhorizon = 2000000", "data.horizon = 2000000: expected"),
        ("context = 1\nhorizon = 1\nstride = 0", "data.stride = 0: expected"),
        ("context = 1\nhorizon = 1\npurge = 9999999", "data.purge = 9999999: expected"),
        (
            "context = 1\nhorizon = 1\ntrain_fraction = 0",
            "data.train_fraction = 0: expected a share",
        ),
        ("context = 1\nhorizon = 1\ntrain_fraction = 1.5", "data.train_fraction = 1.5: expected a"),
        (
            "context = 1\nhorizon = 1\ntargets = []",
            "data.targets = []: expected at least one column",
        ),
        ("context = 1\nhorizon = 1\ndelimiter = \"a\"", "data.delimiter = 'a': expected"),
        (
            "context = 1\nhorizon = 1\ndecimal = \";\"",
            "data.decimal = ';': expected \".\" or \",\"",
        ),
        ("context = 1\nhorizon = 1\nthousands = \"1\"", "data.thousands = '1': expected"),
        ("context = 1\nhorizon = 1\nlayout = \"long\"", "data.id = (not given): expected"),
        (
            "context = 1\nhorizon = 1\nlayout = \"wide\"\nid = \"k\"",
            "data.id = \"k\": expected layout",
        ),
        (
            "context = 1\nhorizon = 1\ntargets = [\"y\"]\npast_covariates = [\"y\"]",
            "data.targets = \"y\": expected a column used once (it is under `past_covariates` too)",
        ),
        ("context = 1\nhorizon = 1\nsource = \"seattle-weather\"", "data.source = "),
    ];
    for (keys, start) in cases {
        let config = config(&format!("path = \"t.csv\"\n{keys}"));
        let text = message(config.validate());
        assert!(text.starts_with(start), "{keys}:\n{text}");
    }
    // Those that serde refuses while reading.
    let cases = [
        ("contxt = 5", "unknown field `contxt`"),
        ("split = { train = 0.9, validation = 0.2, test = 0.2 }", "a sum of at most 1"),
        ("split = { train = 0.7 }", "one of { train, validation, test }"),
        ("split = { rows = [0, 1, 1] }", "training above 0"),
        ("split = { protocol = \"etth\" }", "unknown variant `etth`"),
        (
            "scale = \"standart\"",
            "unknown variant `standart`, expected one of `standard`, `robust`, `max-abs`, `none`",
        ),
        ("scale = { kind = \"standard\", ddof = 2 }", "expected 0 or 1"),
        ("scale = { kind = \"standard\", pr = \"all\" }", "unknown field `pr`"),
        ("fill = \"zer0\"", "unknown variant `zer0`"),
        ("calendar = [\"minute\"]", "unknown variant `minute`"),
    ];
    for (keys, part) in cases {
        let text = format!("path = \"t.csv\"\ncontext = 2\nhorizon = 1\n{keys}");
        let error = toml::from_str::<data::DataConfig>(&text).unwrap_err().to_string();
        assert!(error.contains(part), "{keys}:\n{error}");
    }
    let unknown = data::read(&data::DataConfig::bundled("seattle", 1, 1), std::path::Path::new(""));
    assert!(message(unknown).starts_with("data.source = \"seattle\": expected a bundled data set"));
}

fn read_path(folder: &Folder, name: &str) -> Result<data::Panel, data::DataError> {
    data::read(&config(&format!("path = {name:?}\ncontext = 2\nhorizon = 1")), folder.path())
}

#[test]
fn paths_that_are_no_tables_are_refused() {
    let folder = Folder::new();
    let missing = read_path(&folder, "none.csv");
    assert_eq!(missing.as_ref().unwrap_err().kind(), data::ErrorKind::NoSuchFile);
    assert!(message(missing).starts_with("none.csv: cannot be opened: No such file"));
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    assert!(message(read_path(&folder, "folder")).starts_with("folder: the folder holds no table"));
    assert!(
        message(read_path(&folder, "/dev/zero")).starts_with("/dev/zero: is a device, not a file")
    );
    std::os::unix::fs::symlink("loop.csv", folder.path().join("loop.csv")).unwrap();
    let text = message(read_path(&folder, "loop.csv"));
    assert!(text.starts_with("loop.csv: cannot be opened: Too many levels"), "{text}");
    std::os::unix::fs::symlink("gone", folder.path().join("dangling.csv")).unwrap();
    assert!(
        message(read_path(&folder, "dangling.csv")).starts_with("dangling.csv: cannot be opened")
    );
    let fifo = folder.path().join("fifo.csv");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(message(read_path(&folder, "fifo.csv")).starts_with("fifo.csv: is a pipe, not a file"));
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket.csv")).unwrap();
    assert!(
        message(read_path(&folder, "socket.csv"))
            .starts_with("socket.csv: is a socket, not a file")
    );
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that cannot run as root must say so")]
fn a_file_without_permission_is_said_to_be_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.write("secret.csv", "date,y\n2012-01-01,1\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        eprintln!("SKIPPED: this user may open any file");
        return;
    }
    let result = read_path(&folder, "secret.csv");
    assert_eq!(result.as_ref().unwrap_err().kind(), data::ErrorKind::Disk);
    assert!(message(result).starts_with("secret.csv: cannot be opened: Permission denied"));
}

#[test]
fn a_cut_gzip_is_told_from_a_whole_one() {
    let mut text = "date,y\n".to_owned();
    let mut day = jiff::civil::date(1900, 1, 1);
    for i in 0..40_000_u32 {
        text += &format!("{day},{}\n", i.wrapping_mul(2_654_435_761) % 10_007);
        day = day.tomorrow().unwrap();
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    let folder = Folder::new();
    folder.write("t.csv.gz", &whole);
    assert_eq!(read_path(&folder, "t.csv.gz").unwrap().rows(), 40_000);
    for keep in [whole.len() - 1, whole.len() - 9, whole.len() / 2, 100, 11] {
        folder.write("t.csv.gz", &whole[..keep]);
        let text = message(read_path(&folder, "t.csv.gz"));
        assert!(text.starts_with("t.csv.gz: ends too early after "), "{keep} bytes: {text}");
    }
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xff;
    folder.write("t.csv.gz", &damaged);
    assert!(read_path(&folder, "t.csv.gz").is_err(), "the checksum guards against silent damage");
}

#[test]
fn a_hundred_thousand_columns_are_read() {
    const COLUMNS: usize = 100_000;
    let mut text = "date".to_owned();
    (0..COLUMNS).for_each(|c| text += &format!(",c{c}"));
    for day in 1..=3 {
        text += &format!("\n2012-01-0{day}");
        (0..COLUMNS).for_each(|c| text += &format!(",{}", c + day));
    }
    let folder = Folder::new();
    folder.write("wide.csv", &text);
    let panel = read_path(&folder, "wide.csv").unwrap();
    assert_eq!((panel.rows(), panel.channels().len()), (3, COLUMNS));
    assert_eq!(panel.row(2).unwrap()[COLUMNS - 1], (COLUMNS + 2) as f32);
    let last = text.rfind(',').unwrap();
    folder.write("wide.csv", format!("{}oops", &text[..=last]));
    let text = message(read_path(&folder, "wide.csv"));
    assert!(
        text.starts_with("wide.csv:4:") && text.contains("`oops` in column `c99999`"),
        "{text}"
    );
}

#[test]
fn a_row_without_end_is_stopped_at_64_mib() {
    let folder = Folder::new();
    let path = folder.write("endless.csv", "date,y\n2012-01-01,1\n");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    let block = vec![b'7'; 1 << 20];
    (0..66).for_each(|_| file.write_all(&block).unwrap());
    let text = message(read_path(&folder, "endless.csv"));
    assert!(text.starts_with("endless.csv:3:1: one row is longer than 67108864 bytes"), "{text}");
    // Three gigabytes of nothing: refused at the first byte, not read.
    file.set_len(0).unwrap();
    file.set_len(3 << 30).unwrap();
    let text = message(read_path(&folder, "endless.csv"));
    assert!(text.starts_with("endless.csv: has a zero byte at byte 0"), "{text}");
}
