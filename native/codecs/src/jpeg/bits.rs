//! The coded data of a scan, as bits.
//!
//! In the file a zero byte follows each 0xFF, so that no marker appears inside coded data. [`Source`] removes these
//! zeros from a segment, the part up to the next marker, before it is decoded; [`Bits`] then reads eight bytes at once.

use crate::Refused;
use offgraph_kernels::memory;

/// Zeros after a segment, so that its last bits can be read eight bytes at once.
const PADDING: usize = 16;
/// Bytes that are searched for 0xFF, and copied, at once.
const CHUNK: usize = 32;

/// The coded data, segment by segment.
pub(super) struct Source<'a> {
    data: &'a [u8],
    at: usize,
    /// The marker after the segment.
    marker: u8,
    segment: &'a mut Vec<u8>,
    len: usize,
}

impl<'a> Source<'a> {
    /// Coded data that begins at `at`; `workspace` is kept between files.
    pub(super) fn new(data: &'a [u8], at: usize, workspace: &'a mut Vec<u8>) -> Self {
        let least = data.len() - at + PADDING;
        if workspace.len() < least {
            memory::resize(workspace, least, 0);
        }
        Self { data, at, marker: 0, segment: workspace, len: 0 }
    }

    /// Go on to the next segment.
    pub(super) fn advance(&mut self) -> Result<(), Refused> {
        let mut coded = &self.data[self.at..];
        let mut len = 0;
        loop {
            // Whole chunks without 0xFF, then single bytes up to one.
            while let Some((chunk, rest)) = coded.split_first_chunk::<CHUNK>() {
                if chunk.iter().fold(false, |found, &byte| found | (byte == 0xFF)) {
                    break;
                }
                self.segment[len..len + CHUNK].copy_from_slice(chunk);
                (len, coded) = (len + CHUNK, rest);
            }
            let plain = coded.iter().position(|&byte| byte == 0xFF).unwrap_or(coded.len());
            self.segment[len..len + plain].copy_from_slice(&coded[..plain]);
            (len, coded) = (len + plain, &coded[plain..]);
            match *coded {
                [0xFF, 0, ref rest @ ..] => {
                    self.segment[len] = 0xFF;
                    (len, coded) = (len + 1, rest);
                }
                [0xFF, marker, ref rest @ ..] => {
                    self.segment[len..len + PADDING].fill(0);
                    (self.len, self.marker) = (len, marker);
                    self.at = self.data.len() - rest.len();
                    return Ok(());
                }
                _ => return Err(Refused("its coded data has no end")),
            }
        }
    }

    /// Refuse the file unless restart marker number `count` ends this segment.
    pub(super) fn expect_restart(&self, count: usize) -> Result<(), Refused> {
        if usize::from(self.marker) == 0xD0 + count % 8 {
            Ok(())
        } else {
            Err(Refused("a restart marker is missing"))
        }
    }

    /// Refuse the file unless this segment ends the image.
    pub(super) fn expect_end(&self) -> Result<(), Refused> {
        if self.marker == 0xD9 { Ok(()) } else { Err(Refused("something follows its scan")) }
    }

    /// Read the segment from its `position`.
    pub(super) fn bits(&self, position: Position) -> Bits<'_> {
        Bits { segment: &self.segment[..self.len + PADDING], position }
    }

    /// Refuse the file if more bits were read than there are.
    pub(super) fn check_not_past_end(&self, position: Position) -> Result<(), Refused> {
        if position.consumed() <= 8 * self.len { Ok(()) } else { Err(Refused("its coded data ends early")) }
    }

    /// Refuse the file unless only the bits that fill the last byte are left.
    pub(super) fn check_consumed(&self, position: Position) -> Result<(), Refused> {
        self.check_not_past_end(position)?;
        if 8 * self.len - position.consumed() < 8 { Ok(()) } else { Err(Refused("coded data is left over")) }
    }
}

/// Where in a segment reading has come to.
#[derive(Clone, Copy, Default)]
pub(super) struct Position {
    /// The bits that are next, from the uppermost on.
    buffer: u64,
    /// How many of them count; the others may be there already, too.
    left: u32,
    /// The byte after those that count.
    at: usize,
}

impl Position {
    fn consumed(self) -> usize {
        8 * self.at - self.left as usize
    }
}

/// Reads bits.
#[derive(Clone)]
pub(super) struct Bits<'a> {
    segment: &'a [u8],
    position: Position,
}

impl Bits<'_> {
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Whether there are still bits for a code and its value.
    #[inline(always)]
    pub(super) fn are_enough(&self) -> bool {
        self.position.left >= 32
    }

    /// The bits that are next, from the uppermost on: at least 56 after [`Self::refill`].
    #[inline(always)]
    pub(super) fn buffer(&self) -> u64 {
        self.position.buffer
    }

    /// Ensure that there are 56 bits, zeros after the end. A code and its value take 31 at most.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let Position { buffer, left, at } = &mut self.position;
        let next = self.segment.get(*at..).and_then(|next| next.first_chunk::<8>());
        *buffer |= next.map_or(0, |bytes| u64::from_be_bytes(*bytes)) >> *left;
        // Whole bytes; a part of another stays in the buffer, and is read there again.
        *at += (63 - *left as usize) >> 3;
        *left |= 56;
    }

    #[inline(always)]
    pub(super) fn consume(&mut self, bits: u32) {
        self.position.buffer <<= bits;
        self.position.left -= bits;
    }
}
