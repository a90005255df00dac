//! Means of short windows of bytes: along lines that lie nearly one sample beside the other, as rows of pixels do, and
//! along columns.
//!
//! A row is copied with what lies beyond its ends; then each sum is made of as many bytes as the window has, of many
//! sums at once, from the row moved by one sample each time; along columns, from as many rows. Sums of bytes are exact in
//! any order.

use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::filter::line_filter::{SameType, c_order};
use crate::filter::uniform1d::division::Division;
use crate::memory;
use crate::walk::line_tiles::{Extension, Walk};

/// Sums that are made together.
const LANES: usize = 512;

/// Longer windows are summed up by their differences.
const MAX_SIZE: usize = 12;

/// More samples side by side are summed up in columns, or in tiles.
const MAX_INNER: usize = 16;

/// Longer windows along columns are summed up by their differences.
const MAX_ROWS: usize = 7;

/// Rows of a window stay in the second-level cache.
const MAX_WINDOW: usize = 1 << 18;

/// Rows between two checks for an interrupt.
const ROWS_PER_CHECK: usize = 64;

/// Whether to sum rows.
pub(super) fn is_of_rows(input: &View<'_>, output: &ViewMut<'_>, walk: &Walk) -> bool {
    let (Extension { before, after, .. }, shape) = (walk.extension, input.shape());
    let inner: usize = shape[(walk.axis + 1).min(shape.len())..].iter().product();
    walk.first == 0
        && shape == output.shape()
        && output.view().is_c_contiguous()
        && (2..=MAX_ROWS).contains(&(before + after + 1))
        && walk.axis < shape.len()
        && inner > MAX_INNER
        && inner.saturating_mul(before + after + 1) <= MAX_WINDOW
}

/// The means along the walk's axis, row by row of the axes after it.
pub(super) fn means_of_rows(
    input: &View<'_>,
    output: ViewMut<'_>,
    walk: &Walk,
    fill: u8,
    division: Division,
) -> Result<()> {
    let ViewMut::U8(output) = output else { return Err(KernelError::parameter("means of bytes are bytes")) };
    let (len, inner) = (input.shape()[walk.axis], input.shape()[walk.axis + 1..].iter().product::<usize>());
    let input = c_order(u8::elements(input))?;
    let Some(output) = output.into_slice() else { return Err(KernelError::shape("means lie in C order")) };
    let size = walk.extension.before + walk.extension.after + 1;
    let beyond = memory::filled(fill, inner);
    let rows = output.len() / inner.max(1);
    let rows = rows.div_ceil(threads::blocks_for(output.len() / 4).min(rows.max(1))).max(1);
    let mut blocks = memory::with_capacity(output.len() / (rows * inner).max(1) + 1);
    memory::extend(&mut blocks, output.chunks_mut((rows * inner).max(1)).enumerate());
    threads::for_each_block(blocks, |(number, output)| {
        for (row, to) in output.chunks_exact_mut(inner).enumerate() {
            if row % ROWS_PER_CHECK == 0 {
                threads::check_interrupt();
            }
            let row = number * rows + row;
            let plane = &input[row / len * len * inner..][..len * inner];
            let mut moved = [&beyond[..]; MAX_SIZE];
            for (sample, moved) in moved[..size].iter_mut().enumerate() {
                if let Some(source) = walk.extension.at(row % len + sample, len) {
                    *moved = &plane[source * inner..][..inner];
                }
            }
            dispatch(MovedSums { moved: &moved[..size], to, division });
        }
    });
    Ok(())
}

/// Whether to sum moved rows.
pub(super) fn is_suitable(input: &View<'_>, output: &ViewMut<'_>, walk: &Walk) -> bool {
    let Extension { before, after, .. } = walk.extension;
    let shape = input.shape();
    walk.first == 0
        && shape == output.shape()
        && output.view().is_c_contiguous()
        && before + after < MAX_SIZE
        && walk.axis < shape.len()
        && before + after < shape[walk.axis]
        && (1..=MAX_INNER).contains(&shape[walk.axis + 1..].iter().product())
}

/// The means along the walk's axis.
pub(super) fn means(
    input: &View<'_>,
    output: ViewMut<'_>,
    walk: &Walk,
    fill: u8,
    division: Division,
) -> Result<()> {
    let ViewMut::U8(output) = output else { return Err(KernelError::parameter("means of bytes are bytes")) };
    let inner: usize = input.shape()[walk.axis + 1..].iter().product();
    let row = input.shape()[walk.axis] * inner;
    let input = c_order(u8::elements(input))?;
    let Some(output) = output.into_slice() else { return Err(KernelError::shape("means lie in C order")) };
    let rows = output.len() / row.max(1);
    let rows = rows.div_ceil(threads::blocks_for(output.len() / 4).min(rows.max(1)));
    let mut blocks = memory::with_capacity(output.len() / (rows * row).max(1) + 1);
    memory::extend(
        &mut blocks,
        output.chunks_mut((rows * row).max(1)).zip(input.chunks((rows * row).max(1))),
    );
    threads::for_each_block(blocks, |(output, input)| {
        let Extension { before, after, .. } = walk.extension;
        let mut line = memory::zeros::<u8>(row + (before + after) * inner);
        for (to, from) in output.chunks_exact_mut(row).zip(input.chunks_exact(row)) {
            line[before * inner..][..row].copy_from_slice(from);
            let len = row / inner;
            for place in (0..before).chain(before + len..before + len + after) {
                let to = &mut line[place * inner..][..inner];
                match walk.extension.at(place, len) {
                    Some(source) => to.copy_from_slice(&from[source * inner..][..inner]),
                    None => to.fill(fill),
                }
            }
            let mut moved = [&line[..]; MAX_SIZE];
            let size = before + after + 1;
            moved[..size].iter_mut().enumerate().for_each(|(sample, moved)| *moved = &line[sample * inner..]);
            dispatch(MovedSums { moved: &moved[..size], to, division });
        }
    });
    Ok(())
}

struct MovedSums<'a> {
    /// The samples of the windows: the first ones, the second ones, and so on.
    moved: &'a [&'a [u8]],
    to: &'a mut [u8],
    division: Division,
}

impl Kernel for MovedSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.moved.len() {
            2 => self.at_once::<2>(),
            3 => self.at_once::<3>(),
            4 => self.at_once::<4>(),
            5 => self.at_once::<5>(),
            6 => self.at_once::<6>(),
            7 => self.at_once::<7>(),
            8 => self.at_once::<8>(),
            9 => self.at_once::<9>(),
            _ => self.one_by_one(),
        }
    }
}

impl MovedSums<'_> {
    /// A window of so many samples: the sums stay in registers, those of even and of odd bytes apart.
    #[inline(always)]
    fn at_once<const SIZE: usize>(self) {
        let Self { moved: samples, to, division } = self;
        let (pairs, last) = to.as_chunks_mut::<2>();
        let moved: [&[[u8; 2]]; SIZE] =
            std::array::from_fn(|sample| &samples[sample].as_chunks::<2>().0[..pairs.len()]);
        for (place, to) in pairs.iter_mut().enumerate() {
            let (mut even, mut odd) = (0, 0);
            for moved in moved {
                let pair = u16::from_le_bytes(moved[place]);
                (even, odd) = (even + (pair & 255), odd + (pair >> 8));
            }
            *to = (division.quotient(even) | division.quotient(odd) << 8).to_le_bytes();
        }
        if let [last] = last {
            let at = 2 * pairs.len();
            *last = division.of(samples.iter().map(|sample| u16::from(sample[at])).sum());
        }
    }

    #[inline(always)]
    fn one_by_one(self) {
        let Self { moved: samples, to, division } = self;
        // Of known length only at run time: a loop of a known one would be unrolled, and not made of wide registers.
        let mut room = [0_u16; LANES];
        for (number, to) in to.chunks_mut(LANES).enumerate() {
            let sums = &mut room[..to.len()];
            sums.fill(0);
            for samples in samples {
                for (sum, value) in sums.iter_mut().zip(&samples[number * LANES..][..to.len()]) {
                    *sum += u16::from(*value);
                }
            }
            for (to, sum) in to.iter_mut().zip(&*sums) {
                *to = division.of(*sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::array::view::{View, ViewMut};
    use crate::border::Border;
    use crate::exec::simd::testing::at_every_level;
    use crate::filter::line_filter::LineFilterArgs;
    use crate::filter::uniform1d::uniform1d;
    use ndarray::Array3;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn means_of_rows_are_those_of_their_columns(
            (planes, len, inner) in (1_usize..3, 1_usize..12, 17_usize..150), size in 1_usize..9, code in 0_i32..7,
            threads in 1_usize..3,
        ) {
            let border = Border::from_code(code).unwrap();
            let input = Array3::from_shape_fn((planes, len, inner), |(p, y, x)| (p * 7 + y * 83 + x * x) as u8);
            at_every_level(threads, || {
                let mut found = Array3::<u8>::zeros(input.raw_dim());
                let view = View::U8(input.view().into_dyn());
                let output = ViewMut::U8(found.view_mut().into_dyn());
                uniform1d(LineFilterArgs { input: Some(&view), output, axis: 1, border, fill: 9.0, origin: 0 }, size)
                    .unwrap();
                for ((p, y, x), mean) in found.indexed_iter() {
                    let at = |sample: usize| border.index((y + sample) as isize - (size / 2) as isize, len);
                    let samples = (0..size).map(|sample| at(sample).map_or(9, |y| u64::from(input[[p, y, x]])));
                    prop_assert_eq!(u64::from(*mean), samples.sum::<u64>() / size as u64);
                }
                Ok(())
            })?;
        }
    }
}
