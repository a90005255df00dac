//! Lines laid side by side, and back.
//!
//! Where the neighbours of a sample along its line lie few samples away, lanes of a register that are such neighbours
//! are loaded across cache lines, in twice the time. So lanes are taken from different lines.

/// Lines and columns of a tile.
pub(crate) const SIDE: usize = 16;

/// Elements of `SIDE` lines by `SIDE` columns.
type Tile<T> = [T; SIDE * SIDE];

/// Lines of `len` elements, one after the other, as rows of `lanes` samples, one of every line.
#[inline(always)]
pub(crate) fn side_by_side<T: Copy, B: Copy>(
    from: &[T],
    len: usize,
    to: &mut [B],
    lanes: usize,
    load: impl Fn(T) -> B + Copy,
) {
    match len {
        2 => return apart::<2, T, B>(from, to, lanes, load),
        3 => return apart::<3, T, B>(from, to, lanes, load),
        4 => return apart::<4, T, B>(from, to, lanes, load),
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
    // Converted whole, and moved by rows: loops over lanes inside loops over rows become gathers.
    let (mut tile, mut samples) = ([from[0]; SIDE * SIDE], [load(from[0]); SIDE * SIDE]);
    let mut spare = tile;
    for line in (0..lines).step_by(SIDE) {
        for column in tiles(len) {
            for (index, tile) in tile.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
                // Lanes without a line get the last one once more.
                let from = &from[(line + index).min(lines - 1) * len + column..];
                tile.copy_from_slice(&from[..SIDE]);
            }
            turn(&mut tile, &mut spare);
            samples.iter_mut().zip(&tile).for_each(|(to, from)| *to = load(*from));
            for (index, samples) in samples.as_chunks::<SIDE>().0.iter().enumerate() {
                to[(column + index) * lanes + line..][..SIDE].copy_from_slice(samples);
            }
        }
    }
}

/// [`side_by_side`] for lines of `N`.
#[inline(always)]
fn apart<const N: usize, T: Copy, B: Copy>(
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

/// The way back of [`side_by_side`].
#[inline(always)]
pub(crate) fn one_after_the_other<R: Copy, U: Copy>(
    from: &[R],
    lanes: usize,
    to: &mut [U],
    len: usize,
    store: impl Fn(R) -> U + Copy,
) {
    match len {
        2 => return together::<2, R, U>(from, lanes, to, store),
        3 => return together::<3, R, U>(from, lanes, to, store),
        4 => return together::<4, R, U>(from, lanes, to, store),
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
            turn(&mut tile, &mut spare);
            let lines = SIDE.min(lines - line);
            for (index, tile) in tile.as_chunks::<SIDE>().0.iter().take(lines).enumerate() {
                to[(line + index) * len + column..][..SIDE].copy_from_slice(tile);
            }
        }
    }
}

/// [`one_after_the_other`] for lines of `N`.
#[inline(always)]
fn together<const N: usize, R: Copy, U: Copy>(
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

/// Exchange rows and columns.
///
/// A riffle of the two halves moves the highest bit of every index to its lowest place; four of them exchange the
/// four bits of the row and the four of the column. Riffles are what compilers have instructions for: measured,
/// two to nine times as fast as moving the elements one by one, except for 8-byte elements below AVX-512.
#[inline(always)]
fn turn<T: Copy>(tile: &mut Tile<T>, spare: &mut Tile<T>) {
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

/// Where the tiles of a line of `len` samples begin; the last one may overlap the one before.
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
        turn(&mut tile, &mut spare);
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
                side_by_side(&from, len, &mut rows, lanes, f64::from);
                for (index, value) in from.iter().enumerate() {
                    assert_eq!(rows[index % len * lanes + index / len], f64::from(*value));
                }
                let mut back = vec![0; from.len()];
                one_after_the_other(&rows, lanes, &mut back, len, |value| value as u16);
                assert_eq!(back, from);
            }
        }
    }
}
