//! Labels of runs, written line by line.

use super::slab::{RunNumber, Slab};
#[cfg(target_arch = "x86_64")]
use super::wide;
use crate::array::packing::WORD;
use crate::array::sample::Sample;
use crate::exec::simd::{Kernel, dispatch};

/// An element of the output.
pub(super) trait LabelSample: Sample {
    fn of_label(label: usize) -> Self;

    /// Elements of 32 bits.
    fn narrow(elements: &mut [Self]) -> Option<&mut [i32]>;
}

impl LabelSample for i32 {
    #[inline(always)]
    fn of_label(label: usize) -> Self {
        label as i32
    }

    fn narrow(elements: &mut [Self]) -> Option<&mut [i32]> {
        Some(elements)
    }
}

impl LabelSample for i64 {
    #[inline(always)]
    fn of_label(label: usize) -> Self {
        label as i64
    }

    fn narrow(_: &mut [Self]) -> Option<&mut [i32]> {
        None
    }
}

/// Labels that are written at once.
const BLOCK: usize = 16;

/// Give each run of a slab the number of its component; `numbers` has one per label of all slabs.
pub(super) fn number_runs<N: RunNumber>(slab: &mut Slab<N>, numbers: &[N]) {
    let numbers = &numbers[slab.base..];
    for label in &mut slab.labels[..slab.runs] {
        *label = numbers[label.get()];
    }
}

/// Write the lines of a slab, whose runs are numbered, to an array of them alone.
pub(super) fn write_lines<O: LabelSample, N: RunNumber>(
    to: &mut [O],
    slab: &mut Slab<N>,
    len: usize,
    joined: bool,
) {
    #[cfg(target_arch = "x86_64")]
    if joined
        && let (Some(to), Some(slab)) = (O::narrow(to), N::narrow(slab))
        && wide::write_lines(to, slab, len)
    {
        return;
    }
    dispatch(WriteLines { to, slab, len, joined });
}

struct WriteLines<'a, O, N> {
    to: &'a mut [O],
    slab: &'a Slab<N>,
    len: usize,
    joined: bool,
}

impl<O: LabelSample, N: RunNumber> Kernel for WriteLines<'_, O, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { to, slab, len, joined } = self;
        let mut run = 0;
        for number in 0..slab.lines.len() {
            let pixels = slab.line(number).pixels;
            run += write_line(&mut to[number * len..], len, pixels, &slab.labels[run..], joined);
        }
    }
}

/// Write the labels of a line, of which the runs have the first of `labels`; what lies after the line may be written too.
/// Return the number of runs.
#[inline(always)]
pub(super) fn write_line<O: LabelSample, N: RunNumber>(
    to: &mut [O],
    len: usize,
    pixels: &[u64],
    labels: &[N],
    joined: bool,
) -> usize {
    let mut run = 0;
    if !joined {
        to[..len].fill(O::of_label(0));
        for (word, pixels) in pixels.iter().enumerate() {
            let mut pixels = *pixels;
            while pixels != 0 {
                to[word * WORD + pixels.trailing_zeros() as usize] = O::of_label(labels[run].get());
                pixels &= pixels - 1;
                run += 1;
            }
        }
        return run;
    }
    let (mut at, mut carried, mut is_inside) = (0, 0, false);
    for (word, pixels) in pixels.iter().enumerate() {
        let mut edges = pixels ^ (pixels << 1 | carried);
        carried = pixels >> (WORD - 1);
        while edges != 0 {
            let place = word * WORD + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            let label = if is_inside { labels[run].get() } else { 0 };
            fill(to, at, place, O::of_label(label));
            run += usize::from(is_inside);
            is_inside = !is_inside;
            at = place;
        }
    }
    fill(to, at, len, O::of_label(0));
    run
}

/// Fill a range, and possibly some elements after it.
#[inline(always)]
fn fill<O: Copy>(to: &mut [O], mut at: usize, end: usize, value: O) {
    while at < end {
        let Some(block) = to[at..].first_chunk_mut::<BLOCK>() else {
            to[at..end].fill(value);
            return;
        };
        *block = [value; BLOCK];
        at += BLOCK;
    }
}
