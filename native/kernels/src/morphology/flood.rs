//! Track changes from pixel to pixel: clear pixels clear their neighbours, wherever those are open.

use crate::exec::simd::Kernel;
use crate::memory::{self, CollectVec};
use crate::morphology::bits::{Shift, WORD};
use std::ops::Range;

/// Sweeps back and forth over all words before changes are tracked individually.
const SWEEPS: usize = 6;

/// Sweeps over all words back and forth, in place, until nothing changes; false if that takes too long.
///
/// Most regions fill in two sweeps. A winding one needs a sweep for each turn.
pub(super) struct Sweeps<'a> {
    /// A bit per pixel that is not clear.
    pub pixels: &'a mut [u64],
    /// A bit per pixel that may change.
    pub open: &'a [u64],
    /// Distances at which a clear pixel clears the pixel itself.
    pub offsets: &'a [isize],
    /// The words that hold pixels.
    pub range: Range<usize>,
}

impl Kernel for Sweeps<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let shifts: Vec<Shift> = self.offsets.iter().map(|distance| Shift::new(*distance)).collect_vec();
        let spread = Spread::new(self.offsets);
        let Self { pixels, open, range, .. } = self;
        for _ in 0..SWEEPS {
            let mut changed = false;
            for index in range.clone() {
                changed |= clear_beside(pixels, open, &shifts, spread, index);
            }
            if !changed {
                return true;
            }
            let mut changed = false;
            for index in range.clone().rev() {
                changed |= clear_beside(pixels, open, &shifts, spread, index);
            }
            if !changed {
                return true;
            }
        }
        false
    }
}

/// Clear the open pixels of one word that have a clear neighbour; return whether there were any.
#[inline(always)]
fn clear_beside(pixels: &mut [u64], open: &[u64], shifts: &[Shift], spread: Spread, index: usize) -> bool {
    let candidates = pixels[index] & open[index];
    if candidates == 0 {
        return false;
    }
    let mut kept = candidates;
    for shift in shifts {
        kept &= shift.read(pixels, index);
    }
    if kept == candidates {
        return false;
    }
    pixels[index] &= !spread.within(candidates & !kept, candidates);
    true
}

/// Whether a clear pixel clears its neighbours within the word.
#[derive(Clone, Copy)]
struct Spread {
    up: bool,
    down: bool,
}

impl Spread {
    fn new(offsets: &[isize]) -> Self {
        Self { up: offsets.contains(&-1), down: offsets.contains(&1) }
    }

    /// The bits adjacent to these within the word.
    #[inline(always)]
    fn beside(self, bits: u64) -> u64 {
        (if self.up { bits << 1 } else { 0 }) | (if self.down { bits >> 1 } else { 0 })
    }

    /// All `candidates` that are reachable from `seeds`, which are among them, by steps within the word.
    #[inline(always)]
    fn within(self, seeds: u64, candidates: u64) -> u64 {
        let mut reached = seeds;
        if self.up {
            // The carry runs from a seed to the end of its run; a seed on its way stays set.
            reached |= candidates & !candidates.wrapping_add(reached);
        }
        if self.down {
            let (seeds, candidates) = (reached.reverse_bits(), candidates.reverse_bits());
            reached |= (candidates & !candidates.wrapping_add(seeds)).reverse_bits();
        }
        reached
    }
}

/// Pixels that clear their neighbours.
pub(super) struct Flood<'a> {
    /// A bit per pixel that is not clear.
    pub pixels: &'a mut [u64],
    /// A bit per pixel that may change.
    pub open: &'a [u64],
    /// Distances at which a clear pixel clears the pixel itself.
    pub offsets: &'a [isize],
    /// The words that hold pixels.
    pub range: Range<usize>,
}

impl Flood<'_> {
    /// Start from pixels that are clear but set in `before`, and take `generations` steps, or as many as change
    /// something.
    ///
    /// `before` and `spare`, which must be clear, are overwritten.
    pub(super) fn follow(&mut self, before: &mut [u64], spare: Vec<u64>, generations: Option<usize>) {
        let shifts: Vec<Shift> = self.offsets.iter().map(|distance| Shift::new(-distance)).collect_vec();
        // Steps within a word may only go uncounted if their number is unlimited.
        let spread = match generations {
            None => Spread::new(self.offsets),
            Some(_) => Spread { up: false, down: false },
        };
        let mut waiting = Vec::new();
        for (index, word) in before.iter_mut().enumerate() {
            *word &= if self.range.contains(&index) { !self.pixels[index] } else { 0 };
            if *word != 0 {
                memory::push(&mut waiting, index);
            }
        }
        let mut pending = before;
        let mut spare = spare;
        let mut next = spare.as_mut_slice();
        let mut found = Vec::new();
        let mut generation = 0;
        while !waiting.is_empty() && generations.is_none_or(|count| generation < count) {
            for index in waiting.drain(..) {
                let mut clear = std::mem::take(&mut pending[index]);
                let candidates = self.pixels[index] & self.open[index];
                let near = spread.beside(clear) & candidates;
                if near != 0 {
                    let near = spread.within(near, candidates);
                    self.pixels[index] &= !near;
                    clear |= near;
                }
                for shift in &shifts {
                    let at = index.wrapping_add_signed(shift.words);
                    let low = clear << shift.bits;
                    let high = (clear >> 1) >> (WORD as u32 - 1 - shift.bits);
                    for (at, bits) in [(at, low), (at + 1, high)] {
                        let new = bits & self.pixels[at] & self.open[at];
                        if new != 0 {
                            self.pixels[at] &= !new;
                            if next[at] == 0 {
                                memory::push(&mut found, at);
                            }
                            next[at] |= new;
                        }
                    }
                }
            }
            std::mem::swap(&mut waiting, &mut found);
            std::mem::swap(&mut pending, &mut next);
            generation += 1;
        }
    }
}
