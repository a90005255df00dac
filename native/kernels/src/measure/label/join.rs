//! Components, from runs that touch: a run has the label of the first run that it touches, and later ones join labels.

use super::slab::{BEYOND, CHECK_EVERY, LineBits, RunNumber, Slab, line_bits, moved};
use super::structure::{LineIndex, Neighbours};
use super::unite::unite;
#[cfg(target_arch = "x86_64")]
use super::wide;
use crate::array::packing::WORD;
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory;

/// Label the runs of a slab, and join the labels of those that touch.
pub(super) fn join_runs<N: RunNumber>(slab: &mut Slab<N>, neighbours: &Neighbours) {
    #[cfg(target_arch = "x86_64")]
    if N::narrow(slab).is_some_and(|slab| wide::join_runs(slab, neighbours)) {
        return;
    }
    dispatch(JoinRuns { slab, neighbours });
}

struct JoinRuns<'a, N> {
    slab: &'a mut Slab<N>,
    neighbours: &'a Neighbours,
}

impl<N: RunNumber> Kernel for JoinRuns<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { slab, neighbours } = self;
        let none = N::new(usize::MAX);
        let mut index = LineIndex::new(neighbours, slab.lines.start);
        let mut labels = memory::filled(none, slab.runs + BEYOND);
        let mut parents = Vec::new();
        let (bits, words) = ((&slab.pixels[..], &slab.starts[..], &slab.before[..]), slab.words);
        let (mut first, mut unchecked) = (0, 0);
        for number in 0..slab.lines.len() {
            let line = line_bits(bits, words, number);
            for earlier in index.earlier().filter(|earlier| earlier.distance <= number) {
                let other = line_bits(bits, words, number - earlier.distance);
                for window in &earlier.windows {
                    for_each_touching(line, other, *window, |run, other| {
                        let (own, other) = (labels[run], labels[other]);
                        if own == none {
                            labels[run] = other;
                        } else {
                            unite(&mut parents, own.get(), other.get());
                        }
                    });
                }
            }
            let end = bits.2.get((number + 1) * words).map_or(slab.runs, |before| before.get());
            for label in labels[first..end].iter_mut().filter(|label| **label == none) {
                *label = N::new(parents.len());
                memory::push(&mut parents, *label);
            }
            index.step();
            unchecked += words * WORD + 8 * (end - first);
            first = end;
            if unchecked >= CHECK_EVERY {
                unchecked = 0;
                threads::check_interrupt();
            }
        }
        (slab.labels, slab.parents) = (labels, parents);
    }
}

/// Call `work` with each run of a line and each run of an earlier one that touch: pixels are connected at offsets `first` - 1
/// to `last` - 1 along the line.
///
/// A run [s, e) and one [a, b) of the earlier line touch first at s, if a < s + last - 1, else at a - last + 1. Only one
/// earlier run can touch the run at s without being the second case: the last one that starts before s + last - 1.
#[inline(always)]
fn for_each_touching<N: RunNumber>(
    line: LineBits<'_, N>,
    earlier: LineBits<'_, N>,
    (first, last): (usize, usize),
    mut work: impl FnMut(usize, usize),
) {
    for (word, pixels) in line.pixels.iter().enumerate() {
        if *pixels == 0 {
            continue;
        }
        // Where a run starts and one that started before reaches it; then where an earlier run does.
        let mut near = moved(earlier.pixels, word, last) & !moved(earlier.starts, word, last);
        for offset in first..last {
            near |= moved(earlier.pixels, word, offset);
        }
        let mut places = line.starts[word] & near;
        while places != 0 {
            let place = word * WORD + places.trailing_zeros() as usize;
            places &= places - 1;
            work(line.run_at(place), earlier.run_at(place + last - 2));
        }
        let mut places = pixels & moved(earlier.starts, word, last);
        while places != 0 {
            let place = word * WORD + places.trailing_zeros() as usize;
            places &= places - 1;
            work(line.run_at(place), earlier.run_at(place + last - 1));
        }
    }
}

/// The parents of all labels, with those joined whose runs touch across a seam.
pub(super) fn join_slabs<N: RunNumber>(slabs: &mut [Slab<N>], neighbours: &Neighbours) -> Vec<N> {
    let mut parents = memory::with_capacity(slabs.iter().map(|slab| slab.parents.len()).sum());
    if let [slab] = slabs {
        return std::mem::take(&mut slab.parents);
    }
    for slab in slabs.iter_mut() {
        slab.base = parents.len();
        let base = slab.base;
        memory::extend(&mut parents, slab.parents.iter().map(|parent| N::new(parent.get() + base)));
        slab.parents = Vec::new();
    }
    let longest = neighbours.lines.iter().map(|earlier| earlier.distance).max().unwrap_or(0);
    for (number, slab) in slabs.iter().enumerate().skip(1) {
        let mut index = LineIndex::new(neighbours, slab.lines.start);
        for line in slab.lines.clone().take(longest) {
            let own = slab.line(line - slab.lines.start);
            for earlier in index.earlier() {
                let wanted = line - earlier.distance;
                if wanted >= slab.lines.start {
                    continue;
                }
                let Some(other) = slabs[..number].iter().rfind(|other| other.lines.start <= wanted) else {
                    continue;
                };
                for window in &earlier.windows {
                    let earlier = other.line(wanted - other.lines.start);
                    for_each_touching(own, earlier, *window, |run, earlier| {
                        let (own, other_label) = (slab.labels[run].get(), other.labels[earlier].get());
                        unite(&mut parents, own + slab.base, other_label + other.base);
                    });
                }
            }
            index.step();
        }
    }
    parents
}

/// Replace each parent by the number of its component; return how many there are.
pub(super) fn number_roots<N: RunNumber>(parents: &mut [N]) -> usize {
    let mut count = 0;
    for label in 0..parents.len() {
        let parent = parents[label].get();
        let is_root = parent == label;
        count += usize::from(is_root);
        // Parents come first, and have been replaced.
        parents[label] = if is_root { N::new(count) } else { parents[parent] };
    }
    count
}
