//! scratch
use std::time::Instant;
fn main() {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::metadata(&path).unwrap().len() as f64 / 1e6;
        let config = data::DataConfig::new(&path, 96, 24);
        let (mut raw, mut ours) = (f64::MAX, f64::MAX);
        for _ in 0..15 {
            let t = Instant::now();
            let mut reader = csv::ReaderBuilder::new().from_path(&path).unwrap();
            let mut record = csv::ByteRecord::new();
            let mut n = 0;
            while reader.read_byte_record(&mut record).unwrap() { n += record.len(); }
            std::hint::black_box(n);
            raw = raw.min(t.elapsed().as_secs_f64());
            let t = Instant::now();
            std::hint::black_box(data::read(&config, std::path::Path::new("")).unwrap().rows());
            ours = ours.min(t.elapsed().as_secs_f64());
        }
        println!("{path}: raw {:.0} MB/s, ours {:.0} MB/s, ratio {:.3}", bytes / raw, bytes / ours, raw / ours);
    }
}
