//! The nearest of the points along a line, where it lies within a few steps: most elements of most images.
//!
//! Squared distances are whole numbers here, so any order of comparisons finds the same point. Sixteen places are
//! searched at once, step by step in both directions, until what lies further off cannot be nearer:
//!
//! ```text
//! for k = 1, 2, ...: stop if k² ≥ all sixteen least; least = min(least, line[- k] + k², line[+ k] + k²)
//! ```
//!
//! Lines with an element that is not finished after [`REACH`] steps are left to the [envelope](super::envelope).

use crate::exec::simd::Kernel;

/// Places searched at once.
pub(super) const LANES: usize = 16;

/// Steps in each direction; a multiple of [`STRIDE`].
pub(super) const REACH: usize = 48;

/// Steps between two looks at whether the search is finished.
const STRIDE: usize = 4;

/// No point; what a search adds to it does not overflow.
pub(super) const NONE: i32 = 1 << 30;

/// Lines of squared distances: one contiguous line, or [`LANES`] interleaved ones. [`REACH`] elements of each line
/// before it and after it are [`NONE`], and what follows one contiguous line, up to [`LANES`] more.
pub(super) struct NearbySearch<'a> {
    pub lines: &'a [i32],
    /// Elements of a line.
    pub len: usize,
    /// From one element of a line to the next: 1 or [`LANES`].
    pub step: usize,
    /// Squared distance between neighbours.
    pub weight: i32,
    /// Least squared distances, laid out as the lines without what lies before them.
    pub least: &'a mut [i32],
    /// The index of the nearest point: the first of equally near ones.
    pub nearest: Option<&'a mut [i32]>,
}

impl Kernel for NearbySearch<'_> {
    /// Of each line, whether it is finished.
    type Output = [bool; LANES];

    #[inline(always)]
    fn run(mut self) -> [bool; LANES] {
        match self.nearest.take() {
            Some(nearest) => self.search::<true>(nearest),
            None => self.search::<false>(&mut []),
        }
    }
}

impl NearbySearch<'_> {
    #[inline(always)]
    fn search<const INDEXED: bool>(self, nearest: &mut [i32]) -> [bool; LANES] {
        let Self { lines, len, step, weight, least, .. } = self;
        let mut finished = [true; LANES];
        for at in (0..len * step).step_by(LANES) {
            let place = REACH * step + at;
            let mut best = load(lines, place);
            let mut offsets = [0; LANES];
            // Places after the end of a line never count.
            let inside = if step == 1 { (len - at).min(LANES) } else { LANES };
            best[inside..].fill(0);
            let mut k = 0;
            loop {
                let most = best.iter().fold(0, |most, best| if *best > most { *best } else { most });
                let next = (k as i32 + 1) * (k as i32 + 1) * weight;
                // An equally near point of a lower index counts.
                if next > most || (!INDEXED && next == most) {
                    break;
                }
                if k == REACH {
                    for (lane, best) in best.iter().enumerate() {
                        if next < *best || (INDEXED && next == *best) {
                            finished[if step == 1 { 0 } else { lane }] = false;
                        }
                    }
                    if step == 1 {
                        return finished;
                    }
                    break;
                }
                for _ in 0..STRIDE {
                    k += 1;
                    let cost = (k * k) as i32 * weight;
                    let before = load(lines, place - k * step);
                    let after = load(lines, place + k * step);
                    for lane in 0..LANES {
                        if INDEXED {
                            let earlier = before[lane] + cost;
                            let nearer = earlier <= best[lane];
                            best[lane] = if nearer { earlier } else { best[lane] };
                            offsets[lane] = if nearer { -(k as i32) } else { offsets[lane] };
                            let later = after[lane] + cost;
                            let nearer = later < best[lane];
                            best[lane] = if nearer { later } else { best[lane] };
                            offsets[lane] = if nearer { k as i32 } else { offsets[lane] };
                        } else {
                            let other = before[lane].min(after[lane]) + cost;
                            best[lane] = best[lane].min(other);
                        }
                    }
                }
            }
            least[at..at + inside].copy_from_slice(&best[..inside]);
            if INDEXED {
                for (lane, (to, offset)) in nearest[at..at + inside].iter_mut().zip(&offsets).enumerate() {
                    let index = if step == 1 { at + lane } else { at / LANES };
                    *to = index as i32 + offset;
                }
            }
        }
        finished
    }
}

#[inline(always)]
fn load(lines: &[i32], at: usize) -> [i32; LANES] {
    *lines[at..].first_chunk().expect("sixteen elements")
}
