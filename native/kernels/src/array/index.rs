//! Indices in C order, and the element offsets that belong to them.

use crate::memory;

/// Counts through the indices of a block in C order, and starts again after the last.
pub(crate) struct IndexCounter<'a> {
    pub shape: &'a [usize],
    pub origin: &'a [usize],
    pub index: Vec<usize>,
}

impl<'a> IndexCounter<'a> {
    pub fn new(shape: &'a [usize], origin: &'a [usize]) -> Self {
        Self { shape, origin, index: memory::copy(&origin[..shape.len()]) }
    }

    pub fn step(&mut self) {
        for (position, (len, first)) in self.index.iter_mut().zip(self.shape.iter().zip(self.origin)).rev() {
            *position += 1;
            if *position < first + len {
                return;
            }
            *position = *first;
        }
    }
}

/// Advance to the next index in C order; return false after the last one.
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

/// The offset of every index of `shape` in C order, in elements, modulo 2^64.
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
