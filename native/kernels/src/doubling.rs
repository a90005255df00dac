//! Range queries by doubling (a sparse table): a run of cells is covered by few overlapping runs of length 2^k.
//!
//! Level k holds, for every cell, the combination of the 2^k cells from it on; level k + 1 combines two cells of level
//! k. An idempotent operation (minimum, maximum, and) may cover cells twice, so a run of any length needs two reads at
//! most once its level exists.

/// The number of levels for which building them and reading all `runs` (given by length) costs least.
pub(crate) fn levels_for(runs: &[usize]) -> u32 {
    let longest = runs.iter().copied().max().unwrap_or(1);
    let cost =
        |levels: &u32| *levels as usize + runs.iter().map(|len| cover(*len, *levels).count()).sum::<usize>();
    (0..=longest.ilog2()).min_by_key(cost).unwrap_or(0)
}

/// The reads for a run of `len` > 0 cells: (level, first cell).
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
