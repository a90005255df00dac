//! Contrast limited adaptive histogram equalization (Zuiderveld, 1994) of bytes in two dimensions.
//!
//! ```text
//! each tile, each channel: count the levels; cut counts at the limit, spread what is above; add up, scale → a table
//! each cell between the centres of four tiles: the four tables as one of four bytes
//! each row: look up four bytes for each value; their sum, each times its weight, rounded half to even
//! ```
//!
//! The weights are those of the caller. Sums are made in `f64`, in the order of the tiles.

use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::memory::{self, CollectVec};
use std::ops::Range;

/// Values of a byte.
const LEVELS: usize = 256;

/// How an axis is cut into tiles.
#[derive(Debug)]
pub struct TiledAxis<'a> {
    /// How many tiles there are.
    pub tiles: usize,
    /// The pixel of each place of all tiles together, which may reach beyond the image.
    pub sources: &'a [i64],
    /// For each pixel, the tile whose centre lies before it and its weight, as `f64`.
    pub before: (&'a [i64], &'a [f64]),
    /// For each pixel, the tile whose centre lies after it.
    pub after: (&'a [i64], &'a [f64]),
}

impl TiledAxis<'_> {
    fn fits(&self, len: usize) -> bool {
        let (before, after) = (self.before, self.after);
        let lens = [before.0.len(), before.1.len(), after.0.len(), after.1.len()];
        let is_below = |numbers: &[i64], limit: usize| {
            numbers.iter().all(|number| usize::try_from(*number).is_ok_and(|number| number < limit))
        };
        self.tiles > 0
            && lens == [len; 4]
            && !self.sources.is_empty()
            && self.sources.len().is_multiple_of(self.tiles)
            && is_below(self.sources, len)
            && is_below(before.0, self.tiles)
            && is_below(after.0, self.tiles)
    }

    /// Pixels of a tile.
    fn tile_len(&self) -> usize {
        self.sources.len() / self.tiles
    }

    /// Neighbouring pixels between the same tiles, and these.
    fn cells(&self) -> Vec<(Range<usize>, [usize; 2])> {
        let mut cells: Vec<(Range<usize>, [usize; 2])> = Vec::new();
        for (pixel, (before, after)) in self.before.0.iter().zip(self.after.0).enumerate() {
            let tiles = [*before as usize, *after as usize];
            match cells.last_mut() {
                Some((range, of)) if *of == tiles => range.end = pixel + 1,
                _ => memory::push(&mut cells, (pixel..pixel + 1, tiles)),
            }
        }
        cells
    }
}

/// Equalize an image (rows, columns, channels) of `u8` in C order: levels above `top` count as `top`, and counts of a
/// tile above `limit` are spread.
pub fn equalize(
    output: ViewMut<'_>,
    input: &View<'_>,
    axes: [&TiledAxis<'_>; 2],
    limit: i64,
    top: u8,
) -> Result<()> {
    let refused = || Err(KernelError::shape("tiles, weights and image do not fit"));
    let (ViewMut::U8(output), View::U8(input)) = (output, input) else {
        return Err(KernelError::parameter("tiles of bytes are equalized"));
    };
    let &[rows, columns, channels] = input.shape() else { return refused() };
    if output.shape() != input.shape() || !axes[0].fits(rows) || !axes[1].fits(columns) || channels == 0 {
        return refused();
    }
    let (Some(to), Some(from)) = (output.into_slice(), input.as_slice()) else { return refused() };
    let image = TiledImage { from, row: columns * channels, channels, top };
    let tables = image.tables(axes, limit);
    let cells = axes[1].cells();
    let expanded = |weights: &[f64]| {
        let mut each = memory::with_capacity(weights.len() * channels);
        memory::extend(&mut each, weights.iter().flat_map(|weight| std::iter::repeat_n(*weight, channels)));
        each
    };
    let weights = [expanded(axes[1].before.1), expanded(axes[1].after.1)];
    let mut room = memory::zeros::<u32>(image.row);
    for (band, tiles) in axes[0].cells() {
        let joined = cells
            .iter()
            .map(|(_, columns)| image.joined(&tables, axes[1].tiles, tiles, *columns))
            .collect_vec();
        for row in band {
            let place = row * image.row..(row + 1) * image.row;
            let (from, to) = (&from[place.clone()], &mut to[place]);
            for ((range, _), tables) in cells.iter().zip(&joined) {
                let place = range.start * channels..range.end * channels;
                for (room, from) in
                    room[place.clone()].chunks_exact_mut(channels).zip(from[place].chunks_exact(channels))
                {
                    for ((room, value), table) in room.iter_mut().zip(from).zip(tables) {
                        *room = table[usize::from(*value)];
                    }
                }
            }
            let shares = [axes[0].before.1[row], axes[0].after.1[row]];
            dispatch(WeighTables { found: &room, to, weights: [&weights[0], &weights[1]], shares });
        }
        crate::exec::threads::check_interrupt();
    }
    Ok(())
}

struct TiledImage<'a> {
    from: &'a [u8],
    /// Values of a row.
    row: usize,
    channels: usize,
    top: u8,
}

impl TiledImage<'_> {
    /// A table for each tile, in order, and channel.
    fn tables(&self, axes: [&TiledAxis<'_>; 2], limit: i64) -> Vec<[u8; LEVELS]> {
        let [rows, columns] = axes;
        let (height, width) = (rows.tile_len(), columns.tile_len());
        let mut tables = memory::with_capacity(rows.tiles * columns.tiles * self.channels);
        let columns_of = columns.sources.iter().map(|column| *column as usize * self.channels).collect_vec();
        for rows in rows.sources.chunks_exact(height) {
            let mut counts = memory::zeros::<[i64; LEVELS]>(columns.tiles * self.channels);
            for row in rows {
                let row = &self.from[*row as usize * self.row..][..self.row];
                for (tile, counts) in
                    columns_of.chunks_exact(width).zip(counts.chunks_exact_mut(self.channels))
                {
                    for column in tile {
                        for (value, counts) in row[*column..][..self.channels].iter().zip(&mut *counts) {
                            counts[usize::from(*value)] += 1;
                        }
                    }
                }
            }
            let pixels = height * width;
            memory::extend(&mut tables, counts.iter_mut().map(|counts| self.table(counts, limit, pixels)));
        }
        tables
    }

    /// What becomes of each level of a tile with these counts.
    fn table(&self, counts: &mut [i64; LEVELS], limit: i64, pixels: usize) -> [u8; LEVELS] {
        let bins = usize::from(self.top) + 1;
        let (counts, beyond) = counts.split_at_mut(bins);
        counts[bins - 1] += beyond.iter().sum::<i64>();
        let excess: i64 = counts.iter().map(|count| (count - limit).max(0)).sum();
        let (each, left) = ((excess / bins as i64), (excess % bins as i64) as usize);
        counts.iter_mut().for_each(|count| *count = (*count).min(limit) + each);
        let step = bins.checked_div(left).map_or(1, |step| step.max(1));
        counts.iter_mut().step_by(step).take(left).for_each(|count| *count += 1);
        let scale = f64::from(self.top) / pixels as f64;
        let mut sum = 0;
        let mut table = [0; LEVELS];
        for (level, count) in counts.iter().enumerate() {
            sum += count;
            table[level] = (sum as f64 * scale).round_ties_even() as u8;
        }
        let last = table[bins - 1];
        table[bins..].fill(last);
        table
    }

    /// For each channel, the tables of four tiles as one of four bytes, the first tile's lowest.
    fn joined(
        &self,
        tables: &[[u8; LEVELS]],
        tiles_of_a_row: usize,
        rows: [usize; 2],
        columns: [usize; 2],
    ) -> Vec<[u32; LEVELS]> {
        let of = |row: usize, column: usize, channel: usize| {
            &tables[(rows[row] * tiles_of_a_row + columns[column]) * self.channels + channel]
        };
        (0..self.channels)
            .map(|channel| {
                let four = [of(0, 0, channel), of(0, 1, channel), of(1, 0, channel), of(1, 1, channel)];
                std::array::from_fn(|level| u32::from_le_bytes(four.map(|table| table[level])))
            })
            .collect_vec()
    }
}

/// The values of a row, from the four bytes that were found for each.
struct WeighTables<'a> {
    found: &'a [u32],
    to: &'a mut [u8],
    /// For each value, of the tiles before and after it along the row.
    weights: [&'a [f64]; 2],
    /// Of the tiles above and below.
    shares: [f64; 2],
}

impl Kernel for WeighTables<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { found, to, weights, shares } = self;
        let each = to.iter_mut().zip(found).zip(weights[0].iter().zip(weights[1]));
        for ((to, found), (before, after)) in each {
            let of = |byte: u32| f64::from((found >> (8 * byte)) as u8);
            let mut sum = of(0) * (shares[0] * before);
            sum += of(1) * (shares[0] * after);
            sum += of(2) * (shares[1] * before);
            sum += of(3) * (shares[1] * after);
            // Past the last bit for a fraction, the low byte of a number is that of its integer.
            *to = (sum + 6_755_399_441_055_744.0).to_bits() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::Array3;

    #[test]
    fn a_flat_tile_keeps_its_order_and_levels_reach_the_top() {
        let (rows, columns) = (24, 31);
        let input = Array3::from_shape_fn((rows, columns, 3), |(y, x, c)| (y * 3 + x * 2 + c * 40) as u8);
        let axis = |len: usize, tiles: usize| {
            let tile = len.div_ceil(tiles);
            let sources: Vec<i64> =
                (0..tile * tiles).map(|at| if at < len { at } else { 2 * len - 2 - at } as i64).collect();
            let place: Vec<f64> = (0..len).map(|at| (at as f64 + 0.5) / tile as f64 - 0.5).collect();
            let last = tiles as i64 - 1;
            let before: Vec<i64> = place.iter().map(|p| (p.floor() as i64).clamp(0, last)).collect();
            let after: Vec<i64> = place.iter().map(|p| (p.floor() as i64 + 1).clamp(0, last)).collect();
            let share: Vec<f64> = place.iter().map(|p| p - p.floor()).collect();
            let rest: Vec<f64> = share.iter().map(|s| 1.0 - s).collect();
            (sources, before, rest, after, share)
        };
        let parts = [axis(rows, 4), axis(columns, 3)];
        let axes = [(&parts[0], 4), (&parts[1], 3)].map(|((sources, before, rest, after, share), tiles)| {
            TiledAxis { tiles, sources, before: (before, rest), after: (after, share) }
        });
        let first = std::cell::OnceCell::new();
        at_every_level(1, || -> std::result::Result<(), ()> {
            let mut found = Array3::<u8>::zeros(input.raw_dim());
            let output = ViewMut::U8(found.view_mut().into_dyn());
            equalize(output, &View::U8(input.view().into_dyn()), [&axes[0], &axes[1]], 1000, 200).unwrap();
            assert!(found.iter().all(|value| *value <= 200) && found.iter().any(|value| *value > 150));
            assert_eq!(*first.get_or_init(|| found.clone()), found);
            Ok(())
        })
        .unwrap();
        let mut found = Array3::<u8>::zeros((rows, columns + 1, 3));
        let output = ViewMut::U8(found.view_mut().into_dyn());
        assert!(equalize(output, &View::U8(input.view().into_dyn()), [&axes[0], &axes[1]], 10, 255).is_err());
    }

    #[test]
    fn what_is_above_the_limit_is_spread() {
        let image = TiledImage { from: &[], row: 0, channels: 1, top: 3 };
        let mut counts = [0; LEVELS];
        counts[..6].copy_from_slice(&[10, 0, 0, 1, 2, 3]); // the last two count as 3
        // Limited to 4: 6 and 2 are above, two for each level.
        let table = image.table(&mut counts, 4, 16);
        assert_eq!(counts[..4], [6, 2, 2, 6]);
        assert_eq!(table[..5], [1, 2, 2, 3, 3]);
    }
}
