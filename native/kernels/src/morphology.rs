//! Binary erosion: once, repeated, or until nothing changes; with or without a mask. Dilation is erosion of the
//! complement.
//!
//! 1. Pixels are packed into bits ([`bits`]), so that one word operation handles 64 of them.
//! 2. A structure is read as runs along the packed axis, each covered by few overlapping runs of length 2^k
//!    ([`doubling`](crate::doubling)); a box is decomposed into its axes ([`pattern`]).
//! 3. Few, late or distant changes are tracked from word to word ([`flood`]).

mod bits;
mod flood;
mod pattern;

use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::dispatch;
use crate::exec::threads;
use crate::memory::{self, CollectVec};
use crate::window;
use bits::BitGrid;
pub use pattern::Structure;
use pattern::{ErosionPass, Pattern};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Estimated nanoseconds of one call of [`Erosion::advance`], after which the caller may check for an interrupt.
const NS_PER_ADVANCE: usize = 1 << 26;

/// Nanoseconds of a pass over an empty array.
const MIN_PASS_NS: usize = 100;

/// If a pass changes fewer than one word in this many, further changes are tracked.
const TRACKING_RATIO: usize = 16;

/// How often to erode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// This many times, at least once.
    Count(usize),
    /// Until a pass changes nothing.
    UntilStable,
}

/// Which pixels the passes after the first may change.
#[derive(Debug)]
pub enum LaterMask<'a> {
    /// The same as the first pass.
    Same,
    /// Pixels that are set in another mask, next to a pixel that changed. Requires the centre of the structure to be
    /// set.
    Changed(View<'a>),
}

/// An erosion in progress.
///
/// With `complement`, set and clear are exchanged in the array and the border, and back in the result: this is a
/// dilation by the structure reflected at its centre.
#[derive(Debug)]
pub struct Erosion {
    grid: BitGrid,
    pass: ErosionPass,
    /// Whether pixels only ever go from set to clear, and only next to clear ones.
    monotone: bool,
    /// The structure's pixels one by one, for tracking changes.
    offsets: Vec<isize>,
    /// A bit per pixel that is (still) set; the border value in the guard bits.
    pixels: Vec<u64>,
    /// The pixels before the last pass; overwritten by the next one.
    spare: Vec<u64>,
    /// A bit per pixel that may change.
    open: Vec<u64>,
    /// As `open`, for the passes after the first.
    later: Option<Vec<u64>>,
    complement: bool,
    remaining: Passes,
}

impl Erosion {
    /// Read the array and the masks.
    ///
    /// # Errors
    ///
    /// If shapes do not fit, the origin lies outside the structure, or the array is too large for any machine.
    pub fn new(
        input: &View<'_>,
        structure: &Structure<'_>,
        complement: bool,
        mask: Option<&View<'_>>,
        later: &LaterMask<'_>,
        passes: Passes,
    ) -> Result<Self> {
        let shape = input.shape();
        check_fit(shape, structure, mask, later)?;
        let border = structure.border != complement;
        let mut pattern = Pattern::read(structure, shape);
        let mut remaining = passes;
        if let (Passes::Count(count), None, true) = (passes, mask, pattern.centre)
            && pattern.repeat(count)
        {
            remaining = Passes::Count(1);
        }
        if input.is_empty() {
            remaining = Passes::Count(0);
        }
        let reach = pattern.cut(shape);
        let grid = BitGrid::new(shape, &reach)?;
        let pixels = grid.pack(input, complement, border);
        let open = match mask {
            Some(mask) => grid.pack(mask, false, false),
            None => grid.inside(),
        };
        let later = match later {
            LaterMask::Same => None,
            LaterMask::Changed(mask) => Some(grid.pack(mask, false, false)),
        };
        let monotone = pattern.centre;
        let single = remaining == Passes::Count(1);
        Ok(Self {
            pass: ErosionPass::new(&pattern, &grid, border),
            monotone,
            offsets: if monotone && !single { pattern.offsets(&grid) } else { Vec::new() },
            spare: memory::copy(&pixels),
            pixels,
            open,
            later,
            complement,
            remaining,
            grid,
        })
    }

    /// Continue for a fraction of a second, or until tracked changes end; return whether the erosion is done.
    pub fn advance(&mut self) -> bool {
        let words = self.grid.range().len();
        for _ in 0..(NS_PER_ADVANCE / (MIN_PASS_NS + self.pass.cost(words))).max(1) {
            if self.remaining == Passes::Count(0) {
                return true;
            }
            let changed = self.erode();
            if let Passes::Count(count) = &mut self.remaining {
                *count -= 1;
            }
            if changed == 0 {
                self.remaining = Passes::Count(0);
            } else if self.monotone && self.remaining != Passes::Count(0) {
                self.follow(changed);
            }
        }
        self.remaining == Passes::Count(0)
    }

    /// One pass over all words; return how many changed.
    fn erode(&mut self) -> usize {
        let range = self.grid.range();
        self.pass.prepare(&self.pixels);
        let parts = threads::blocks_for(self.pass.cost(range.len()));
        let size = range.len().div_ceil(parts).max(1);
        let changed = AtomicUsize::new(0);
        let (pass, pixels, open) = (&self.pass, &self.pixels, &self.open);
        let blocks = self.spare[range.clone()].chunks_mut(size).enumerate().collect_vec();
        threads::for_each_block(blocks, |(block, to)| {
            let count = pass.erode(pixels, open, range.start + block * size, to);
            changed.fetch_add(count, Ordering::Relaxed);
        });
        std::mem::swap(&mut self.pixels, &mut self.spare);
        changed.into_inner()
    }

    /// After a pass that changed `changed` words: track further changes to their end if that is faster.
    fn follow(&mut self, changed: usize) {
        let range = self.grid.range();
        let restricted = self.later.take();
        let generations = match (self.remaining, &restricted) {
            (Passes::UntilStable, None) => {
                let stable = dispatch(flood::Sweeps {
                    pixels: &mut self.pixels,
                    open: &self.open,
                    offsets: &self.offsets,
                    range: range.clone(),
                });
                if stable {
                    self.remaining = Passes::Count(0);
                    return;
                }
                // Any clear pixel may still have a neighbour to clear.
                self.spare.fill(u64::MAX);
                None
            }
            (Passes::UntilStable, Some(_)) => None,
            (Passes::Count(count), Some(_)) => Some(count),
            (Passes::Count(count), None) if changed < range.len() / TRACKING_RATIO => Some(count),
            (Passes::Count(_), None) => return,
        };
        let mut flood = flood::Flood {
            pixels: &mut self.pixels,
            open: restricted.as_ref().unwrap_or(&self.open),
            offsets: &self.offsets,
            range,
        };
        flood.follow(&mut self.spare, self.grid.filled(0), generations);
        self.remaining = Passes::Count(0);
    }

    /// Store one or zero for each pixel.
    ///
    /// # Errors
    ///
    /// If `output` has another shape than the array that was read.
    pub fn store(&self, output: ViewMut<'_>) -> Result<()> {
        self.grid.unpack(&self.pixels, output, self.complement)
    }
}

fn check_fit(
    shape: &[usize],
    structure: &Structure<'_>,
    mask: Option<&View<'_>>,
    later: &LaterMask<'_>,
) -> Result<()> {
    let extent = structure.elements.shape();
    if extent.len() != shape.len() || structure.origin.len() != shape.len() {
        return Err(KernelError::shape(format!(
            "a structure of shape {extent:?} with the origin {:?} does not fit an array of shape {shape:?}",
            structure.origin
        )));
    }
    for (length, origin) in extent.iter().zip(structure.origin) {
        window::before(*length, *origin)?;
    }
    let later = match later {
        LaterMask::Same => None,
        LaterMask::Changed(mask) => Some(mask.shape()),
    };
    for extent in mask.map(View::shape).into_iter().chain(later) {
        if extent != shape {
            let message = format!("a mask of shape {extent:?} for an array of shape {shape:?}");
            return Err(KernelError::shape(message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::sample::Bool;
    use crate::exec::threads::LocalThreads;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// The definition of one pass, pixel by pixel.
    fn plain_pass(image: &ArrayD<bool>, structure: &Structure<'_>, mask: &ArrayD<bool>) -> ArrayD<bool> {
        let list = |index: &ndarray::IxDyn| -> Vec<isize> {
            (0..image.ndim()).map(|axis| index[axis] as isize).collect()
        };
        ArrayD::from_shape_fn(image.raw_dim(), |index| {
            if !mask[&index] {
                return image[&index];
            }
            let index = list(&index);
            structure.elements.indexed_iter().filter(|(_, element)| element.0 != 0).all(|(at, _)| {
                let at = list(&at);
                let place: Option<Vec<usize>> = (0..at.len())
                    .map(|axis| {
                        let middle = (structure.elements.shape()[axis] / 2) as isize + structure.origin[axis];
                        let place = usize::try_from(index[axis] + at[axis] - middle).ok()?;
                        (place < image.shape()[axis]).then_some(place)
                    })
                    .collect();
                place.map_or(structure.border, |place| image[place.as_slice()])
            })
        })
    }

    fn noise(shape: &[usize], seed: u32, kept: u32) -> ArrayD<bool> {
        let mut state = seed;
        ArrayD::from_shape_simple_fn(shape, || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % 16 < kept
        })
    }

    fn bytes(array: &ArrayD<bool>) -> ArrayD<Bool> {
        array.mapv(|value| Bool(u8::from(value)))
    }

    fn erode(
        image: &ArrayD<bool>,
        structure: &Structure<'_>,
        complement: bool,
        mask: Option<&ArrayD<bool>>,
        passes: Passes,
    ) -> ArrayD<bool> {
        let (image, mask) = (bytes(image), mask.map(bytes));
        let mask = mask.as_ref().map(|mask| View::Bool(mask.view()));
        let input = View::Bool(image.view());
        let mut erosion =
            Erosion::new(&input, structure, complement, mask.as_ref(), &LaterMask::Same, passes).unwrap();
        while !erosion.advance() {}
        let mut output = ArrayD::<u16>::zeros(image.raw_dim());
        erosion.store(ViewMut::U16(output.view_mut())).unwrap();
        output.mapv(|value| value == 1)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn equals_the_definition(
            axes in prop::collection::vec((1_usize..7, 1_usize..5, any::<prop::sample::Index>()), 0..4),
            stretched in any::<prop::sample::Index>(),
            (seed, kept, elements) in (1_u32..9999, 1_u32..16, 1_u32..17),
            (border, complement, masked, centred) in any::<(bool, bool, bool, bool)>(),
            count in 0_usize..6,
            threads in 1_usize..3,
        ) {
            let mut shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            if !shape.is_empty() {
                let axis = stretched.index(shape.len());
                shape[axis] *= 30;
            }
            let extent: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
            let origin: Vec<isize> =
                axes.iter().map(|axis| axis.2.index(axis.1) as isize - (axis.1 / 2) as isize).collect();
            let mut elements = bytes(&noise(&extent, seed + 1, elements));
            let middle: Vec<usize> =
                extent.iter().zip(&origin).map(|(len, origin)| (len / 2).wrapping_add_signed(*origin)).collect();
            if centred || count == 0 {
                elements[middle.as_slice()] = Bool(1);
            }
            let structure = Structure { elements: elements.view(), origin: &origin, border };
            let image = noise(&shape, seed, kept);
            let mask = if masked { noise(&shape, seed + 2, 12) } else { ArrayD::from_elem(shape, true) };
            let passes = if count == 0 { Passes::UntilStable } else { Passes::Count(count) };

            let inside = Structure { border: border != complement, ..structure.clone() };
            let mut expected = image.mapv(|value| value != complement);
            for _ in 0..if count == 0 { usize::MAX } else { count } {
                let next = plain_pass(&expected, &inside, &mask);
                if next == expected {
                    break;
                }
                expected = next;
            }
            let _threads = LocalThreads::new(threads);
            let result = erode(&image, &structure, complement, masked.then_some(&mask), passes);
            prop_assert_eq!(result, expected.mapv(|value| value != complement));
        }
    }

    #[test]
    fn a_winding_way_is_followed_to_its_end() {
        // Rows with a gap at alternating ends: a sweep reaches no further than one turn.
        let mut ways = ArrayD::from_elem(vec![101, 150], true);
        for row in (1..101).step_by(2) {
            let gap = if row % 4 == 1 { 149 } else { 0 };
            for column in (0..150).filter(|column| *column != gap) {
                ways[[row, column]] = false;
            }
        }
        let mut seed = ArrayD::from_elem(vec![101, 150], false);
        seed[[0, 0]] = true;
        let cross = ndarray::arr2(&[[0, 1, 0], [1, 1, 1], [0, 1, 0]]).mapv(Bool).into_dyn();
        let structure = Structure { elements: cross.view(), origin: &[0, 0], border: false };
        let spread = erode(&seed, &structure, true, Some(&ways), Passes::UntilStable);
        assert_eq!(spread, ways);
        // The path through row 100 has 51 rows of 149 steps each, and 50 gaps.
        let length = 51 * 149 + 100;
        let spread = erode(&seed, &structure, true, Some(&ways), Passes::Count(length - 1));
        assert_eq!(ways.iter().zip(&spread).filter(|(way, reached)| way != reached).count(), 1);
        assert_eq!(erode(&seed, &structure, true, Some(&ways), Passes::Count(length)), ways);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let image = ArrayD::<u8>::zeros(vec![4, 4]);
        let (image, elements) = (View::U8(image.view()), ArrayD::from_elem(vec![3, 3], Bool(1)));
        let new = |origin: &[isize], mask: Option<&View<'_>>| {
            let structure = Structure { elements: elements.view(), origin, border: false };
            Erosion::new(&image, &structure, false, mask, &LaterMask::Same, Passes::Count(1)).map(|_| ())
        };
        assert!(matches!(new(&[0, 2], None), Err(KernelError::Parameter(_))));
        assert!(matches!(new(&[0, -2], None), Err(KernelError::Parameter(_))));
        assert!(matches!(new(&[0], None), Err(KernelError::Shape(_))));
        let mask = ArrayD::<u8>::zeros(vec![4, 5]);
        assert!(matches!(new(&[0, 0], Some(&View::U8(mask.view()))), Err(KernelError::Shape(_))));
        assert!(new(&[0, 1], None).is_ok());
    }
}
