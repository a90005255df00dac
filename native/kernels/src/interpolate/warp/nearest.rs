//! Order 0: each pixel is one of the image, whose number is found along a row, axis by axis.
//!
//! ```text
//! for each row:
//!     starts = 0; for each axis: starts += floor(coordinate + 0.5) * stride
//!     for each point: copy the pixel at its start
//! ```
//!
//! SciPy multiplies a pixel by one and adds it to zero, in `f64`: that leaves all values of up to 32 bits as they are,
//! but makes -0.0 zero. In mode 'nearest' coordinates outside are moved to the border: the same pixel is nearest.

use crate::array::sample::Sample;
use crate::array::view::ViewMut;
use crate::border::Border;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::intervals::{Interval, interior};
use crate::interpolate::linear_coords::{AxisPoints, POINTS};
use crate::interpolate::warp::row::{RowAxis, WarpRow};
use crate::interpolate::warp::source::Warp;
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use crate::walk::rows::{RowMaker, RowWorker};

/// Coordinates beyond this are left to the general loop: SciPy's casts to integers end somewhere.
const FAR: f64 = 1e15;

/// Makes rows of a warp of order 0, of an image of fewer than 2^31 elements.
pub(super) struct NearestWarp<'p, 'm, T: Sample>(pub Warp<'p, 'm, T>);

impl<T: Sample> RowMaker for NearestWarp<'_, '_, T> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        let warp @ Warp { pixels, options, width, part, .. } = &self.0;
        let rank = pixels.spatial.len();
        let mut ends = (0..rank).map_while(|axis| interior::<1>(warp.samples(axis))).collect_vec();
        if ends.len() < rank {
            ends.clear();
        }
        let is_clamped = options.border == Border::Nearest && part.is_none();
        let intervals =
            if is_clamped { memory::filled((-FAR, FAR), ends.len()) } else { memory::copy(&ends) };
        Box::new(NearestWorker {
            warp,
            ends,
            intervals,
            row: WarpRow::new(*width, rank),
            starts: memory::zeros(width.next_multiple_of(POINTS)),
            last: 0,
        })
    }
}

struct NearestWorker<'w, 'p, 'm, T: Sample> {
    warp: &'w Warp<'p, 'm, T>,
    /// The first and the last sample on each axis; empty if there is none.
    ends: Vec<Interval>,
    /// Where a pixel of the image is nearest, without a look at the border.
    intervals: Vec<Interval>,
    row: WarpRow<1>,
    /// Element offsets of the pixels of a row that lie inside, from the start of the plane.
    starts: Vec<u32>,
    /// None of them is above this one.
    last: usize,
}

impl<T: Sample> NearestWorker<'_, '_, '_, T> {
    /// Fill a row with `convert`ed elements.
    fn fill_by<O: Sample>(&self, outer: &[usize], to: &mut [O], convert: impl Fn(T) -> O) {
        let Warp { pixels, options, .. } = self.warp;
        let (planes, fill) = (pixels.inner.len(), O::from_f64_rounded(options.fill));
        let WarpRow { covered, inside, edges, .. } = &self.row;
        to[..covered.start * planes].fill(fill);
        to[covered.end * planes..].fill(fill);
        let copied = &mut to[inside.start * planes..inside.end * planes];
        if !copied.is_empty() {
            let elements = &pixels.elements()[pixels.outer_offset(outer)..];
            let starts = PixelStarts { starts: &self.starts[..inside.len()], last: self.last };
            match (planes, pixels.is_interleaved()) {
                (2, true) => copy_pixels::<T, O, 2>(elements, starts, &[0], copied, convert),
                (3, true) => copy_pixels::<T, O, 3>(elements, starts, &[0], copied, convert),
                (4, true) => copy_pixels::<T, O, 4>(elements, starts, &[0], copied, convert),
                _ => copy_pixels::<T, O, 1>(elements, starts, &pixels.inner, copied, convert),
            }
        }
        self.warp.sum_edges(edges, outer, to);
    }

    /// Fill a row of the image's own type.
    fn copy<O: Sample>(&self, outer: &[usize], to: &mut [O]) -> bool {
        T::same_type(to).map(|to| self.fill_by(outer, to, T::through_f64)).is_some()
    }
}

/// Element offsets, none of which is above `last`.
#[derive(Debug, Clone, Copy)]
struct PixelStarts<'a> {
    starts: &'a [u32],
    last: usize,
}

/// Copy `COUNT` adjacent elements of each pixel, from each of the offsets on; those of a pixel lie side by side.
///
/// Not a kernel, so that it is compiled for the baseline: wider levels would use gather instructions here.
#[inline(always)]
fn copy_pixels<T: Sample, O: Sample, const COUNT: usize>(
    elements: &[T],
    PixelStarts { starts, last }: PixelStarts<'_>,
    offsets: &[usize],
    to: &mut [O],
    convert: impl Fn(T) -> O,
) {
    let farthest = offsets.iter().fold(0, |farthest, offset| farthest.max(*offset));
    assert!(last + farthest + COUNT <= elements.len(), "all pixels lie inside");
    let copy = |to: &mut [O; COUNT], at: usize| {
        // SAFETY: no start is above `last`, for which the assertion holds.
        let pixel = unsafe { *elements.as_ptr().add(at).cast::<[T; COUNT]>() };
        to.iter_mut().zip(pixel).for_each(|(to, from)| *to = convert(from));
    };
    let (pixels, _) = to.as_chunks_mut::<COUNT>();
    if let [offset] = offsets {
        pixels.iter_mut().zip(starts).for_each(|(to, start)| copy(to, *start as usize + offset));
        return;
    }
    for (plane, offset) in offsets.iter().enumerate() {
        let pixels = pixels[plane..].iter_mut().step_by(offsets.len());
        pixels.zip(starts).for_each(|(to, start)| copy(to, *start as usize + offset));
    }
}

impl<T: Sample> RowWorker for NearestWorker<'_, '_, '_, T> {
    fn start(&mut self, row: &[usize]) {
        let warp @ Warp { pixels, map, options, .. } = self.warp;
        self.row.place_points(map, row, warp.spatial(), &self.intervals, options);
        let (count, starts) = (self.row.inside.len(), &mut self.starts[..]);
        self.last = 0;
        for (axis, ends) in self.ends.iter().enumerate() {
            let (stride, offset_of_first) = (pixels.spatial[axis].1, warp.offset_of_first(axis));
            let span = NearestSpan { ends: *ends, stride, offset_of_first };
            self.last += ends.1 as usize * stride - offset_of_first;
            let is_first = axis == 0;
            match self.row.points_inside(map, row, axis, options) {
                RowAxis::List(points) => dispatch(AddOffsets { is_first, points, count, span, starts }),
                RowAxis::Linear(points) => dispatch(AddOffsets { is_first, points, count, span, starts }),
            }
        }
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        self.fill_by(outer, to, |element| element.to_f64() + 0.0);
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        self.copy(outer, to)
    }

    fn fill_floats(&mut self, outer: &[usize], to: &mut [f32]) -> bool {
        self.copy(outer, to)
    }

    fn fill_samples(&mut self, outer: &[usize], to: ViewMut<'_>) -> bool {
        match_dtype!(ViewMut, to, to => {
            let mut to = to;
            to.as_slice_mut().is_some_and(|to| self.copy(outer, to))
        })
    }
}

/// Where the samples of an axis are.
#[derive(Debug, Clone, Copy)]
struct NearestSpan {
    /// The first and the last sample in memory.
    ends: Interval,
    stride: usize,
    /// Offset of the first one relative to sample 0.
    offset_of_first: usize,
}

/// Adds the offsets of the nearest samples on one axis. Points beyond the ends are moved there, NaN to the first.
struct AddOffsets<'a, P> {
    is_first: bool,
    points: P,
    count: usize,
    span: NearestSpan,
    starts: &'a mut [u32],
}

impl<P: AxisPoints> Kernel for AddOffsets<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // Past the last point, coordinates are moved to the ends like all others.
        let Self { is_first, points, count, span, starts } = self;
        let NearestSpan { ends: (first, last), stride, offset_of_first } = span;
        let (stride, offset_of_first) = (stride as u32, offset_of_first as u32);
        for (point, start) in starts[..points.whole(count)].iter_mut().enumerate() {
            let x = points.coordinate(point);
            let x = if x > first { x } else { first };
            let x = if x < last { x } else { last };
            // SAFETY: between 0 and a length below 2^31, so truncation is `floor`.
            let sample = unsafe { (x + 0.5).to_int_unchecked::<i32>() } as u32;
            let along = sample.wrapping_mul(stride).wrapping_sub(offset_of_first);
            *start = if is_first { along } else { start.wrapping_add(along) };
        }
    }
}
