//! The flood where no label is negative: elements enter queues at their beginning only.
//!
//! So all that an element reaches at the present level is finished before the element that follows it in the queue: the queue
//! is a stack of what was reached, above the list of those that waited. A stack needs no links, and nobody leaves it for a
//! lower level. Of the queues above nothing but costs is looked at meanwhile. So who enters or leaves them is noted, and the
//! lists are brought up to date some thousand notes at a time, in the same order:
//!
//! ```text
//! for each level: while its list is not empty: take the first element, and put it onto the stack; while there is one:
//!     take v from the stack, and for each neighbour p that v reaches at less cost: that is its cost
//!         if it is the level: p onto the stack
//!         if it is not, or p waited in a list: note p, its cost before, and its cost
//! for each note: take p out of the list of its cost before, label it, and put it into the list of its cost, if above the level
//! ```
//!
//! Lists are SciPy's, link by link, as labels depend on what goes wrong in them: an element that is alone in a list stays there
//! when it leaves for another one, and its links are then those of two lists. Such a list may lose elements, and come upon them
//! at a later level. What is not kept are links of elements on the stack: no other element's links lead there, but for a list
//! that was damaged twice, which is noticed ([`Lists::take_out`]); then the flood is left to others.
//!
//! Costs are kept plus one, so that 0 means finished and no cost is less. Padding in front of the first element and after the
//! last one is finished from the start, and stands in for both "no element" and "outside".

use crate::exec::threads;
use crate::memory;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 18;

/// No element: padding, whose links are written and never followed.
const NONE: u32 = 0;

/// Notes before lists are brought up to date: they fit into the first cache.
const NOTES: usize = 2048;

/// The cost of an element plus one, above its height.
trait State: Copy + Ord {
    /// The largest cost plus one, and the largest height.
    const LARGEST: u32;

    fn new(cost: u32, height: u32) -> Self;
    fn cost(self) -> u32;
    fn height(self) -> u32;
}

macro_rules! state {
    ($($type:ty, $bits:literal);*) => {
        $(
            impl State for $type {
                const LARGEST: u32 = (1 << $bits) - 1;

                #[inline(always)]
                fn new(cost: u32, height: u32) -> Self {
                    (cost << $bits | height) as $type
                }

                #[inline(always)]
                fn cost(self) -> u32 {
                    u32::from(self) >> $bits
                }

                #[inline(always)]
                fn height(self) -> u32 {
                    u32::from(self) & Self::LARGEST
                }
            }
        )*
    };
}

state!(u16, 8; u32, 16);

/// Call `write` with each place and its label and return true, or return false if a label is negative, costs take more than 16
/// bits, or lists are damaged twice. `label_of` gives the label of a marker as it is stored.
pub(super) fn flood(
    heights: &[u16],
    markers: &[i32],
    neighbours: &[isize],
    label_of: impl Fn(i32) -> i32 + Copy,
    write: impl FnMut(usize, i32),
) -> bool {
    let (Some(lowest), Some(highest)) = (heights.iter().min(), heights.iter().max()) else { return true };
    let range = u32::from(highest - lowest);
    // No cost is larger than the largest step.
    let unreached = largest_step(heights, neighbours) + 2;
    let padding = neighbours.iter().map(|distance| distance.unsigned_abs()).max().unwrap_or(1);
    let fits = unreached <= u32::LARGEST && heights.len() + 2 * padding < u32::MAX as usize;
    if !fits || markers.iter().any(|marker| label_of(*marker) < 0) {
        return false;
    }
    let image = Image { heights, markers, lowest: *lowest, unreached, padding };
    if range.max(unreached) <= u16::LARGEST {
        image.flood::<u16>(neighbours, label_of, write)
    } else {
        image.flood::<u32>(neighbours, label_of, write)
    }
}

fn largest_step(heights: &[u16], neighbours: &[isize]) -> u32 {
    let mut largest = 0;
    for (number, distance) in neighbours.iter().enumerate() {
        let is_known = neighbours[..number].iter().any(|other| *other == -distance);
        if is_known || distance.unsigned_abs() >= heights.len() {
            continue;
        }
        let others = &heights[distance.unsigned_abs()..];
        largest = heights.iter().zip(others).fold(largest, |largest, (a, b)| largest.max(a.abs_diff(*b)));
    }
    u32::from(largest)
}

struct Image<'a> {
    heights: &'a [u16],
    markers: &'a [i32],
    lowest: u16,
    /// More than the highest cost plus one.
    unreached: u32,
    /// Elements in front of the first one and after the last one.
    padding: usize,
}

impl Image<'_> {
    fn flood<S: State>(
        &self,
        neighbours: &[isize],
        label_of: impl Fn(i32) -> i32,
        mut write: impl FnMut(usize, i32),
    ) -> bool {
        let len = self.heights.len() + 2 * self.padding;
        let mut states = memory::with_capacity(len);
        let mut links = memory::with_capacity(len);
        memory::resize(&mut states, self.padding, S::new(0, 0));
        memory::extend(
            &mut states,
            self.heights.iter().zip(self.markers).map(|(height, marker)| {
                S::new(if *marker == 0 { self.unreached } else { 1 }, u32::from(height - self.lowest))
            }),
        );
        memory::resize(&mut states, len, S::new(0, 0));
        let link = |label| Link { next: NONE, previous: NONE, cost: 0, label };
        memory::resize(&mut links, self.padding, link(0));
        memory::extend(&mut links, self.markers.iter().map(|marker| link(label_of(*marker))));
        memory::resize(&mut links, len, link(0));
        let mut lists = Lists {
            links,
            first: memory::filled(NONE, self.unreached as usize + 1),
            unreached: self.unreached,
        };
        for (at, _) in self.markers.iter().enumerate().filter(|(_, marker)| **marker != 0) {
            lists.push((self.padding + at) as u32, 1);
        }
        let stack = memory::zeros(len + neighbours.len());
        let mut flood =
            DepthFirst { states, lists, stack, notes: Notes::new(neighbours.len()), unchecked: 0 };
        let is_sound = match neighbours.len() {
            2 => flood.run::<2>(neighbours),
            4 => flood.run::<4>(neighbours),
            6 => flood.run::<6>(neighbours),
            8 => flood.run::<8>(neighbours),
            26 => flood.run::<26>(neighbours),
            _ => flood.run::<0>(neighbours),
        };
        if is_sound {
            let flooded = flood.lists.links[self.padding..].iter().take(self.heights.len());
            flooded.enumerate().for_each(|(at, link)| write(at, link.label));
        }
        is_sound
    }
}

#[derive(Clone, Copy)]
#[repr(align(16))]
struct Link {
    next: u32,
    previous: u32,
    /// Cost plus one when it was last put into a list, or left one for the stack.
    cost: u32,
    label: i32,
}

/// A doubly linked list of elements per cost plus one.
struct Lists {
    links: Vec<Link>,
    first: Vec<u32>,
    unreached: u32,
}

impl Lists {
    #[inline(always)]
    fn push(&mut self, at: u32, cost: u32) {
        let first = &mut self.first[cost as usize];
        let next = *first;
        *first = at;
        let link = &mut self.links[at as usize];
        (link.next, link.previous, link.cost) = (next, NONE, cost);
        self.links[next as usize].previous = at;
    }

    /// Take an element out of a list of several; nothing happens to one that is in no list. Return false if the one in front of
    /// it is of another list, that of a lower cost: its link may not be the true one.
    #[inline(always)]
    fn take_out(&mut self, at: u32, cost: u32) -> bool {
        let Link { next, previous, .. } = self.links[at as usize];
        let alone = next == NONE && previous == NONE;
        let is_sound = previous == NONE || self.links[previous as usize].cost >= cost;
        self.links[previous as usize].next = next;
        self.links[next as usize].previous = previous;
        let first = &mut self.first[cost as usize];
        *first = if *first == at && !alone { next } else { *first };
        is_sound
    }

    #[inline(always)]
    fn pop(&mut self, cost: u32) -> Option<u32> {
        let at = self.first[cost as usize];
        if at == NONE {
            return None;
        }
        let link = &mut self.links[at as usize];
        let next = link.next;
        (link.next, link.previous) = (NONE, NONE);
        self.first[cost as usize] = next;
        self.links[next as usize].previous = NONE;
        Some(at)
    }

    /// Bring the lists up to date; return false if that is not possible.
    fn update(&mut self, notes: &mut Notes, level: u32) -> bool {
        let mut is_sound = true;
        let ends = notes.labels.iter().skip(1).map(|(start, _)| *start).chain([notes.len]);
        let mut start = 0;
        for ((_, label), end) in notes.labels.iter().zip(ends) {
            for note in &notes.list[start..end] {
                let (at, before, cost) =
                    (*note as u32, (note >> 32) as u32 & u32::LARGEST, (note >> 48) as u32);
                is_sound &= self.take_out(at, before);
                self.links[at as usize].label = *label;
                // Those on the stack are put into a list that nobody reads, and that is empty.
                let list = if cost == level { self.unreached } else { cost };
                self.push(at, list);
                self.first[self.unreached as usize] = NONE;
                self.links[at as usize].cost = cost;
            }
            start = end;
        }
        notes.len = 0;
        notes.labels.clear();
        is_sound
    }
}

/// Elements that entered or left lists, with their cost before and their cost.
struct Notes {
    list: Vec<u64>,
    len: usize,
    /// Where the notes of a label begin.
    labels: Vec<(usize, i32)>,
}

impl Notes {
    fn new(neighbours: usize) -> Self {
        Self { list: memory::zeros(NOTES + neighbours), len: 0, labels: Vec::new() }
    }

    fn begin(&mut self, label: i32) {
        if self.labels.last().is_none_or(|(_, last)| *last != label) {
            memory::push(&mut self.labels, (self.len, label));
        }
    }
}

struct DepthFirst<S> {
    states: Vec<S>,
    lists: Lists,
    stack: Vec<u32>,
    notes: Notes,
    unchecked: usize,
}

impl<S: State> DepthFirst<S> {
    /// Empty all lists; return false if one was damaged twice.
    fn run<const K: usize>(&mut self, neighbours: &[isize]) -> bool {
        for level in 1..self.lists.unreached {
            while let Some(at) = self.lists.pop(level) {
                let cost = self.states[at as usize].cost();
                // As often as a list comes upon an element, it was finished before.
                let is_sound = match cost {
                    0 => true,
                    _ if cost == level => self.descend::<K>(at, level, neighbours),
                    _ if cost < level => self.take_lost(at, cost, level, neighbours),
                    _ => false,
                };
                if !is_sound {
                    return false;
                }
            }
            if !self.lists.update(&mut self.notes, level) {
                return false;
            }
        }
        true
    }

    /// Finish all that an element reaches at the present level, and that reaches, and so on. With K > 0 neighbours, an element
    /// that reaches none is found by one branch.
    #[inline(always)]
    fn descend<const K: usize>(&mut self, from: u32, level: u32, neighbours: &[isize]) -> bool {
        let label = self.lists.links[from as usize].label;
        self.notes.begin(label);
        let (states, stack) = (&mut self.states[..], &mut self.stack[..]);
        stack[0] = from;
        let (mut top, mut noted) = (1, self.notes.len);
        while top > 0 {
            top -= 1;
            let at = stack[top] as usize;
            let height = states[at].height();
            states[at] = S::new(0, height);
            self.lists.links[at].label = label;
            let notes = &mut self.notes.list[..];
            let reached = |state: S| {
                let cost = (state.height().abs_diff(height) + 1).max(level);
                S::new(cost, state.height())
            };
            let mut reach = |states: &mut [S], place: usize, state: S, reached: S| {
                if reached >= state {
                    return;
                }
                states[place] = reached;
                let (before, cost) = (state.cost(), reached.cost());
                stack[top] = place as u32;
                top += usize::from(cost == level);
                notes[noted] = place as u64 | u64::from(before) << 32 | u64::from(cost) << 48;
                noted += usize::from(cost != level || before != self.lists.unreached);
            };
            if K > 0 {
                // Plain loops: calls of `map` on arrays are not always inlined, which takes twice the time.
                let mut before = [S::new(0, 0); K];
                let mut reaches_any = false;
                for (state, distance) in before.iter_mut().zip(neighbours) {
                    *state = states[at.wrapping_add_signed(*distance)];
                    reaches_any |= reached(*state) < *state;
                }
                if reaches_any {
                    for (state, distance) in before.into_iter().zip(neighbours) {
                        reach(states, at.wrapping_add_signed(*distance), state, reached(state));
                    }
                }
            } else {
                for distance in neighbours {
                    let place = at.wrapping_add_signed(*distance);
                    let state = states[place];
                    reach(states, place, state, reached(state));
                }
            }
            if noted > NOTES {
                self.notes.len = noted;
                if !self.lists.update(&mut self.notes, level) {
                    return false;
                }
                self.notes.begin(label);
                noted = 0;
            }
            self.unchecked += 1;
            if self.unchecked == CHECK_EVERY {
                self.unchecked = 0;
                threads::check_interrupt();
            }
        }
        self.notes.len = noted;
        true
    }

    /// Finish an element that its list had lost: what it reaches may enter lists of lower levels, which nobody reads again, or
    /// leave the list of the present one.
    #[cold]
    fn take_lost(&mut self, at: u32, own: u32, level: u32, neighbours: &[isize]) -> bool {
        if !self.lists.update(&mut self.notes, level) {
            return false;
        }
        let (height, label) = (self.states[at as usize].height(), self.lists.links[at as usize].label);
        self.states[at as usize] = S::new(0, height);
        for distance in neighbours {
            let place = (at as usize).wrapping_add_signed(*distance);
            let state = self.states[place];
            let reached = S::new((state.height().abs_diff(height) + 1).max(own), state.height());
            if reached >= state {
                continue;
            }
            self.states[place] = reached;
            if !self.lists.take_out(place as u32, state.cost()) {
                return false;
            }
            self.lists.links[place].label = label;
            self.lists.push(place as u32, reached.cost());
        }
        true
    }
}
