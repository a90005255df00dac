//! Watershed from markers by the image foresting transform (Lotufo and Falcão, 2000; Felkel et al., 2001).
//!
//! The cost of a path is the largest step between neighbours on it. Elements leave a queue per cost, the cheapest first,
//! and pass their label to neighbours that they reach at less cost:
//!
//! ```text
//! for each cost: while its queue is not empty: take the first element v, and for each neighbour p that is not finished:
//!     if max(cost[v], |input[p] - input[v]|) < cost[p]: that is its cost, label[p] = label[v], and p moves to its queue
//! ```
//!
//! Positive labels enter queues at their beginning, negative ones at their end. What SciPy's lists do beyond that is
//! kept, since labels depend on it: neighbours are found by positions in C order alone, so that the end of a line
//! touches the start of the next; an element that is alone in its queue stays there when it moves to another one; the
//! last element of a queue is remembered after it was taken. Without negative labels all that matters is at the beginning
//! of queues, and the flood goes by [`stacks`], or [`depth_first`] where there are many neighbours.

mod depth_first;
mod stacks;

use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::threads;
use crate::match_dtype;
use crate::measure::labelled::Label;
use crate::memory::{self, CollectVec};
use ndarray::ArrayViewD;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 18;

/// No element.
const NONE: u32 = u32::MAX;

/// As many neighbours as links are followed for at once; of more, most are finished, and links are rather left for later.
const FEW_NEIGHBOURS: usize = 4;

/// A label as it is stored.
trait StoredLabel: Copy {
    fn store(label: i32) -> Self;
    fn load(self) -> i32;
}

macro_rules! stored_label {
    ($($type:ty),*) => {
        $(
            impl StoredLabel for $type {
                #[inline(always)]
                fn store(label: i32) -> Self {
                    label as $type
                }

                #[inline(always)]
                fn load(self) -> i32 {
                    self as i32
                }
            }
        )*
    };
}

stored_label!(i8, i16, i32, i64);

/// Write the label of the marker that reaches each element at the least cost.
///
/// `input` is `u8` or `u16`, `markers` are integers, taken modulo 2^32; `output` holds signed integers and is C-contiguous.
/// `structure` tells the neighbours: three elements along each axis, in C order.
///
/// # Errors
///
/// If shapes, types or memory layouts do not fit, or there are 2^32 - 1 elements or more.
pub fn watershed(
    output: ViewMut<'_>,
    input: &View<'_>,
    markers: &View<'_>,
    structure: &[bool],
) -> Result<()> {
    let shape = memory::copy(input.shape());
    let cells = 3_usize.checked_pow(shape.len() as u32);
    if output.shape() != shape || markers.shape() != shape || cells != Some(structure.len()) {
        return Err(KernelError::shape("an output, markers or a structure of another shape than the input"));
    }
    if input.len() >= NONE as usize {
        return Err(KernelError::parameter("a watershed of more than 2^32 elements"));
    }
    let heights = match input {
        View::U8(array) => read(array, |height| u16::from(*height)),
        View::U16(array) => read(array, |height| *height),
        _ => return Err(KernelError::parameter("only arrays of 8 or 16 bits without sign have a watershed")),
    };
    let markers = match_dtype!(View, markers, array => read(array, |marker| marker.to_i64() as i32));
    let neighbours = neighbours_of(&shape, structure);
    let refused = || KernelError::shape("an output that is not C-contiguous");
    match output {
        ViewMut::I8(array) => flood(array.into_slice().ok_or_else(refused)?, &heights, &markers, &neighbours),
        ViewMut::I16(array) => {
            flood(array.into_slice().ok_or_else(refused)?, &heights, &markers, &neighbours)
        }
        ViewMut::I32(array) => {
            flood(array.into_slice().ok_or_else(refused)?, &heights, &markers, &neighbours)
        }
        ViewMut::I64(array) => {
            flood(array.into_slice().ok_or_else(refused)?, &heights, &markers, &neighbours)
        }
        _ => return Err(KernelError::parameter("labels are signed integers")),
    }
    Ok(())
}

/// The elements in C order.
fn read<T, R>(array: &ArrayViewD<'_, T>, of: impl Fn(&T) -> R) -> Vec<R> {
    match array.as_slice() {
        Some(elements) => elements.iter().map(of).collect_vec(),
        None => array.iter().map(of).collect_vec(),
    }
}

/// Distances in C order to the neighbours, without 0 and each once: a second look at a neighbour changes nothing.
fn neighbours_of(shape: &[usize], structure: &[bool]) -> Vec<isize> {
    let mut neighbours = Vec::new();
    for (cell, _) in structure.iter().enumerate().filter(|(_, is_set)| **is_set) {
        let (mut rest, mut stride, mut distance) = (cell, 1_isize, 0);
        for len in shape.iter().rev() {
            distance += ((rest % 3) as isize - 1) * stride;
            stride *= *len as isize;
            rest /= 3;
        }
        if distance != 0 && !neighbours.contains(&distance) {
            memory::push(&mut neighbours, distance);
        }
    }
    neighbours
}

#[derive(Clone, Copy)]
struct Node {
    cost: u32,
    next: u32,
    previous: u32,
    finished: bool,
}

/// The first and the last element of a queue.
#[derive(Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

/// Elements, in a doubly linked list per cost.
struct Queues {
    elements: Vec<Node>,
    ends: Vec<Ends>,
}

impl Queues {
    #[inline(always)]
    fn push_front(&mut self, at: u32, cost: usize) {
        let ends = &mut self.ends[cost];
        self.elements[at as usize].next = ends.first;
        self.elements[at as usize].previous = NONE;
        if ends.first != NONE {
            self.elements[ends.first as usize].previous = at;
        }
        ends.first = at;
        if ends.last == NONE {
            ends.last = at;
        }
    }

    #[inline(always)]
    fn push_back(&mut self, at: u32, cost: usize) {
        let ends = &mut self.ends[cost];
        self.elements[at as usize].previous = ends.last;
        self.elements[at as usize].next = NONE;
        if ends.last != NONE {
            self.elements[ends.last as usize].next = at;
        }
        ends.last = at;
        if ends.first == NONE {
            ends.first = at;
        }
    }

    #[inline(always)]
    fn pop_front(&mut self, cost: usize) -> Option<u32> {
        let at = self.ends[cost].first;
        if at == NONE {
            return None;
        }
        let next = self.elements[at as usize].next;
        self.ends[cost].first = next;
        if next != NONE {
            self.elements[next as usize].previous = NONE;
        }
        let element = &mut self.elements[at as usize];
        (element.next, element.previous, element.finished) = (NONE, NONE, true);
        Some(at)
    }

    /// Take an element out of a queue of several.
    #[inline(always)]
    fn remove(&mut self, at: u32, cost: usize) {
        let Node { next, previous, .. } = self.elements[at as usize];
        if next == NONE && previous == NONE {
            return;
        }
        let ends = &mut self.ends[cost];
        if ends.first == at {
            ends.first = next;
        }
        if ends.last == at {
            ends.last = previous;
        }
        if previous != NONE {
            self.elements[previous as usize].next = next;
        }
        if next != NONE {
            self.elements[next as usize].previous = previous;
        }
    }
}

fn flood<O: StoredLabel>(labels: &mut [O], heights: &[u16], markers: &[i32], neighbours: &[isize]) {
    let label_of = |marker| O::store(marker).load();
    let mut write = |at: usize, label| labels[at] = O::store(label);
    let is_done = neighbours.len() > FEW_NEIGHBOURS
        && depth_first::flood(heights, markers, neighbours, label_of, &mut write);
    if is_done || stacks::flood(heights, markers, neighbours, label_of, write) {
        return;
    }
    flood_by_queues(labels, heights, markers, neighbours);
}

fn flood_by_queues<O: StoredLabel>(labels: &mut [O], heights: &[u16], markers: &[i32], neighbours: &[isize]) {
    let Some(highest) = heights.iter().max() else { return };
    let highest = usize::from(*highest);
    let unreached = Node { cost: highest as u32 + 1, next: NONE, previous: NONE, finished: false };
    let mut queues = Queues {
        elements: memory::filled(unreached, heights.len()),
        ends: memory::filled(Ends { first: NONE, last: NONE }, highest + 1),
    };
    for (at, (label, marker)) in labels.iter_mut().zip(markers).enumerate() {
        *label = O::store(*marker);
        if *marker == 0 {
            continue;
        }
        queues.elements[at].cost = 0;
        // The first marker starts the queue, whatever its sign.
        if *marker > 0 { queues.push_front(at as u32, 0) } else { queues.push_back(at as u32, 0) }
    }
    let mut unchecked = 0;
    for cost in 0..=highest {
        while let Some(at) = queues.pop_front(cost) {
            let (own, height) = (queues.elements[at as usize].cost, heights[at as usize]);
            for distance in neighbours {
                let position = (at as usize).wrapping_add_signed(*distance);
                let Some(neighbour) = queues.elements.get_mut(position) else { continue };
                if neighbour.finished {
                    continue;
                }
                let reached = own.max(u32::from(heights[position].abs_diff(height)));
                let before = neighbour.cost;
                if reached >= before {
                    continue;
                }
                neighbour.cost = reached;
                let label = labels[at as usize].load();
                labels[position] = O::store(label);
                queues.remove(position as u32, before as usize);
                if label < 0 {
                    queues.push_back(position as u32, reached as usize);
                } else {
                    queues.push_front(position as u32, reached as usize);
                }
            }
            unchecked += 1;
            if unchecked == CHECK_EVERY {
                unchecked = 0;
                threads::check_interrupt();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, arr2};
    use proptest::prelude::*;

    fn labels(input: &ArrayD<u8>, markers: &ArrayD<i32>, structure: &[bool]) -> ArrayD<i16> {
        let mut output = ArrayD::<i16>::from_elem(input.raw_dim(), 77);
        let to = ViewMut::I16(output.view_mut());
        watershed(to, &View::U8(input.view()), &View::I32(markers.view()), structure).unwrap();
        output
    }

    #[test]
    fn basins_are_divided_at_ridges() {
        let input = arr2(&[[0, 1, 9, 2, 0]]).into_dyn();
        let markers = arr2(&[[1, 0, 0, 0, 2]]).into_dyn();
        let cross = [false, true, false, true, true, true, false, true, false];
        assert_eq!(labels(&input, &markers, &cross), arr2(&[[1, 1, 2, 2, 2]]).into_dyn());
    }

    #[test]
    fn the_end_of_a_line_touches_the_start_of_the_next() {
        let input = arr2(&[[5, 0], [0, 5]]).into_dyn();
        let markers = arr2(&[[0, 3], [0, 0]]).into_dyn();
        let across = [false, false, false, true, true, true, false, false, false];
        assert_eq!(labels(&input, &markers, &across), arr2(&[[3, 3], [3, 3]]).into_dyn());
    }

    /// Noise whose steps are seldom large, in lines of 64 elements.
    fn noise(seed: u32) -> Vec<u16> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        (0..4096)
            .map(|_| 100 + (next() % 9) as u16 + if next() % 50 == 0 { (next() % 90) as u16 } else { 0 })
            .collect()
    }

    #[test]
    fn lists_that_lose_elements_are_followed() {
        let neighbours =
            neighbours_of(&[64, 64], &[false, true, false, true, true, true, false, true, false]);
        let mut differs_without = 0;
        for seed in 0..60 {
            let heights = noise(seed);
            let markers: Vec<i32> = (0..4096).map(|at| if at % 97 == 5 { at / 97 + 1 } else { 0 }).collect();
            let (mut found, mut expected) = (vec![0_i32; 4096], vec![0_i32; 4096]);
            flood_by_queues(&mut expected, &heights, &markers, &neighbours);
            let kept = |at: usize, label| found[at] = label;
            assert!(depth_first::flood(&heights, &markers, &neighbours, |marker| marker, kept));
            assert_eq!(found, expected);
            differs_without += usize::from(by_sound_lists(&heights, &markers, &neighbours) != expected);
        }
        assert!(differs_without > 0);
    }

    /// The flood as it would be if no list were ever damaged.
    fn by_sound_lists(heights: &[u16], markers: &[i32], neighbours: &[isize]) -> Vec<i32> {
        let mut labels = markers.to_vec();
        let (mut costs, mut is_finished) = (vec![usize::MAX; labels.len()], vec![false; labels.len()]);
        let mut queues = vec![Vec::new(); 1 << 16];
        for at in (0..labels.len()).filter(|at| markers[*at] != 0) {
            costs[at] = 0;
            queues[0].push(at);
        }
        for cost in 0..queues.len() {
            while let Some(at) = queues[cost].pop() {
                if costs[at] != cost || std::mem::replace(&mut is_finished[at], true) {
                    continue;
                }
                for distance in neighbours {
                    let place = at.wrapping_add_signed(*distance);
                    if place < labels.len() && !is_finished[place] {
                        let reached = cost.max(heights[at].abs_diff(heights[place]).into());
                        if reached < costs[place] {
                            (costs[place], labels[place]) = (reached, labels[at]);
                            queues[reached].push(place);
                        }
                    }
                }
            }
        }
        labels
    }

    proptest! {
        #[test]
        fn stacks_give_the_labels_of_queues(
            shape in prop::collection::vec(1_usize..9, 1..4),
            levels in prop::sample::select(vec![2_u16, 6, 255, 1000]),
            elements in prop::collection::vec((0_u16..1000, 0_i32..40), 500),
            structure in prop::collection::vec(any::<bool>(), 27),
            is_whole in any::<bool>(),
        ) {
            let count = shape.iter().product();
            let heights = elements.iter().map(|(height, _)| height % levels).cycle().take(count).collect_vec();
            let label = |(_, label): &(u16, i32)| if *label < 4 { *label } else { 0 };
            let markers = elements.iter().map(label).cycle().take(count).collect_vec();
            let structure: Vec<bool> = structure.iter().map(|is_set| *is_set || is_whole).collect();
            let neighbours = neighbours_of(&shape, &structure[..3_usize.pow(shape.len() as u32)]);
            let (mut found, mut expected) = (vec![0_i32; count], vec![0_i32; count]);
            flood_by_queues(&mut expected, &heights, &markers, &neighbours);
            let mut by_stacks = vec![0_i32; count];
            let write = |at: usize, label| by_stacks[at] = label;
            prop_assert!(stacks::flood(&heights, &markers, &neighbours, |marker| marker, write));
            prop_assert_eq!(&by_stacks, &expected);
            // Else a list is damaged twice, and the stacks are asked.
            if depth_first::flood(&heights, &markers, &neighbours, |marker| marker, |at, label| found[at] = label) {
                prop_assert_eq!(found, expected);
            }
        }

        // Negative labels get lost in SciPy's lists.
        #[test]
        fn costs_are_those_of_the_cheapest_paths(
            heights in prop::collection::vec(0_u8..9, 40),
            markers in prop::collection::vec(0_i32..20, 40),
        ) {
            let heights = ArrayD::from_shape_vec(vec![40], heights).unwrap();
            let markers: Vec<i32> = markers.into_iter().map(|marker| if marker < 4 { marker } else { 0 }).collect();
            let marked = ArrayD::from_shape_vec(vec![40], markers.clone()).unwrap();
            let found = labels(&heights, &marked, &[true, true, true]);
            // Each element has the label of a marker that no other one reaches it more cheaply than.
            let cost = |from: usize, to: usize| {
                let range = if from < to { from..to } else { to..from };
                range.map(|at| heights[at].abs_diff(heights[at + 1])).max().unwrap_or(0)
            };
            for at in 0..40 {
                let reached = |wanted: Option<i32>| {
                    (0..40)
                        .filter(|from| markers[*from] != 0 && wanted.is_none_or(|label| markers[*from] == label))
                        .map(|from| cost(from, at))
                        .min()
                };
                prop_assert_eq!(reached(None), reached(Some(i32::from(found[at]))).filter(|_| found[at] != 0));
            }
        }
    }
}
