//! Bands of the image: from samples to padded keys, and back to samples.

use crate::array::sample::{Cast, Sample};
use crate::array::scratch::CACHE_LINE;
use crate::array::view::{ViewMut, write_line};
use crate::error::Result;
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use crate::rank::key::{Key, Rankable};
use crate::rank::layout::{Axis, LANES, Layout};
use std::ops::Range;

impl Layout {
    /// Call `work` with the rows of each band, a workspace for its padded keys, and its output.
    ///
    /// `cost` estimates nanoseconds per sample.
    pub(super) fn for_each_band<K: Key>(
        &self,
        output: ViewMut<'_>,
        cost: usize,
        work: impl Fn(Range<usize>, &mut [K], ViewMut<'_>) + Sync,
    ) -> Result<()> {
        let rows = self.axes[0].len;
        let share = rows.div_ceil(threads::blocks_for(output.len().saturating_mul(cost)));
        let height = self.band_rows.min(share);
        let room = self.padded_len(height).and_then(|len| len.checked_add(LANES + CACHE_LINE));
        let samples = room.unwrap_or(usize::MAX);
        // Per thread: keys of eight bytes, and their four-byte numbers with places.
        let all = if u32::try_from(samples).is_ok() {
            samples.saturating_mul(threads::count())
        } else {
            usize::MAX
        };
        memory::check::<[u64; 3]>(all)?;
        let mut rest = output.into_shape(&[rows * self.strides[0]])?;
        let mut shares = memory::with_capacity(rows.div_ceil(share));
        for start in (0..rows).step_by(share) {
            let end = (start + share).min(rows);
            let (part, tail) = rest.split_at(0, (end - start) * self.strides[0]);
            rest = tail;
            memory::push(&mut shares, (start..end, part));
        }
        threads::for_each_block(shares, |(rows, mut rest)| {
            let mut padded = memory::zeros::<K>(samples);
            let start = padded.as_ptr().align_offset(CACHE_LINE).min(CACHE_LINE);
            let padded = &mut padded[start..samples - CACHE_LINE + start];
            for start in rows.clone().step_by(height) {
                threads::check_interrupt();
                let end = (start + height).min(rows.end);
                let (band, tail) = rest.split_at(0, (end - start) * self.strides[0]);
                rest = tail;
                let len = self.padded_len(end - start).expect("checked for the tallest band");
                work(start..end, &mut padded[..len + LANES], band);
            }
        });
        Ok(())
    }

    /// Fill a workspace with the keys of these rows and their border; samples outside have the key `outside`.
    pub(super) fn pad<T: Sample, K: Key>(
        &self,
        data: &[T],
        rows: &Range<usize>,
        key: impl Fn(T) -> K,
        outside: K,
        padded: &mut [K],
    ) {
        let band = padded.len() - LANES;
        dispatch(Pad { layout: self, data, first: rows.start, key, outside, padded: &mut padded[..band] });
    }
}

/// Copies a band of the image, from row `first` on and with its border, as keys.
struct Pad<'a, T, K, F> {
    layout: &'a Layout,
    data: &'a [T],
    first: usize,
    key: F,
    outside: K,
    padded: &'a mut [K],
}

impl<T: Sample, K: Key, F: Fn(T) -> K> Kernel for Pad<'_, T, K, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { layout, data, first, key, outside, padded } = self;
        let (last, outer) = layout.axes.split_last().expect("at least one axis");
        let inner = layout.inner;
        // Along a single axis, a band starts at `first`; the other axes are never split.
        let begin = if outer.is_empty() { first } else { 0 };
        let (row, pitch) = match outer.len().checked_sub(1) {
            Some(above) => (last.padded() * inner, layout.padded_strides[above]),
            None => (padded.len(), padded.len()),
        };
        let rows = padded.chunks_exact_mut(pitch.max(1)).map(|to| &mut to[..row]);
        // In a short row each sample is looked up, as there are too few to copy together.
        let short = !outer.is_empty() && row < LANES;
        let sources = (0..if short { last.padded() } else { 0 }).map(|position| last.source(position));
        let places: Vec<Option<usize>> = sources
            .flat_map(|source| (0..inner).map(move |sample| source.map(|source| source * inner + sample)))
            .collect_vec();
        for (index, to) in rows.enumerate() {
            let Some(from) = source_row(layout, outer, first, index) else {
                to.fill(outside);
                continue;
            };
            let from = &data[from..];
            if short {
                for (to, place) in to.iter_mut().zip(&places) {
                    *to = place.map_or(outside, |place| key(from[place]));
                }
                continue;
            }
            let count = to.len() / inner;
            // The image's own samples are contiguous; only the border is looked up.
            let own = last.before.clamp(begin, begin + count) - begin
                ..(last.before + last.len).clamp(begin, begin + count) - begin;
            for border in [0..own.start, own.end..count] {
                for position in border {
                    let to = &mut to[position * inner..(position + 1) * inner];
                    match last.source(begin + position) {
                        Some(source) => copy_keys(&from[source * inner..], to, &key),
                        None => to.fill(outside),
                    }
                }
            }
            if let Some(source) = own.clone().next().and_then(|position| last.source(begin + position)) {
                copy_keys(&from[source * inner..], &mut to[own.start * inner..own.end * inner], &key);
            }
        }
    }
}

/// The offset of the samples for the padded row `index` of a band; `None` if all are outside.
#[inline(always)]
fn source_row(layout: &Layout, outer: &[Axis], first: usize, index: usize) -> Option<usize> {
    let mut rest = index;
    let mut from = 0;
    for (place, axis) in outer.iter().enumerate().rev() {
        let position = if place == 0 {
            first + rest
        } else {
            let position = rest % axis.padded();
            rest /= axis.padded();
            position
        };
        from += axis.source(position)? * layout.strides[place];
    }
    Some(from)
}

#[inline(always)]
fn copy_keys<T: Copy, K>(from: &[T], to: &mut [K], key: &impl Fn(T) -> K) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = key(*from));
}

/// Store as SciPy does: the sample as `f64`, if `again` cast once to its own type, then with the filter's cast.
pub(super) fn store_as_double<T: Rankable>(keys: &[T::Key], again: bool, cast: Cast, output: ViewMut<'_>) {
    const CHUNK: usize = 1024;
    let mut values = [0.0; CHUNK];
    let mut rest = output;
    for keys in keys.chunks(CHUNK) {
        let (part, tail) = rest.split_at(0, keys.len());
        rest = tail;
        for (value, key) in values.iter_mut().zip(keys) {
            *value = T::from_key(*key).to_f64();
            if again {
                *value = T::from_f64_truncated(*value).to_f64();
            }
        }
        match_dtype!(ViewMut, part, part => {
            let part = part.into_dimensionality().expect("one axis");
            write_line(part, &values, cast);
        });
    }
}
