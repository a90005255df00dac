//! Values that are replaced where a random number of 32 bits says so.

use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::noise::philox::{MOST, Room32, Stream};
use crate::walk::pixel_blocks;
use ndarray::{ArrayViewD, ArrayViewMutD};

/// Numbers from `low` on and below `high`: the event happens, and the value is replaced.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The first number.
    pub low: u64,
    /// The number after the last one.
    pub high: u64,
}

/// Copy an image (pixels, channels) in C order, and put row e of `values` (events, channels) where event e happens.
///
/// Every value has a number of its own, or, if `is_shared`, every pixel.
pub fn replace(
    output: ViewMut<'_>,
    input: &View<'_>,
    values: &View<'_>,
    events: &[Event],
    stream: Stream,
    is_shared: bool,
) -> Result<()> {
    if input.ndim() != 2
        || output.shape() != input.shape()
        || values.shape() != [events.len(), input.shape()[1]]
    {
        let shapes = (output.shape(), input.shape(), values.shape());
        return Err(KernelError::shape(format!("output, input and values of shapes {shapes:?}")));
    }
    macro_rules! of_one_type {
        ($($name:ident)*) => {
            match (output, input, values) {
                $((ViewMut::$name(to), View::$name(from), View::$name(values)) => {
                    typed(to, from, values, events, stream, is_shared)
                })*
                _ => Err(KernelError::parameter("output, input and values must hold elements of one type")),
            }
        };
    }
    of_one_type!(Bool U8 I8 U16 I16 U32 I32 U64 I64 F32 F64)
}

fn typed<T: Sample>(
    to: ArrayViewMutD<'_, T>,
    from: &ArrayViewD<'_, T>,
    values: &ArrayViewD<'_, T>,
    events: &[Event],
    stream: Stream,
    is_shared: bool,
) -> Result<()> {
    let channels = from.shape()[1];
    let (Some(to), Some(from), Some(values)) = (to.into_slice(), from.as_slice(), values.as_slice()) else {
        return Err(KernelError::shape("values are replaced in C order"));
    };
    if channels == 0 {
        return Ok(());
    }
    pixel_blocks::for_each((from, to), (channels, channels), 2 * channels, |first, from, to| {
        dispatch(EventPart { to, from, values, events, stream, channels, is_shared, first });
    });
    Ok(())
}

struct EventPart<'a, T> {
    to: &'a mut [T],
    from: &'a [T],
    values: &'a [T],
    events: &'a [Event],
    stream: Stream,
    channels: usize,
    is_shared: bool,
    first: usize,
}

impl<T: Sample> Kernel for EventPart<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { to, from, values, events, stream, channels, is_shared, first } = self;
        to.copy_from_slice(from);
        let mut room = Room32::default();
        let (step, width) = if is_shared { (1, channels) } else { (channels, 1) };
        for (number, to) in to.chunks_mut(MOST * width).enumerate() {
            let start = first * step + number * MOST;
            let drawn = stream.thirty_two_bits(start..start + to.len() / width, &mut room);
            for (row, event) in values.chunks_exact(channels).zip(events) {
                let happens = |number: &u32| (event.low..event.high).contains(&u64::from(*number));
                if is_shared {
                    for (to, _) in
                        to.chunks_exact_mut(channels).zip(drawn).filter(|(_, number)| happens(number))
                    {
                        to.copy_from_slice(row);
                    }
                } else if row.iter().all(|value| *value == row[0]) {
                    let value = row[0];
                    for (to, number) in to.iter_mut().zip(drawn) {
                        *to = if happens(number) { value } else { *to };
                    }
                } else {
                    for (place, (to, number)) in to.iter_mut().zip(drawn).enumerate() {
                        if happens(number) {
                            *to = row[(start + place) % channels];
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::Array2;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_are_replaced_where_their_number_says_so(
            (pixels, channels) in (0_usize..1300, 1_usize..5), is_shared in any::<bool>(), is_one in any::<bool>(),
            seed in any::<u64>(), threads in 1_usize..3,
        ) {
            let events = [Event { low: 0, high: 1 << 30 }, Event { low: 1 << 31, high: 1 << 32 }];
            let values = Array2::from_shape_fn((2, channels), |(e, c)| (e * 10 + if is_one { 0 } else { c }) as f32);
            let input = Array2::from_shape_fn((pixels, channels), |(p, c)| 100.0 + (p * 3 + c) as f32);
            let stream = Stream { seed, frame: 1 };
            at_every_level(threads, || {
                let mut found = Array2::<f32>::zeros(input.raw_dim());
                replace(
                    ViewMut::F32(found.view_mut().into_dyn()), &View::F32(input.view().into_dyn()),
                    &View::F32(values.view().into_dyn()), &events, stream, is_shared,
                ).unwrap();
                let mut room = Room32::default();
                for ((pixel, channel), value) in found.indexed_iter() {
                    let i = if is_shared { pixel } else { pixel * channels + channel };
                    let number = u64::from(stream.thirty_two_bits(i..i + 1, &mut room)[0]);
                    let event = events.iter().position(|event| event.low <= number && number < event.high);
                    let wanted = event.map_or(input[[pixel, channel]], |event| values[[event, channel]]);
                    prop_assert_eq!(*value, wanted);
                }
                Ok(())
            })?;
        }
    }
}
