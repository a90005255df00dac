//! Pairs of neighbours along the last axis, fetched for some points before any is used.

use crate::array::sample::Sample;
use std::mem::MaybeUninit;

/// Points that are computed together: they fill two of the widest registers.
pub(super) const LANES: usize = 16;

/// Points whose neighbours are fetched before any is blended: loading in one piece what was just stored in several is
/// slow.
pub(super) const FETCH_CHUNK: usize = 8 * LANES;

/// Pairs of neighbours on several lines of an image.
pub(super) struct NeighbourPairs<T, const LINES: usize>([[MaybeUninit<[T; 2]>; FETCH_CHUNK]; LINES]);

impl<T: Sample, const LINES: usize> NeighbourPairs<T, LINES> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self([[const { MaybeUninit::uninit() }; FETCH_CHUNK]; LINES])
    }

    /// Two neighbours, at a distance of `right`, from every start plus an offset on; the last are repeated to fill a
    /// block. `DENSE` if neighbours are adjacent. No start is above `last`.
    ///
    /// Not inlined, so that it is compiled for the baseline: wider levels would use gather instructions here, which
    /// take twice the time.
    #[inline(never)]
    pub(super) fn fetch<const DENSE: bool>(
        &mut self,
        elements: &[T],
        offsets: [usize; LINES],
        right: usize,
        starts: &[u32],
        last: usize,
    ) {
        let farthest = offsets.iter().fold(0, |farthest, offset| farthest.max(*offset));
        assert!(last + farthest + right < elements.len(), "all neighbours lie inside");
        let right = if DENSE { 1 } else { right };
        for (point, start) in starts.iter().enumerate().take(FETCH_CHUNK) {
            for (line, offset) in self.0.iter_mut().zip(offsets) {
                // SAFETY: no start is above `last`, for which the assertion holds.
                let pair = unsafe {
                    let first = elements.as_ptr().add(*start as usize + offset);
                    // One load if they are adjacent.
                    if DENSE { *first.cast::<[T; 2]>() } else { [*first, *first.add(right)] }
                };
                line[point].write(pair);
            }
        }
        let (end, whole) = (starts.len(), starts.len().next_multiple_of(LANES));
        for line in &mut self.0 {
            let repeated = line[end - 1];
            line[end..whole].fill(repeated);
        }
    }

    /// A block of pairs, from index `at` on.
    ///
    /// # Safety
    /// They must have been fetched.
    #[inline(always)]
    pub(super) unsafe fn block(&self, at: usize) -> [&[[T; 2]; LANES]; LINES] {
        self.0.each_ref().map(|line| {
            let block: &[_; LANES] = line[at..].first_chunk().expect("a whole number of blocks");
            // SAFETY: guaranteed by the caller.
            unsafe { &*std::ptr::from_ref::<[MaybeUninit<[T; 2]>; LANES]>(block).cast() }
        })
    }
}
