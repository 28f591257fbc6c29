//! CSV read throughput beside the csv crate's own iteration over raw records of the same file.
//!
//! Run with `cargo bench -p data --profile dev --bench read`.

use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// `rows` hourly rows of seven channels, with cells as long as `digits` says; the same bytes every time.
fn table(folder: &Path, name: &str, rows: usize, digits: usize) -> PathBuf {
    let mut text = String::from("date,HUFL,HULL,MUFL,MULL,LUFL,LULL,OT\n");
    let start = jiff::civil::date(2000, 1, 1).at(0, 0, 0, 0);
    let mut state = 7_u64;
    for row in 0..rows {
        let time = start + jiff::SignedDuration::from_hours(row as i64);
        write!(text, "{}", time.strftime("%Y-%m-%d %H:%M:%S")).unwrap();
        for _ in 0..7 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = (state >> 11) as f64 / (1_u64 << 53) as f64 * 40.0 - 5.0;
            write!(text, ",{value:.digits$}").unwrap();
        }
        text.push('\n');
    }
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn read(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("csv");
    group.sample_size(10);
    // 15 digits as in ETTh1, 3 as most measurements are written.
    for digits in [15, 3] {
        let path = table(folder.path(), &format!("{digits}.csv"), 50_000, digits);
        let bytes = std::fs::metadata(&path).unwrap().len();
        group.throughput(Throughput::Bytes(bytes));
        group.bench_with_input(BenchmarkId::new("raw-records", digits), &path, |b, path| {
            b.iter(|| {
                let mut reader = csv::ReaderBuilder::new().from_path(path).unwrap();
                let (mut record, mut cells) = (csv::ByteRecord::new(), 0);
                while reader.read_byte_record(&mut record).unwrap() {
                    cells += record.len();
                }
                black_box(cells)
            });
        });
        let config = data::DataConfig::new(&path, 96, 24);
        group.bench_with_input(BenchmarkId::new("panel", digits), &config, |b, config| {
            b.iter(|| black_box(data::read(config, Path::new("")).unwrap().rows()));
        });
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
