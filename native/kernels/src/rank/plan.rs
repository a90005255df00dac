//! The plan of a rank filter: layout, taps and selection, known before a pixel is read.

use crate::array::sample::Cast;
use crate::array::view::ViewMut;
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Convert, Kernel, dispatch};
use crate::memory;
use crate::rank::band::store_as_double;
use crate::rank::columns;
use crate::rank::counts::Counted;
use crate::rank::extreme::Extreme;
use crate::rank::histogram::Slide;
use crate::rank::key::{Key, Rankable};
use crate::rank::layout::{Cells, Dim, Layout, lines};
use crate::rank::network::Network;
use std::ops::Range;

/// Larger windows use a sliding histogram.
const MAX_NETWORK: usize = 81;

/// Larger full boxes of bytes are counted.
const MAX_UNCOUNTED: usize = 49;

/// The samples around a pixel that are ranked.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Its length along every axis of the image.
    pub shape: &'a [usize],
    /// Which of its cells are selected, in C order.
    pub mask: &'a [bool],
    /// Shifts the window, which starts half its length before the pixel, towards lower indices.
    pub origins: &'a [isize],
}

/// The value outside the image, which also decides the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outside {
    /// Samples pass through `f64`, as in SciPy's N-D filter: 64-bit integers lose bits above 2^53.
    Double(f64),
    /// Samples keep their values, as in SciPy's one-dimensional filter of 64-bit integers.
    Exact(i64),
}

#[derive(Debug)]
enum Selection {
    Extreme(Extreme),
    Columns(Counted),
    Network(Network),
    Slide { axis: usize, slide: Slide },
}

/// Everything that is known before a pixel is read.
#[derive(Debug)]
pub(super) struct RankPlan {
    pub layout: Layout,
    /// Offsets of the samples of a window from its first cell, in a padded band.
    pub taps: Vec<usize>,
    pub rank: usize,
    selection: Selection,
    /// Replaces the selection for bytes.
    counted: Option<Counted>,
}

impl RankPlan {
    pub fn new(
        shape: &[usize],
        window: Window<'_>,
        rank: usize,
        border: Border,
        key_bytes: usize,
    ) -> Result<Self> {
        let Window { shape: lengths, mask, origins } = window;
        let count = mask.iter().filter(|cell| **cell).count();
        let cells = lengths.iter().try_fold(1_usize, |product, length| product.checked_mul(*length));
        if cells != Some(mask.len()) {
            let message = format!("{} cells for a window of shape {lengths:?}", mask.len());
            return Err(KernelError::shape(message));
        }
        if rank >= count || u32::try_from(count).is_err() {
            return Err(KernelError::parameter(format!(
                "there is no rank {rank} in a window of {count} samples"
            )));
        }
        let mut layout =
            Layout::new(shape, lengths, origins, &memory::filled(border, shape.len()), key_bytes)?;
        // If not even the window fits, callers filter a part of the image at a time.
        layout.fit(key_bytes);
        let Layout { axes, inner, padded_strides, .. } = &layout;
        let cells = Cells { mask, axes, strides: padded_strides };
        memory::check::<usize>(count)?;
        let taps = cells.taps();
        let full = count == mask.len();
        let counted = if full { Counted::new(axes, *inner, padded_strides) } else { None };
        let extreme = rank == 0 || rank == count - 1;
        let selection = if let Some(counted) = &counted
            && columns::is_median(&counted.grid, rank)
        {
            Selection::Columns(*counted)
        } else if extreme {
            Selection::Extreme(Extreme::new(&cells, rank > 0))
        } else if count <= MAX_NETWORK {
            Selection::Network(Network::new(count, rank))
        } else {
            let (axis, leave, enter) = (0..axes.len())
                .filter(|axis| axes[*axis].window > 1)
                .map(|axis| cells.runs(axis))
                .min_by_key(|(_, leave, _)| leave.len())
                .ok_or_else(|| KernelError::parameter("a window of one cell with many samples"))?;
            let slide =
                Slide { padded_step: padded_strides[axis], out_step: layout.strides[axis], leave, enter };
            Selection::Slide { axis, slide }
        };
        let counted =
            counted.filter(|counted| !extreme && count > MAX_UNCOUNTED && counted.grid.is_countable());
        Ok(Self { layout, taps, rank, selection, counted })
    }

    pub fn filter_band<T: Rankable>(
        &self,
        data: &[T],
        rows: Range<usize>,
        padded: &mut [T::Key],
        mut output: ViewMut<'_>,
        outside: Outside,
    ) {
        let fill = match outside {
            Outside::Double(value) => T::from_f64_truncated(value),
            Outside::Exact(value) => T::from_i64(value),
        };
        self.layout.pad(data, &rows, T::key, fill.key(), padded);
        let unchanged = T::FITS_DOUBLE || matches!(outside, Outside::Exact(_));
        if unchanged && let Some(output) = T::slice_of(&mut output) {
            self.select(padded, rows.len(), &mut |place, keys| {
                let to = &mut output[place..place + keys.len()];
                dispatch(Convert { from: keys, to, convert: T::from_key });
            });
        } else {
            let mut keys = memory::zeros(rows.len() * self.layout.strides[0]);
            self.select(padded, rows.len(), &mut |place, selected| {
                keys[place..place + selected.len()].copy_from_slice(selected);
            });
            // SciPy has separate filters for the extreme ranks, which do without the second cast.
            let again = self.rank > 0 && self.rank + 1 < self.taps.len();
            store_as_double::<T>(&keys, again, Cast::Filtered, output);
        }
    }

    /// Pass the selected keys of a band to `sink`, piece by piece, each with its place in the band's output.
    pub fn select<K: Key>(&self, padded: &mut [K], rows: usize, sink: &mut dyn FnMut(usize, &[K])) {
        let mut dims = self.layout.dims(rows);
        if let (Some(counted), Some((bytes, keys))) = (&self.counted, K::as_bytes(padded)) {
            let (plane, dims) = counted.plane(dims);
            let mut sink = |place: usize, bytes: &[u8]| sink(place, keys(bytes));
            counted.grid.count(bytes, self.rank, plane, lines(&dims), &mut sink);
            return;
        }
        match &self.selection {
            Selection::Extreme(extreme) => {
                let row = dims.pop().map_or(0, |last| last.len * last.out);
                let mut out = memory::zeros(rows * self.layout.strides[0]);
                extreme.select(padded, &dims, row, &mut out);
                sink(0, &out);
            }
            Selection::Columns(counted) => {
                let (plane, dims) = counted.plane(dims);
                columns::medians(counted.grid, padded, plane, lines(&dims), sink);
            }
            Selection::Network(network) => {
                let row = dims.pop().map_or(0, |last| last.len * last.out);
                let (mut out, mut lanes) = (memory::zeros(row), memory::filled(K::LANES, self.taps.len()));
                for line in lines(&dims) {
                    let (padded, out, lanes) = (&padded[line.padded..], &mut out, &mut lanes);
                    dispatch(SelectNetworkRow { network, taps: &self.taps, padded, out, lanes });
                    sink(line.out, out);
                }
            }
            Selection::Slide { axis, slide } => {
                let mut out = memory::zeros(rows * self.layout.strides[0]);
                let along = dims.remove(*axis);
                memory::push(&mut dims, Dim { len: self.layout.inner, padded: 1, out: 1 });
                slide.select(padded, &self.taps, self.rank as u32, lines(&dims), along.len, &mut out);
                sink(0, &out);
            }
        }
    }
}

/// Selects the rank for a row of pixels.
struct SelectNetworkRow<'a, K: Key> {
    network: &'a Network,
    taps: &'a [usize],
    padded: &'a [K],
    out: &'a mut [K],
    lanes: &'a mut [K::Lanes],
}

impl<K: Key> Kernel for SelectNetworkRow<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { network, taps, padded, out, lanes } = self;
        network.select_row(padded, taps, out, lanes);
    }
}
