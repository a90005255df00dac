//! Huffman codes as tables.
//!
//! The next 10 bits look up an entry: a symbol, and how long its code is. Longer codes are compared with the last code of
//! each length. Entries that hold the coefficient's value too, where code and value are short, were no faster: whether one
//! does is a branch that is often mispredicted.

use crate::Refused;

/// Bits that are looked up at once.
pub(super) const LOOKAHEAD: u32 = 10;
/// The longest code.
const MAX_LENGTH: usize = 16;

/// A table as it stands in the file: how many codes there are of each length, and their symbols.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    counts: [u8; MAX_LENGTH],
    symbols: [u8; 256],
}

impl Default for Code {
    fn default() -> Self {
        Self { counts: [0; MAX_LENGTH], symbols: [0; 256] }
    }
}

impl Code {
    /// Read the first table of a segment: the code, its class (0 for DC), its index, and what follows it.
    pub(super) fn read(body: &[u8]) -> Result<(Self, u8, usize, &[u8]), Refused> {
        let Some((&[head, ref counts @ ..], rest)) = body.split_first_chunk::<17>() else {
            return Err(Refused("a Huffman table is cut"));
        };
        let counts = *counts;
        let total = counts.iter().map(|&count| usize::from(count)).sum();
        let (class, index) = (head >> 4, usize::from(head & 15));
        let given = rest.get(..total).filter(|given| given.len() <= 256 && class <= 1);
        let given = given.ok_or(Refused("a Huffman table is odd"))?;
        // The symbol of a DC code is a number of bits.
        if class == 0 && given.iter().any(|&symbol| symbol > 15) {
            return Err(Refused("a Huffman table has a symbol that no DC coefficient has"));
        }
        let mut symbols = [0; 256];
        symbols[..total].copy_from_slice(given);
        let code = Self { counts, symbols };
        if code.overflows() {
            return Err(Refused("a Huffman table has more codes than there can be"));
        }
        Ok((code, class, index, &rest[total..]))
    }

    fn overflows(&self) -> bool {
        let mut next = 0_u32;
        (1..).zip(self.counts).any(|(length, count)| {
            next = 2 * next + u32::from(count);
            next > 1 << length
        })
    }

    /// Call `each` with every code's length, value and symbol.
    fn for_each(&self, mut each: impl FnMut(u32, u32, u8)) {
        let (mut next, mut index) = (0, 0);
        for (length, count) in (1..).zip(self.counts) {
            for _ in 0..count {
                each(length, next, self.symbols[index]);
                (next, index) = (next + 1, index + 1);
            }
            next *= 2;
        }
    }
}

/// An entry, for the bits that are next.
///
/// | bits | |
/// |---|---|
/// | 0–7 | bits of the code and of its value, together; 0 for codes that are longer than the lookahead |
/// | 8–15 | the symbol: zeros before the coefficient (4 bits), and bits of its value |
/// | 16–31 | bits of the code |
#[derive(Clone, Copy)]
pub(super) struct Entry(u32);

impl Entry {
    /// Bits of the code and of its value; 0 if the code is too long for an entry.
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        self.0 & 31
    }

    /// Zero coefficients before this one.
    #[inline(always)]
    pub(super) fn run(self) -> usize {
        (self.0 as usize >> 12) & 15
    }

    /// Bits of the value.
    #[inline(always)]
    pub(super) fn size(self) -> u32 {
        (self.0 >> 8) & 15
    }

    /// Bits of the code.
    #[inline(always)]
    pub(super) fn code_bits(self) -> u32 {
        self.0 >> 16
    }

    fn new(symbol: u8, length: u32) -> Self {
        Self(length << 16 | u32::from(symbol) << 8 | (length + u32::from(symbol & 15)))
    }
}

/// A code, ready to decode.
pub(super) struct Table {
    code: Code,
    lookup: [Entry; 1 << LOOKAHEAD],
    /// For each length, one more than its last code, in the upper bits of 16; and what to add to a code to find its symbol.
    limits: [u32; MAX_LENGTH + 1],
    offsets: [i32; MAX_LENGTH + 1],
}

impl Default for Table {
    fn default() -> Self {
        let code = Code::default();
        let (limits, offsets) = ([0; MAX_LENGTH + 1], [0; MAX_LENGTH + 1]);
        Self { code, lookup: [Entry(0); 1 << LOOKAHEAD], limits, offsets }
    }
}

impl Table {
    /// Fill the table. Files of one encoder often share their codes, whose tables are kept.
    pub(super) fn fill(&mut self, code: &Code) {
        if self.code == *code {
            return;
        }
        self.lookup.fill(Entry(0));
        (self.limits, self.offsets) = ([0; MAX_LENGTH + 1], [0; MAX_LENGTH + 1]);
        let mut index = 0;
        code.for_each(|length, value, symbol| {
            self.limits[length as usize] = (value + 1) << (MAX_LENGTH as u32 - length);
            self.offsets[length as usize] = index - value as i32;
            index += 1;
            if length <= LOOKAHEAD {
                let first = (value as usize) << (LOOKAHEAD - length);
                self.lookup[first..first + (1 << (LOOKAHEAD - length))].fill(Entry::new(symbol, length));
            }
        });
        self.code = *code;
    }

    /// The entry for a buffer whose upper bits are next.
    #[inline(always)]
    pub(super) fn entry(&self, buffer: u64) -> Entry {
        self.lookup[(buffer >> (64 - LOOKAHEAD)) as usize]
    }

    /// The entry of a code that is longer than the lookahead; `None` if the bits are no code.
    #[cold]
    pub(super) fn long_entry(&self, buffer: u64) -> Option<Entry> {
        let next = (buffer >> 48) as u32;
        let length = (LOOKAHEAD as usize + 1..=MAX_LENGTH).find(|&length| next < self.limits[length])?;
        let code = (next >> (MAX_LENGTH - length)) as i32;
        let symbol = *self.code.symbols.get(usize::try_from(code + self.offsets[length]).ok()?)?;
        Some(Entry::new(symbol, length as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A segment's table with at most `counts` codes of each length, as far as there are any.
    fn table_of(counts: &[u8; MAX_LENGTH], first_symbol: u8) -> Vec<u8> {
        let mut segment = vec![0x10];
        let (mut free, mut total) = (2_usize, 0);
        for &count in counts {
            let count = usize::from(count).min(free).min(256 - total);
            segment.push(count as u8);
            (free, total) = (2 * (free - count), total + count);
        }
        segment.extend((0..total).map(|i| first_symbol.wrapping_add(i as u8)));
        segment
    }

    proptest! {
        #[test]
        fn every_code_is_found_by_its_bits(counts: [u8; 16], first_symbol: u8, after: u64) {
            let counts = counts.map(|count| count % 5);
            let segment = table_of(&counts, first_symbol);
            let (code, class, index, rest) = Code::read(&segment).unwrap();
            prop_assert_eq!((class, index, rest.len()), (1, 0, 0));
            let mut table = Table::default();
            table.fill(&code);
            let mut last = 0;
            code.for_each(|length, value, symbol| {
                let buffer = u64::from(value) << (64 - length) | after >> length;
                let entry = table.entry(buffer);
                assert_eq!(entry.bits() == 0, length > LOOKAHEAD);
                let entry = if entry.bits() == 0 { table.long_entry(buffer).unwrap() } else { entry };
                assert_eq!((entry.code_bits(), entry.size()), (length, u32::from(symbol & 15)));
                assert_eq!((entry.run(), entry.bits()), (usize::from(symbol >> 4), length + u32::from(symbol & 15)));
                last = u64::from(value + 1) << (64 - length).min(63);
            });
            // Bits beyond the last code are none.
            if last != 0 && last <= u64::MAX - (1 << 48) {
                prop_assert_eq!(table.entry(u64::MAX).bits(), 0);
                prop_assert!(table.long_entry(u64::MAX).is_none());
            }
        }

        #[test]
        fn any_bytes_are_a_table_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), low in 0..4_u8) {
            let bytes: Vec<u8> = bytes.iter().enumerate().map(|(i, b)| if (1..17).contains(&i) { b & low } else { *b }).collect();
            if let Ok((code, ..)) = Code::read(&bytes) {
                let mut table = Table::default();
                table.fill(&code);
                for bits in 0..=u64::from(u16::MAX) {
                    let _ = table.long_entry(bits << 48);
                }
            }
        }
    }
}
