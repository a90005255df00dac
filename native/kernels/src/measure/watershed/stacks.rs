//! The flood where no label is negative: elements enter and leave queues at their beginning only.
//!
//! The order is that of the lists, link by link. What makes it faster: an element with its links, cost, height and label is
//! 16 bytes, of which a neighbour's check, push and label touch one cache line; padding in front of the first element and
//! after the last one is finished from the start, and stands in for both "no element" and "outside"; the last element of a
//! queue is never asked for. Costs are kept plus one, so that 0 means finished and no cost is less.

use crate::exec::threads;
use crate::memory;
use std::array;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 18;

/// No element: padding, whose links are written and never followed.
const NONE: u32 = 0;

/// Bits of a height in [`StackedElement::state`].
const HEIGHT: u32 = 0xffff;

#[derive(Clone, Copy)]
#[repr(align(16))]
struct StackedElement {
    next: u32,
    previous: u32,
    /// Cost plus one in the upper half, height in the lower one.
    state: u32,
    label: i32,
}

const PADDING: StackedElement = StackedElement { next: NONE, previous: NONE, state: 0, label: 0 };

struct StackFlood {
    elements: Vec<StackedElement>,
    /// The first element of the queue of each cost plus one.
    first: Vec<u32>,
    /// More than the highest cost plus one.
    unreached: u32,
}

/// Call `write` with each place and its label and return true, or return false if a label is negative or costs take more
/// than 16 bits. `label_of` gives the label of a marker as it is stored.
pub(super) fn flood(
    heights: &[u16],
    markers: &[i32],
    neighbours: &[isize],
    label_of: impl Fn(i32) -> i32,
    mut write: impl FnMut(usize, i32),
) -> bool {
    let (Some(lowest), Some(highest)) = (heights.iter().min(), heights.iter().max()) else { return true };
    let unreached = u32::from(highest - lowest) + 2;
    let padding = neighbours.iter().map(|distance| distance.unsigned_abs()).max().unwrap_or(1);
    let fits = unreached <= HEIGHT && heights.len() + 2 * padding < u32::MAX as usize;
    if !fits || markers.iter().any(|marker| label_of(*marker) < 0) {
        return false;
    }
    let mut elements = memory::with_capacity(heights.len() + 2 * padding);
    memory::resize(&mut elements, padding, PADDING);
    memory::extend(
        &mut elements,
        heights.iter().zip(markers).map(|(height, marker)| {
            let cost = if *marker == 0 { unreached } else { 1 };
            let label = label_of(*marker);
            StackedElement { next: NONE, previous: NONE, state: cost << 16 | u32::from(*height), label }
        }),
    );
    memory::resize(&mut elements, heights.len() + 2 * padding, PADDING);
    let mut flood = StackFlood { elements, first: memory::filled(NONE, unreached as usize + 1), unreached };
    for (at, _) in markers.iter().enumerate().filter(|(_, marker)| **marker != 0) {
        flood.push((padding + at) as u32, 1);
    }
    match neighbours.len() {
        2 => flood.run::<2>(neighbours),
        4 => flood.run::<4>(neighbours),
        6 => flood.run::<6>(neighbours),
        8 => flood.run::<8>(neighbours),
        26 => flood.run::<26>(neighbours),
        _ => flood.run::<1>(neighbours),
    }
    let flooded = flood.elements[padding..].iter().take(heights.len());
    flooded.enumerate().for_each(|(at, element)| write(at, element.label));
    true
}

impl StackFlood {
    #[inline(always)]
    fn push(&mut self, at: u32, cost: u32) {
        let first = &mut self.first[cost as usize];
        let next = *first;
        *first = at;
        let element = &mut self.elements[at as usize];
        (element.next, element.previous) = (next, NONE);
        self.elements[next as usize].previous = at;
    }

    /// Take an element out of a queue of several.
    #[inline(always)]
    fn remove(&mut self, at: u32, cost: u32) {
        let StackedElement { next, previous, .. } = self.elements[at as usize];
        let alone = next == NONE && previous == NONE;
        self.elements[previous as usize].next = next;
        self.elements[next as usize].previous = previous;
        let first = &mut self.first[cost as usize];
        *first = if *first == at && !alone { next } else { *first };
    }

    /// Reach a neighbour in this state, if that is cheaper than before.
    #[inline(always)]
    fn reach(&mut self, at: usize, state: u32, from: StackedElement) {
        let (before, height) = (state >> 16, state & HEIGHT);
        let reached = (from.state >> 16).max(height.abs_diff(from.state & HEIGHT) + 1);
        if reached >= before {
            return;
        }
        if before != self.unreached {
            self.remove(at as u32, before);
        }
        let element = &mut self.elements[at];
        (element.state, element.label) = (reached << 16 | height, from.label);
        self.push(at as u32, reached);
    }

    /// Empty all queues. With K neighbours, their states are read before any of them is changed; else one by one.
    fn run<const K: usize>(&mut self, neighbours: &[isize]) {
        let fixed = <[isize; K]>::try_from(neighbours);
        let mut unchecked = 0;
        for cost in 1..self.unreached as usize {
            while self.first[cost] != NONE {
                let at = self.first[cost] as usize;
                let element = &mut self.elements[at];
                let (next, from) = (element.next, *element);
                // As often as it is found here, it was finished before.
                (element.next, element.previous) = (NONE, NONE);
                element.state = from.state & HEIGHT;
                self.first[cost] = next;
                self.elements[next as usize].previous = NONE;
                if from.state >> 16 == 0 {
                    continue;
                }
                match fixed {
                    Ok(distances) => {
                        let places: [usize; K] = array::from_fn(|k| at.wrapping_add_signed(distances[k]));
                        let states = places.map(|place| self.elements[place].state);
                        // Every second element reaches none: that is one branch, not one per neighbour.
                        let own = from.state >> 16;
                        let reaches_any = states.iter().fold(false, |any, state| {
                            let reached = own.max((state & HEIGHT).abs_diff(from.state & HEIGHT) + 1);
                            any | (reached < state >> 16)
                        });
                        if reaches_any {
                            for (place, state) in places.into_iter().zip(states) {
                                self.reach(place, state, from);
                            }
                        }
                    }
                    Err(_) => {
                        for distance in neighbours {
                            let place = at.wrapping_add_signed(*distance);
                            self.reach(place, self.elements[place].state, from);
                        }
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
}
