//! Arrays between two operations: a thread keeps their memory from one sample to the next.
//!
//! Memory that was written a moment ago is still in the cache, and its pages are there: new memory costs a page fault
//! for every 4 KiB, and the zeros that the system writes into it.

use crate::dtype::{Array, DType, elements, match_pair};
use ndarray::{ArrayViewD, ArrayViewMutD};
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::memory::{self, CollectVec};
use std::cell::RefCell;

/// Bytes that a thread keeps at most.
const MOST_KEPT: usize = 32 << 20;

/// Arrays that a thread keeps at most.
const MOST_ARRAYS: usize = 8;

thread_local! {
    /// The last one given back comes last.
    static KEPT: RefCell<Vec<Array>> = const { RefCell::new(Vec::new()) };
}

/// An array in C order; at first it holds whatever an earlier operation left.
#[derive(Debug)]
pub struct Workspace(
    /// `None` only while it is dropped.
    Option<Array>,
);

impl Workspace {
    /// An array of this type and shape.
    pub fn new(dtype: DType, shape: &[usize]) -> Self {
        let len = elements(shape);
        let kept = KEPT.with_borrow_mut(|kept| {
            let fits = |array: &Array| array.dtype() == dtype && array.capacity() >= len;
            let place = kept.iter().rposition(fits);
            place.map(|place| kept.remove(place))
        });
        Self(Some(kept.map_or_else(|| Array::zeros(dtype, shape), |array| array.reshaped(shape))))
    }

    /// The elements.
    pub fn view(&self) -> View<'_> {
        self.0.as_ref().expect("taken only on drop").view()
    }

    /// The elements, to be written.
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        self.0.as_mut().expect("taken only on drop").view_mut()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let Some(array) = self.0.take().filter(|array| array.bytes() <= MOST_KEPT) else { return };
        // A thread that ends may have given up what it kept.
        let _ = KEPT.try_with(|kept| {
            let kept = &mut *kept.borrow_mut();
            if kept.len() == kept.capacity()
                && kept.len() < MOST_ARRAYS
                && kept.try_reserve(MOST_ARRAYS).is_err()
            {
                return;
            }
            let mut bytes = kept.iter().map(Array::bytes).sum::<usize>() + array.bytes();
            // The oldest ones go first.
            while kept.len() >= MOST_ARRAYS || bytes > MOST_KEPT {
                bytes -= kept.remove(0).bytes();
            }
            memory::push(kept, array);
        });
    }
}

/// Call `work` with an array in C order: the one given, or a copy.
pub(crate) fn read_in_c_order<R>(input: &View<'_>, work: impl FnOnce(&View<'_>) -> R) -> R {
    if input.is_c_contiguous() {
        return work(input);
    }
    let mut copied = Workspace::new(DType::of(input), input.shape());
    assign(input, copied.view_mut());
    work(&copied.view())
}

/// Call `work` with an array to fill in C order: the one given, or one that is copied there afterwards.
pub(crate) fn write_in_c_order(
    output: ViewMut<'_>,
    work: impl FnOnce(ViewMut<'_>) -> Result<()>,
) -> Result<()> {
    if output.view().is_c_contiguous() {
        return work(output);
    }
    let mut made = Workspace::new(DType::of_mut(&output), output.shape());
    work(made.view_mut())?;
    assign(&made.view(), output);
    Ok(())
}

/// The low and the high half of numbers of 64 bits, in the order in which they lie in memory, as a last axis of two.
/// The array is in C order.
pub(crate) fn as_halves<'a>(array: &'a View<'_>) -> Result<View<'a>> {
    let shape = shape_of_halves(array.shape());
    let halves: &[u32] = match array {
        View::I64(array) => halves_of(array.as_slice()),
        View::U64(array) => halves_of(array.as_slice()),
        _ => None,
    }
    .ok_or_else(|| KernelError::shape("numbers of 64 bits lie in C order"))?;
    let view =
        ArrayViewD::from_shape(shape, halves).map_err(|error| KernelError::shape(error.to_string()))?;
    Ok(View::U32(view))
}

/// The same of an array that is written.
pub(crate) fn as_halves_mut(array: ViewMut<'_>) -> Result<ViewMut<'_>> {
    let shape = shape_of_halves(array.shape());
    let halves: &mut [u32] = match array {
        ViewMut::I64(array) => halves_of_mut(array.into_slice()),
        ViewMut::U64(array) => halves_of_mut(array.into_slice()),
        _ => None,
    }
    .ok_or_else(|| KernelError::shape("numbers of 64 bits lie in C order"))?;
    let view =
        ArrayViewMutD::from_shape(shape, halves).map_err(|error| KernelError::shape(error.to_string()))?;
    Ok(ViewMut::U32(view))
}

fn shape_of_halves(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().chain([2]).collect_vec()
}

fn halves_of<T: Sample>(numbers: Option<&[T]>) -> Option<&[u32]> {
    const { assert!(size_of::<T>() == 8) };
    // SAFETY: a number of 64 bits is two of 32, whose alignment is no larger, and any bits are one.
    numbers.map(|all| unsafe { std::slice::from_raw_parts(all.as_ptr().cast(), 2 * all.len()) })
}

fn halves_of_mut<T: Sample>(numbers: Option<&mut [T]>) -> Option<&mut [u32]> {
    const { assert!(size_of::<T>() == 8) };
    // SAFETY: as above, and any bits that are written are a number of 64 bits, as these are `i64` or `u64`.
    numbers.map(|all| unsafe { std::slice::from_raw_parts_mut(all.as_mut_ptr().cast(), 2 * all.len()) })
}

/// Copy between arrays of one type and shape.
pub(crate) fn assign(from: &View<'_>, to: ViewMut<'_>) {
    match_pair!(from.view(), to, (from, to) => {
        let mut to = to;
        to.assign(&from);
    }, _ => unreachable!("both are of one type"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_kept_by_type_and_given_out_again() {
        let start = |workspace: &Workspace| match workspace.view() {
            View::F32(array) => array.as_ptr() as usize,
            View::U8(array) => array.as_ptr() as usize,
            _ => unreachable!(),
        };
        let first = Workspace::new(DType::F32, &[4, 5]);
        let place = start(&first);
        drop(first);
        let bytes = Workspace::new(DType::U8, &[3]);
        assert_ne!(start(&bytes), place);
        let again = Workspace::new(DType::F32, &[2, 3]);
        assert_eq!(start(&again), place);
        assert_eq!(again.view().shape(), [2, 3]);
        let larger = Workspace::new(DType::F32, &[7, 7]);
        assert_ne!(start(&larger), place);
        assert_eq!(Workspace::new(DType::F64, &[0, 3]).view().len(), 0);
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        drop(Workspace::new(DType::U8, &[MOST_KEPT + 1]));
        drop([3, 4, 5].map(|tenths| Workspace::new(DType::U8, &[MOST_KEPT / 10 * tenths])));
        let bytes = || KEPT.with_borrow(|kept| kept.iter().map(Array::bytes).sum::<usize>());
        assert!(bytes() > 0 && bytes() <= MOST_KEPT);
        let many: Vec<_> = (0..20).map(|_| Workspace::new(DType::I16, &[9])).collect();
        drop(many);
        assert!(KEPT.with_borrow(Vec::len) == MOST_ARRAYS && bytes() <= MOST_KEPT);
    }
}
