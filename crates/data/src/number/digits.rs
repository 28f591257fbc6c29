//! Runs of decimal digits, eight at a time.
//!
//! The digits of a word are found and joined by arithmetic on all eight bytes at once, after Lemire, "Number parsing at
//! a gigabyte per second", Software: Practice and Experience 51 (2021), section 4.

/// Powers of ten up to those of a whole word.
const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// Appends the digits of `text` from `at` on to `value`; where they end. Beyond 19 digits the value wraps.
#[inline]
pub(super) fn run(text: &[u8], mut at: usize, mut value: u64) -> (u64, usize) {
    while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let (digits, count) = leading(u64::from_le_bytes(*word));
        value = value.wrapping_mul(TENS[count]).wrapping_add(digits);
        at += count;
        if count < 8 {
            return (value, at);
        }
    }
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0'))
        && digit < 10
    {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (value, at)
}

/// The number that the first bytes of a little-endian word write as digits, and how many bytes those are.
#[inline]
fn leading(word: u64) -> (u64, usize) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let digits = word ^ (EACH * 0x30); // '0' to '9' become 0 to 9
    // The top bit of each byte above 9; a carry leaves the bytes before the first of them alone.
    let others = (digits.wrapping_add(EACH * 0x76) | digits) & (EACH * 0x80);
    let count = (others.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    let digits = digits << (64 - 8 * count); // zeros before them
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let even = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let odd = (pairs >> 16 & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    (even.wrapping_add(odd) >> 32, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Oracle: digits one by one.
        #[test]
        fn runs_are_those_of_single_digits(text in "[0-9]{0,19}[ -~é]{0,12}", at in 0_usize..4) {
            let bytes = text.as_bytes();
            let at = at.min(bytes.len());
            let run_length = bytes[at..].iter().take_while(|b| b.is_ascii_digit()).count();
            let value = bytes[at..at + run_length]
                .iter()
                .fold(0_u64, |v, b| v.wrapping_mul(10).wrapping_add(u64::from(b - b'0')));
            prop_assert_eq!(run(bytes, at, 0), (value, at + run_length));
        }

        #[test]
        fn any_bytes_end_a_run(word in any::<[u8; 8]>(), length in 0_usize..=8) {
            let mut word = word;
            for (i, byte) in word.iter_mut().take(length).enumerate() {
                *byte = b'0' + (i as u8 * 7 + 3) % 10;
            }
            let expected = word.iter().take_while(|b| b.is_ascii_digit()).count();
            prop_assert_eq!(leading(u64::from_le_bytes(word)).1, expected);
        }
    }
}
