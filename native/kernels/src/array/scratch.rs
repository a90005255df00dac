//! Workspaces that a thread keeps between calls: their pages are already mapped, and nothing clears them.

use crate::memory::{self, Zero};
use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// Bytes of a cache line.
pub(crate) const CACHE_LINE: usize = 64;

/// Largest workspace that is kept, in elements.
const MAX_KEPT: usize = 64 * 1024;

/// The workspaces kept for one type, most recently returned first; empty vectors stand for missing ones. Two, because a
/// filter needs one for its samples and one for its results.
type Kept<T> = [Vec<T>; 2];

/// Element types of workspaces.
pub(crate) trait Element: Zero + Default + 'static {
    /// Call `with` with the workspaces of this thread.
    fn kept<R>(with: impl FnOnce(&Cell<Kept<Self>>) -> R) -> R;
}

macro_rules! element {
    ($($type:ty),*) => {
        $(impl Element for $type {
            fn kept<R>(with: impl FnOnce(&Cell<Kept<Self>>) -> R) -> R {
                thread_local!(static KEPT: Cell<Kept<$type>> = const { Cell::new([Vec::new(), Vec::new()]) });
                KEPT.with(with)
            }
        })*
    };
}

element!(u8, u16, f32, f64);

/// A workspace aligned to a cache line. Its initial contents are whatever an earlier call left.
pub(crate) struct Scratch<B: Element> {
    buffer: Vec<B>,
    first: usize,
    len: usize,
}

impl<B: Element> Scratch<B> {
    pub(crate) fn new(len: usize) -> Self {
        let [mut buffer, next] = B::kept(Cell::take);
        B::kept(|kept| kept.set([next, Vec::new()]));
        let spare = CACHE_LINE / size_of::<B>();
        if buffer.len() < len + spare {
            drop(buffer);
            buffer = memory::zeros(len + spare);
        }
        // `align_offset` may fail; the workspace is then unaligned, which is slow but correct.
        let first = buffer.as_ptr().align_offset(CACHE_LINE).min(spare);
        Self { buffer, first, len }
    }
}

impl<B: Element> Deref for Scratch<B> {
    type Target = [B];

    fn deref(&self) -> &[B] {
        &self.buffer[self.first..self.first + self.len]
    }
}

impl<B: Element> DerefMut for Scratch<B> {
    fn deref_mut(&mut self) -> &mut [B] {
        &mut self.buffer[self.first..self.first + self.len]
    }
}

impl<B: Element> Drop for Scratch<B> {
    fn drop(&mut self) {
        let [first, second] = B::kept(Cell::take);
        let kept = if second.is_empty() && self.buffer.len() <= MAX_KEPT {
            [std::mem::take(&mut self.buffer), first]
        } else {
            [first, second]
        };
        B::kept(|keep| keep.set(kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_begin_at_a_cache_line_and_are_used_again() {
        let (mut first, second) = (Scratch::<f64>::new(100), Scratch::<f64>::new(7));
        assert_eq!((first.len(), second.len()), (100, 7));
        assert!([first.as_ptr(), second.as_ptr()].iter().all(|start| start.align_offset(CACHE_LINE) == 0));
        first.fill(3.0);
        drop(second);
        drop(first);
        // The one returned last is reused first.
        assert_eq!(Scratch::<f64>::new(90)[..], [3.0; 90]);
        assert_eq!(Scratch::<f64>::new(2 * MAX_KEPT)[..], vec![0.0; 2 * MAX_KEPT]);
        assert!(Scratch::<f64>::new(200).iter().all(|value| *value == 0.0));
    }
}
