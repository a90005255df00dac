//! Arrays whose element type is known at run time.

use crate::array::sample::{Bool, Cast, Sample};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Convert, Kernel, dispatch};
use crate::memory::{self, CollectVec};
use ndarray::{
    ArrayBase, ArrayD, ArrayView1, ArrayViewD, ArrayViewMut1, ArrayViewMutD, Axis, RawData, Slice,
};
use std::ops::Range;

/// Evaluate one expression for whichever element type a [`View`], [`ViewMut`] or similar enum holds.
///
/// `match_dtype!(View, view, array => array.len())` binds `array` to the typed `ndarray` view.
#[macro_export]
macro_rules! match_dtype {
    ($enum:ident, $value:expr, $array:ident => $body:expr) => {
        match $value {
            $enum::Bool($array) => $body,
            $enum::U8($array) => $body,
            $enum::I8($array) => $body,
            $enum::U16($array) => $body,
            $enum::I16($array) => $body,
            $enum::U32($array) => $body,
            $enum::I32($array) => $body,
            $enum::U64($array) => $body,
            $enum::I64($array) => $body,
            $enum::F32($array) => $body,
            $enum::F64($array) => $body,
        }
    };
}

/// Like [`match_dtype!`], but wraps the result in the same variant of the same enum.
macro_rules! map_dtype {
    ($enum:ident, $value:expr, $array:ident => $body:expr) => {
        match $value {
            $enum::Bool($array) => $enum::Bool($body),
            $enum::U8($array) => $enum::U8($body),
            $enum::I8($array) => $enum::I8($body),
            $enum::U16($array) => $enum::U16($body),
            $enum::I16($array) => $enum::I16($body),
            $enum::U32($array) => $enum::U32($body),
            $enum::I32($array) => $enum::I32($body),
            $enum::U64($array) => $enum::U64($body),
            $enum::I64($array) => $enum::I64($body),
            $enum::F32($array) => $enum::F32($body),
            $enum::F64($array) => $enum::F64($body),
        }
    };
}

macro_rules! dynamic_view {
    ($(#[$doc:meta])* $name:ident, $view:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[allow(missing_docs)]
        pub enum $name<'a> {
            Bool($view<'a, Bool>),
            U8($view<'a, u8>),
            I8($view<'a, i8>),
            U16($view<'a, u16>),
            I16($view<'a, i16>),
            U32($view<'a, u32>),
            I32($view<'a, i32>),
            U64($view<'a, u64>),
            I64($view<'a, i64>),
            F32($view<'a, f32>),
            F64($view<'a, f64>),
        }

        impl<'a> $name<'a> {
            /// Length of every axis.
            pub fn shape(&self) -> &[usize] {
                match_dtype!($name, self, array => array.shape())
            }

            /// Number of axes.
            pub fn ndim(&self) -> usize {
                self.shape().len()
            }

            /// Number of elements.
            pub fn len(&self) -> usize {
                match_dtype!($name, self, array => array.len())
            }

            /// Size of an element in bytes.
            pub fn sample_bytes(&self) -> usize {
                fn bytes<S: RawData, D>(_: &ArrayBase<S, D>) -> usize {
                    size_of::<S::Elem>()
                }
                match_dtype!($name, self, array => bytes(array))
            }

            /// Whether there is no element.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// The same elements in another shape; the array must be C-contiguous.
            pub fn into_shape(self, shape: &[usize]) -> Result<Self> {
                let refused = |error| KernelError::shape(format!("an array cannot have the shape {shape:?}: {error}"));
                Ok(map_dtype!($name, self, array => array.into_shape_with_order(shape).map_err(refused)?))
            }

            /// Whether the array is C-contiguous.
            pub fn is_c_contiguous(&self) -> bool {
                match_dtype!($name, self, array => array.is_standard_layout())
            }

            /// The same elements in another shape, if the array is C-contiguous.
            pub fn try_reshape(self, shape: &[usize]) -> Option<Self> {
                if self.is_c_contiguous() { self.into_shape(shape).ok() } else { None }
            }

            /// Split into the parts before and from `index` along `axis`.
            pub fn split_at(self, axis: usize, index: usize) -> (Self, Self) {
                macro_rules! split {
                    ($variant:ident, $array:expr) => {{
                        let (left, right) = $array.split_at(Axis(axis), index);
                        ($name::$variant(left), $name::$variant(right))
                    }};
                }
                match self {
                    $name::Bool(array) => split!(Bool, array),
                    $name::U8(array) => split!(U8, array),
                    $name::I8(array) => split!(I8, array),
                    $name::U16(array) => split!(U16, array),
                    $name::I16(array) => split!(I16, array),
                    $name::U32(array) => split!(U32, array),
                    $name::I32(array) => split!(I32, array),
                    $name::U64(array) => split!(U64, array),
                    $name::I64(array) => split!(I64, array),
                    $name::F32(array) => split!(F32, array),
                    $name::F64(array) => split!(F64, array),
                }
            }

            /// The same elements with the axes in another order.
            pub fn permuted(self, order: &[usize]) -> Self {
                map_dtype!($name, self, array => array.permuted_axes(order))
            }

            /// Split into about `count` blocks of nearly equal size along the axes not in `keep`, longest axis first.
            ///
            /// Each block comes with its first index. Two arrays of one shape are split at the same places.
            pub fn split_blocks(self, keep: &[usize], count: usize) -> Vec<(Vec<usize>, Self)> {
                let origin = memory::zeros(self.ndim());
                let mut blocks = memory::with_capacity(count);
                self.split_into(keep, count, origin, &mut blocks);
                blocks
            }

            fn split_into(
                self,
                keep: &[usize],
                count: usize,
                origin: Vec<usize>,
                blocks: &mut Vec<(Vec<usize>, Self)>,
            ) {
                let longest = (0..self.ndim())
                    .filter(|axis| !keep.contains(axis))
                    .max_by_key(|axis| (self.shape()[*axis], std::cmp::Reverse(*axis)));
                let Some(axis) = longest.filter(|axis| count > 1 && self.shape()[*axis] > 1) else {
                    memory::push(blocks, (origin, self));
                    return;
                };
                let len = self.shape()[axis];
                let left_count = count / 2;
                // 128 bits, because a block count times a length may exceed 64.
                let index = ((len as u128 * left_count as u128) / count as u128) as usize;
                let index = index.clamp(1, len - 1);
                let (left, right) = self.split_at(axis, index);
                let mut right_origin = memory::copy(&origin);
                right_origin[axis] += index;
                left.split_into(keep, left_count, origin, blocks);
                right.split_into(keep, count - left_count, right_origin, blocks);
            }
        }
    };
}

dynamic_view!(
    /// A read-only array of any of the eleven element types and any strides.
    View,
    ArrayViewD
);
dynamic_view!(
    /// A writable array of any of the eleven element types and any strides.
    ViewMut,
    ArrayViewMutD
);

impl View<'_> {
    /// A view of the same elements.
    pub fn view(&self) -> View<'_> {
        map_dtype!(View, self, array => array.view())
    }

    /// The subarray at one index of the first axis.
    pub fn image(&self, index: usize) -> View<'_> {
        map_dtype!(View, self, array => array.index_axis(Axis(0), index))
    }

    /// The subarray in these ranges of the first axes.
    pub fn slice_ranges(&self, ranges: &[Range<usize>]) -> View<'_> {
        map_dtype!(View, self, array => {
            let mut part = array.view();
            for (axis, range) in ranges.iter().enumerate() {
                part.slice_axis_inplace(Axis(axis), Slice::from(range.clone()));
            }
            part
        })
    }

    /// Strides in elements: signed numbers, modulo 2^64.
    pub fn strides(&self) -> Vec<usize> {
        match_dtype!(View, self, array => array.strides().iter().map(|stride| *stride as usize).collect_vec())
    }

    /// The minimum and maximum of the subarray at this index of the first axis, NaN ignored; zeros if there is none.
    pub fn min_max(&self, position: usize) -> (f64, f64) {
        let min_max = match_dtype!(View, self, array => {
            let numbers = array.index_axis(Axis(0), position);
            numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), number| {
                let number = number.to_f64();
                // Comparisons with NaN are false.
                (if number < least { number } else { least }, if number > greatest { number } else { greatest })
            })
        });
        if min_max.0 <= min_max.1 { min_max } else { (0.0, 0.0) }
    }

    /// The same elements as three axes: all before `axis`, `axis`, and all after it; `None` if strides cannot express
    /// that.
    pub fn as_three_axes(&self, axis: usize) -> Option<View<'_>> {
        Some(map_dtype!(View, self, array => as_three_axes(array.view(), axis)?))
    }

    /// A copy in C order with every element converted to `double` as C does.
    pub fn to_f64(&self) -> ArrayD<f64> {
        match_dtype!(View, self, array => {
            // `mapv` keeps the memory order of its source, but kernels index the copy in C order.
            let mut copy = memory::zero_array(array.shape());
            copy_lines(array.view(), copy.view_mut(), |element| element.to_f64());
            copy
        })
    }

    /// Whether no element is NaN or infinite.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::F32(array) => all_finite(array),
            Self::F64(array) => all_finite(array),
            _ => true,
        }
    }
}

impl ViewMut<'_> {
    /// A read-only view of the same elements.
    pub fn view(&self) -> View<'_> {
        match self {
            Self::Bool(array) => View::Bool(array.view()),
            Self::U8(array) => View::U8(array.view()),
            Self::I8(array) => View::I8(array.view()),
            Self::U16(array) => View::U16(array.view()),
            Self::I16(array) => View::I16(array.view()),
            Self::U32(array) => View::U32(array.view()),
            Self::I32(array) => View::I32(array.view()),
            Self::U64(array) => View::U64(array.view()),
            Self::I64(array) => View::I64(array.view()),
            Self::F32(array) => View::F32(array.view()),
            Self::F64(array) => View::F64(array.view()),
        }
    }

    /// A writable view of the same elements with a shorter lifetime.
    pub fn reborrow(&mut self) -> ViewMut<'_> {
        map_dtype!(ViewMut, self, array => array.view_mut())
    }

    /// The elements as a slice, if they are C-contiguous bytes.
    pub fn contiguous_bytes(&mut self) -> Option<&mut [u8]> {
        match self {
            Self::U8(array) => array.as_slice_mut(),
            _ => None,
        }
    }

    /// The subarrays at all indices of the first axis.
    pub fn into_images(mut self) -> Vec<Self> {
        let mut images = memory::with_capacity(self.shape()[0]);
        while self.shape()[0] > 1 {
            let (image, rest) = self.split_at(0, 1);
            memory::push(&mut images, image);
            self = rest;
        }
        memory::push(&mut images, self);
        let first = |image| map_dtype!(ViewMut, image, array => array.index_axis_move(Axis(0), 0));
        images.into_iter().map(first).collect_vec()
    }
}

/// Copy line by line; an `ndarray` iterator over many axes takes several times as long.
pub(crate) fn copy_lines<T: Copy, U>(
    mut from: ArrayViewD<'_, T>,
    mut to: ArrayViewMutD<'_, U>,
    convert: impl Fn(T) -> U + Copy,
) {
    // Merge axes that are contiguous in both arrays: channels and the axis before them make longer lines.
    let mut into = to.ndim().saturating_sub(1);
    for axis in (0..into).rev() {
        let (mut source, mut target) = (from.view(), to.view_mut());
        if source.merge_axes(Axis(axis), Axis(into)) && target.merge_axes(Axis(axis), Axis(into)) {
            from.merge_axes(Axis(axis), Axis(into));
            to.merge_axes(Axis(axis), Axis(into));
        } else {
            into = axis;
        }
    }
    let longer_than_one = (0..to.ndim()).rev().filter(|axis| to.shape()[*axis] > 1);
    let Some(axis) = longer_than_one.take(2).max_by_key(|axis| to.shape()[*axis]) else {
        to.iter_mut().zip(&from).for_each(|(to, from)| *to = convert(*from));
        return;
    };
    for (mut to, from) in to.lanes_mut(Axis(axis)).into_iter().zip(from.lanes(Axis(axis))) {
        match (to.as_slice_mut(), from.as_slice()) {
            (Some(to), Some(from)) => dispatch(Convert { from, to, convert }),
            _ => to.into_iter().zip(from).for_each(|(to, from)| *to = convert(*from)),
        }
    }
}

/// See [`View::as_three_axes`].
fn as_three_axes<T>(array: ArrayViewD<'_, T>, axis: usize) -> Option<ArrayViewD<'_, T>> {
    // Insert an axis of length one on each side, for the others to be merged into.
    let end = array.ndim() + 1;
    let mut array = array.insert_axis(Axis(axis)).insert_axis(Axis(end));
    let others = || (0..axis).chain(axis + 2..end);
    if !others().all(|from| array.merge_axes(Axis(from), Axis(from + 1))) {
        return None;
    }
    others().rev().for_each(|at| array.index_axis_inplace(Axis(at), 0));
    Some(array)
}

/// Whether no element is NaN or infinite.
fn all_finite<T: Sample>(array: &ArrayViewD<'_, T>) -> bool {
    match array.as_slice_memory_order() {
        // In chunks: a loop that may exit at every element is not vectorized.
        Some(elements) => elements.chunks(4096).all(are_finite),
        None => array.iter().all(|value| value.to_f64().is_finite()),
    }
}

/// Whether no element is NaN or infinite; reads all of them.
pub(crate) fn are_finite<T: Sample>(elements: &[T]) -> bool {
    dispatch(AllFinite(elements))
}

struct AllFinite<'a, T>(&'a [T]);

impl<T: Sample> Kernel for AllFinite<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        self.0.iter().fold(true, |all, value| all & value.to_f64().is_finite())
    }
}

/// Convert the elements of `line` to `f64`.
#[inline]
pub fn read_line<T: Sample>(line: ArrayView1<'_, T>, to: &mut [f64]) {
    match line.to_slice() {
        Some(line) => to.iter_mut().zip(line).for_each(|(to, from)| *to = from.to_f64()),
        None => to.iter_mut().zip(line).for_each(|(to, from)| *to = from.to_f64()),
    }
}

/// Evaluate one expression with `cast` bound to the function of a [`Cast`], compiled once for each so that it inlines.
macro_rules! with_cast {
    ($type:ty, $rule:expr, $cast:ident => $body:expr) => {
        match $rule {
            Cast::Truncated => {
                let $cast = <$type>::from_f64_truncated;
                $body
            }
            Cast::Rounded => {
                let $cast = <$type>::from_f64_rounded;
                $body
            }
            Cast::Filtered => {
                let $cast = <$type>::from_f64_filtered;
                $body
            }
        }
    };
}

pub(crate) use with_cast;

/// Store `from` in `line` with the given cast.
#[inline]
pub fn write_line<T: Sample>(mut line: ArrayViewMut1<'_, T>, from: &[f64], cast: Cast) {
    with_cast!(T, cast, cast => match line.as_slice_mut() {
        Some(line) => line.iter_mut().zip(from).for_each(|(to, from)| *to = cast(*from)),
        None => line.iter_mut().zip(from).for_each(|(to, from)| *to = cast(*from)),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ArrayD;

    #[test]
    fn blocks_cover_the_array_once_and_say_where_they_lie() {
        let mut array = ArrayD::<u16>::zeros(vec![5, 3, 7]);
        for count in [1, 2, 3, 8, 1000] {
            array.fill(0);
            let blocks = ViewMut::U16(array.view_mut()).split_blocks(&[2], count);
            assert!(blocks.len() <= 15 && (count > 15 || blocks.len() == count));
            for (origin, mut block) in blocks {
                assert_eq!(block.shape()[2], 7);
                let ViewMut::U16(block) = &mut block else { unreachable!() };
                for (index, value) in block.indexed_iter_mut() {
                    *value += ((origin[0] + index[0]) * 3 + origin[1] + index[1]) as u16 + 1;
                }
            }
            for ((i, j, _), value) in
                array.view().into_dimensionality::<ndarray::Ix3>().unwrap().indexed_iter()
            {
                assert_eq!(usize::from(*value), i * 3 + j + 1);
            }
        }
    }
}
