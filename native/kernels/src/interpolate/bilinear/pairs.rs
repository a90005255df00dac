//! The sums of any type and any number of planes: pixels as lanes, from pairs of neighbours that are fetched one by one,
//! or planes as lanes where many of them lie side by side.

use super::{Sum, ask_for, blend};
use crate::array::sample::Sample;
use crate::walk::rows::CACHE_LINE;
use std::mem::MaybeUninit;

/// Pixels computed at a time: they fill two of the widest registers.
const LANES: usize = 16;

/// Points whose neighbours are fetched before any is blended: what was stored just now is slow to load in one piece.
const FETCHED: usize = 8 * LANES;

/// Planes from which on they are the lanes, if they lie side by side.
pub(super) const MANY_PLANES: usize = 16;

/// Whether planes that begin at these elements are to be the lanes.
#[inline(always)]
pub(super) fn is_many(inner: &[usize]) -> bool {
    inner.len() >= MANY_PLANES && inner.iter().enumerate().all(|(plane, offset)| plane == *offset)
}

impl<T: Sample, O: Sample> Sum<'_, T, O> {
    /// Lanes are pixels.
    #[inline(always)]
    pub(super) fn plane_by_plane<const DENSE: bool>(self) {
        let (planes, starts) = (self.inner.len(), self.points.starts);
        let (count, last) = (starts.len(), starts.iter().fold(0, |last, start| last.max(*start)));
        let to = &mut self.to[..count * planes];
        let mut pairs = [[const { MaybeUninit::uninit() }; FETCHED]; 2];
        for first in (0..count).step_by(FETCHED) {
            let end = count.min(first + FETCHED);
            for (plane, offset) in self.inner.iter().enumerate() {
                let elements = &self.elements[*offset..];
                // Planes side by side come together.
                let is_beside =
                    plane > 0 && self.inner[plane - 1].abs_diff(*offset) * size_of::<T>() < CACHE_LINE;
                if self.is_large && !is_beside {
                    ask_for(elements, self.strides[0], &starts[end..count.min(end + FETCHED)]);
                }
                let starts = &starts[first..end];
                fetch::<T, DENSE>(elements, self.strides, starts, last as usize, &mut pairs);
                for at in (first..end).step_by(LANES) {
                    let [y, x] = self.points.block(at);
                    // SAFETY: whole blocks of pairs were fetched.
                    let pairs = unsafe { block(&pairs, at - first) };
                    let to = &mut to[at * planes + plane..];
                    match (planes, to.first_chunk_mut()) {
                        // Stored at once: by way of a buffer, every block would wait for its own stores.
                        (1, Some(to)) => blend_block(pairs, y, x, to),
                        _ => {
                            let mut mixed = [O::default(); LANES];
                            blend_block(pairs, y, x, &mut mixed);
                            to.iter_mut().step_by(planes).zip(mixed).for_each(|(to, from)| *to = from);
                        }
                    }
                }
            }
        }
    }

    /// Lanes are planes, of which there are many, side by side.
    #[inline(always)]
    pub(super) fn pixel_by_pixel(self) {
        let (planes, [down, right]) = (self.inner.len(), self.strides);
        for (i, (start, to)) in self.points.starts.iter().zip(self.to.chunks_exact_mut(planes)).enumerate() {
            let line = |at: usize| &self.elements[*start as usize + at..][..planes];
            let (a, b, c, d) = (line(0), line(right), line(down), line(down + right));
            let [[y], [x]] = self.points.block(i);
            for plane in 0..planes {
                let taps = [a[plane].to_f64(), b[plane].to_f64(), c[plane].to_f64(), d[plane].to_f64()];
                to[plane] = O::from_f64_rounded(blend(taps, *y, *x));
            }
        }
    }
}

/// Pairs of neighbours, and those a row below.
type Pairs<T> = [[MaybeUninit<[T; 2]>; FETCHED]; 2];

/// A block of pairs, from this place on.
///
/// # Safety
/// They have been written.
#[inline(always)]
unsafe fn block<T: Sample>(pairs: &Pairs<T>, at: usize) -> [&[[T; 2]; LANES]; 2] {
    pairs.each_ref().map(|line| {
        let block: &[_; LANES] = line[at..].first_chunk().expect("a whole number of blocks");
        // SAFETY: the caller's word.
        unsafe { &*std::ptr::from_ref::<[MaybeUninit<[T; 2]>; LANES]>(block).cast() }
    })
}

/// SciPy's sums at [`LANES`] points, stored.
#[inline(always)]
fn blend_block<T: Sample, O: Sample>(
    [near, far]: [&[[T; 2]; LANES]; 2],
    y: &[f64; LANES],
    x: &[f64; LANES],
    to: &mut [O; LANES],
) {
    for i in 0..LANES {
        let ([a, b], [c, d]) = (near[i], far[i]);
        let taps = [a.to_f64(), b.to_f64(), c.to_f64(), d.to_f64()];
        to[i] = O::from_f64_rounded(blend(taps, y[i], x[i]));
    }
}

/// Two neighbours from every start on, and those a row below, then the last ones again until a block is whole;
/// `DENSE` where neighbours lie side by side.
///
/// A function of its own, so that it is compiled for the baseline: the wider levels make gather instructions of this
/// loop, which take twice the time.
#[inline(never)]
fn fetch<T: Sample, const DENSE: bool>(
    elements: &[T],
    [down, right]: [usize; 2],
    starts: &[u32],
    last: usize,
    [near, far]: &mut Pairs<T>,
) {
    assert!(last + down + right < elements.len(), "all neighbours lie inside");
    for (start, (near, far)) in starts.iter().zip(near.iter_mut().zip(far.iter_mut())) {
        // SAFETY: no start is above `last`.
        let pair = |at: usize| unsafe {
            let first = elements.as_ptr().add(at);
            // In one piece where they lie side by side.
            if DENSE { *first.cast::<[T; 2]>() } else { [*first, *first.add(right)] }
        };
        near.write(pair(*start as usize));
        far.write(pair(*start as usize + down));
    }
    let (end, whole) = (starts.len(), starts.len().next_multiple_of(LANES));
    for line in [near, far] {
        let repeated = line[end - 1];
        line[end..whole].fill(repeated);
    }
}
