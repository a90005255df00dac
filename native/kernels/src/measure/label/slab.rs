//! Lines of pixels as bits, and the numbers of their runs.

#[cfg(target_arch = "x86_64")]
use super::pack;
use super::structure::Neighbours;
use crate::array::packing::{WORD, pack_row};
use crate::array::sample::Sample;
use crate::array::view::View;
use crate::exec::simd::Kernel;
use crate::exec::threads;
use crate::memory::{self, CollectVec, Zero};
use ndarray::{ArrayViewD, Axis};
use std::ops::Range;

/// Elements after the labels of a slab's runs, which loops may read or write in vain.
pub(super) const BEYOND: usize = 64;

/// Pixels between two checks for an interrupt.
pub(super) const CHECK_EVERY: usize = 1 << 20;

/// The number of a run, or a label.
pub(super) trait RunNumber: Zero + Ord + Send + Sync {
    fn new(number: usize) -> Self;
    fn get(self) -> usize;

    /// A slab of numbers of 32 bits.
    fn narrow(slab: &mut Slab<Self>) -> Option<&mut Slab<u32>>;
}

impl RunNumber for u32 {
    #[inline(always)]
    fn new(number: usize) -> Self {
        number as Self
    }

    #[inline(always)]
    fn get(self) -> usize {
        self as usize
    }

    fn narrow(slab: &mut Slab<Self>) -> Option<&mut Slab<u32>> {
        Some(slab)
    }
}

impl RunNumber for usize {
    #[inline(always)]
    fn new(number: usize) -> Self {
        number
    }

    #[inline(always)]
    fn get(self) -> usize {
        self
    }

    fn narrow(_: &mut Slab<Self>) -> Option<&mut Slab<u32>> {
        None
    }
}

/// Bits of a line, and numbers of its runs.
#[derive(Clone, Copy)]
pub(super) struct LineBits<'a, N> {
    pub pixels: &'a [u64],
    /// The first pixels of runs.
    pub starts: &'a [u64],
    /// Runs of the slab before each word.
    pub before: &'a [N],
}

impl<N: RunNumber> LineBits<'_, N> {
    /// The last run that starts at or before this place.
    #[inline(always)]
    pub(super) fn run_at(&self, place: usize) -> usize {
        let (word, bit) = (place / WORD, place % WORD);
        let starts = self.starts[word] & (u64::MAX >> (WORD - 1 - bit));
        self.before[word].get() + starts.count_ones() as usize - 1
    }
}

/// A line's bits, each in the place of the pixel that it is a neighbour of by `offset` - 1.
#[inline(always)]
pub(super) fn moved(bits: &[u64], word: usize, offset: usize) -> u64 {
    match offset {
        0 => bits[word] << 1 | if word > 0 { bits[word - 1] >> (WORD - 1) } else { 0 },
        1 => bits[word],
        _ => bits[word] >> 1 | bits.get(word + 1).map_or(0, |next| next << (WORD - 1)),
    }
}

/// Lines that are labelled by one thread.
pub(super) struct Slab<N> {
    pub lines: Range<usize>,
    /// Words per line: at least one clear bit follows the last pixel.
    pub words: usize,
    pub pixels: Vec<u64>,
    pub starts: Vec<u64>,
    pub before: Vec<N>,
    /// How many there are.
    pub runs: usize,
    /// A label of the slab for each run, and [`BEYOND`] numbers that mean nothing.
    pub labels: Vec<N>,
    /// An earlier label of the same component, or the label itself.
    pub parents: Vec<N>,
    /// Labels of all slabs before.
    pub base: usize,
}

impl<N: RunNumber> Slab<N> {
    #[inline(always)]
    pub(super) fn line(&self, number: usize) -> LineBits<'_, N> {
        line_bits((&self.pixels, &self.starts, &self.before), self.words, number)
    }
}

/// The bits of a line of these.
#[inline(always)]
pub(super) fn line_bits<'a, N>(
    (pixels, starts, before): (&'a [u64], &'a [u64], &'a [N]),
    words: usize,
    number: usize,
) -> LineBits<'a, N> {
    let range = number * words..(number + 1) * words;
    LineBits { pixels: &pixels[range.clone()], starts: &starts[range.clone()], before: &before[range] }
}

/// Slabs of about equal size; one if the lines are not contiguous.
pub(super) fn slabs_of<N: RunNumber>(input: &View<'_>, len: usize) -> Vec<Slab<N>> {
    let lines = input.len() / len;
    let count = if input.is_c_contiguous() { threads::blocks_for(input.len()).clamp(1, lines) } else { 1 };
    let words = len / WORD + 1;
    (0..count)
        .map(|number| {
            let lines = lines * number / count..lines * (number + 1) / count;
            let size = lines.len() * words;
            let (pixels, starts, before) = (memory::zeros(size), memory::zeros(size), memory::zeros(size));
            let (labels, parents) = (Vec::new(), Vec::new());
            Slab { lines, words, pixels, starts, before, runs: 0, labels, parents, base: 0 }
        })
        .collect_vec()
}

/// Pack the lines of a slab into bits, and number their runs.
pub(super) struct FindRuns<'a, T, N> {
    pub array: ArrayViewD<'a, T>,
    /// The elements, if they are contiguous; else there is one slab.
    pub lines: Option<&'a [T]>,
    pub neighbours: &'a Neighbours,
    pub slab: &'a mut Slab<N>,
}

impl<T: Sample, N: RunNumber> Kernel for FindRuns<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { array, lines, neighbours, slab } = self;
        let last = Axis(array.ndim() - 1);
        let len = array.len_of(last);
        let mut lanes = array.lanes(last).into_iter();
        let mut copied = Vec::new();
        let (mut runs, mut unchecked) = (0, 0);
        for number in 0..slab.lines.len() {
            let range = number * slab.words..(number + 1) * slab.words;
            let pixels = &mut slab.pixels[range.clone()];
            match lines {
                Some(lines) => pack(&lines[(slab.lines.start + number) * len..][..len], pixels),
                None => {
                    let Some(lane) = lanes.next() else { break };
                    match lane.to_slice() {
                        Some(line) => pack(line, pixels),
                        None => {
                            copied.clear();
                            memory::extend(&mut copied, lane.iter().copied());
                            pack(&copied, pixels);
                        }
                    }
                }
            }
            let mut carried = 0;
            let (starts, before) = (&mut slab.starts[range.clone()], &mut slab.before[range]);
            for ((word, starts), before) in pixels.iter().zip(starts).zip(before) {
                *starts = if neighbours.joined { word & !(word << 1 | carried) } else { *word };
                carried = word >> (WORD - 1);
                *before = N::new(runs);
                runs += starts.count_ones() as usize;
            }
            unchecked += len;
            if unchecked >= CHECK_EVERY {
                unchecked = 0;
                threads::check_interrupt();
            }
        }
        slab.runs = runs;
    }
}

/// One bit per element that is not zero.
#[inline(always)]
fn pack<T: Sample>(line: &[T], words: &mut [u64]) {
    #[cfg(target_arch = "x86_64")]
    if pack::pack(line, words) {
        return;
    }
    pack_row(line, words, 0, 0);
}
