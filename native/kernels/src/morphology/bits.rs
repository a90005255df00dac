//! Pixels as bits: 64 pixels of a row per word, and all rows in one flat string of words.
//!
//! Guard bits with the border value separate rows and planes. So a neighbour is always at one fixed distance in the
//! string, inside the array and outside, and an erosion is a plain loop over words.

pub(super) use crate::array::packing::WORD;
use crate::array::packing::{low_bits, pack_row};
use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use ndarray::{ArrayViewD, ArrayViewMutD, Axis};

/// Shorter rows would leave most of a word unused: a longer axis is packed instead.
const SHORT_ROW: usize = 16;

/// Fewest axes of the layout: a first one to share among threads, and a last one to pack.
const MIN_AXES: usize = 2;

/// How far ahead a shifted string is read: whole words, then bits towards the lower end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    pub words: isize,
    pub bits: u32,
}

impl Shift {
    pub(super) fn new(distance: isize) -> Self {
        Self { words: distance.div_euclid(WORD as isize), bits: distance.rem_euclid(WORD as isize) as u32 }
    }

    /// The word at `index` of the shifted string.
    #[inline(always)]
    pub(super) fn read(self, words: &[u64], index: usize) -> u64 {
        let at = index.wrapping_add_signed(self.words);
        // Two shifts, because a shift by 64 bits is undefined.
        (words[at] >> self.bits) | ((words[at + 1] << 1) << (WORD as u32 - 1 - self.bits))
    }
}

/// Where the pixels of an array lie in the string.
#[derive(Debug)]
pub(super) struct BitGrid {
    /// The array's axes, the packed one last.
    order: Vec<usize>,
    /// Their lengths in that order, with leading ones if there are too few axes.
    shape: Vec<usize>,
    /// Stride of each axis of `shape`, in bits.
    strides: Vec<usize>,
    /// Words before the first pixel and after the last.
    margin: usize,
    /// Total number of words.
    len: usize,
}

impl BitGrid {
    /// The axes of an array in the order of the layout.
    pub(super) fn axis_order(shape: &[usize]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..shape.len()).collect_vec();
        if let Some(last) = shape.last()
            && *last < SHORT_ROW
        {
            let longest = order.iter().copied().max_by_key(|axis| shape[*axis]).unwrap_or(0);
            order.retain(|axis| *axis != longest);
            memory::push(&mut order, longest);
        }
        order
    }

    /// A layout in which moving by at most `reach[axis]` along each axis never meets a pixel of another row.
    pub(super) fn new(shape: &[usize], reach: &[usize]) -> Result<Self> {
        let order = Self::axis_order(shape);
        let arrange = |values: &[usize], missing| -> Vec<usize> {
            let front = MIN_AXES.saturating_sub(order.len());
            std::iter::repeat_n(missing, front).chain(order.iter().map(|axis| values[*axis])).collect_vec()
        };
        let (shape, reach) = (arrange(shape, 1), arrange(reach, 0));
        Self::lay_out(order, shape, &reach)
            .ok_or_else(|| KernelError::memory("the array is too large for this machine's memory"))
    }

    fn lay_out(order: Vec<usize>, shape: Vec<usize>, reach: &[usize]) -> Option<Self> {
        let last = shape.len() - 1;
        let row = shape[last].checked_add(reach[last])?.div_ceil(WORD);
        let mut strides = memory::filled(1, shape.len());
        let mut stride = row.checked_mul(WORD)?;
        let mut farthest = reach[last];
        for axis in (0..last).rev() {
            strides[axis] = stride;
            farthest = farthest.checked_add(stride.checked_mul(reach[axis])?)?;
            stride = stride.checked_mul(shape[axis].checked_add(reach[axis])?)?;
        }
        let margin = farthest.div_ceil(WORD).checked_add(2)?;
        let len = (stride / WORD).checked_add(margin.checked_mul(2)?)?;
        (len <= isize::MAX as usize / WORD).then_some(Self { order, shape, strides, margin, len })
    }

    /// The distance in bits of an offset along the array's axes.
    pub(super) fn distance(&self, offset: &[isize]) -> isize {
        let strides = &self.strides[self.strides.len() - self.order.len()..];
        self.order.iter().zip(strides).map(|(axis, stride)| offset[*axis] * *stride as isize).sum()
    }

    /// The words that hold pixels.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.margin..self.len - self.margin
    }

    /// A string of equal words.
    pub(super) fn filled(&self, word: u64) -> Vec<u64> {
        memory::filled(word, self.len)
    }

    /// One bit per pixel: whether it is not zero, inverted if `flip`; all other bits are `outside`.
    pub(super) fn pack(&self, array: &View<'_>, flip: bool, outside: bool) -> Vec<u64> {
        let mut words = self.filled(all(outside));
        if array.is_empty() {
            return words;
        }
        match_dtype!(View, array, array => {
            let array = self.arrange(array.view());
            let plane = self.plane();
            let blocks = plane_blocks(self.shape[0], threads::blocks_for(array.len()));
            let mut rest = &mut words[self.margin..];
            let mut jobs = memory::with_capacity(blocks.len());
            for block in blocks {
                let (words, tail) = std::mem::take(&mut rest).split_at_mut(block.len() * plane);
                rest = tail;
                memory::push(&mut jobs, (array.slice_axis(Axis(0), block.into()), words));
            }
            threads::for_each_block(jobs, |(array, words)| {
                dispatch(Pack { grid: self, array, words, flip: all(flip), outside: all(outside) });
            });
        });
        words
    }

    /// A set bit for each pixel, and clear bits elsewhere.
    pub(super) fn inside(&self) -> Vec<u64> {
        let mut words = self.filled(0);
        let row = self.shape[self.shape.len() - 1];
        for base in self.rows(self.shape[0]) {
            let words = &mut words[self.margin + base..];
            words[..row / WORD].fill(u64::MAX);
            words[row / WORD] |= low_bits(row % WORD);
        }
        words
    }

    /// Store one or zero for each pixel: its bit, inverted if `flip`.
    pub(super) fn unpack(&self, words: &[u64], output: ViewMut<'_>, flip: bool) -> Result<()> {
        let shape: Vec<usize> =
            self.order.iter().map(|axis| output.shape().get(*axis).copied().unwrap_or(0)).collect_vec();
        if output.ndim() != self.order.len() || shape != self.shape[self.shape.len() - shape.len()..] {
            let message = format!("an output of shape {:?} is not of the input's shape", output.shape());
            return Err(KernelError::shape(message));
        }
        if output.is_empty() {
            return Ok(());
        }
        match_dtype!(ViewMut, output, output => {
            let samples = Samples::new(flip);
            let mut rest = self.arrange_mut(output);
            let blocks = plane_blocks(self.shape[0], threads::blocks_for(rest.len()));
            let mut jobs = memory::with_capacity(blocks.len());
            for block in blocks {
                let (array, tail) = rest.split_at(Axis(0), block.len());
                rest = tail;
                memory::push(&mut jobs, (array, &words[self.margin + block.start * self.plane()..]));
            }
            threads::for_each_block(jobs, |(array, words)| {
                dispatch(Unpack { grid: self, array, words, samples: &samples });
            });
        });
        Ok(())
    }

    fn arrange<'a, T>(&self, array: ArrayViewD<'a, T>) -> ArrayViewD<'a, T> {
        let mut array = array.permuted_axes(self.order.as_slice());
        while array.ndim() < MIN_AXES {
            array = array.insert_axis(Axis(0));
        }
        array
    }

    fn arrange_mut<'a, T>(&self, array: ArrayViewMutD<'a, T>) -> ArrayViewMutD<'a, T> {
        let mut array = array.permuted_axes(self.order.as_slice());
        while array.ndim() < MIN_AXES {
            array = array.insert_axis(Axis(0));
        }
        array
    }

    /// Words between two indices of the first axis.
    fn plane(&self) -> usize {
        self.strides[0] / WORD
    }

    /// The first word of every row of `count` planes, in C order.
    fn rows(&self, count: usize) -> impl Iterator<Item = usize> {
        // The innermost loop over rows only counts, since there may be many rows of one word.
        let outer = self.shape.len() - 2;
        let pitch = self.strides[outer] / WORD;
        let (planes, lines) = match outer {
            0 => (1, count),
            _ => (count * self.shape[1..outer].iter().product::<usize>(), self.shape[outer]),
        };
        (0..planes).flat_map(move |mut index| {
            let mut base = 0;
            for axis in (0..outer).rev() {
                let len = if axis == 0 { count } else { self.shape[axis] };
                base += index % len * (self.strides[axis] / WORD);
                index /= len;
            }
            (0..lines).map(move |line| base + line * pitch)
        })
    }
}

/// Split the indices of the first axis into at most `count` ranges.
fn plane_blocks(len: usize, count: usize) -> Vec<std::ops::Range<usize>> {
    let count = count.clamp(1, len);
    (0..count).map(|part| len * part / count..len * (part + 1) / count).collect_vec()
}

/// A word with all bits equal.
pub(super) fn all(bit: bool) -> u64 {
    if bit { u64::MAX } else { 0 }
}

struct Pack<'a, T> {
    grid: &'a BitGrid,
    array: ArrayViewD<'a, T>,
    words: &'a mut [u64],
    flip: u64,
    outside: u64,
}

impl<T: Sample> Kernel for Pack<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { grid, array, words, flip, outside } = self;
        let last = array.ndim() - 1;
        let len = array.len_of(Axis(last));
        let rows = grid.rows(array.len_of(Axis(0)));
        if let Some(samples) = array.as_slice() {
            for (base, row) in rows.zip(samples.chunks_exact(len)) {
                pack_row(row, &mut words[base..], flip, outside);
            }
        } else {
            let mut row = memory::zeros(len);
            for (base, line) in rows.zip(array.lanes(Axis(last))) {
                row.iter_mut().zip(line).for_each(|(to, from)| *to = *from);
                pack_row(&row, &mut words[base..], flip, outside);
            }
        }
    }
}

/// The eight samples for each byte of pixels.
struct Samples<T>([[T; 8]; 256]);

impl<T: Sample> Samples<T> {
    fn new(flip: bool) -> Self {
        let (clear, set) = (
            T::from_f64_truncated(f64::from(u8::from(flip))),
            T::from_f64_truncated(f64::from(u8::from(!flip))),
        );
        let mut table = [[clear; 8]; 256];
        for (byte, samples) in table.iter_mut().enumerate() {
            for (bit, sample) in samples.iter_mut().enumerate() {
                if byte >> bit & 1 != 0 {
                    *sample = set;
                }
            }
        }
        Self(table)
    }

    #[inline(always)]
    fn unpack_row(&self, words: &[u64], row: &mut [T]) {
        let (whole, rest) = row.as_chunks_mut::<WORD>();
        for (word, samples) in words.iter().zip(whole.iter_mut()) {
            self.unpack_word(*word, samples);
        }
        if !rest.is_empty() {
            let mut samples = [T::default(); WORD];
            self.unpack_word(words[whole.len()], &mut samples);
            rest.copy_from_slice(&samples[..rest.len()]);
        }
    }

    #[inline(always)]
    fn unpack_word(&self, word: u64, samples: &mut [T; WORD]) {
        for (samples, byte) in samples.as_chunks_mut::<8>().0.iter_mut().zip(word.to_le_bytes()) {
            *samples = self.0[usize::from(byte)];
        }
    }
}

struct Unpack<'a, T> {
    grid: &'a BitGrid,
    array: ArrayViewMutD<'a, T>,
    words: &'a [u64],
    samples: &'a Samples<T>,
}

impl<T: Sample> Kernel for Unpack<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { grid, mut array, words, samples: table } = self;
        let last = array.ndim() - 1;
        let len = array.len_of(Axis(last));
        let rows = grid.rows(array.len_of(Axis(0)));
        if let Some(samples) = array.as_slice_mut() {
            for (base, row) in rows.zip(samples.chunks_exact_mut(len)) {
                table.unpack_row(&words[base..], row);
            }
        } else {
            let mut row = memory::zeros(len);
            for (base, line) in rows.zip(array.lanes_mut(Axis(last))) {
                table.unpack_row(&words[base..], &mut row);
                line.into_iter().zip(&row).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pixels_come_back(
            shape in prop::collection::vec(1_usize..70, 0..4).prop_filter("small", |s| s.iter().product::<usize>() < 9000),
            reach in prop::collection::vec(0_usize..70, 4),
            flip: bool,
            outside: bool,
            reversed: bool,
            seed in 1_u32..1000,
        ) {
            let mut state = seed;
            let array = ArrayD::from_shape_simple_fn(shape.clone(), || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from((state >> 20) as u8 % 3)
            });
            let array = if reversed { array.reversed_axes() } else { array };
            let grid = BitGrid::new(array.shape(), &reach[..array.ndim()]).unwrap();
            let words = grid.pack(&View::F32(array.view()), flip, outside);
            let set: u32 = words.iter().map(|word| word.count_ones()).sum();
            let truths = array.iter().filter(|value| (**value != 0.0) != flip).count();
            let beside = if outside { grid.len * WORD - array.len() } else { 0 };
            prop_assert_eq!(set as usize, truths + beside);
            let inside = grid.inside();
            prop_assert_eq!(inside.iter().map(|word| word.count_ones()).sum::<u32>() as usize, array.len());
            let mut back = ArrayD::<f32>::zeros(array.raw_dim());
            grid.unpack(&words, ViewMut::F32(back.view_mut()), flip).unwrap();
            prop_assert_eq!(back, array.mapv(|value| f32::from(u8::from(value != 0.0))));
        }

        #[test]
        fn a_shift_reads_the_bits_ahead(words in prop::collection::vec(any::<u64>(), 7), distance in -128_isize..128) {
            let shift = Shift::new(distance);
            let word = shift.read(&words, 3);
            for bit in 0..WORD {
                let from = (3 * WORD + bit).wrapping_add_signed(distance);
                prop_assert_eq!(word >> bit & 1, words[from / WORD] >> (from % WORD) & 1);
            }
        }
    }

    #[test]
    fn sizes_beyond_memory_are_refused() {
        let huge = BitGrid::new(&[1 << 40, 1 << 40], &[1, 1]);
        assert!(matches!(huge, Err(KernelError::Memory(_))));
        let large = BitGrid::new(&[1 << 30, 1 << 26], &[0, 0]).unwrap();
        assert!(matches!(memory::catch_memory_error(|| Ok(large.filled(0))), Err(KernelError::Memory(_))));
    }
}
