//! From coded data to samples: a row of MCUs at a time.

use super::bits::{Bits, Position, Source};
use super::header::Tables as FileTables;
use super::huffman::{Entry, Table};
use super::idct::{self, ColumnSums};
use super::{BLOCK, scaled_idct};
use crate::Refused;
use crate::exec::dispatch;
use offgraph_kernels::exec::simd::Kernel;
use std::ops::Range;

/// Where the coefficients of the coded order lie in a block. A run may lead up to 15 beyond its end.
const ZIGZAG: [u8; 128] = {
    let mut positions = [63; 128];
    let (mut row, mut column, mut at) = (0_u8, 0_u8, 0);
    while at < 64 {
        positions[at] = 8 * row + column;
        let up = (row + column).is_multiple_of(2);
        if up && column == 7 || !up && row < 7 && column == 0 {
            row += 1;
        } else if !up && row == 7 || up && row == 0 {
            column += 1;
        } else if up {
            (row, column) = (row - 1, column + 1);
        } else {
            (row, column) = (row + 1, column - 1);
        }
        at += 1;
    }
    positions
};
/// Coefficients in coded order that lie in the first four rows and columns.
const IN_FIRST_FOUR: usize = 10;

/// The tables of one component.
#[derive(Default)]
pub(super) struct ComponentTables {
    dc: Table,
    ac: Table,
    /// In the order of a block.
    quantization: Quantization,
    /// Blocks of an MCU, down and across.
    blocks: (usize, usize),
    /// Samples per side that a block is transformed to.
    side: usize,
}

struct Quantization([i16; 64]);

impl Default for Quantization {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl ComponentTables {
    pub(super) fn fill(&mut self, file: &FileTables, component: usize, side: usize) {
        self.dc.fill(&file.dc[component]);
        self.ac.fill(&file.ac[component]);
        for (&position, &factor) in ZIGZAG.iter().zip(&file.quantization[component]) {
            self.quantization.0[usize::from(position)] = factor.into();
        }
        self.blocks = if component == 0 { file.header.sampling.blocks() } else { (1, 1) };
        self.side = side;
    }
}

/// Samples of one component, over a row of MCUs.
#[derive(Default)]
pub(super) struct Strip {
    /// The first row is the last one of the strip before.
    pub(super) samples: Vec<u8>,
    pub(super) stride: usize,
}

/// The scan, while it is decoded.
pub(super) struct Scan<'a> {
    source: Source<'a>,
    position: Position,
    tables: &'a [ComponentTables],
    /// The DC coefficients of the last blocks.
    last_dc: [i32; 3],
    sums: ColumnSums,
    restart_interval: usize,
    /// MCUs before the next restart marker.
    until_restart: usize,
    restarts: usize,
    mcus_per_row: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        mut source: Source<'a>,
        tables: &'a [ComponentTables],
        restart_interval: usize,
        mcus_per_row: usize,
    ) -> Result<Self, Refused> {
        source.advance()?;
        if restart_interval == 0 {
            source.expect_end()?;
        }
        Ok(Self {
            source,
            position: Position::default(),
            tables,
            last_dc: [0; 3],
            sums: ColumnSums::default(),
            restart_interval,
            until_restart: if restart_interval == 0 { usize::MAX } else { restart_interval },
            restarts: 0,
            mcus_per_row,
        })
    }

    /// Decode a row of MCUs, those of `columns` into `strips`.
    pub(super) fn decode_row(&mut self, columns: Range<usize>, strips: &mut [Strip]) -> Result<(), Refused> {
        let mut mcu = 0;
        while mcu < self.mcus_per_row {
            if self.until_restart == 0 {
                self.restart()?;
            }
            let end = self.mcus_per_row.min(mcu.saturating_add(self.until_restart));
            let mut run = Run {
                bits: self.source.bits(self.position),
                tables: self.tables,
                last_dc: self.last_dc,
                sums: self.sums,
                first_column: columns.start,
                strips,
            };
            // MCUs left of the window are passed over, then those of the window decoded, then those right of it passed over.
            let (from, to) = (columns.start.clamp(mcu, end), columns.end.clamp(mcu, end));
            dispatch(Part { run: &mut run, mcus: mcu..from, wanted: false })?;
            if self.tables[0].side == BLOCK {
                dispatch(Part { run: &mut run, mcus: from..to, wanted: true })?;
            } else {
                dispatch(ScaledPart { run: &mut run, mcus: from..to })?;
            }
            dispatch(Part { run: &mut run, mcus: to..end, wanted: false })?;
            (self.last_dc, self.sums) = (run.last_dc, run.sums);
            self.position = run.bits.position();
            if self.restart_interval != 0 {
                self.until_restart -= end - mcu;
            }
            mcu = end;
        }
        self.source.check_not_past_end(self.position)?;
        if idct::exceeds_limit(&self.sums) {
            return Err(Refused("its coefficients are larger than those of any samples"));
        }
        Ok(())
    }

    /// Check that the image ends where its last MCU does.
    pub(super) fn finish(self) -> Result<(), Refused> {
        self.source.check_consumed(self.position)?;
        self.source.expect_end()
    }

    /// Check that coded data and restart markers follow up to the end of the image, without decoding them.
    pub(super) fn abandon(mut self, mcus_left: usize) -> Result<(), Refused> {
        if self.restart_interval != 0 {
            let restarts = (mcus_left.saturating_sub(self.until_restart)).div_ceil(self.restart_interval);
            for _ in 0..restarts {
                self.source.expect_restart(self.restarts)?;
                self.source.advance()?;
                self.restarts += 1;
            }
        }
        self.source.expect_end()
    }

    #[cold]
    fn restart(&mut self) -> Result<(), Refused> {
        self.source.check_consumed(self.position)?;
        self.source.expect_restart(self.restarts)?;
        self.source.advance()?;
        (self.position, self.last_dc) = (Position::default(), [0; 3]);
        self.restarts += 1;
        self.until_restart = self.restart_interval;
        Ok(())
    }
}

/// MCUs between two restart markers.
struct Run<'a> {
    bits: Bits<'a>,
    tables: &'a [ComponentTables],
    last_dc: [i32; 3],
    sums: ColumnSums,
    first_column: usize,
    strips: &'a mut [Strip],
}

/// Some of a run's MCUs, to be decoded or passed over.
struct Part<'a, 'b> {
    run: &'a mut Run<'b>,
    mcus: Range<usize>,
    wanted: bool,
}

impl Kernel for Part<'_, '_> {
    type Output = Result<(), Refused>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let Run { bits: run_bits, tables, last_dc, sums, first_column, strips } = self.run;
        let mut bits = run_bits.clone(); // in registers
        let mut coefficients = [0; 64];
        for mcu in self.mcus {
            for ((tables, last_dc), strip) in tables.iter().zip(last_dc.iter_mut()).zip(strips.iter_mut()) {
                let (down, across) = tables.blocks;
                for row in 0..down {
                    for column in 0..across {
                        *last_dc += decode_dc(&mut bits, &tables.dc)?;
                        if i32::from(*last_dc as i16) != *last_dc {
                            return Err(Refused("a DC coefficient is too large"));
                        }
                        if !self.wanted {
                            pass_over(&mut bits, &tables.ac)?;
                            continue;
                        }
                        let end = decode_ac(&mut bits, &tables.ac, &mut coefficients)?;
                        let column = (mcu - *first_column) * across + column;
                        let out = &mut strip.samples[(1 + 8 * row) * strip.stride + 8 * column..];
                        let quantization = &tables.quantization.0;
                        if end == 1 {
                            let dc = *last_dc * i32::from(quantization[0]);
                            sums[0] = sums[0].max(dc.abs());
                            let sample = idct::flat_sample(dc);
                            (0..8).for_each(|k| out[k * strip.stride..][..8].fill(sample));
                            continue;
                        }
                        coefficients[0] = *last_dc as i16;
                        if end <= IN_FIRST_FOUR {
                            idct::transform::<4>(&coefficients, quantization, sums, out, strip.stride);
                        } else {
                            idct::transform::<8>(&coefficients, quantization, sums, out, strip.stride);
                        }
                        coefficients = [0; 64];
                    }
                }
            }
        }
        *run_bits = bits;
        Ok(())
    }
}

/// Some of a run's MCUs, to be decoded to fewer samples.
struct ScaledPart<'a, 'b> {
    run: &'a mut Run<'b>,
    mcus: Range<usize>,
}

impl Kernel for ScaledPart<'_, '_> {
    type Output = Result<(), Refused>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let Run { bits: run_bits, tables, last_dc, sums, first_column, strips } = self.run;
        let mut bits = run_bits.clone();
        let mut coefficients = [0; 64];
        for mcu in self.mcus {
            for ((tables, last_dc), strip) in tables.iter().zip(last_dc.iter_mut()).zip(strips.iter_mut()) {
                let ((down, across), side) = (tables.blocks, tables.side);
                for row in 0..down {
                    for column in 0..across {
                        *last_dc += decode_dc(&mut bits, &tables.dc)?;
                        if i32::from(*last_dc as i16) != *last_dc {
                            return Err(Refused("a DC coefficient is too large"));
                        }
                        let column = (mcu - *first_column) * across + column;
                        let out = &mut strip.samples[(1 + side * row) * strip.stride + side * column..];
                        let quantization = &tables.quantization.0;
                        let end = if side == 1 {
                            pass_over(&mut bits, &tables.ac)?;
                            1
                        } else {
                            decode_ac(&mut bits, &tables.ac, &mut coefficients)?
                        };
                        if end == 1 {
                            let dc = *last_dc * i32::from(quantization[0]);
                            sums[0] = sums[0].max(dc.abs());
                            let sample = idct::flat_sample(dc);
                            (0..side).for_each(|k| out[k * strip.stride..][..side].fill(sample));
                            continue;
                        }
                        coefficients[0] = *last_dc as i16;
                        match side {
                            8 => idct::transform::<8>(&coefficients, quantization, sums, out, strip.stride),
                            4 => scaled_idct::half(&coefficients, quantization, sums, out, strip.stride),
                            _ => scaled_idct::quarter(&coefficients, quantization, sums, out, strip.stride),
                        }
                        coefficients = [0; 64];
                    }
                }
            }
        }
        *run_bits = bits;
        Ok(())
    }
}

#[inline(always)]
fn decode_dc(bits: &mut Bits<'_>, table: &Table) -> Result<i32, Refused> {
    bits.refill();
    let entry = next_entry(bits, table)?;
    if entry.size() == 0 {
        bits.consume(entry.bits());
        return Ok(0);
    }
    Ok(take_value(bits, entry))
}

/// Decode the coefficients of a block but the first, and return the index after the last, in coded order.
#[inline(always)]
fn decode_ac(bits: &mut Bits<'_>, table: &Table, block: &mut [i16; 64]) -> Result<usize, Refused> {
    let mut at = Coefficients { next: 1, end: 1 };
    // The bits nearly always suffice for three coefficients, so these branches are predicted. A branch that asked
    // after each one whether to refill would not be.
    while at.next < 64 {
        bits.refill();
        at.decode(bits, table, block)?;
        if at.next < 64 && bits.are_enough() {
            at.decode(bits, table, block)?;
            if at.next < 64 && bits.are_enough() {
                at.decode(bits, table, block)?;
            }
        }
    }
    if at.next > 64 && at.next != Coefficients::ENDED { Err(LONG_RUN) } else { Ok(at.end) }
}

/// How far a block is decoded, in coded order.
struct Coefficients {
    next: usize,
    /// The index after the last coefficient that is not zero.
    end: usize,
}

impl Coefficients {
    /// The next index of a block whose other coefficients are zero.
    const ENDED: usize = 256;

    #[inline(always)]
    fn decode(&mut self, bits: &mut Bits<'_>, table: &Table, block: &mut [i16; 64]) -> Result<(), Refused> {
        let entry = next_entry(bits, table)?;
        if entry.size() == 0 {
            bits.consume(entry.bits());
            self.next = if entry.run() < 15 { Self::ENDED } else { self.next + 16 };
            return Ok(());
        }
        self.next += entry.run();
        block[usize::from(ZIGZAG[self.next & 127]) & 63] = take_value(bits, entry) as i16;
        self.next += 1;
        self.end = self.next;
        Ok(())
    }
}

#[inline(always)]
fn next_entry(bits: &Bits<'_>, table: &Table) -> Result<Entry, Refused> {
    let entry = table.entry(bits.buffer());
    // An entry without bits has no size either, which is asked next: in this order one branch is left of two.
    if entry.size() == 0 && entry.bits() == 0 {
        return table.long_entry(bits.buffer()).ok_or(Refused("a code is not in its Huffman table"));
    }
    Ok(entry)
}

/// Take a code and the value after it, of at least one bit. Values that begin with a zero are negative, their bits inverted.
#[inline(always)]
fn take_value(bits: &mut Bits<'_>, entry: Entry) -> i32 {
    let coded = bits.buffer() << entry.code_bits();
    let negative = !(coded as i64 >> 63); // all ones, or zero
    let magnitude = ((coded ^ negative as u64) >> (64 - entry.size())) as i32;
    bits.consume(entry.bits());
    (magnitude ^ negative as i32) - negative as i32
}

/// As [`decode_ac`], without keeping anything.
#[inline(always)]
fn pass_over(bits: &mut Bits<'_>, table: &Table) -> Result<(), Refused> {
    let mut k = 1;
    while k < 64 {
        bits.refill();
        let entry = next_entry(bits, table)?;
        bits.consume(entry.bits());
        if entry.size() == 0 && entry.run() < 15 {
            break;
        }
        k += entry.run() + 1;
    }
    if k > 64 { Err(LONG_RUN) } else { Ok(()) }
}

const LONG_RUN: Refused = Refused("a run of zeros leads out of its block");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zigzag_is_the_standards() {
        let first = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5];
        let last = [58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63];
        assert_eq!(ZIGZAG[..16], first);
        assert_eq!(ZIGZAG[48..64], last);
    }
}
