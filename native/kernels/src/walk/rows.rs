//! Make an image row by row: a worker fills a row of `f64`, which is stored by the rounding cast, or the row itself.
//!
//! The axes of an image are `[outer…, spatial…, inner…]`. Outer and inner axes hold planes, which share every
//! coordinate: a row is one line along the last spatial axis with all its inner planes beside it.

use crate::array::sample::Sample;
use crate::array::view::{ViewMut, copy_lines};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Convert, dispatch};
use crate::exec::threads;
use crate::interpolate::bilinear::{Bytes, Part, Sum};
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use ndarray::{ArrayD, ArrayView, ArrayViewD, ArrayViewMutD, Axis};

/// How the axes of an image are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes {
    /// Number of leading plane axes.
    pub outer: usize,
    /// Number of spatial axes, at least 1.
    pub spatial: usize,
}

/// Refuse arrays without a spatial axis, or whose planes differ.
pub fn check_planes(input: &[usize], output: &[usize], input_axes: Axes, output_axes: Axes) -> Result<()> {
    fn planes(shape: &[usize], axes: Axes) -> Option<(&[usize], &[usize])> {
        let last = axes.outer + axes.spatial;
        (axes.spatial > 0 && shape.len() >= last).then(|| (&shape[..axes.outer], &shape[last..]))
    }
    match (planes(input, input_axes), planes(output, output_axes)) {
        (Some(a), Some(b)) if a == b => Ok(()),
        _ => Err(KernelError::shape(format!("planes of {input:?} and {output:?} do not match"))),
    }
}

/// Bring spatial axes that only carry planes along to the others of their kind: the order of all axes that does it.
///
/// `moving` are the spatial axes that stay spatial, one at least, and `still` the others; both count from 0.
pub fn carry_along(outer: usize, still: Vec<usize>, moving: &[usize], ndim: usize) -> (Vec<usize>, Axes) {
    let last = *moving.last().expect("one axis is kept");
    let inner = outer + still.len() + moving.len()..ndim;
    let before = still.iter().copied().filter(|axis| *axis < last).collect_vec();
    let behind = still.into_iter().filter(|axis| *axis >= last).collect_vec();
    let axes = Axes { outer: outer + before.len(), spatial: moving.len() };
    let order = (0..outer).chain(before).chain(moving.iter().copied()).chain(behind).chain(inner);
    (order.collect_vec(), axes)
}

/// Take so many axes from those that are `still` that `least` of `rank` move, the longest ones first.
pub fn let_move(still: &mut Vec<usize>, rank: usize, least: usize, len: impl Fn(usize) -> usize) {
    while rank - still.len() < least {
        let longest = (0..still.len()).max_by_key(|place| len(still[*place]));
        still.remove(longest.expect("fewer move than there are axes"));
    }
}

/// The least number of axes to count as moving, of this many: order 1 has a fast way for two, and none for one; if none
/// behind the first moved, all of an image would be one row.
pub const fn least_moving(rank: usize) -> usize {
    if rank < 2 { rank } else { 2 }
}

/// Gives each thread its own [`RowWorker`].
pub trait RowMaker: Sync {
    /// A worker with scratch memory of its own.
    fn worker(&self) -> Box<dyn RowWorker + '_>;
}

/// Computes rows.
pub trait RowWorker {
    /// Get ready for rows of this outer plane, and maybe of others.
    fn start_plane(&mut self, _outer: &[usize]) {}

    /// Get ready for the row at this position on the spatial axes but the last.
    fn start(&mut self, row: &[usize]);

    /// Fill the row of this outer plane: all inner planes of the first pixel, then of the second, and so on.
    fn fill(&mut self, outer: &[usize], to: &mut [f64]);

    /// Put what [`fill`](Self::fill) and the rounding cast would give straight into `to`; false where it cannot.
    fn fill_bytes(&mut self, _outer: &[usize], _to: &mut [u8]) -> bool {
        false
    }

    /// As [`fill_bytes`](Self::fill_bytes).
    fn fill_floats(&mut self, _outer: &[usize], _to: &mut [f32]) -> bool {
        false
    }
}

/// Samples of outer planes that are made together. Their rows share coordinates; more would not stay in the second
/// cache from one row to the next.
const PLANES_TOGETHER: usize = 1 << 16;

/// Bytes that a plane reaches over if it is asked for before its turn.
const LARGE: usize = 1 << 22;

/// Bytes that come into the cache together.
pub(crate) const CACHE_LINE: usize = 64;

/// Fill `output`, an image with these axes, on one or more threads; `cost` estimates the nanoseconds of a sample.
pub fn make_rows(output: ViewMut<'_>, axes: Axes, cost: usize, maker: &dyn RowMaker) {
    if output.is_empty() {
        return;
    }
    let keep: Vec<usize> = (axes.outer + axes.spatial - 1..output.ndim()).collect_vec();
    let count = threads::blocks_for(output.len().saturating_mul(cost));
    let mut blocks = Vec::new();
    let planes: Vec<usize> = (axes.outer..output.ndim()).collect_vec();
    let groups = output.len() / PLANES_TOGETHER;
    let groups = output.split_blocks(&planes, groups.max(1));
    let count = count.div_ceil(groups.len());
    for (first, group) in groups {
        for (mut origin, block) in group.split_blocks(&keep, count) {
            origin.iter_mut().zip(&first).for_each(|(origin, first)| *origin += first);
            memory::push(&mut blocks, (origin, block));
        }
    }
    threads::for_each_block(blocks, |(origin, block)| {
        let worker = &mut *maker.worker();
        match block {
            ViewMut::U8(block) => make_block(block, &origin, axes, worker, RowWorker::fill_bytes),
            ViewMut::F32(block) => make_block(block, &origin, axes, worker, RowWorker::fill_floats),
            block => match_dtype!(ViewMut, block, block => {
                make_block(block, &origin, axes, worker, |_, _, _| false);
            }),
        }
    });
}

fn make_block<'w, T: Sample>(
    mut block: ArrayViewMutD<'_, T>,
    origin: &[usize],
    axes: Axes,
    worker: &mut (dyn RowWorker + 'w),
    fill_directly: impl Fn(&mut (dyn RowWorker + 'w), &[usize], &mut [T]) -> bool,
) {
    let lead = axes.outer + axes.spatial - 1;
    let (outer_shape, row_shape) = block.shape()[..lead].split_at(axes.outer);
    let (outer_shape, row_shape) = (memory::copy(outer_shape), memory::copy(row_shape));
    let row_len: usize = block.shape()[lead..].iter().product();
    let row_count: usize = row_shape.iter().product();
    let mut values = Vec::new();
    let mut fill = |worker: &mut (dyn RowWorker + 'w), outer: &[usize], to: &mut [T]| {
        if !fill_directly(worker, outer, to) {
            memory::resize(&mut values, row_len, 0.0);
            worker.fill(outer, &mut values);
            dispatch(Convert { from: &values, to, convert: T::from_f64_rounded });
        }
    };
    let shapes = (&outer_shape[..], &row_shape[..]);
    if let Some(elements) = block.as_slice_mut() {
        each_row(worker, shapes, origin, |worker, row| {
            let start = (row.outer_number * row_count + row.number) * row_len;
            fill(worker, row.outer, &mut elements[start..start + row_len]);
        });
        return;
    }
    let mut odd_row = Vec::new();
    each_row(worker, shapes, origin, |worker, row| {
        let mut target = block.view_mut();
        let inside_block = row.outer.iter().chain(row.row).zip(origin).map(|(index, first)| index - first);
        inside_block.for_each(|index| target.index_axis_inplace(Axis(0), index));
        if let Some(target) = target.as_slice_mut() {
            fill(worker, row.outer, target);
        } else {
            memory::resize(&mut odd_row, row_len, T::default());
            fill(worker, row.outer, &mut odd_row);
            let filled = ArrayView::from_shape(target.raw_dim(), &odd_row).expect("room for a row");
            copy_lines(filled, target, |element| element);
        }
    });
}

/// Which row of which outer plane.
struct RowIndex<'a> {
    outer: &'a [usize],
    row: &'a [usize],
    /// Both counted in C order from the beginning of the block.
    outer_number: usize,
    number: usize,
}

/// Start one row after another, and visit it in every outer plane.
fn each_row<'w>(
    worker: &mut (dyn RowWorker + 'w),
    (outer_shape, row_shape): (&[usize], &[usize]),
    origin: &[usize],
    mut visit: impl FnMut(&mut (dyn RowWorker + 'w), RowIndex<'_>),
) {
    let counts = (outer_shape.iter().product(), row_shape.iter().product());
    let (mut outer, mut row) =
        (Counter::new(outer_shape, origin), Counter::new(row_shape, &origin[outer_shape.len()..]));
    for _ in 0..counts.0 {
        worker.start_plane(&outer.index);
        outer.step();
    }
    for number in 0..counts.1 {
        worker.start(&row.index);
        for outer_number in 0..counts.0 {
            visit(worker, RowIndex { outer: &outer.index, row: &row.index, outer_number, number });
            outer.step();
        }
        row.step();
    }
}

/// The indices of a block in C order, and again from the first.
struct Counter<'a> {
    shape: &'a [usize],
    origin: &'a [usize],
    index: Vec<usize>,
}

impl<'a> Counter<'a> {
    fn new(shape: &'a [usize], origin: &'a [usize]) -> Self {
        Self { shape, origin, index: memory::copy(&origin[..shape.len()]) }
    }

    fn step(&mut self) {
        for (position, (len, first)) in self.index.iter_mut().zip(self.shape.iter().zip(self.origin)).rev() {
            *position += 1;
            if *position < first + len {
                return;
            }
            *position = *first;
        }
    }
}

/// Step to the next index in C order; false after the last.
pub fn advance(index: &mut [usize], shape: &[usize]) -> bool {
    for (position, len) in index.iter_mut().zip(shape).rev() {
        *position += 1;
        if *position < *len {
            return true;
        }
        *position = 0;
    }
    false
}

/// How far each position on axes of this shape lies from the first, in C order; modulo 2^64.
pub(crate) fn offsets(shape: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut offsets = Vec::new();
    if shape.iter().all(|len| *len > 0) {
        let mut index = memory::zeros(shape.len());
        loop {
            let steps = index.iter().zip(strides).map(|(index, stride)| usize::wrapping_mul(*index, *stride));
            memory::push(&mut offsets, steps.fold(0, usize::wrapping_add));
            if !advance(&mut index, shape) {
                break;
            }
        }
    }
    offsets
}

/// Whether the elements fill one piece of memory, in any order of the axes but forwards: [`Pixels`] has no need of a copy.
pub(crate) fn lies_as_gathered<T>(array: &ArrayViewD<'_, T>) -> bool {
    array.strides().iter().all(|stride| *stride >= 0) && array.as_slice_memory_order().is_some()
}

/// Samples of a row that are worked on, and kept, as a whole; longer ones are cut.
pub(crate) const LONGEST_ROW: usize = 1 << 16;

/// Samples of a row with all its inner planes; more of them are cut.
const WIDEST_ROW: usize = 1 << 19;

/// The inner axis to cut if rows are too wide: planes share coordinates, whether they are made together or not.
pub(crate) fn cut_planes(shape: &[usize], axes: Axes) -> Option<usize> {
    let last = axes.outer + axes.spatial;
    let is_wide = shape[last - 1..].iter().fold(1, |row, len| usize::saturating_mul(row, *len)) > WIDEST_ROW;
    let widest = (last..shape.len()).max_by_key(|axis| shape[*axis]);
    widest.filter(|axis| is_wide && shape[*axis] > 1)
}

/// Bytes of a copy of an image: no more.
const MOST_COPIED: usize = 4 << 20;

/// Bytes of a copy that is made however small the output is.
const LITTLE: usize = 1 << 16;

/// Whether to make an output of so many samples from parts of an image, rather than from a copy that takes `bytes`.
pub(crate) fn is_better_in_parts(image_len: usize, bytes: usize, output_len: usize) -> bool {
    bytes > LITTLE && (bytes > MOST_COPIED || image_len / 4 > output_len)
}

/// An image to read pixels from: its elements as one slice, and how far apart neighbours lie in it.
pub struct Pixels<'a, T: Sample> {
    elements: std::borrow::Cow<'a, [T]>,
    /// Distance of neighbours along each outer axis.
    pub outer: Vec<usize>,
    /// Length and distance of neighbours along each spatial axis.
    pub spatial: Vec<(usize, usize)>,
    /// Where each inner plane begins, in C order.
    pub inner: Vec<usize>,
}

impl<'a, T: Sample> Pixels<'a, T> {
    /// The pixels of an array; its elements are copied only if they do not fill one piece of memory.
    pub fn new(array: ArrayViewD<'a, T>, axes: Axes) -> Self {
        let strides = array.strides().iter().map(|stride| stride.unsigned_abs()).collect_vec();
        let is_borrowed = lies_as_gathered(&array);
        match array.to_slice_memory_order().filter(|_| is_borrowed) {
            Some(elements) => {
                Self::from_elements(std::borrow::Cow::Borrowed(elements), array.shape(), strides, axes)
            }
            None => Self::of_copy(in_c_order(array), axes),
        }
    }

    /// The pixels of an array in C order.
    pub fn of_copy(array: ArrayD<T>, axes: Axes) -> Self {
        let shape = memory::copy(array.shape());
        // Those of an array without elements are all zero.
        let strides = (1..=shape.len()).map(|axis| shape[axis..].iter().product()).collect_vec();
        let elements = std::borrow::Cow::Owned(array.into_raw_vec_and_offset().0);
        Self::from_elements(elements, &shape, strides, axes)
    }

    fn from_elements(
        elements: std::borrow::Cow<'a, [T]>,
        shape: &[usize],
        strides: Vec<usize>,
        axes: Axes,
    ) -> Self {
        let last = axes.outer + axes.spatial;
        Self {
            elements,
            outer: memory::copy(&strides[..axes.outer]),
            spatial: (axes.outer..last).map(|axis| (shape[axis], strides[axis])).collect_vec(),
            inner: offsets(&shape[last..], &strides[last..]),
        }
    }

    /// All elements, in an order of their own.
    #[inline(always)]
    pub fn elements(&self) -> &[T] {
        &self.elements
    }

    /// Where the first element of an outer plane lies.
    pub fn outer_offset(&self, outer: &[usize]) -> usize {
        outer.iter().zip(&self.outer).map(|(index, stride)| index * stride).sum()
    }

    /// Bring a small outer plane into the cache row by row, which is several times as fast as along slanting lines.
    pub fn read_ahead(&self, outer: &[usize]) {
        let (Some(inner), [rows @ .., (len, right)]) = (self.inner.last(), &self.spatial[..]) else { return };
        let ([(count, down)], true) = (rows, *len > 0 && !outer.is_empty()) else { return };
        let (extent, start) = ((len - 1) * right + inner + 1, self.outer_offset(outer));
        if count * extent > PLANES_TOGETHER {
            return;
        }
        let line = (CACHE_LINE / size_of::<T>()).max(1);
        for row in 0..*count {
            let row = &self.elements[start + row * down..][..extent];
            for element in row.iter().step_by(line) {
                std::hint::black_box(*element);
            }
        }
    }

    /// Whether the inner planes of a pixel lie side by side.
    pub fn is_interleaved(&self) -> bool {
        self.inner.iter().enumerate().all(|(plane, offset)| plane == *offset)
    }
}

impl<T: Sample> Pixels<'_, T> {
    /// The distances of rows and of columns, of an image of two spatial axes.
    fn strides(&self) -> [usize; 2] {
        [self.spatial[0].1, self.spatial[1].1]
    }

    /// Order 1 at points of two spatial axes, in the plane whose first element is at `start`, for every inner plane;
    /// stored by the rounding cast.
    pub(crate) fn blend<O: Sample>(&self, start: usize, points: Part<'_>, to: &mut [O]) {
        let elements = &self.elements[start..];
        let (strides, is_large) = (self.strides(), self.is_large());
        dispatch(Sum { elements, strides, inner: &self.inner, is_large, points, to });
    }

    /// As [`blend`](Self::blend), of bytes to bytes; only if [`blends_bytes`](Self::blends_bytes).
    pub(crate) fn blend_bytes(&self, start: usize, points: Part<'_>, to: &mut [u8]) {
        let elements = &T::as_bytes(&self.elements).expect("these are bytes")[start..];
        let (down, planes, is_large) = (self.strides()[0], self.inner.len(), self.is_large());
        dispatch(Bytes { elements, down, planes, is_large, points, to });
    }

    /// Whether neighbours come from beyond the caches; processors do not foresee them along slanting lines.
    fn is_large(&self) -> bool {
        self.spatial.iter().any(|(len, stride)| len * stride * size_of::<T>() >= LARGE)
    }

    /// Whether these are bytes on two spatial axes, at most four to a pixel, and pixels of a row lie side by side.
    pub(crate) fn blends_bytes(&self) -> bool {
        let planes = self.inner.len();
        T::as_bytes(&self.elements).is_some()
            && self.spatial.len() == 2
            && self.spatial[1].1 == planes
            && (1..=4).contains(&planes)
            && self.is_interleaved()
    }
}

/// A copy in C order.
fn in_c_order<T: Sample>(array: ArrayViewD<'_, T>) -> ArrayD<T> {
    let mut copy = memory::zero_array(array.shape());
    copy_lines(array, copy.view_mut(), |element| element);
    copy
}

/// Reads a line of pixels with all inner planes, whatever the element type.
pub(crate) trait ReadRow: Sync {
    /// Number of inner planes.
    fn planes(&self) -> usize;

    /// Where the first element of an outer plane lies.
    fn outer_offset(&self, outer: &[usize]) -> usize;

    /// Length and distance of neighbours along each spatial axis.
    fn spatial(&self) -> &[(usize, usize)];

    /// Whether no value of the element type is infinite or NaN.
    fn always_finite(&self) -> bool;

    /// See [`Pixels::blend`].
    fn blend(&self, start: usize, points: Part<'_>, to: &mut [f64]);

    /// See [`Pixels::blend`].
    fn blend_floats(&self, start: usize, points: Part<'_>, to: &mut [f32]);

    /// See [`Pixels::blend_bytes`].
    fn blend_bytes(&self, start: usize, points: Part<'_>, to: &mut [u8]);

    /// See [`Pixels::blends_bytes`].
    fn blends_bytes(&self) -> bool;

    /// Put `to.len() / planes` pixels along the last spatial axis, from element `start`, into `to`.
    fn read(&self, start: usize, to: &mut [f64]);
}

impl<T: Sample> ReadRow for Pixels<'_, T> {
    fn planes(&self) -> usize {
        self.inner.len()
    }

    fn outer_offset(&self, outer: &[usize]) -> usize {
        Pixels::outer_offset(self, outer)
    }

    fn spatial(&self) -> &[(usize, usize)] {
        &self.spatial
    }

    fn always_finite(&self) -> bool {
        T::FINITE
    }

    fn blend(&self, start: usize, points: Part<'_>, to: &mut [f64]) {
        Pixels::blend(self, start, points, to);
    }

    fn blend_floats(&self, start: usize, points: Part<'_>, to: &mut [f32]) {
        Pixels::blend(self, start, points, to);
    }

    fn blend_bytes(&self, start: usize, points: Part<'_>, to: &mut [u8]) {
        Pixels::blend_bytes(self, start, points, to);
    }

    fn blends_bytes(&self) -> bool {
        Pixels::blends_bytes(self)
    }

    fn read(&self, start: usize, to: &mut [f64]) {
        if to.is_empty() {
            return;
        }
        let planes = self.inner.len();
        let (_, step) = self.spatial[self.spatial.len() - 1];
        if self.is_interleaved() && step == planes {
            let line = &self.elements[start..start + to.len()];
            dispatch(Convert { from: line, to, convert: T::to_f64 });
            return;
        }
        for (pixel, to) in to.chunks_exact_mut(planes).enumerate() {
            for (to, plane) in to.iter_mut().zip(&self.inner) {
                *to = self.elements[start + pixel * step + plane].to_f64();
            }
        }
    }
}
