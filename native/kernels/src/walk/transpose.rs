//! Interleave lines, and undo it.
//!
//! Short strides make SIMD loads straddle cache lines, which doubles their time; transpose so that each lane holds a
//! different line.

/// Lines and columns of a tile that is transposed in registers.
pub(crate) const SIDE: usize = 16;

/// Elements of `SIDE` lines by `SIDE` columns.
type Tile<T> = [T; SIDE * SIDE];

/// Interleave contiguous lines of `len` elements: row k of `to` holds sample k of each of `lanes` lines.
#[inline(always)]
pub(crate) fn interleave<T: Copy, B: Copy>(
    from: &[T],
    len: usize,
    to: &mut [B],
    lanes: usize,
    load: impl Fn(T) -> B + Copy,
) {
    match len {
        2 => return interleave_short::<2, T, B>(from, to, lanes, load),
        3 => return interleave_short::<3, T, B>(from, to, lanes, load),
        4 => return interleave_short::<4, T, B>(from, to, lanes, load),
        _ => {}
    }
    let lines = from.len() / len;
    if len < SIDE {
        for (column, to) in to.chunks_exact_mut(lanes).enumerate() {
            let from = from[column..].iter().step_by(len);
            to.iter_mut().zip(from).for_each(|(to, from)| *to = load(*from));
        }
        return;
    }
    // Convert and move whole rows: compilers turn a loop over lanes inside a loop over rows into gathers.
    let (mut tile, mut samples) = ([from[0]; SIDE * SIDE], [load(from[0]); SIDE * SIDE]);
    let mut spare = tile;
    for line in (0..lines).step_by(SIDE) {
        for column in tiles(len) {
            for (index, tile) in tile.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
                // Unused lanes repeat the last line.
                let from = &from[(line + index).min(lines - 1) * len + column..];
                tile.copy_from_slice(&from[..SIDE]);
            }
            transpose_tile(&mut tile, &mut spare);
            samples.iter_mut().zip(&tile).for_each(|(to, from)| *to = load(*from));
            for (index, samples) in samples.as_chunks::<SIDE>().0.iter().enumerate() {
                to[(column + index) * lanes + line..][..SIDE].copy_from_slice(samples);
            }
        }
    }
}

/// [`interleave`] for lines of `N` elements.
#[inline(always)]
fn interleave_short<const N: usize, T: Copy, B: Copy>(
    from: &[T],
    to: &mut [B],
    lanes: usize,
    load: impl Fn(T) -> B + Copy,
) {
    let lines = from.as_chunks::<N>().0;
    let mut rows = to.chunks_exact_mut(lanes);
    let mut rows: [&mut [B]; N] =
        std::array::from_fn(|_| &mut rows.next().expect("a row for every sample of a line")[..lines.len()]);
    for (index, line) in lines.iter().enumerate() {
        for (row, sample) in rows.iter_mut().zip(line) {
            row[index] = load(*sample);
        }
    }
}

/// The inverse of [`interleave`].
#[inline(always)]
pub(crate) fn deinterleave<R: Copy, U: Copy>(
    from: &[R],
    lanes: usize,
    to: &mut [U],
    len: usize,
    store: impl Fn(R) -> U + Copy,
) {
    match len {
        2 => return deinterleave_short::<2, R, U>(from, lanes, to, store),
        3 => return deinterleave_short::<3, R, U>(from, lanes, to, store),
        4 => return deinterleave_short::<4, R, U>(from, lanes, to, store),
        _ => {}
    }
    let lines = to.len() / len;
    if len < SIDE {
        for (column, from) in from.chunks_exact(lanes).enumerate() {
            let to = to[column..].iter_mut().step_by(len);
            to.zip(from).for_each(|(to, from)| *to = store(*from));
        }
        return;
    }
    let (mut tile, mut samples) = ([store(from[0]); SIDE * SIDE], [from[0]; SIDE * SIDE]);
    let mut spare = tile;
    for line in (0..lines).step_by(SIDE) {
        for column in tiles(len) {
            for (index, samples) in samples.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
                samples.copy_from_slice(&from[(column + index) * lanes + line..][..SIDE]);
            }
            tile.iter_mut().zip(&samples).for_each(|(to, from)| *to = store(*from));
            transpose_tile(&mut tile, &mut spare);
            let lines = SIDE.min(lines - line);
            for (index, tile) in tile.as_chunks::<SIDE>().0.iter().take(lines).enumerate() {
                to[(line + index) * len + column..][..SIDE].copy_from_slice(tile);
            }
        }
    }
}

/// [`deinterleave`] for lines of `N` elements.
#[inline(always)]
fn deinterleave_short<const N: usize, R: Copy, U: Copy>(
    from: &[R],
    lanes: usize,
    to: &mut [U],
    store: impl Fn(R) -> U + Copy,
) {
    let lines = to.as_chunks_mut::<N>().0;
    let rows: [&[R]; N] = std::array::from_fn(|row| &from[row * lanes..][..lines.len()]);
    for (index, line) in lines.iter_mut().enumerate() {
        for (sample, row) in line.iter_mut().zip(rows) {
            *sample = store(row[index]);
        }
    }
}

/// Transpose a tile.
///
/// A riffle of the two halves moves the highest bit of every index to the lowest place. Four riffles exchange the four
/// row bits and the four column bits. Compilers have instructions for riffles: measured two to nine times as fast as
/// moving elements one by one, except for 8-byte elements below AVX-512.
#[inline(always)]
fn transpose_tile<T: Copy>(tile: &mut Tile<T>, spare: &mut Tile<T>) {
    riffle(tile, spare);
    riffle(spare, tile);
    riffle(tile, spare);
    riffle(spare, tile);
}

#[inline(always)]
fn riffle<T: Copy>(from: &Tile<T>, to: &mut Tile<T>) {
    let (left, right) = from.split_at(SIDE * SIDE / 2);
    for ((to, left), right) in to.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(right) {
        to[0] = *left;
        to[1] = *right;
    }
}

/// Where the tiles of a line of `len` samples begin; the last may overlap the one before it.
#[inline(always)]
fn tiles(len: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by(SIDE).map(move |start| start.min(len - SIDE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_tile_has_its_rows_for_columns() {
        let mut tile: Tile<u16> = std::array::from_fn(|index| index as u16);
        let mut spare = tile;
        transpose_tile(&mut tile, &mut spare);
        assert!((0..256).all(|index| usize::from(tile[index]) == index % SIDE * SIDE + index / SIDE));
    }

    #[test]
    fn tiles_cover_a_line_and_stay_in_it() {
        for len in SIDE..100 {
            let mut covered = vec![false; len];
            tiles(len).for_each(|start| covered[start..start + SIDE].fill(true));
            assert!(covered.iter().all(|covered| *covered));
        }
    }

    #[test]
    fn lines_laid_side_by_side_come_back() {
        for len in [1, 2, 3, 4, 7, 16, 17, 45] {
            for lines in [1_usize, 5, 16, 37] {
                let lanes = lines.next_multiple_of(SIDE);
                let from: Vec<u16> = (0..lines * len).map(|value| value as u16).collect();
                let mut rows = vec![0.0; len * lanes];
                interleave(&from, len, &mut rows, lanes, f64::from);
                for (index, value) in from.iter().enumerate() {
                    assert_eq!(rows[index % len * lanes + index / len], f64::from(*value));
                }
                let mut back = vec![0; from.len()];
                deinterleave(&rows, lanes, &mut back, len, |value| value as u16);
                assert_eq!(back, from);
            }
        }
    }
}
