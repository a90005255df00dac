//! Weight tables as integers, and how far they are off.

use crate::exec::simd::{self, Level};
use crate::interpolate::resize::weights::{Run, WeightTable};
use crate::memory::{self, CollectVec};
use std::ops::Range;

/// What the sums in `f64` and the sums of the weights may be off, in grey levels.
pub(super) const SLACK: f64 = 1.0 / (1 << 28) as f64;

/// More taps have other bounds than [`SLACK`].
const MOST_TAPS: usize = 4096;

/// Largest sum of the absolute weights of a position.
const MOST_GAIN: f64 = 1.99;

/// Largest difference of a pixel from 128.
const DEPTH: f64 = 128.0;

/// The largest absolute weight that is kept; its negative fits too.
const LARGEST: i32 = i16::MAX as i32;

/// Results that the loops make together, at most.
const MOST_TOGETHER: usize = 64;

/// Of so many pairs of rows one may come twice for the sake of one more bit.
const MOST_REPEATED: usize = 2;

/// Units of errors in a grey level.
const UNIT: f64 = 65536.0;

/// An eighth of a grey level: with more, nearly everything would be in doubt.
const LARGEST_ERROR: u32 = 8192;

/// Whether the AVX-512 loops are used, or those of AVX2; `None` where neither can be.
pub(super) fn has_wide_loops() -> Option<bool> {
    #[cfg(target_arch = "x86_64")]
    match simd::level() {
        Level::Avx512 => {
            return Some(
                is_x86_feature_detected!("avx512vbmi")
                    && is_x86_feature_detected!("avx512vbmi2")
                    && is_x86_feature_detected!("avx512vnni")
                    && is_x86_feature_detected!("popcnt"),
            );
        }
        Level::Avx2 => return Some(false),
        Level::Baseline => {}
    }
    None
}

/// 64 bytes at a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Line<T = [u8; 64]>(pub T);

/// Results whose errors are a [`Line`].
pub(super) const HALF_BLOCK: usize = 32;

/// The columns' weights as 16-bit integers.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(super) planes: usize,
    /// Results of a row.
    pub(super) width: usize,
    /// Lines of a pair of intermediate rows, with what is stored after them; whole blocks of results.
    pub(super) lines: usize,
    /// Bytes from the beginning of an input row on that may be read.
    pub(super) reach: usize,
    /// Pairs of taps.
    pub(super) pairs: usize,
    /// Whether all taps of a pixel lie in the 16 bytes of the first two pairs.
    pub(super) is_short: bool,
    /// `S - F`, and `F`.
    pub(super) shift: u32,
    pub(super) fraction: u32,
    /// What sums begin with: the pixels' centre, and half a unit for rounding.
    pub(super) begin: i32,
    /// Bound 1 for each output pixel, in grey levels.
    errors: Vec<f64>,
    /// `128 Σ|u|`
    largest: f64,
    pub(super) is_wide: bool,
    pub(super) layout: ColumnLayout,
}

/// The weights in the order in which a loop takes them.
#[derive(Debug)]
pub(super) enum ColumnLayout {
    PixelColumns(PixelColumns),
    LaneColumns(LaneColumns),
}

/// Four pixels of three or four planes at a time, of any number of taps.
#[derive(Debug)]
pub(super) struct PixelColumns {
    /// Where the taps of each pixel begin in a row.
    pub offsets: Vec<[u32; 4]>,
    /// For each pair of taps the weights of pixels 0, 2, 1 and 3, four times each pair.
    pub weights: Vec<Line>,
}

/// Sixteen results at a time, of any number of planes, whose taps lie close together.
#[derive(Debug)]
pub(super) struct LaneColumns {
    /// Where the bytes of each block begin in a row.
    pub offsets: Vec<u32>,
    /// For each block and result where the first two taps lie after that, in bytes 0 and 2 of four.
    pub places: Vec<Line>,
    /// For each block and pair of taps the weights of every result.
    pub weights: Vec<Line>,
    /// Whether all taps of a block lie in 64 bytes.
    pub is_close: bool,
    /// The even ones of 64 bytes. As a constant it would cost an instruction more: the compiler would clear the others.
    pub even: u64,
}

/// Weights times `2^bits` as integers of sum `2^bits`, in the order of the table.
fn whole_weights(taps: &WeightTable, bits: u32) -> Vec<i32> {
    let scale = f64::from(1_u32 << bits);
    let mut whole = taps.weights.iter().map(|weight| (weight * scale).round() as i32).collect_vec();
    for run in &taps.runs {
        let weights = &taps.weights[run.first_weight..][..run.len];
        let whole = &mut whole[run.first_weight..][..run.len];
        let mut missing = (1 << bits) - whole.iter().sum::<i32>();
        while missing != 0 {
            // Where it makes the least difference.
            let sign = missing.signum();
            let short = |tap: &usize| f64::from(sign) * (weights[*tap] * scale - f64::from(whole[*tap]));
            let best =
                (0..run.len).max_by(|a, b| short(a).total_cmp(&short(b))).expect("a position has a tap");
            whole[best] += sign;
            missing -= sign;
        }
    }
    whole
}

/// Whether every position has a tap, not too many, and weights of sum 1.
fn is_normal(taps: &WeightTable) -> bool {
    taps.longest <= MOST_TAPS
        && taps.runs.iter().enumerate().all(|(position, run)| {
            let (_, weights) = taps.at(position);
            let gain: f64 = weights.iter().map(|weight| weight.abs()).sum();
            run.len > 0 && (weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && gain < MOST_GAIN
        })
}

/// `Σ |whole / scale - weight|`
fn rounding(weights: &[f64], whole: &[i32], bits: u32) -> f64 {
    let scale = f64::from(1_u32 << bits);
    weights.iter().zip(whole).map(|(weight, whole)| (f64::from(*whole) / scale - weight).abs()).sum()
}

/// `Σ |whole| / scale`
fn gain(whole: &[i32], bits: u32) -> f64 {
    whole.iter().map(|whole| f64::from(whole.abs())).sum::<f64>() / f64::from(1_u32 << bits)
}

impl Columns {
    pub(super) fn new(taps: &WeightTable, planes: usize, is_wide: bool) -> Option<Self> {
        if !is_normal(taps) || taps.len() == 0 {
            return None;
        }
        let fraction = if taps.weights.iter().any(|weight| *weight < 0.0) { 7 } else { 8 };
        let bits = Self::bits(taps);
        let mut whole = whole_weights(taps, bits);
        whole.iter_mut().for_each(|whole| *whole = (*whole).clamp(-LARGEST, LARGEST));
        let shift = bits - fraction;
        let mut errors = memory::with_capacity(taps.len());
        let mut largest = 0.0_f64;
        for (position, run) in taps.runs.iter().enumerate() {
            let (_, weights) = taps.at(position);
            let whole = &whole[run.first_weight..][..run.len];
            if gain(whole, bits) > MOST_GAIN {
                return None;
            }
            let missing = (1 << bits) - whole.iter().sum::<i32>();
            let mut error = DEPTH * rounding(weights, whole, bits);
            error += DEPTH * f64::from(missing) / f64::from(1_u32 << bits);
            if whole.iter().any(|whole| whole.trailing_zeros() < shift) {
                error += 0.5 / f64::from(1_u32 << fraction);
            }
            memory::push(&mut errors, error);
            largest = largest.max(DEPTH * weights.iter().map(|weight| weight.abs()).sum::<f64>());
        }
        let width = taps.len() * planes;
        let pairs = taps.longest.div_ceil(2);
        let lanes = is_wide.then(|| LaneColumns::new(taps, &whole, planes)).flatten();
        let (layout, reach) = match lanes {
            Some(lanes) => {
                let last = lanes.offsets.iter().max().map_or(0, |last| *last as usize);
                let further = if lanes.is_close { 0 } else { 2 * planes * (pairs - 1) };
                (ColumnLayout::LaneColumns(lanes), last + further + size_of::<Line>())
            }
            None => {
                let pixels = PixelColumns::new(taps, &whole, planes)?;
                let last = pixels.offsets.as_flattened().iter().max().map_or(0, |last| *last as usize);
                (ColumnLayout::PixelColumns(pixels), last + 4 * planes * (pairs.div_ceil(2) - 1) + 16)
            }
        };
        Some(Self {
            planes,
            width,
            // Whole blocks, and what four pixels of three planes leave after them.
            lines: (width + 4 * planes + 8).next_multiple_of(MOST_TOGETHER) / LaneColumns::COUNT,
            reach,
            pairs,
            is_short: planes == 3 && taps.longest == 5,
            shift,
            fraction,
            begin: -(128 << bits) + (1 << (shift - 1)),
            errors,
            largest,
            is_wide,
            layout,
        })
    }

    /// `S`: as large as 16 bits allow. Few weights of one, which are too large by one, do not count.
    fn bits(taps: &WeightTable) -> u32 {
        let largest = taps.weights.iter().fold(0.0, |largest, weight| weight.abs().max(largest));
        let fits = |bits: &u32| largest * f64::from(1_u32 << bits) <= f64::from(LARGEST);
        let bits = (14..=22).rev().find(fits).unwrap_or(14);
        let ones = taps.weights.iter().filter(|weight| **weight == 1.0).count();
        if bits == 14 && largest <= 1.0 && ones <= taps.len() / 8 { 15 } else { bits }
    }
}

impl PixelColumns {
    fn new(taps: &WeightTable, whole: &[i32], planes: usize) -> Option<Self> {
        if !(3..=4).contains(&planes) {
            return None;
        }
        let (count, pairs) = (taps.len(), taps.longest.div_ceil(2));
        let quads = count.div_ceil(4);
        let mut offsets = memory::with_capacity(quads);
        let mut weights = memory::filled(Line([0; 64]), quads * pairs);
        for quad in 0..quads {
            let mut starts = [0; 4];
            for (place, pixel) in [0, 2, 1, 3].into_iter().enumerate() {
                let run = taps.runs[(4 * quad + pixel).min(count - 1)];
                starts[pixel] = u32::try_from(run.start * planes).ok()?;
                for (tap, whole) in whole[run.first_weight..][..run.len].iter().enumerate() {
                    let line = &mut weights[quad * pairs + tap / 2].0;
                    for lane in 0..4 {
                        let at = 16 * place + 4 * lane + 2 * (tap % 2);
                        line[at..at + 2].copy_from_slice(&(*whole as i16).to_le_bytes());
                    }
                }
            }
            memory::push(&mut offsets, starts);
        }
        Some(Self { offsets, weights })
    }
}

impl LaneColumns {
    /// Results that are made together.
    pub const COUNT: usize = 16;

    fn new(taps: &WeightTable, whole: &[i32], planes: usize) -> Option<Self> {
        const BYTES: usize = size_of::<Line>();
        let (results, pairs) = (taps.len() * planes, taps.longest.div_ceil(2));
        let blocks = results.div_ceil(Self::COUNT);
        let mut lanes = Self {
            offsets: memory::with_capacity(blocks),
            places: memory::with_capacity(blocks),
            weights: memory::filled(Line([0; BYTES]), blocks * pairs),
            is_close: true,
            even: 0x5555_5555_5555_5555,
        };
        for block in 0..blocks {
            let result = |lane: usize| (block * Self::COUNT + lane).min(results - 1);
            let runs = &taps.runs[result(0) / planes..=result(Self::COUNT - 1) / planes];
            let first = runs.iter().map(|run| run.start).min().unwrap_or(0) * planes;
            let last = runs.iter().map(|run| run.start).max().unwrap_or(0) * planes;
            // Bytes from the first tap of one pixel to the second of another.
            let extent = last - first + 2 * planes;
            if extent > BYTES {
                return None;
            }
            lanes.is_close &= extent + 2 * planes * (pairs - 1) <= BYTES;
            let mut places = Line([0; BYTES]);
            for lane in 0..Self::COUNT {
                let run = taps.runs[result(lane) / planes];
                let place = run.start * planes + result(lane) % planes - first;
                (places.0[4 * lane], places.0[4 * lane + 2]) = (place as u8, (place + planes) as u8);
                for (tap, whole) in whole[run.first_weight..][..run.len].iter().enumerate() {
                    let at = 4 * lane + 2 * (tap % 2);
                    let line = &mut lanes.weights[block * pairs + tap / 2].0;
                    line[at..at + 2].copy_from_slice(&(*whole as i16).to_le_bytes());
                }
            }
            memory::push(&mut lanes.offsets, u32::try_from(first).ok()?);
            memory::push(&mut lanes.places, places);
        }
        Some(lanes)
    }
}

/// Input rows `2 pair` and `2 pair + 1` with their weights; a pair comes twice if a weight is too large for one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slot {
    pub pair: u32,
    /// The pair modulo [`Rows::longest`].
    pub place: u32,
    /// Both weights, as 16 bits each.
    pub weights: i32,
}

/// The rows' weights as 16-bit integers.
#[derive(Debug)]
pub(crate) struct Rows {
    /// `T`
    pub(super) bits: u32,
    slots: Vec<Slot>,
    /// Where those of each output row begin, and the end.
    firsts: Vec<usize>,
    /// Most pairs of input rows of an output row.
    pub(super) longest: usize,
    /// `Σ |2^-T k - w|` of each output row.
    errors: Vec<f64>,
    /// `Σ |2^-T k|`, the largest of all rows.
    gain: f64,
}

impl Rows {
    pub(super) fn new(taps: &WeightTable, signed: bool) -> Option<Self> {
        if !is_normal(taps) || taps.runs.iter().any(|run| u32::try_from(run.start + run.len).is_err()) {
            return None;
        }
        // More bits are better, but not if large weights take many pairs more.
        let least: usize = taps.runs.iter().map(|run| pairs_of(run).len()).sum();
        let most_bits = if signed { 15 } else { 16 };
        let mut tried = (14..=most_bits).rev().map(|bits| Self::with_bits(taps, bits));
        let rows = tried.find(|rows| rows.bits == 14 || rows.slots.len() <= least + least / MOST_REPEATED);
        rows.filter(|rows| rows.gain <= MOST_GAIN)
    }

    fn with_bits(taps: &WeightTable, bits: u32) -> Self {
        let whole = whole_weights(taps, bits);
        let longest = taps.runs.iter().map(|run| pairs_of(run).len()).max().unwrap_or(0);
        let mut rows = Self {
            bits,
            slots: memory::with_capacity(whole.len()),
            firsts: memory::with_capacity(taps.len() + 1),
            longest,
            errors: memory::with_capacity(taps.len()),
            gain: 0.0,
        };
        for (position, run) in taps.runs.iter().enumerate() {
            memory::push(&mut rows.firsts, rows.slots.len());
            let (_, weights) = taps.at(position);
            let whole = &whole[run.first_weight..][..run.len];
            let weight = |row: usize| row.checked_sub(run.start).and_then(|tap| whole.get(tap)).copied();
            for pair in pairs_of(run) {
                let both = [2 * pair, 2 * pair + 1].map(|row| weight(row).unwrap_or(0));
                let parts = both.map(|whole| (whole.abs() + LARGEST - 1) / LARGEST).into_iter().max();
                let parts = parts.unwrap_or(0);
                for part in 0..parts {
                    let [first, second] = both.map(|whole| whole * (part + 1) / parts - whole * part / parts);
                    let weights = i32::from(first as u16) | second << 16;
                    let place = (pair % longest) as u32;
                    memory::push(&mut rows.slots, Slot { pair: pair as u32, place, weights });
                }
            }
            memory::push(&mut rows.errors, rounding(weights, whole, bits));
            rows.gain = rows.gain.max(gain(whole, bits));
        }
        memory::push(&mut rows.firsts, rows.slots.len());
        rows
    }

    /// What output row `position` takes.
    pub(super) fn slots(&self, position: usize) -> &[Slot] {
        &self.slots[self.firsts[position]..self.firsts[position + 1]]
    }
}

/// The pairs of input rows that a run reaches into.
fn pairs_of(run: &Run) -> Range<usize> {
    run.start / 2..(run.start + run.len).div_ceil(2)
}

/// `E` in units of `2^-16` grey levels: the part of each output row, and that of each result of a row.
#[derive(Debug)]
pub(super) struct Errors {
    pub rows: Vec<u16>,
    /// For whole blocks of results.
    pub results: Vec<Line<[u16; HALF_BLOCK]>>,
}

impl Errors {
    pub(super) fn new(rows: &Rows, columns: &Columns) -> Option<Self> {
        // Nothing but exact sums have no error at all. One unit more is for what the comparison cuts off, and one in
        // place of rounding up.
        let units = |error: f64| {
            if error == 0.0 { 0 } else { ((error + SLACK) * UNIT).min(f64::from(LARGEST_ERROR)) as u16 + 2 }
        };
        let pixels = columns.errors.iter().map(|error| units(error * rows.gain)).collect_vec();
        let count = columns.width.next_multiple_of(MOST_TOGETHER) / HALF_BLOCK;
        let mut results = memory::filled(Line([0; HALF_BLOCK]), count);
        let places = results.iter_mut().flat_map(|line| &mut line.0);
        let errors = pixels.iter().flat_map(|error| std::iter::repeat_n(*error, columns.planes));
        places.zip(errors).for_each(|(to, error)| *to = error);
        let rows = rows.errors.iter().map(|error| units(error * columns.largest)).collect_vec();
        let largest = |errors: &[u16]| u32::from(errors.iter().copied().max().unwrap_or(0));
        (largest(&rows) + largest(&pixels) < LARGEST_ERROR).then_some(Self { rows, results })
    }
}

/// Values of two intermediate rows in turn.
pub(super) type Values = Line<[i16; 32]>;

/// What the sums of an output row are made of.
pub(super) struct RowSums<'a> {
    /// Pairs of intermediate rows, each of as many lines: a value of one row and a value of the other in turn.
    pub values: &'a [Values],
    pub lines: usize,
    pub slots: &'a [Slot],
    /// `T + F`
    pub bits: u32,
    pub row_error: u16,
    /// See [`Errors::results`].
    pub errors: &'a [Line<[u16; HALF_BLOCK]>],
}

/// Two intermediate rows.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub values: &'a [Values],
    /// Both, as 16 bits each.
    pub weights: i32,
}

impl RowSums<'_> {
    pub(super) fn pair(&self, number: usize) -> Pair<'_> {
        let Slot { place, weights, .. } = self.slots[number];
        Pair { values: &self.values[place as usize * self.lines..][..self.lines], weights }
    }
}
