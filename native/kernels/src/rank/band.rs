//! Bands of the image: from samples to keys with a border around them, and back to samples.

use super::key::Rankable;
use super::{Axis, Plan};
use crate::match_dtype;
use crate::sample::Cast;
use crate::simd::Kernel;
use crate::view::{ViewMut, write_line};

/// Copy a band of the image, from row `first` of its first axis with the border, into keys.
pub(super) struct Pad<'a, T: Rankable> {
    pub(super) plan: &'a Plan,
    pub(super) data: &'a [T],
    pub(super) first: usize,
    /// Holds the key of the outside already.
    pub(super) padded: &'a mut [T::Key],
}

impl<T: Rankable> Kernel for Pad<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { plan, data, first, padded } = self;
        let (last, outer) = plan.axes.split_last().expect("at least one axis");
        let inner = plan.inner;
        // Positions of the outer axes that are inside the image; a band of a single axis begins at `first`.
        let begin = if outer.is_empty() { first } else { 0 };
        let row = if outer.is_empty() { padded.len() } else { (last.len + last.window - 1) * inner };
        let rows = padded.chunks_exact_mut(row.max(1));
        for (index, to) in rows.enumerate() {
            let Some(from) = source_row(plan, outer, first, index) else { continue };
            let from = &data[from..];
            let sources = &last.sources[begin..begin + to.len() / inner];
            // The image's own samples lie one behind the other; only the border is looked up.
            let own = last.before.clamp(begin, begin + sources.len()) - begin
                ..(last.before + last.len).clamp(begin, begin + sources.len()) - begin;
            for border in [0..own.start, own.end..sources.len()] {
                for position in border {
                    if let Some(source) = sources[position] {
                        copy_keys(&from[source * inner..], &mut to[position * inner..(position + 1) * inner]);
                    }
                }
            }
            if let Some(source) = own.clone().next().and_then(|position| sources[position]) {
                copy_keys(&from[source * inner..], &mut to[own.start * inner..own.end * inner]);
            }
        }
    }
}

/// Where the samples of the padded row `index` of a band come from; `None` if they are all outside.
#[inline(always)]
fn source_row(plan: &Plan, outer: &[Axis], first: usize, index: usize) -> Option<usize> {
    let mut rest = index;
    let mut from = 0;
    for (place, axis) in outer.iter().enumerate().rev() {
        let position = if place == 0 {
            first + rest
        } else {
            let padded = axis.len + axis.window - 1;
            let position = rest % padded;
            rest /= padded;
            position
        };
        from += axis.sources[position]? * plan.strides[place];
    }
    Some(from)
}

#[inline(always)]
fn copy_keys<T: Rankable>(from: &[T], to: &mut [T::Key]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = from.key());
}

/// Turn keys back into samples of the same type.
pub(super) struct Unkey<'a, T: Rankable> {
    pub(super) keys: &'a [T::Key],
    pub(super) output: &'a mut [T],
}

impl<T: Rankable> Kernel for Unkey<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.output.iter_mut().zip(self.keys).for_each(|(to, key)| *to = T::from_key(*key));
    }
}

/// Store as SciPy does: the sample as `f64`, `again` by way of its own type, then by the N-D filters' cast.
pub(super) fn store_as_double<T: Rankable>(keys: &[T::Key], again: bool, output: ViewMut<'_>) {
    const CHUNK: usize = 1024;
    let mut values = [0.0; CHUNK];
    let mut rest = output;
    for keys in keys.chunks(CHUNK) {
        let (part, behind) = rest.split_at(0, keys.len());
        rest = behind;
        for (value, key) in values.iter_mut().zip(keys) {
            *value = T::from_key(*key).to_f64();
            if again {
                *value = T::from_f64_truncated(*value).to_f64();
            }
        }
        match_dtype!(ViewMut, part, part => {
            let part = part.into_dimensionality().expect("one axis");
            write_line(part, &values, 1, Cast::Filtered);
        });
    }
}
