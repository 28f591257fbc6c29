//! Apache Parquet, row by row, through the parquet crate. "Lines" in messages are rows, "columns" fields.

use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::Field;
use parquet::schema::types::Type;

use super::NO_TEXT;
use super::builder::Builder;
use super::lines::Split;
use super::open::{self, Source};
use super::table::{RowFault, bad_cell, bad_time};
use crate::error::DataError;
use crate::number::Style;
use crate::time::Clock;

/// Reads one file into `builder`.
pub(crate) fn read(
    source: &Source,
    series: &str,
    builder: &mut Builder<'_>,
) -> Result<(), DataError> {
    let path = source.path();
    let file = open::open_file(path)?;
    let broken = |rows: usize| {
        move |e: ParquetError| DataError::Truncated {
            path: path.to_path_buf(),
            rows,
            message: e.to_string(),
        }
    };
    let reader = SerializedFileReader::new(file).map_err(broken(0))?;
    let schema = reader.metadata().file_metadata().schema();
    let (kept, kinds): (Vec<_>, Vec<_>) =
        schema.get_fields().iter().filter_map(|field| Some((field.clone(), kind(field)?))).unzip();
    let left_out = schema.get_fields().iter().filter(|field| kind(field).is_none());
    left_out.for_each(|field| {
        builder.note(format!("column `{}` is nested or of no type we read: left out", field.name()))
    });
    let header: Vec<String> = kept.iter().map(|field| field.name().to_owned()).collect();
    let projection = Type::group_type_builder(schema.name())
        .with_fields(kept.iter().map(Arc::clone).collect())
        .build()
        .map_err(broken(0))?;
    let mut rows = reader.get_row_iter(Some(projection)).map_err(broken(0))?.peekable();
    let texts = |row: &parquet::record::Row| -> Vec<String> {
        row.get_column_iter().zip(&kinds).map(|((_, field), kind)| text(field, kind)).collect()
    };
    let first = match rows.peek() {
        Some(Ok(row)) => texts(row),
        Some(Err(e)) => {
            return Err(DataError::Truncated {
                path: path.to_path_buf(),
                rows: 0,
                message: e.to_string(),
            });
        }
        None => return Err(DataError::Empty { path: path.to_path_buf(), header: true }),
    };
    let uses = builder.begin_file(path, series, &header, &first, &Vec::new)?;
    for (i, row) in rows.enumerate() {
        let cells = texts(&row.map_err(broken(i))?);
        let place = (i as u64 + 1, NO_TEXT);
        let cells = Split(cells.iter().map(String::as_bytes));
        builder
            .push_row(cells, &uses, Style::default(), place)
            .map_err(|fault| row_error(fault, source, place.0, builder))?;
    }
    Ok(())
}

fn row_error(fault: RowFault, source: &Source, row: u64, builder: &Builder<'_>) -> DataError {
    let path = source.path();
    match fault {
        RowFault::Cell(bad) => bad_cell(path, &bad, bad.field as u64 + 1, Style::default()),
        RowFault::Time(bad, why) => {
            let column = bad.field as u64 + 1;
            bad_time(path, bad, column, builder.time_like(), why)
        }
        RowFault::Static { first, second, series, header } => DataError::StaticVaries {
            path: path.to_path_buf(),
            line: row,
            header,
            series,
            first,
            second,
        },
        RowFault::Ragged => {
            let message = format!("row {row} has another number of cells than the schema");
            DataError::Truncated { path: path.to_path_buf(), rows: row as usize - 1, message }
        }
    }
}

/// How the cells of a column become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Nanoseconds since 1970 in 64 bits; whether they are in UTC.
    Nanos(bool),
    /// A coarser timestamp; whether it is in UTC.
    Stamp(bool),
}

/// `None` for columns the row reader does not support.
fn kind(field: &Type) -> Option<Kind> {
    if !field.is_primitive()
        || field.get_basic_info().repetition() == parquet::basic::Repetition::REPEATED
    {
        return None;
    }
    let info = field.get_basic_info();
    if let Some(LogicalType::Timestamp(stamp)) = info.logical_type_ref() {
        let utc = stamp.is_adjusted_to_u_t_c;
        return Some(if matches!(stamp.unit, TimeUnit::NANOS) {
            Kind::Nanos(utc)
        } else {
            Kind::Stamp(utc)
        });
    }
    use ConvertedType as C;
    let supported = match field.get_physical_type() {
        Physical::BOOLEAN | Physical::FLOAT | Physical::DOUBLE => true,
        Physical::INT32 => matches!(
            info.converted_type(),
            C::NONE
                | C::INT_8
                | C::INT_16
                | C::INT_32
                | C::UINT_8
                | C::UINT_16
                | C::UINT_32
                | C::DATE
                | C::DECIMAL
        ),
        Physical::INT64 => matches!(
            info.converted_type(),
            C::NONE
                | C::INT_64
                | C::UINT_64
                | C::TIMESTAMP_MILLIS
                | C::TIMESTAMP_MICROS
                | C::DECIMAL
        ),
        Physical::INT96 => return Some(Kind::Stamp(false)),
        Physical::BYTE_ARRAY => matches!(
            info.converted_type(),
            C::NONE | C::UTF8 | C::ENUM | C::JSON | C::BSON | C::DECIMAL
        ),
        Physical::FIXED_LEN_BYTE_ARRAY => matches!(info.converted_type(), C::DECIMAL),
    };
    let utc = matches!(info.converted_type(), C::TIMESTAMP_MILLIS | C::TIMESTAMP_MICROS);
    supported.then_some(if utc { Kind::Stamp(true) } else { Kind::Plain })
}

fn text(field: &Field, kind: &Kind) -> String {
    match (field, kind) {
        (Field::Null, _) => String::new(),
        (Field::Bool(b), _) => u8::from(*b).to_string(),
        (Field::Byte(v), _) => v.to_string(),
        (Field::Short(v), _) => v.to_string(),
        (Field::Int(v), _) => v.to_string(),
        (Field::Long(v), Kind::Nanos(utc)) => stamp(v.div_euclid(1000), *utc),
        (Field::Long(v), _) => v.to_string(),
        (Field::UByte(v), _) => v.to_string(),
        (Field::UShort(v), _) => v.to_string(),
        (Field::UInt(v), _) => v.to_string(),
        (Field::ULong(v), _) => v.to_string(),
        (Field::Float(v), _) => v.to_string(),
        (Field::Double(v), _) => v.to_string(),
        (Field::Str(v), _) => v.clone(),
        (Field::Bytes(v), _) => String::from_utf8_lossy(v.data()).into_owned(),
        (Field::Date(days), _) => {
            Clock::Civil.show(i64::from(*days).saturating_mul(crate::time::civil::DAY))
        }
        (Field::TimestampMillis(v), Kind::Stamp(utc)) => stamp(v.saturating_mul(1000), *utc),
        (Field::TimestampMicros(v), Kind::Stamp(utc)) => stamp(*v, *utc),
        (other, _) => other.to_string(),
    }
}

fn stamp(micros: i64, utc: bool) -> String {
    let (_, within) = crate::time::civil::split_day(micros);
    let text = Clock::Civil.show(micros);
    match (utc, within == 0) {
        (false, _) => text,
        (true, true) => text + " 00:00Z",
        (true, false) => text + "Z",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use crate::config::DataConfig;
    use crate::panel::Panel;

    /// Three rows: a time as `time` says, an id, a number with one missing, an integer.
    fn write(path: &Path, time: &str, times: &[i64], compression: Compression) {
        let schema = format!(
            "message schema {{ required int64 time ({time}); required binary id (UTF8); \
             optional double y; required int32 k; }}"
        );
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let properties = WriterProperties::builder().set_compression(compression).build();
        let file = std::fs::File::create(path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(times, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let ids = [ByteArray::from("a"), ByteArray::from("a"), ByteArray::from("a")];
        column.typed::<ByteArrayType>().write_batch(&ids, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<DoubleType>().write_batch(&[1.5, -2.25], Some(&[1, 0, 1]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int32Type>().write_batch(&[7, 8, 9], None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
    }

    fn load(path: PathBuf) -> Result<Panel, DataError> {
        crate::read(
            &DataConfig { id: Some("id".into()), ..DataConfig::new(path, 1, 1) },
            Path::new(""),
        )
    }

    #[test]
    fn parquet_and_csv_of_one_table_are_one_panel() {
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("t.csv");
        std::fs::write(&csv, "time,id,y,k\n2012-01-01 06:00,a,1.5,7\n2012-01-01 07:00,a,,8\n2012-01-01 08:00,a,-2.25,9\n")
            .unwrap();
        let expected = load(csv).unwrap();
        let hours: Vec<i64> = (0..3).map(|h| 1_325_397_600 + 3600 * h).collect();
        let path = folder.path().join("t.parquet");
        for (time, unit) in [
            ("TIMESTAMP(MILLIS,false)", 1000),
            ("TIMESTAMP(MICROS,false)", 1_000_000),
            ("TIMESTAMP(NANOS,false)", 1_000_000_000),
        ] {
            for compression in [
                Compression::UNCOMPRESSED,
                Compression::SNAPPY,
                Compression::ZSTD(Default::default()),
            ] {
                let times: Vec<i64> = hours.iter().map(|h| h * unit).collect();
                write(&path, time, &times, compression);
                let panel = load(path.clone()).unwrap();
                assert_eq!(panel.fingerprint(), expected.fingerprint(), "{time} {compression}");
                assert_eq!(panel.time(0).unwrap(), "2012-01-01 06:00:00");
            }
        }
        let times: Vec<i64> = hours.iter().map(|h| h * 1000).collect();
        write(&path, "TIMESTAMP(MILLIS,true)", &times, Compression::UNCOMPRESSED);
        assert_eq!(load(path).unwrap().time(0).unwrap(), "2012-01-01 06:00:00+00:00");
    }

    /// Found by fuzzing: such a day in microseconds is beyond 64 bits.
    #[test]
    fn a_date_beyond_every_calendar_is_text_without_a_panic() {
        let furthest = text(&Field::TimestampMicros(i64::MAX), &Kind::Stamp(false));
        assert_eq!(text(&Field::Date(i32::MAX), &Kind::Plain), furthest);
    }

    #[test]
    fn a_cut_or_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        write(&path, "TIMESTAMP(MILLIS,false)", &[0, 3_600_000, 7_200_000], Compression::SNAPPY);
        let whole = std::fs::read(&path).unwrap();
        for keep in [4, 8, 12, whole.len() / 2, whole.len() - 9, whole.len() - 4, whole.len() - 1] {
            std::fs::write(&path, &whole[..keep]).unwrap();
            let error = load(path.clone()).unwrap_err();
            assert!(matches!(error, DataError::Truncated { .. }), "{keep} bytes: {error}");
            assert!(error.to_string().contains("t.parquet: ends too early"), "{error}");
        }
    }

    /// Any byte changed: data or an error, never a panic of ours or of the parquet crate's.
    #[test]
    fn a_changed_byte_does_not_bring_the_reader_down() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.parquet");
        write(&path, "TIMESTAMP(MILLIS,false)", &[0, 3_600_000, 7_200_000], Compression::SNAPPY);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                std::fs::write(&path, &bytes).unwrap();
                if let Err(error) = load(path.clone()) {
                    assert!(error.to_string().contains("t.parquet"), "byte {at}: {error}");
                }
            }
        }
    }
}
