//! Inputs: a seed changed in a few places. Each is a function of seed number and index alone, so that any
//! execution can be repeated without those before it.

use crate::Target;

/// SplitMix64, which is enough to choose places.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of one execution.
    pub fn new(seed: u64, index: u64) -> Self {
        let mut mixed = Random(seed);
        Random(mixed.next() ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % (end.max(1) as u64)) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// The inputs to start from, and what to put into them.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// Valid inputs.
    pub seeds: Vec<Vec<u8>>,
    /// Words beside those for all targets.
    pub words: Vec<String>,
    /// Bytes of the longest input.
    pub longest: usize,
}

impl Material {
    /// That of a target.
    pub fn of(target: &Target) -> Material {
        let Target { seeds, words, longest, .. } = target;
        Material { seeds: seeds(), words: words(), longest: *longest }
    }

    /// A word to put somewhere; of the target's own ones every second time.
    fn word(&self, random: &mut Random) -> &[u8] {
        if !self.words.is_empty() && random.below(2) == 0 {
            return self.words[random.below(self.words.len())].as_bytes();
        }
        random.pick(TOKENS).as_bytes()
    }
}

/// Cells that mean something to a reader of times or numbers.
const TOKENS: &[&str] = &[
    "",
    "0",
    "-0",
    "1",
    "-1",
    "9",
    "00",
    "12",
    "13",
    "24",
    "29",
    "30",
    "31",
    "32",
    "59",
    "60",
    "61",
    "99",
    "366",
    "1900",
    "1969",
    "1970",
    "2000",
    "2100",
    "9999",
    "10000",
    "-2012",
    "0000",
    "2012-02-29",
    "2011-02-29",
    "9999-12-31",
    "0001-01-01",
    "-009999-01-01",
    "2012-12-31T23:59:60Z",
    "2012-03-25 02:30",
    "2012-10-28 02:30",
    "2012W53",
    "2012-W53-7",
    "2012Q4",
    "2012Q5",
    "2012M12",
    "Jan-49",
    "Feb-30",
    "31.12.2012",
    "12/31/2012",
    "201253",
    "2012123124",
    "20121231235959",
    "60.5",
    "1960.9999",
    "41000.99999",
    "2958465",
    "1e18",
    "-1e18",
    "1e308",
    "1e309",
    "-1e-320",
    "1e-46",
    "3.5e38",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1,234",
    "1.234",
    "1.234,5",
    "1,234.5",
    "1 234,5",
    "12,34,567",
    "1'234",
    "(8.93)",
    "-(3)",
    "(-3)",
    "()",
    "574.71K",
    "2.31M",
    "1e9B",
    "5%",
    "-100%",
    "$1",
    "€1,50",
    "TRUE",
    "FALSE",
    "yes",
    "NaN",
    "inf",
    "-inf",
    "NA",
    "null",
    "-",
    "+",
    ".",
    ",",
    "e5",
    "1e",
    "0x10",
    "1_000",
    "½",
    "١",
    "−5",
    "\u{feff}",
    "\u{a0}",
    "\"",
    "\"\"",
    "'",
    ";",
    "\t",
    "|",
    "\n",
    "\r\n",
    "\r",
    "#",
    "%",
    "===",
    "id",
    "time",
    "+00:00",
    "+23:59",
    "-12:00",
    "Z",
    "T",
    "AM",
    "PM",
    " ",
    ":",
    "/",
    "null",
    "true",
    "[]",
    "{}",
    "-1.0",
    "4294967296",
    "1e400",
];

/// The input of execution `index`.
pub fn input(material: &Material, seed: u64, index: u64) -> Vec<u8> {
    let random = &mut Random::new(seed, index);
    let seeds = &material.seeds;
    let mut input = seeds[random.below(seeds.len())].clone();
    // Small counts are the rule: most inputs stay close to a table that is read.
    for _ in 0..=random.below(3) + random.below(2) * random.below(6) {
        change(&mut input, material, random);
        input.truncate(material.longest);
    }
    // The settings; half the time those of a plain table.
    let settings =
        if random.below(2) == 0 { [0, 0xf8] } else { (random.next() as u16).to_le_bytes() };
    input.extend(settings);
    input
}

fn change(input: &mut Vec<u8>, material: &Material, random: &mut Random) {
    let at = random.below(input.len());
    match random.below(12) {
        0 if !input.is_empty() => input[at] ^= 1 << random.below(8),
        1 if !input.is_empty() => input[at] = random.next() as u8,
        2 => drop(input.drain(at..(at + 1 + random.below(8)).min(input.len()))),
        3 => insert(input, at, material.word(random)),
        4 | 5 => {
            let cell = cell(input, at);
            input.splice(cell, material.word(random).iter().copied());
        }
        6 | 7 => {
            // Another digit: the form of the cell stays.
            let places: Vec<usize> =
                (0..input.len()).filter(|&i| input[i].is_ascii_digit()).collect();
            if places.is_empty() {
                return;
            }
            let place = places[random.below(places.len())];
            if !material.words.is_empty() && random.below(4) == 0 {
                // A number at which counters end, say.
                let cell = cell(input, place);
                let word = &material.words[random.below(material.words.len())];
                input.splice(cell, word.bytes());
            } else {
                input[place] = b'0' + random.below(10) as u8;
            }
        }
        8 => {
            // A line once more, somewhere else.
            let copied = input[line(input, at)].to_vec();
            let to = line(input, random.below(input.len())).start;
            insert(input, to, &copied);
        }
        9 => drop(input.drain(line(input, at))),
        10 => {
            // The cell of another place.
            let other = input[cell(input, random.below(input.len()))].to_vec();
            let cell = cell(input, at);
            input.splice(cell, other);
        }
        _ => {
            // The end of another seed, from a line on.
            let other = &material.seeds[random.below(material.seeds.len())];
            let from = line(other, random.below(other.len())).start;
            input.truncate(line(input, at).start);
            input.extend_from_slice(&other[from..]);
        }
    }
}

fn insert(input: &mut Vec<u8>, at: usize, new: &[u8]) {
    input.splice(at..at, new.iter().copied());
}

/// The line around a place, with its end.
fn line(input: &[u8], at: usize) -> std::ops::Range<usize> {
    around(input, at, |b| b == b'\n', 1)
}

/// The cell around a place, without separators.
fn cell(input: &[u8], at: usize) -> std::ops::Range<usize> {
    around(input, at, |b| b",;\t|\n\r\"[]{}:=".contains(&b), 0)
}

fn around(
    input: &[u8],
    at: usize,
    ends: impl Fn(u8) -> bool,
    with: usize,
) -> std::ops::Range<usize> {
    let at = at.min(input.len());
    let start = input[..at].iter().rposition(|&b| ends(b)).map_or(0, |i| i + 1);
    let end = input[at..].iter().position(|&b| ends(b)).map_or(input.len(), |i| at + i + with);
    start..end.min(input.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_is_repeated_by_its_number() {
        let seeds =
            [b"time,y\n2012-01-01,1\n2012-01-02,2\n".to_vec(), b"a\n1\n".to_vec(), Vec::new()];
        let words = vec!["epochs".to_owned()];
        let material = Material { seeds: seeds.to_vec(), words, longest: 4_000 };
        let inputs: Vec<Vec<u8>> = (0..500).map(|index| input(&material, 7, index)).collect();
        assert_eq!(input(&material, 7, 321), inputs[321]);
        assert_ne!(input(&material, 8, 321), inputs[321]);
        let named = inputs.iter().filter(|input| input.windows(6).any(|six| six == b"epochs"));
        assert!(named.count() > 50, "the target's own words are used");
        let mut different = inputs.clone();
        different.sort();
        different.dedup();
        assert!(different.len() > 400, "{}", different.len());
    }
}
