//! Valid inputs to start from.

use std::path::Path;

use data::DataConfig;

use crate::targets::{self, NEXT};

/// The files of a folder of `corpus`, in order of name.
pub(crate) fn of(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// The pipelines of the corpus as they are stored, each with its new table.
pub(crate) fn stored() -> Vec<Vec<u8>> {
    let configs = [
        DataConfig::new("fuzz.csv", 2, 1),
        DataConfig { id: Some("id".into()), ..DataConfig::new("fuzz.csv", 2, 1) },
    ];
    let tables = of("pipeline");
    let stored = |input: &Vec<u8>| {
        let (old, new) = targets::halves(input);
        let json = configs.iter().find_map(|config| targets::train(old, config))?;
        Some([&json[..], NEXT, new].concat())
    };
    tables.iter().filter_map(stored).collect()
}

/// Small Parquet files of every kind of column that is read.
#[cfg(feature = "parquet")]
pub(crate) fn parquet() -> Vec<Vec<u8>> {
    use parquet::basic::{Compression, ZstdLevel};
    let packed =
        [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())];
    let times = [
        ("int64 time (TIMESTAMP(MILLIS,true))", 86_400_000),
        ("int64 time (TIMESTAMP(NANOS,false))", 3_600_000_000_000),
        ("int64 time", 1),
        ("int32 time (DATE)", 1),
    ];
    let all =
        packed.iter().flat_map(|&c| times.iter().map(move |&(time, step)| file(time, step, c)));
    all.collect()
}

#[cfg(feature = "parquet")]
fn file(time: &str, step: i64, compression: parquet::basic::Compression) -> Vec<u8> {
    use std::sync::Arc;

    use parquet::column::writer::ColumnWriter;
    use parquet::data_type::{ByteArray, FixedLenByteArray};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    let schema = format!(
        "message schema {{ required {time}; required binary id (UTF8); optional double y; required int32 k; \
         required boolean b; required float f; required fixed_len_byte_array(4) d (DECIMAL(8,2)); }}"
    );
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let rows = 12;
    while let Some(mut column) = group.next_column().unwrap() {
        let numbers = || 0..rows;
        let written = match column.untyped() {
            ColumnWriter::Int64ColumnWriter(writer) => {
                let values: Vec<i64> = numbers().map(|i| (15_000 + i) * step).collect();
                writer.write_batch(&values, None, None)
            }
            ColumnWriter::Int32ColumnWriter(writer) => {
                let values: Vec<i32> = numbers().map(|i| 15_000 + i as i32).collect();
                writer.write_batch(&values, None, None)
            }
            ColumnWriter::ByteArrayColumnWriter(writer) => {
                writer.write_batch(&vec![ByteArray::from("a"); rows as usize], None, None)
            }
            ColumnWriter::DoubleColumnWriter(writer) => {
                let levels: Vec<i16> = numbers().map(|i| i16::from(i % 4 != 3)).collect();
                let values: Vec<f64> =
                    numbers().filter(|i| i % 4 != 3).map(|i| i as f64 / 4.0).collect();
                writer.write_batch(&values, Some(&levels), None)
            }
            ColumnWriter::BoolColumnWriter(writer) => {
                let values: Vec<bool> = numbers().map(|i| i % 3 == 0).collect();
                writer.write_batch(&values, None, None)
            }
            ColumnWriter::FloatColumnWriter(writer) => {
                let values: Vec<f32> = numbers().map(|i| i as f32 / 8.0).collect();
                writer.write_batch(&values, None, None)
            }
            ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
                let values: Vec<FixedLenByteArray> =
                    numbers().map(|i| vec![0, 0, 1, i as u8].into()).collect();
                writer.write_batch(&values, None, None)
            }
            ColumnWriter::Int96ColumnWriter(_) => unreachable!("the schema has no such column"),
        };
        written.unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}
