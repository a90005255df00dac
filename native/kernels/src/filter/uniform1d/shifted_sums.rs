//! Means of short windows of bytes along lines that lie nearly one sample beside the other, as rows of pixels do.
//!
//! A row is copied with what lies beyond its ends; then each sum is made of as many bytes as the window has, of many
//! sums at once, from the row moved by one sample each time. Sums of bytes are exact in any order.

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
            dispatch(MovedSums { line: &line, to, size: before + after + 1, inner, division });
        }
    });
    Ok(())
}

struct MovedSums<'a> {
    line: &'a [u8],
    to: &'a mut [u8],
    size: usize,
    inner: usize,
    division: Division,
}

impl Kernel for MovedSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.size {
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
        let Self { line, to, inner, division, .. } = self;
        let (pairs, last) = to.as_chunks_mut::<2>();
        let moved: [&[[u8; 2]]; SIZE] =
            std::array::from_fn(|sample| &line[sample * inner..].as_chunks::<2>().0[..pairs.len()]);
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
            *last = division.of((0..SIZE).map(|sample| u16::from(line[at + sample * inner])).sum());
        }
    }

    #[inline(always)]
    fn one_by_one(self) {
        let Self { line, to, size, inner, division } = self;
        // Of known length only at run time: a loop of a known one would be unrolled, and not made of wide registers.
        let mut room = [0_u16; LANES];
        for (number, to) in to.chunks_mut(LANES).enumerate() {
            let sums = &mut room[..to.len()];
            sums.fill(0);
            for moved in 0..size {
                for (sum, value) in sums.iter_mut().zip(&line[number * LANES + moved * inner..][..to.len()]) {
                    *sum += u16::from(*value);
                }
            }
            for (to, sum) in to.iter_mut().zip(&*sums) {
                *to = division.of(*sum);
            }
        }
    }
}
