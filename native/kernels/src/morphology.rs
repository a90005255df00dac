//! Binary erosion, once, repeated, or until nothing changes, inside a mask; dilation is erosion of the complement.
//!
//! Pixels are packed into bits (`bits`), so that one word operation works on 64 of them. A structure is read as its
//! runs along the packed axis, a run as few overlapping runs of doubled length; a box is taken apart into its axes.
//! What changes late, little or far away is followed from word to word (`flood`).

mod bits;
mod flood;
mod pattern;

use crate::array::sample::Bool;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::dispatch;
use crate::exec::threads;
use crate::memory::{self, CollectVec};
use crate::window;
use bits::Grid;
use ndarray::ArrayViewD;
use pattern::{Pass, Pattern};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Nanoseconds, about, that one call of [`Erosion::advance`] takes before the caller may look for an interruption.
const PATIENCE: usize = 1 << 26;

/// Nanoseconds of a pass over nothing.
const SMALLEST_PASS: usize = 100;

/// A pass that changes fewer than one word in so many is followed by tracking the changes.
const FEW: usize = 16;

/// The structure, and how its pixels beyond the array count.
#[derive(Debug, Clone)]
pub struct Structure<'a> {
    /// The pixels that are looked at.
    pub elements: ArrayViewD<'a, Bool>,
    /// Where the centre lies, from the middle `shape / 2` of each axis; inside the structure.
    pub origin: &'a [isize],
    /// Whether pixels beside the array count as set.
    pub border: bool,
}

/// How often to erode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// So many times, at least once.
    Count(usize),
    /// Until a pass changes nothing.
    UntilStable,
}

/// What the passes after the first one may change.
#[derive(Debug)]
pub enum LaterMask<'a> {
    /// What the first one may.
    Same,
    /// Pixels that are set in another mask, next to a pixel that changed. The centre of the structure must be set.
    Changed(View<'a>),
}

/// An erosion under way.
///
/// With `complement` set pixels count as clear and the reverse, in the array and in the border, and the result is
/// turned back: this is a dilation by the structure mirrored at its centre.
#[derive(Debug)]
pub struct Erosion {
    grid: Grid,
    pass: Pass,
    /// Whether pixels only ever go from set to clear, and only beside clear ones.
    monotone: bool,
    /// The structure's pixels one by one, for what is followed from pixel to pixel.
    offsets: Vec<isize>,
    /// Set where a pixel is (still) set; the border value in the guard bits.
    pixels: Vec<u64>,
    /// The pixels before the last pass; the room for those after the next one.
    spare: Vec<u64>,
    /// Set where a pixel may change.
    open: Vec<u64>,
    /// As `open`, for what is followed after the first pass.
    later: Option<Vec<u64>>,
    complement: bool,
    remaining: Passes,
}

impl Erosion {
    /// Read the array and the masks.
    ///
    /// # Errors
    ///
    /// When shapes do not fit, the origin lies outside the structure, or the array is too large for any machine.
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
        let grid = Grid::new(shape, &reach)?;
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
            pass: Pass::new(&pattern, &grid, border),
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

    /// Go on for a fraction of a second, or until a chain of changes has been followed to its end; true when done.
    pub fn advance(&mut self) -> bool {
        let words = self.grid.range().len();
        for _ in 0..(PATIENCE / (SMALLEST_PASS + self.pass.cost(words))).max(1) {
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

    /// One pass over everything; the number of words that changed.
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

    /// After a pass that changed so many words: follow the changes to the end where that is the shorter way.
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
                // Any clear pixel may have a neighbour left to clear.
                self.spare.fill(u64::MAX);
                None
            }
            (Passes::UntilStable, Some(_)) => None,
            (Passes::Count(count), Some(_)) => Some(count),
            (Passes::Count(count), None) if changed < range.len() / FEW => Some(count),
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
    /// When `output` has another shape than the array that was read.
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
        // Rows with a gap at alternating ends: a sweep goes no further than one turn.
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
        // The way in row 100 is 51 rows, 50 gaps and 149 steps of each row long.
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
