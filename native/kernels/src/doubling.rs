//! Runs of neighbouring cells, covered by runs of doubled length.
//!
//! What one read gives for 2^k neighbours, two reads of overlapping pairs give for 2^(k+1) at most. So a long run
//! costs two reads, once its level is made for all pixels.

/// How many levels to make so that making them and reading `runs` (their lengths) costs least.
pub(crate) fn levels_for(runs: &[usize]) -> u32 {
    let longest = runs.iter().copied().max().unwrap_or(1);
    let cost =
        |levels: &u32| *levels as usize + runs.iter().map(|len| cover(*len, *levels).count()).sum::<usize>();
    (0..=longest.ilog2()).min_by_key(cost).unwrap_or(0)
}

/// The reads for a run of `len` > 0 cells: the level, and the first cell.
pub(crate) fn cover(len: usize, levels: u32) -> impl Iterator<Item = (usize, usize)> {
    let level = levels.min(len.ilog2());
    let size = 1_usize << level;
    (0..len.div_ceil(size)).map(move |part| (level as usize, (part * size).min(len - size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_covered_and_no_other() {
        for len in 1..70 {
            for levels in 0..7 {
                let mut covered = vec![false; len];
                for (level, start) in cover(len, levels) {
                    assert!(level as u32 <= levels);
                    covered[start..start + (1 << level)].fill(true);
                }
                assert!(covered.iter().all(|cell| *cell));
            }
        }
    }

    #[test]
    fn levels_are_made_where_they_pay() {
        assert_eq!(levels_for(&[]), 0);
        assert_eq!(levels_for(&[1, 1, 2]), 0);
        assert_eq!(levels_for(&[15; 15]), 3);
    }
}
