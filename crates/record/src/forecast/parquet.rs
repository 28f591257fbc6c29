//! The Parquet form: numbers as doubles or whole numbers, names as strings, times as such; every cell required.

use std::sync::Arc;

use data::WrittenTime;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::arrow;
use super::cells::{Header, Key, Row, Times};

/// Rows that are held in memory as columns.
const GROUP: usize = 1 << 16;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// The bytes of a file of `rows`.
pub(super) fn encode<'a>(header: &Header, rows: impl Iterator<Item = Row<'a>>) -> Result<Vec<u8>> {
    let zone = KeyValue::new(arrow::KEY.to_owned(), arrow::schema(header));
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![zone]));
    let mut bytes = Vec::new();
    let schema = schema(header)?;
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties.build()))?;
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let mut keys: Vec<Vec<&str>> = vec![Vec::new(); header.keys.len()];
        let mut numbers: Vec<Vec<f64>> = vec![Vec::new(); header.numbers.len()];
        for row in rows.by_ref().take(GROUP) {
            keys.iter_mut().zip(row.texts).for_each(|(column, cell)| column.push(cell));
            numbers.iter_mut().zip(row.numbers).for_each(|(column, cell)| column.push(cell));
        }
        let mut group = file.next_row_group()?;
        for (key, cells) in header.keys.iter().zip(&keys) {
            write_key(&mut group, key, cells)?;
        }
        for (whole, cells) in header.whole.iter().zip(&numbers) {
            match whole {
                true => {
                    let cells: Vec<i64> = cells.iter().map(|cell| *cell as i64).collect();
                    column::<Int64Type>(&mut group, &cells)?;
                }
                false => column::<DoubleType>(&mut group, cells)?,
            }
        }
        group.close()?;
    }
    file.close()?;
    Ok(bytes)
}

fn schema(header: &Header) -> Result<TypePtr> {
    let field = |name: &str, (physical, logical)| {
        let field = Type::primitive_type_builder(name, physical);
        let field = field.with_repetition(Repetition::REQUIRED).with_logical_type(logical);
        field.build().map(Arc::new)
    };
    let keys = header.keys.iter().map(|key| field(&key.name, of_key(key)));
    let of_number = |whole: &bool| if *whole { Physical::INT64 } else { Physical::DOUBLE };
    let numbers = header.numbers.iter().zip(&header.whole);
    let numbers = numbers.map(|(name, whole)| field(name, (of_number(whole), None)));
    let fields = keys.chain(numbers).collect::<Result<Vec<_>>>()?;
    Type::group_type_builder("forecast").with_fields(fields).build().map(Arc::new)
}

fn of_key(key: &Key) -> (Physical, Option<LogicalType>) {
    let timestamp = |utc| LogicalType::timestamp(utc, TimeUnit::MICROS);
    match key.times {
        None | Some(Times::Texts) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Some(Times::Numbers) => (Physical::INT64, None),
        Some(Times::Seconds) => (Physical::DOUBLE, None),
        Some(Times::Dates) => (Physical::INT32, Some(LogicalType::Date)),
        Some(Times::Clocks) => (Physical::INT64, Some(timestamp(false))),
        Some(Times::Instants) => (Physical::INT64, Some(timestamp(true))),
    }
}

/// Writes names, or times in the form of their column, to which every text belongs.
fn write_key(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    key: &Key,
    cells: &[&str],
) -> Result<()> {
    let times = || cells.iter().filter_map(|cell| WrittenTime::read(cell));
    match key.times {
        None | Some(Times::Texts) => {
            let cells: Vec<ByteArray> = cells.iter().map(|cell| (*cell).into()).collect();
            column::<ByteArrayType>(group, &cells)
        }
        Some(Times::Seconds) => {
            column::<DoubleType>(group, &times().map(seconds).collect::<Vec<_>>())
        }
        Some(Times::Dates) => {
            column::<Int32Type>(group, &times().map(|time| whole(time) as i32).collect::<Vec<_>>())
        }
        Some(Times::Numbers | Times::Instants) => {
            column::<Int64Type>(group, &times().map(whole).collect::<Vec<_>>())
        }
        Some(Times::Clocks) => column::<Int64Type>(group, &times().map(micros).collect::<Vec<_>>()),
    }
}

fn whole(time: WrittenTime) -> i64 {
    match time {
        WrittenTime::Number(time)
        | WrittenTime::Date(time)
        | WrittenTime::Clock(time)
        | WrittenTime::Instant(time) => time,
        WrittenTime::Seconds(seconds) => seconds as i64,
    }
}

fn seconds(time: WrittenTime) -> f64 {
    match time {
        WrittenTime::Seconds(seconds) => seconds,
        other => whole(other) as f64,
    }
}

fn micros(time: WrittenTime) -> i64 {
    match time {
        WrittenTime::Date(days) => days * DAY,
        other => whole(other),
    }
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    cells: &[T::T],
) -> Result<()> {
    let Some(mut column) = group.next_column()? else { return Ok(()) }; // the schema has as many
    column.typed::<T>().write_batch(cells, None, None)?;
    column.close()
}
