//! Rank filters: the sample of a given rank in a window around each pixel; median, minimum and maximum among them.
//!
//! A sample is first turned into an unsigned integer of its own width that sorts like the sample ([`key`]), so that
//! four widths serve every dtype. The picture is worked on in bands of its first axis. A band is copied with its
//! border into a buffer of keys, the ranks are selected there, and the samples stored. The selection is
//!
//! * for the extremes of a full box, which has a function of its own, a comparison along one axis after the other
//!   ([`boxes`]);
//! * for the extremes of other windows a comparison of runs of neighbours ([`extreme`]);
//! * for the medians of 3×3 and 5×5 boxes a network that shares sorted columns ([`columns`]);
//! * for large boxes of bytes a count of the samples below each threshold ([`counts`]);
//! * for small windows a sorting network, cut down to what the wanted rank needs, whose lanes are neighbouring
//!   pixels ([`network`]): no branches, and SIMD;
//! * for large ones a histogram of the window that slides along the axis on which the fewest samples enter and
//!   leave ([`histogram`]).
//!
//! All give the exact sample: which of them runs is a matter of speed alone.

use std::ops::Range;

use crate::array::sample::Cast;
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Convert, Kernel, dispatch};
use crate::match_dtype;
use crate::memory;
use band::store_as_double;
pub use boxes::{BoxWindow, box_extremum};
use counts::Counted;
use extreme::Extreme;
pub use extreme::raised_extremum;
use histogram::Slide;
use key::{Key, Rankable};
use layout::{Axis, Cells, Dim, Layout, lines};
use network::Network;

mod band;
mod boxes;
mod columns;
mod counts;
mod extreme;
mod histogram;
mod key;
mod layout;
mod network;

/// Keys that are read and compared side by side: loops of so many are vectorised whole, shorter ones are unrolled
/// before. Rows of a band are multiples of them if they are longer, and a band has so many more behind its last row.
const LANES: usize = 128;

/// Windows of more samples than this slide with a histogram.
const LARGEST_NETWORK: usize = 81;

/// Full boxes of bytes, of more samples than this, are counted.
const LARGEST_UNCOUNTED: usize = 49;

/// The samples around a pixel that are ranked.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Its length along every axis of the image.
    pub shape: &'a [usize],
    /// Which of its cells count, in C order.
    pub mask: &'a [bool],
    /// How far it is moved from its place, half its length ahead of the pixel, towards lower indices.
    pub origins: &'a [isize],
}

/// The value outside the image, and with it the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outside {
    /// Samples pass through `f64`, as in SciPy's N-D filter: 64-bit integers lose bits above 2^53.
    Double(f64),
    /// Samples stay what they are, as in SciPy's one-dimensional filter of 64-bit integers.
    Exact(i64),
}

/// The sample of rank `rank`, counted from the smallest, in the window around each pixel.
///
/// NaN, of either sign, comes after every number. Both arrays are in C order.
///
/// # Errors
///
/// When the window does not belong to the image, lies beside the pixel or has no such rank, and when there is no
/// memory for a band of the image with its border.
pub fn rank_filter(
    input: &View<'_>,
    output: ViewMut<'_>,
    window: Window<'_>,
    rank: usize,
    border: Border,
    outside: Outside,
) -> Result<()> {
    if input.shape() != output.shape() {
        return Err(KernelError::shape(format!(
            "input shape {:?} is not output shape {:?}",
            input.shape(),
            output.shape()
        )));
    }
    let plan = Plan::new(input.shape(), window, rank, border, input.sample_bytes())?;
    if input.is_empty() {
        return Ok(());
    }
    match_dtype!(View, input, array => {
        let data = array.as_slice().ok_or_else(|| KernelError::shape("the input is not in C order"))?;
        plan.layout.for_each_band(output, plan.taps.len(), |rows, padded, band| {
            plan.filter_band(data, rows, padded, band, outside);
        })
    })
}

#[derive(Debug)]
enum Selection {
    Extreme(Extreme),
    Columns(Counted),
    Network(Network),
    Slide { axis: usize, slide: Slide },
}

/// What is known before a pixel is seen.
#[derive(Debug)]
struct Plan {
    layout: Layout,
    /// Offsets of the samples of a window from its first cell, in a band with its border.
    taps: Vec<usize>,
    rank: usize,
    selection: Selection,
    /// For bytes, in place of the selection.
    counted: Option<Counted>,
}

impl Plan {
    fn new(
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
        // Where not even the window fits, callers filter a part of the image at a time.
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
        } else if count <= LARGEST_NETWORK {
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
            counted.filter(|counted| !extreme && count > LARGEST_UNCOUNTED && counted.grid.is_countable());
        Ok(Self { layout, taps, rank, selection, counted })
    }

    fn filter_band<T: Rankable>(
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
            // SciPy has other filters for the extreme ranks, and these do without the second cast.
            let again = self.rank > 0 && self.rank + 1 < self.taps.len();
            store_as_double::<T>(&keys, again, Cast::Filtered, output);
        }
    }

    /// Give `sink` the selected keys of a band, piece by piece, each with its place in the band's output.
    fn select<K: Key>(&self, padded: &mut [K], rows: usize, sink: &mut dyn FnMut(usize, &[K])) {
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
                    dispatch(SelectRow { network, taps: &self.taps, padded, out, lanes });
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

/// Select the rank for a row of pixels.
struct SelectRow<'a, K: Key> {
    network: &'a Network,
    taps: &'a [usize],
    padded: &'a [K],
    out: &'a mut [K],
    lanes: &'a mut [K::Lanes],
}

impl<K: Key> Kernel for SelectRow<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { network, taps, padded, out, lanes } = self;
        network.select_row(padded, taps, out, lanes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::threads::LocalThreads;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    /// The definition: sort the samples under the window.
    fn plain(image: &ArrayD<i16>, window: Window<'_>, rank: usize, border: Border, fill: i16) -> ArrayD<i16> {
        ArrayD::from_shape_fn(image.raw_dim(), |index| {
            let index: Vec<usize> = (0..image.ndim()).map(|axis| index[axis]).collect();
            let mut samples = Vec::new();
            for (cell, _) in window.mask.iter().enumerate().filter(|(_, counts)| **counts) {
                let mut rest = cell;
                let mut at = vec![Some(0); index.len()];
                for axis in (0..index.len()).rev() {
                    let length = window.shape[axis];
                    let ahead = (length / 2) as isize + window.origins[axis];
                    let position = (index[axis] + rest % length) as isize - ahead;
                    rest /= length;
                    at[axis] = border.index(position, image.shape()[axis]);
                }
                let at: Option<Vec<usize>> = at.into_iter().collect();
                samples.push(at.map_or(fill, |at| image[at.as_slice()]));
            }
            samples.sort_unstable();
            samples[rank]
        })
    }

    fn noise(shape: &[usize]) -> ArrayD<i16> {
        let mut state = 1_u32;
        ArrayD::from_shape_simple_fn(shape, || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 20) as i16 - 2048
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn equals_sorting_at_any_thread_count(
            axes in prop::collection::vec((1_usize..9, 1_usize..5, any::<prop::sample::Index>()), 1..4),
            large in any::<bool>(),
            holes in any::<u64>(),
            rank in any::<prop::sample::Index>(),
            code in 0..7,
            threads in 1_usize..4,
        ) {
            let stretch = if large { 5 } else { 1 };
            let shape: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let lengths: Vec<usize> = axes.iter().map(|axis| if axis.1 > 1 { axis.1 * stretch } else { 1 }).collect();
            let origins: Vec<isize> = axes.iter().zip(&lengths)
                .map(|(axis, length)| axis.2.index(*length) as isize - (*length / 2) as isize).collect();
            let cells: usize = lengths.iter().product();
            prop_assume!(cells < 3000);
            let mut mask: Vec<bool> = (0..cells).map(|cell| holes >> (cell % 61) & 3 != 0).collect();
            mask[rank.index(cells)] = true;
            let window = Window { shape: &lengths, mask: &mask, origins: &origins };
            let rank = rank.index(mask.iter().filter(|cell| **cell).count());
            let border = Border::from_code(code).unwrap();
            let image = noise(&shape);
            let mut output = ArrayD::zeros(image.raw_dim());
            let _threads = LocalThreads::new(threads);
            let view = ViewMut::I16(output.view_mut());
            rank_filter(&View::I16(image.view()), view, window, rank, border, Outside::Double(77.9)).unwrap();
            prop_assert_eq!(output, plain(&image, window, rank, border, 77));
        }
    }

    #[test]
    fn bands_meet_without_a_seam() {
        let image = noise(&[700, 130, 2]);
        let (shape, mask) = ([5, 3, 1], [true; 15]);
        let window = Window { shape: &shape, mask: &mask, origins: &[1, 0, 0] };
        let mut output = ArrayD::zeros(image.raw_dim());
        let _threads = LocalThreads::new(3);
        let view = ViewMut::I16(output.view_mut());
        rank_filter(&View::I16(image.view()), view, window, 7, Border::Mirror, Outside::Double(0.0)).unwrap();
        assert_eq!(output, plain(&image, window, 7, Border::Mirror, 0));
    }

    #[test]
    fn wide_integers_lose_bits_unless_asked_not_to() {
        let image = ArrayD::from_shape_vec(vec![3], vec![(1_i64 << 53) + 1, i64::MAX, i64::MIN]).unwrap();
        let window = Window { shape: &[3], mask: &[true; 3], origins: &[0] };
        let filter = |outside| {
            let mut output = ArrayD::zeros(image.raw_dim());
            let view = ViewMut::I64(output.view_mut());
            rank_filter(&View::I64(image.view()), view, window, 1, Border::Nearest, outside).unwrap();
            output.into_raw_vec_and_offset().0
        };
        assert_eq!(filter(Outside::Exact(0)), [(1 << 53) + 1, (1 << 53) + 1, i64::MIN]);
        assert_eq!(filter(Outside::Double(0.0)), [1 << 53, 1 << 53, i64::MIN]);
    }

    #[test]
    fn impossible_windows_are_refused() {
        let image = noise(&[4, 4]);
        let filter = |shape: &[usize], mask: &[bool], origins: &[isize], rank| {
            let mut output = image.clone();
            let window = Window { shape, mask, origins };
            let view = ViewMut::I16(output.view_mut());
            rank_filter(&View::I16(image.view()), view, window, rank, Border::Nearest, Outside::Double(0.0))
        };
        assert!(matches!(filter(&[1], &[true], &[0], 0), Err(KernelError::Shape(_))));
        assert!(matches!(filter(&[1, 2], &[true], &[0, 0], 0), Err(KernelError::Shape(_))));
        assert!(matches!(filter(&[1, 2], &[true; 2], &[0, 1], 0), Err(KernelError::Parameter(_))));
        assert!(matches!(filter(&[1, 2], &[true, false], &[0, 0], 1), Err(KernelError::Parameter(_))));
    }
}
