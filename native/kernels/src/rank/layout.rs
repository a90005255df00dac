//! How an image, its window, and padded bands of the image lie in memory.

use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::memory::{self, CollectVec};
use crate::window;

/// A band of keys of about this many bytes stays in the second-level cache.
const BAND_BYTES: usize = 256 * 1024;

/// Largest band, in bytes, for large windows.
const MAX_BAND_BYTES: usize = 6 << 20;

/// An axis of the image along which the window is longer than 1, or several adjacent others merged.
#[derive(Debug)]
pub(super) struct Axis {
    pub(super) len: usize,
    pub(super) window: usize,
    pub(super) before: usize,
    pub(super) border: Border,
}

impl Axis {
    /// Length of a padded line.
    pub(super) fn padded(&self) -> usize {
        self.len + self.window - 1
    }

    /// The source of a position on the padded axis; `None` is outside.
    #[inline(always)]
    pub(super) fn source(&self, position: usize) -> Option<usize> {
        self.border.index(position as isize - self.before as isize, self.len)
    }
}

/// A C-ordered image, and how a padded band of it lies in memory.
#[derive(Debug)]
pub(super) struct Layout {
    /// Never empty; bands are split along the first axis.
    pub(super) axes: Vec<Axis>,
    /// Adjacent samples on all axes after the last of `axes`, each with its own window.
    pub(super) inner: usize,
    /// Strides of the axes, in the image and in a padded band.
    pub(super) strides: Vec<usize>,
    pub(super) padded_strides: Vec<usize>,
    pub(super) band_rows: usize,
}

impl Layout {
    /// For keys of `key_bytes` bytes.
    pub(super) fn new(
        shape: &[usize],
        lengths: &[usize],
        origins: &[isize],
        borders: &[Border],
        key_bytes: usize,
    ) -> Result<Self> {
        if [lengths.len(), origins.len(), borders.len()] != [shape.len(); 3] {
            return Err(KernelError::shape(format!(
                "a window of shape {lengths:?} and {} origins does not fit an image of shape {shape:?}",
                origins.len()
            )));
        }
        let (axes, inner) = merge_axes(shape, lengths, origins, borders)?;
        let strides = strides(axes.iter().map(|axis| axis.len), inner, 1)?;
        let padded_strides = strides_of_padded(&axes, inner)?;
        // A band much lower than the window would be mostly border.
        let row_bytes = padded_strides[0].max(1).saturating_mul(key_bytes);
        let band_rows = (BAND_BYTES / row_bytes).max(4 * axes[0].window).min(axes[0].len);
        Ok(Self { axes, inner, strides, padded_strides, band_rows })
    }

    /// Reduce the height of bands until they fit the memory of a call; return whether that is possible.
    pub(super) fn fit(&mut self, key_bytes: usize) -> bool {
        let window = self.axes[0].window;
        let most = MAX_BAND_BYTES / self.padded_strides[0].max(1).saturating_mul(key_bytes);
        // A single line cannot be split further.
        if self.padded_strides[0] == 1 || self.band_rows.saturating_add(window) <= most {
            return true;
        }
        self.band_rows = most.saturating_sub(window).max(1);
        self.band_rows >= window
    }

    /// Samples of a padded band with `rows` rows.
    pub(super) fn padded_len(&self, rows: usize) -> Option<usize> {
        rows.checked_add(self.axes[0].window - 1)?.checked_mul(self.padded_strides[0])
    }

    /// The axes of a band with `rows` rows.
    pub(super) fn dims(&self, rows: usize) -> Vec<Dim> {
        (0..self.axes.len())
            .map(|axis| Dim {
                len: if axis == 0 { rows } else { self.axes[axis].len },
                padded: self.padded_strides[axis],
                out: self.strides[axis],
            })
            .collect_vec()
    }
}

/// Merge adjacent axes with windows of length 1; the last of them become `inner`.
fn merge_axes(
    shape: &[usize],
    lengths: &[usize],
    origins: &[isize],
    borders: &[Border],
) -> Result<(Vec<Axis>, usize)> {
    let mut axes: Vec<Axis> = Vec::new();
    for (((&len, &window), &origin), &border) in shape.iter().zip(lengths).zip(origins).zip(borders) {
        let before = window::before(window, origin)?;
        match axes.last_mut() {
            Some(axis) if axis.window == 1 && window == 1 => {
                axis.len = axis.len.checked_mul(len).ok_or_else(too_large)?;
            }
            _ => memory::push(&mut axes, Axis { len, window, before, border }),
        }
    }
    axes.retain(|axis| axis.window > 1 || axis.len != 1);
    let inner = axes.pop_if(|axis| axis.window == 1 && axis.len > 0).map_or(1, |axis| axis.len);
    if axes.is_empty() {
        memory::push(&mut axes, Axis { len: 1, window: 1, before: 0, border: Border::Nearest });
    }
    for axis in &axes {
        // Positions are signed.
        let padded = axis.len.checked_add(axis.window - 1).ok_or_else(too_large)?;
        isize::try_from(padded).map_err(|_| too_large())?;
    }
    Ok((axes, inner))
}

fn strides(
    lengths: impl DoubleEndedIterator<Item = usize>,
    inner: usize,
    align: usize,
) -> Result<Vec<usize>> {
    let mut stride = Some(inner);
    let mut strides = Vec::new();
    for length in lengths.rev() {
        let step = stride.ok_or_else(too_large)?;
        memory::push(&mut strides, step);
        stride = step.checked_mul(length);
        if strides.len() == 1 && stride >= Some(align) {
            stride = stride.and_then(|row| row.checked_next_multiple_of(align));
        }
    }
    strides.reverse();
    Ok(strides)
}

/// [`strides`] for padded axes; the first axis, which is split into bands, does not count.
fn strides_of_padded(axes: &[Axis], inner: usize) -> Result<Vec<usize>> {
    let padded = |(place, axis): (usize, &Axis)| if place == 0 { 1 } else { axis.padded() };
    strides(axes.iter().enumerate().map(padded), inner, LANES)
}

fn too_large() -> KernelError {
    KernelError::memory("the image with its border is larger than this machine's memory")
}

/// The selected cells of a window, as offsets in a padded band.
pub(super) struct Cells<'a> {
    pub(super) mask: &'a [bool],
    pub(super) axes: &'a [Axis],
    pub(super) strides: &'a [usize],
}

impl Cells<'_> {
    pub(super) fn taps(&self) -> Vec<usize> {
        let counted = self.mask.iter().enumerate().filter(|(_, counts)| **counts);
        counted.map(|(cell, _)| self.offset(cell)).collect_vec()
    }

    fn offset(&self, cell: usize) -> usize {
        let mut rest = cell;
        let axes = self.axes.iter().zip(self.strides).rev();
        axes.map(|(axis, stride)| {
            let position = rest % axis.window;
            rest /= axis.window;
            position * stride
        })
        .sum()
    }

    /// Runs of cells along `axis`: the offset of the first cell, and the length.
    pub(super) fn lengths(&self, axis: usize) -> Vec<(usize, usize)> {
        let step: usize = self.axes[axis + 1..].iter().map(|axis| axis.window).product();
        let window = self.axes[axis].window;
        let position = |cell: usize| cell / step % window;
        let counts = |cell: usize| self.mask[cell];
        let begins = |cell: &usize| counts(*cell) && (position(*cell) == 0 || !counts(*cell - step));
        let length =
            |cell: usize| (0..window - position(cell)).take_while(|n| counts(cell + n * step)).count();
        (0..self.mask.len()).filter(begins).map(|cell| (self.offset(cell), length(cell))).collect_vec()
    }

    /// For a step along `axis`: the axis, the offsets of the samples that leave, and of those that enter.
    pub(super) fn runs(&self, axis: usize) -> (usize, Vec<usize>, Vec<usize>) {
        let step: usize = self.axes[axis + 1..].iter().map(|axis| axis.window).product();
        let (window, stride) = (self.axes[axis].window, self.strides[axis]);
        let position = |cell: usize| cell / step % window;
        let (mut leave, mut enter) = (Vec::new(), Vec::new());
        for cell in (0..self.mask.len()).filter(|cell| self.mask[*cell]) {
            if position(cell) == 0 || !self.mask[cell - step] {
                memory::push(&mut leave, self.offset(cell));
            }
            if position(cell) == window - 1 || !self.mask[cell + step] {
                memory::push(&mut enter, self.offset(cell) + stride);
            }
        }
        (axis, leave, enter)
    }
}

/// Positions along an axis, with its strides in a padded band and in the output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dim {
    pub(super) len: usize,
    pub(super) padded: usize,
    pub(super) out: usize,
}

/// The places of all combinations of positions; the last of `dims` varies fastest.
pub(super) fn lines(dims: &[Dim]) -> impl Iterator<Item = LineStart> + '_ {
    let count: usize = dims.iter().map(|dim| dim.len).product();
    (0..count).map(|mut rest| {
        let mut line = LineStart { padded: 0, out: 0 };
        for dim in dims.iter().rev() {
            let position = rest % dim.len;
            rest /= dim.len;
            line.padded += position * dim.padded;
            line.out += position * dim.out;
        }
        line
    })
}

/// Keys that are read and compared together: loops of this length are vectorized, shorter ones are unrolled first.
/// Longer rows of a band are multiples of it, and a band is followed by this many keys.
pub(super) const LANES: usize = 128;

/// A line of pixels: where the window of its first pixel starts in the padded band, and where its results go.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineStart {
    pub(super) padded: usize,
    pub(super) out: usize,
}
