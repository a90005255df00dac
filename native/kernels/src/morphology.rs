//! Binary erosion, once, repeated, or until nothing changes, inside a mask; dilation is erosion of the complement.
//!
//! Pixels are packed into bits (`bits`), so that one word operation works on 64 of them. A structure is read as its
//! runs along the packed axis, a run as few overlapping runs of doubled length; a box is taken apart into its axes.
//! What changes late, little or far away is followed from word to word (`flood`).

mod bits;
mod flood;
mod pattern;

use crate::error::{KernelError, Result};
use crate::parallel;
use crate::sample::Bool;
use crate::simd::dispatch;
use crate::view::{View, ViewMut};
use bits::Grid;
use ndarray::ArrayViewD;
use pattern::{Pass, Pattern};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Words read by one call of [`Erosion::advance`] before the caller may look for an interruption.
const WORK_A_CALL: usize = 1 << 27;

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
    /// When shapes do not fit, the origin lies outside the structure, or there is no memory for the working copy.
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
        let pixels = grid.pack(input, complement, border)?;
        let open = match mask {
            Some(mask) => grid.pack(mask, false, false)?,
            None => grid.inside()?,
        };
        let later = match later {
            LaterMask::Same => None,
            LaterMask::Changed(mask) => Some(grid.pack(mask, false, false)?),
        };
        let monotone = pattern.centre;
        let single = remaining == Passes::Count(1);
        Ok(Self {
            pass: Pass::new(&pattern, &grid, border)?,
            monotone,
            offsets: if monotone && !single { pattern.offsets(&grid)? } else { Vec::new() },
            spare: pixels.clone(),
            pixels,
            open,
            later,
            complement,
            remaining,
            grid,
        })
    }

    /// Go on for a fraction of a second, or until a chain of changes has been followed to its end; true when done.
    ///
    /// # Errors
    ///
    /// When there is no memory to follow changes.
    pub fn advance(&mut self) -> Result<bool> {
        let words = self.grid.range().len();
        for _ in 0..(WORK_A_CALL / self.pass.cost(words)).max(1) {
            if self.remaining == Passes::Count(0) {
                return Ok(true);
            }
            let changed = self.erode();
            if let Passes::Count(count) = &mut self.remaining {
                *count -= 1;
            }
            if changed == 0 {
                self.remaining = Passes::Count(0);
            } else if self.monotone && self.remaining != Passes::Count(0) {
                self.follow(changed)?;
            }
        }
        Ok(self.remaining == Passes::Count(0))
    }

    /// One pass over everything; the number of words that changed.
    fn erode(&mut self) -> usize {
        let range = self.grid.range();
        self.pass.prepare(&self.pixels);
        let parts = parallel::blocks_for(self.pass.cost(range.len()));
        let size = range.len().div_ceil(parts).max(1);
        let changed = AtomicUsize::new(0);
        let (pass, pixels, open) = (&self.pass, &self.pixels, &self.open);
        let blocks = self.spare[range.clone()].chunks_mut(size).enumerate().collect();
        parallel::for_each_block(blocks, |(block, to)| {
            let count = pass.erode(pixels, open, range.start + block * size, to);
            changed.fetch_add(count, Ordering::Relaxed);
        });
        std::mem::swap(&mut self.pixels, &mut self.spare);
        changed.into_inner()
    }

    /// After a pass that changed so many words: follow the changes to the end where that is the shorter way.
    fn follow(&mut self, changed: usize) -> Result<()> {
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
                    return Ok(());
                }
                // Any clear pixel may have a neighbour left to clear.
                self.spare.fill(u64::MAX);
                None
            }
            (Passes::UntilStable, Some(_)) => None,
            (Passes::Count(count), Some(_)) => Some(count),
            (Passes::Count(count), None) if changed < range.len() / FEW => Some(count),
            (Passes::Count(_), None) => return Ok(()),
        };
        let mut flood = flood::Flood {
            pixels: &mut self.pixels,
            open: restricted.as_ref().unwrap_or(&self.open),
            offsets: &self.offsets,
            range,
        };
        flood.follow(&mut self.spare, self.grid.filled(0)?, generations);
        self.remaining = Passes::Count(0);
        Ok(())
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
        if (length / 2).checked_add_signed(*origin).is_none_or(|centre| centre >= *length) {
            let message =
                format!("a structure of {length} pixels along an axis cannot have the origin {origin}");
            return Err(KernelError::parameter(message));
        }
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
