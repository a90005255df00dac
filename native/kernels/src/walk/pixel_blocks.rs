//! Pixels in blocks for threads: what happens to a pixel depends on that pixel and its number alone.

use crate::exec::threads;
use crate::memory;

/// Pixels of a block are a multiple of this, so that blocks of registers lie within it.
const ALIGNED: usize = 1024;

/// How many blocks there are, and how many pixels one has.
fn parts(pixels: usize, cost: usize) -> (usize, usize) {
    let parts = threads::blocks_for(pixels.saturating_mul(cost));
    (parts, pixels.div_ceil(parts).next_multiple_of(ALIGNED))
}

/// Call `work` with blocks of the pixels of an array in C order, which has so many channels.
pub(crate) fn for_each_read<I: Sync>(from: &[I], channels: usize, cost: usize, work: impl Fn(&[I]) + Sync) {
    let (parts, len) = parts((from.len() / channels).max(1), cost);
    let mut blocks = memory::with_capacity(parts);
    memory::extend(&mut blocks, from.chunks(len * channels));
    threads::for_each_block(blocks, work);
}

/// Call `work(number of the first pixel, from, to)` with blocks of the pixels of two arrays in C order.
///
/// A pixel has `channels.0` elements in `from` and `channels.1` in `to`; it takes about `cost` nanoseconds.
pub(crate) fn for_each<I: Sync, O: Send>(
    (from, to): (&[I], &mut [O]),
    channels: (usize, usize),
    cost: usize,
    work: impl Fn(usize, &[I], &mut [O]) + Sync,
) {
    let pixels = from.len() / channels.0.max(1);
    if pixels == 0 {
        return;
    }
    let (parts, len) = parts(pixels, cost);
    let sources = from.chunks(len * channels.0.max(1));
    let targets = to.chunks_mut(len * channels.1.max(1));
    let mut blocks = memory::with_capacity(parts);
    memory::extend(&mut blocks, sources.zip(targets).enumerate());
    threads::for_each_block(blocks, |(number, (from, to))| work(number * len, from, to));
}
