//! Event files read from their specification, sharing nothing with the writer: CRC bit by bit, messages by
//! their keys and wire types.

use std::collections::BTreeMap;

/// One event, as far as this project writes it.
#[derive(Debug, Default, PartialEq)]
pub struct Event {
    pub wall_time: f64,
    pub step: i64,
    pub file_version: String,
    /// The status of a session log.
    pub session: u64,
    pub values: Vec<(String, Datum)>,
}

/// A value of a tag.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    Scalar(f32),
    /// Width, height and the PNG file.
    Image(u64, u64, Vec<u8>),
    /// min, max, num, sum and sum of squares; limits; counts.
    Histogram([f64; 5], Vec<f64>, Vec<f64>),
}

/// The events of a file; an error where a length, a checksum or a message is not what it must be.
pub fn events(mut bytes: &[u8]) -> Result<Vec<Event>, String> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let length = take(&mut bytes, 8)?;
        check(&length, &take(&mut bytes, 4)?)?;
        let length = u64::from_le_bytes(length.try_into().unwrap());
        let data = take(&mut bytes, length as usize)?;
        check(&data, &take(&mut bytes, 4)?)?;
        events.push(event(&data)?);
    }
    Ok(events)
}

fn take(bytes: &mut &[u8], count: usize) -> Result<Vec<u8>, String> {
    let (head, tail) = bytes.split_at_checked(count).ok_or("the file ends within a record")?;
    *bytes = tail;
    Ok(head.to_vec())
}

fn check(data: &[u8], stored: &[u8]) -> Result<(), String> {
    let mut crc = !0_u32;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    let masked = (!crc).rotate_right(15).wrapping_add(0xa282_ead8);
    if stored == masked.to_le_bytes() { Ok(()) } else { Err("a checksum is wrong".to_owned()) }
}

/// The content after a key.
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

/// The fields of a message, by number.
fn fields(mut bytes: &[u8]) -> Result<BTreeMap<u64, Vec<Field>>, String> {
    let mut fields: BTreeMap<u64, Vec<Field>> = BTreeMap::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            1 => Field::Number(u64::from_le_bytes(take(&mut bytes, 8)?.try_into().unwrap())),
            2 => {
                let length = varint(&mut bytes)? as usize;
                Field::Bytes(take(&mut bytes, length)?)
            }
            5 => Field::Number(u32::from_le_bytes(take(&mut bytes, 4)?.try_into().unwrap()).into()),
            other => return Err(format!("there is no wire type {other}")),
        };
        fields.entry(key >> 3).or_default().push(field);
    }
    Ok(fields)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Ok(value);
        }
    }
    Err("a number does not end".to_owned())
}

/// Fields of one message, taken by number.
struct Message(BTreeMap<u64, Vec<Field>>);

impl Message {
    fn of(bytes: &[u8]) -> Result<Message, String> {
        fields(bytes).map(Message)
    }

    fn number(&self, tag: u64) -> u64 {
        match self.0.get(&tag).and_then(|fields| fields.last()) {
            Some(Field::Number(number)) => *number,
            _ => 0,
        }
    }

    fn all(&self, tag: u64) -> impl Iterator<Item = &[u8]> {
        self.0.get(&tag).into_iter().flatten().filter_map(|field| match field {
            Field::Bytes(bytes) => Some(bytes.as_slice()),
            Field::Number(_) => None,
        })
    }

    fn text(&self, tag: u64) -> String {
        self.all(tag).map(String::from_utf8_lossy).collect()
    }

    fn doubles(&self, tag: u64) -> Vec<f64> {
        let bytes: Vec<u8> = self.all(tag).flatten().copied().collect();
        bytes.as_chunks::<8>().0.iter().map(|chunk| f64::from_le_bytes(*chunk)).collect()
    }
}

fn event(bytes: &[u8]) -> Result<Event, String> {
    let message = Message::of(bytes)?;
    let mut values = Vec::new();
    for summary in message.all(5) {
        for value in Message::of(summary)?.all(1) {
            values.push(value_of(&Message::of(value)?)?);
        }
    }
    let mut session = 0;
    for log in message.all(7) {
        session = Message::of(log)?.number(1);
    }
    Ok(Event {
        wall_time: f64::from_bits(message.number(1)),
        step: message.number(2) as i64,
        file_version: message.text(3),
        session,
        values,
    })
}

fn value_of(value: &Message) -> Result<(String, Datum), String> {
    let datum = if let Some(image) = value.all(4).next() {
        let image = Message::of(image)?;
        Datum::Image(image.number(2), image.number(1), image.all(4).flatten().copied().collect())
    } else if let Some(histogram) = value.all(5).next() {
        let histogram = Message::of(histogram)?;
        let moments = [1, 2, 3, 4, 5].map(|tag| f64::from_bits(histogram.number(tag)));
        Datum::Histogram(moments, histogram.doubles(6), histogram.doubles(7))
    } else {
        Datum::Scalar(f32::from_bits(value.number(2) as u32))
    };
    Ok((value.text(1), datum))
}
