//! The schema of Apache Arrow that a Parquet file may have beside its own, and from which readers take the time zone of
//! instants: Parquet itself only knows that they are in UTC.
//!
//! It is a message in the binary form of FlatBuffers, after `Message.fbs` and `Schema.fbs` of Arrow 1.5, in base64. Each table
//! lies before the objects that it refers to, and each field in a cell of four bytes.

use super::cells::{Header, Times};

/// The name of the schema among the metadata of a file.
pub(super) const KEY: &str = "ARROW:schema";

/// A field of a table.
enum Slot {
    Missing,
    /// A number of up to four bytes.
    Number(i32),
    /// A place to be filled in.
    Reference,
}

use Slot::{Missing, Number, Reference};

/// The schema of a table, as text.
pub(super) fn schema(header: &Header) -> String {
    let keys = header.keys.iter().map(|key| (key.name.as_str(), Type::of(key.times, header.zone)));
    let numbers = header.numbers.iter().zip(&header.whole);
    let of_number = |whole: &bool| if *whole { Type::Whole } else { Type::Double };
    let numbers = numbers.map(|(name, whole)| (name.as_str(), of_number(whole)));
    let fields: Vec<(&str, Type)> = keys.chain(numbers).collect();
    let mut buffer = Buffer(vec![0; 4]);
    // Version 5, whose header is a schema.
    let [_, _, message] = buffer.table(0, [Number(4), Number(1), Reference]);
    let [_, list] = buffer.table(message, [Missing, Reference]);
    let places = buffer.list(list, fields.len());
    for (place, (name, kind)) in places.into_iter().zip(fields) {
        let [own, _, _, of_kind, _, children] = buffer.table(
            place,
            [Reference, Missing, Number(kind.number()), Reference, Missing, Reference],
        );
        buffer.text(own, name);
        kind.write(&mut buffer, of_kind);
        buffer.list(children, 0);
    }
    let mut bytes = vec![0xff; 4];
    buffer.pad(8);
    bytes.extend((buffer.0.len() as u32).to_le_bytes());
    bytes.extend(buffer.0);
    base64(&bytes)
}

/// The type of a column.
enum Type<'a> {
    Text,
    Whole,
    Double,
    Date,
    /// Microseconds, with the zone that they are shown in if they are in UTC.
    Timestamp(Option<&'a str>),
}

impl<'a> Type<'a> {
    fn of(times: Option<Times>, zone: &'a str) -> Type<'a> {
        match times {
            None | Some(Times::Texts) => Type::Text,
            Some(Times::Numbers) => Type::Whole,
            Some(Times::Seconds) => Type::Double,
            Some(Times::Dates) => Type::Date,
            Some(Times::Clocks) => Type::Timestamp(None),
            Some(Times::Instants) => Type::Timestamp(Some(zone)),
        }
    }

    /// Its place in the union of types.
    fn number(&self) -> i32 {
        match self {
            Type::Whole => 2,
            Type::Double => 3,
            Type::Text => 5,
            Type::Date => 8,
            Type::Timestamp(_) => 10,
        }
    }

    fn write(&self, buffer: &mut Buffer, place: usize) {
        match self {
            Type::Text => _ = buffer.table(place, []),
            Type::Whole => _ = buffer.table(place, [Number(64), Number(1)]), // bits, signed
            Type::Double => _ = buffer.table(place, [Number(2)]),            // of 64 bits
            Type::Date => _ = buffer.table(place, [Number(0)]),              // days
            Type::Timestamp(None) => _ = buffer.table(place, [Number(2)]),   // microseconds
            Type::Timestamp(Some(zone)) => {
                let [_, own] = buffer.table(place, [Number(2), Reference]);
                buffer.text(own, zone);
            }
        }
    }
}

/// Objects one after another.
struct Buffer(Vec<u8>);

impl Buffer {
    fn pad(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    /// Makes `place` refer to what is written next.
    fn refer(&mut self, place: usize) {
        let distance = (self.0.len() - place) as u32;
        self.0[place..place + 4].copy_from_slice(&distance.to_le_bytes());
    }

    /// A table to which `place` refers; returns the places of its fields.
    fn table<const N: usize>(&mut self, place: usize, slots: [Slot; N]) -> [usize; N] {
        // The list of places lies right before the table.
        let length = 4 + 2 * N;
        self.pad(4);
        if !length.is_multiple_of(4) {
            self.0.extend([0; 2]);
        }
        let present = slots.iter().filter(|slot| !matches!(slot, Missing)).count();
        self.0.extend((length as u16).to_le_bytes());
        self.0.extend((4 + 4 * present as u16).to_le_bytes());
        let mut next = 4_u16;
        for slot in &slots {
            let at = if matches!(slot, Missing) { 0 } else { next };
            next += if at > 0 { 4 } else { 0 };
            self.0.extend(at.to_le_bytes());
        }
        self.refer(place);
        self.number(length as u32);
        slots.map(|slot| {
            let at = self.0.len();
            match slot {
                Missing => {}
                Number(number) => self.0.extend(number.to_le_bytes()),
                Reference => self.number(0),
            }
            at
        })
    }

    /// A list of references to which `place` refers; returns their places.
    fn list(&mut self, place: usize, length: usize) -> Vec<usize> {
        self.pad(4);
        self.refer(place);
        self.number(length as u32);
        let first = self.0.len();
        self.0.resize(first + 4 * length, 0);
        (0..length).map(|index| first + 4 * index).collect()
    }

    fn text(&mut self, place: usize, text: &str) {
        self.pad(4);
        self.refer(place);
        self.number(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let whole = chunk.iter().fold(0_usize, |whole, byte| whole << 8 | usize::from(*byte));
        let whole = whole << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[whole >> (18 - 6 * place) & 63];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Oracle: RFC 4648, section 10.
    #[test]
    fn text_is_base64() {
        let texts = ["", "f", "fo", "foo", "foob"].map(|text| base64(text.as_bytes()));
        assert_eq!(texts, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }
}
