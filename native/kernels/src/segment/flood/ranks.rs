//! Ranks of heights: equal heights have equal ones, and there is no gap between two.
//!
//! Distances and grey levels have few different heights: these are kept in a hash table, and sorted. Else all heights are
//! sorted by radix, by the 32 highest bits in which they differ, and those that are equal there by all bits.

use crate::array::sample::Bool;
use crate::memory;

/// Slots of the hash table.
const SLOTS: usize = 1 << SLOT_BITS;

const SLOT_BITS: u32 = 12;

/// Different heights that the hash table holds.
const MOST: usize = SLOTS / 4;

/// What no key is.
const EMPTY: u64 = 0;

/// Bits of a digit, and digits of 32 bits.
const DIGIT: u32 = 11;
const DIGITS: usize = 3;

/// The rank of each element inside, from 1 on, and 0 outside; and the largest one.
pub(super) fn ranks<T: Copy>(
    heights: &[T],
    inside: &[Bool],
    key: impl Fn(T) -> u64 + Copy,
) -> (Vec<u32>, usize) {
    ranks_of_few(heights, inside, key).unwrap_or_else(|| ranks_of_many(heights, inside, key))
}

/// A height's key, and its number in the order of discovery.
#[derive(Clone, Copy)]
struct KnownHeight {
    key: u64,
    number: u32,
}

/// None if there are too many different heights.
fn ranks_of_few<T: Copy>(
    heights: &[T],
    inside: &[Bool],
    key: impl Fn(T) -> u64,
) -> Option<(Vec<u32>, usize)> {
    let mut slots = [KnownHeight { key: EMPTY, number: 0 }; SLOTS];
    let mut ranks = memory::zeros(heights.len());
    let mut found = [KnownHeight { key: EMPTY, number: 0 }; MOST];
    let mut known = 0;
    for ((rank, height), inside) in ranks.iter_mut().zip(heights).zip(inside) {
        if inside.0 == 0 {
            continue;
        }
        let key = key(*height);
        let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOT_BITS)) as usize;
        while slots[at].key != key {
            if slots[at].key == EMPTY {
                if known == MOST {
                    return None;
                }
                known += 1;
                slots[at] = KnownHeight { key, number: known as u32 };
                found[known - 1] = slots[at];
                break;
            }
            at = (at + 1) % SLOTS;
        }
        *rank = slots[at].number;
    }
    found[..known].sort_unstable_by_key(|height| height.key);
    let mut rank_of = [0; MOST + 1];
    for (rank, height) in found[..known].iter().enumerate() {
        rank_of[height.number as usize] = rank as u32 + 1;
    }
    ranks.iter_mut().for_each(|rank| *rank = rank_of[*rank as usize]);
    Some((ranks, known))
}

fn ranks_of_many<T: Copy>(
    heights: &[T],
    inside: &[Bool],
    key: impl Fn(T) -> u64 + Copy,
) -> (Vec<u32>, usize) {
    let keys =
        || heights.iter().zip(inside).filter(|(_, inside)| inside.0 != 0).map(|(height, _)| key(*height));
    let (least, most) = keys().fold((u64::MAX, 0), |(least, most), key| (least.min(key), most.max(key)));
    let mut ranks = memory::zeros(heights.len());
    if least > most {
        return (ranks, 0);
    }
    let dropped = (u64::BITS - (most - least).leading_zeros()).saturating_sub(u32::BITS);
    let coarse = |at: usize| (key(heights[at]) - least) >> dropped;
    // Elements with their coarse keys above.
    let mut sorted = memory::with_capacity(heights.len());
    let places = inside.iter().enumerate().filter(|(_, inside)| inside.0 != 0);
    memory::extend(&mut sorted, places.map(|(at, _)| coarse(at) << u32::BITS | at as u64));
    sort_by_upper_half(&mut sorted);
    let mut rank = 0;
    for equal in sorted.chunk_by_mut(|a, b| a >> u32::BITS == b >> u32::BITS) {
        let whole = |element: &u64| key(heights[*element as u32 as usize]);
        if dropped > 0 && equal.len() > 1 {
            equal.sort_unstable_by_key(whole);
        }
        let mut before = EMPTY;
        for element in equal {
            let own = if dropped > 0 { whole(element) } else { !EMPTY };
            rank += u32::from(own != before);
            before = own;
            ranks[*element as u32 as usize] = rank;
        }
    }
    (ranks, rank as usize)
}

/// Sort by the 32 upper bits.
fn sort_by_upper_half(elements: &mut Vec<u64>) {
    let digit = |element: u64, number: usize| {
        (element >> (u32::BITS + DIGIT * number as u32)) as usize & ((1 << DIGIT) - 1)
    };
    let mut starts = [[0_u32; 1 << DIGIT]; DIGITS];
    for element in elements.iter() {
        starts.iter_mut().enumerate().for_each(|(number, counts)| counts[digit(*element, number)] += 1);
    }
    let mut spare = memory::zeros(elements.len());
    for (number, starts) in starts.iter_mut().enumerate() {
        if starts.iter().any(|count| *count as usize == elements.len()) {
            continue;
        }
        let mut before = 0;
        for start in starts.iter_mut() {
            before += std::mem::replace(start, before);
        }
        for element in elements.iter() {
            let place = &mut starts[digit(*element, number)];
            spare[*place as usize] = *element;
            *place += 1;
        }
        std::mem::swap(elements, &mut spare);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranks_count_the_different_lower_heights(
            heights in prop::collection::vec((1_u64..u64::MAX, any::<bool>(), 0_u64..5), 0..200),
            range in prop::sample::select(vec![10_u64, 1 << 31, 1 << 40, u64::MAX - 1]),
            from in prop::sample::select(vec![0_u64, 1 << 63]),
        ) {
            let keys: Vec<u64> = heights
                .iter()
                .map(|(key, _, close)| (if *close == 0 { 77 } else { 1 + key % range + close }).saturating_add(from))
                .collect();
            let inside: Vec<Bool> = heights.iter().map(|(_, inside, _)| Bool(u8::from(*inside))).collect();
            let different: BTreeSet<u64> =
                keys.iter().zip(&inside).filter(|(_, inside)| inside.0 != 0).map(|(key, _)| *key).collect();
            let rank = |(key, inside): (&u64, &Bool)| {
                if inside.0 == 0 { 0 } else { different.range(..=key).count() as u32 }
            };
            let expected: Vec<u32> = keys.iter().zip(&inside).map(rank).collect();
            let few = ranks_of_few(&keys, &inside, |key| key);
            prop_assert_eq!(few, Some((expected.clone(), different.len())));
            prop_assert_eq!(ranks_of_many(&keys, &inside, |key| key), (expected, different.len()));
        }
    }

    #[test]
    fn many_heights_leave_the_table() {
        let keys: Vec<u64> = (0..3000).map(|at| 1 + at * 7919 % 3000 * (1 << 33)).collect();
        let inside = vec![Bool(1); keys.len()];
        assert!(ranks_of_few(&keys[..MOST], &inside, |key| key).is_some());
        assert!(ranks_of_few(&keys[..=MOST], &inside, |key| key).is_none());
        let (ranks, count) = ranks(&keys, &inside, |key| key);
        assert_eq!(count, 3000);
        assert!(ranks.iter().zip(&keys).all(|(rank, key)| u64::from(*rank - 1) == key >> 33));
    }
}
