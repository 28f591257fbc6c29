//! The Parquet form: texts as strings, numbers as doubles, every cell required.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType};
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::cells::{Header, Row};

/// Rows that are held in memory as columns.
const GROUP: usize = 1 << 16;

/// The bytes of a file of `rows`.
pub(super) fn encode<'a>(header: &Header, rows: impl Iterator<Item = Row<'a>>) -> Result<Vec<u8>> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, schema(header)?, Arc::new(properties))?;
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let mut texts: Vec<Vec<ByteArray>> = vec![Vec::new(); header.texts.len()];
        let mut numbers: Vec<Vec<f64>> = vec![Vec::new(); header.numbers.len()];
        for row in rows.by_ref().take(GROUP) {
            texts.iter_mut().zip(row.texts).for_each(|(column, cell)| column.push(cell.into()));
            numbers.iter_mut().zip(row.numbers).for_each(|(column, cell)| column.push(cell));
        }
        let mut group = file.next_row_group()?;
        texts.iter().try_for_each(|cells| column::<ByteArrayType>(&mut group, cells))?;
        numbers.iter().try_for_each(|cells| column::<DoubleType>(&mut group, cells))?;
        group.close()?;
    }
    file.close()?;
    Ok(bytes)
}

fn schema(header: &Header) -> Result<TypePtr> {
    let field = |name: &String, physical, logical| {
        let field = Type::primitive_type_builder(name, physical);
        let field = field.with_repetition(Repetition::REQUIRED).with_logical_type(logical);
        field.build().map(Arc::new)
    };
    let texts = header
        .texts
        .iter()
        .map(|name| field(name, Physical::BYTE_ARRAY, Some(LogicalType::String)));
    let numbers = header.numbers.iter().map(|name| field(name, Physical::DOUBLE, None));
    let fields = texts.chain(numbers).collect::<Result<Vec<_>>>()?;
    Type::group_type_builder("forecast").with_fields(fields).build().map(Arc::new)
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    cells: &[T::T],
) -> Result<()> {
    let Some(mut column) = group.next_column()? else { return Ok(()) }; // the schema has as many
    column.typed::<T>().write_batch(cells, None, None)?;
    column.close()
}
