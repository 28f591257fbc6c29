//! Event files: lines that say what to write, and a decoder that shares nothing with the writer.

use std::time::{Duration, UNIX_EPOCH};

use decoder::Datum;
use events::{EventError, EventWriter, Fan, Histogram, Summary};

use crate::targets::folder;

#[allow(dead_code, missing_docs, unreachable_pub, reason = "shared with the tests of `events`")]
#[path = "../../crates/events/tests/events/decoder.rs"]
mod decoder;

/// Longest side of a picture that is drawn.
const SIDE: u32 = 48;

/// The first words of lines, and names of event files.
pub(crate) fn words() -> Vec<String> {
    let names = ["9999999999", "10000000000", "18446744073709551615", "0000000000", "-1", "1e9"];
    let files = names.iter().map(|name| format!("file events.out.tfevents.{name}.host.1\n"));
    let lines = ["scalar a 0.5\n", "histogram a 1 2 nan\n", "picture a 9 9 1 2 3\n", "resume 3\n"];
    files.chain(lines.map(str::to_owned)).chain(["flush\n".to_owned()]).collect()
}

/// Lines as things to write; the files then hold them, in an order of names that TensorBoard reads.
pub(crate) fn events(input: &[u8]) {
    let Some((content, _)) = input.split_last_chunk::<2>() else { return };
    let text = String::from_utf8_lossy(content);
    let folder = folder().join("events");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let lines = || text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    for line in lines() {
        // Whatever else lies in the folder.
        if let ["file", name] = line[..] {
            let _ = std::fs::write(folder.join(name.replace(['/', '\0'], "")), "");
        }
    }
    let mut written: Vec<Written> = Vec::new();
    let Some(first) = Written::open(&folder, 0) else { return };
    written.push(first);
    for line in lines() {
        let last = written.last_mut().expect("there is one");
        match line[..] {
            ["resume", step] => match Written::open(&folder, step.parse().unwrap_or(-1)) {
                Some(next) => written.push(next),
                None => break,
            },
            ["flush"] => last.writer.flush().unwrap(),
            ["scalar" | "histogram" | "picture", tag, ..] => last.add(&line, tag),
            _ => {}
        }
    }
    let paths: Vec<_> = written.iter().map(|file| file.writer.path().to_owned()).collect();
    assert!(paths.is_sorted_by(|a, b| a < b), "later files have later names: {paths:?}");
    written.into_iter().for_each(Written::check);
}

/// An event file, and what must be in it.
struct Written {
    writer: EventWriter,
    step: i64,
    values: Vec<(String, Datum)>,
}

impl Written {
    /// `None` where the names of a folder leave no later one.
    fn open(folder: &std::path::Path, step: i64) -> Option<Written> {
        match EventWriter::resume(folder, step) {
            Ok(writer) => Some(Written { writer, step, values: Vec::new() }),
            Err(error) => {
                assert!(matches!(error, EventError::Io { .. }), "{error}");
                None
            }
        }
    }

    fn add(&mut self, line: &[&str], tag: &str) {
        let number = |text: &&str| text.parse::<f64>().unwrap_or(f64::NAN);
        let numbers: Vec<f64> = line[2..].iter().map(number).collect();
        let first = numbers.first().copied().unwrap_or(f64::NAN);
        let mut summary = Summary::at(first as i64, UNIX_EPOCH + Duration::from_secs(1));
        let datum = match line[0] {
            "scalar" => {
                summary.scalar(tag, first);
                Datum::Scalar(first as f32)
            }
            "histogram" => {
                let histogram = Histogram::of(&numbers);
                let all = histogram.count() + histogram.left_out();
                assert_eq!(all, numbers.len() as u64, "no value is lost");
                summary.histogram(tag, &histogram);
                Datum::Histogram([0.0; 5], Vec::new(), vec![histogram.count() as f64])
            }
            _ => {
                let Some(picture) = picture(&numbers) else { return };
                summary.image(tag, &picture);
                let [width, height] = [picture.width(), picture.height()].map(u64::from);
                Datum::Image(width, height, picture.png().to_vec())
            }
        };
        self.writer.write(&summary).unwrap();
        self.values.push((tag.to_owned(), datum));
    }

    /// The file holds what was written, and is whole.
    fn check(mut self) {
        self.writer.flush().unwrap();
        let bytes = std::fs::read(self.writer.path()).unwrap();
        let read = decoder::events(&bytes).expect("an event file is read");
        assert_eq!((read[0].file_version.as_str(), read[1].session), ("brain.Event:2", 1));
        assert_eq!(read[1].step, self.step);
        assert_eq!(read.len(), self.values.len() + 2, "every event is there");
        for (event, (tag, expected)) in read[2..].iter().zip(&self.values) {
            let [(name, datum)] = &event.values[..] else { panic!("one value: {event:?}") };
            assert_eq!(name, tag);
            let same = match (datum, expected) {
                (Datum::Scalar(a), Datum::Scalar(b)) => a.to_bits() == b.to_bits(),
                (Datum::Histogram(_, limits, counts), Datum::Histogram(_, _, count)) => {
                    limits.is_sorted() && [counts.iter().sum::<f64>()] == count[..]
                }
                (datum, expected) => datum == expected,
            };
            assert!(same, "{datum:?} is not {expected:?}");
        }
    }
}

/// A fan of these numbers: width, height, context, then the rest as truth and quantiles.
fn picture(numbers: &[f64]) -> Option<events::Picture> {
    let side = |at: usize| {
        let side = numbers.get(at).map_or(0, |side| *side as u32);
        if side > 8192 { side } else { side.min(SIDE) }
    };
    let values = numbers.get(2..).unwrap_or_default();
    let (context, truth) = values.split_at(values.len() / 2);
    let (quantiles, _) = values.as_chunks::<7>();
    let drawn = Fan { context, truth, quantiles }.draw(side(0), side(1));
    assert!(drawn.is_ok() || [0, 1].iter().any(|&at| side(at) == 0 || side(at) > 8192));
    drawn.ok()
}
