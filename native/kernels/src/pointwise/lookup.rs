//! Lookup: a table holds the result for every value that an 8- or 16-bit image can have.

#[cfg(target_arch = "x86_64")]
mod registers;

use crate::array::view::{View, ViewMut};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Level, level};
use ndarray::{ArrayViewD, ArrayViewMutD};

/// `output[.., c] = table[c, input[.., c]]` for C-contiguous arrays whose last axis is the channel.
///
/// The table has an entry for every value, in the order of the values' bits. Results are copied, not computed: any
/// element type, the same for output and table.
pub fn lookup(output: ViewMut<'_>, input: &View<'_>, table: &View<'_>) -> Result<()> {
    macro_rules! of_one_type {
        ($($name:ident)*) => {
            match (output, table) {
                $((ViewMut::$name(output), View::$name(table)) => by_index(output, input, table),)*
                _ => Err(KernelError::parameter("output and table must hold elements of one type")),
            }
        };
    }
    if let (ViewMut::U8(_), View::U8(from), View::U8(table)) = (&output, input, table)
        && level() == Level::Avx512
    {
        let ViewMut::U8(to) = output else { unreachable!("it was looked at") };
        return bytes(to, from, table);
    }
    of_one_type!(Bool U8 I8 U16 I16 U32 I32 U64 I64 F32 F64)
}

/// Bytes by bytes: in registers where the processor can, else one by one.
fn bytes(
    mut output: ArrayViewMutD<'_, u8>,
    input: &ArrayViewD<'_, u8>,
    table: &ArrayViewD<'_, u8>,
) -> Result<()> {
    #[cfg(target_arch = "x86_64")]
    if registers::is_supported() && output.shape() == input.shape() {
        let channels = input.shape().last().copied().unwrap_or(1);
        if let (Some(to), Some(from), Some(rows)) =
            (output.as_slice_mut(), input.as_slice(), table.as_slice())
            && rows.len() == 256 * channels
            && !rows.is_empty()
        {
            let (tables, _) = rows.as_chunks::<256>();
            let is_one = tables.iter().all(|row| row == &tables[0]);
            let done = match tables {
                // SAFETY: the processor has the instructions.
                [one, ..] if is_one => unsafe { registers::lookup::<1>(to, from, &[*one]) },
                // SAFETY: as above.
                [a, b, c] => unsafe { registers::lookup::<3>(to, from, &[*a, *b, *c]) },
                _ => return typed::<u8, u8, 256>(output, input, table),
            };
            for (place, (to, from)) in to.iter_mut().zip(from).enumerate().skip(done) {
                *to = tables[place % channels][usize::from(*from)];
            }
            return Ok(());
        }
    }
    typed::<u8, u8, 256>(output, input, table)
}

fn by_index<O: Copy>(
    output: ArrayViewMutD<'_, O>,
    input: &View<'_>,
    table: &ArrayViewD<'_, O>,
) -> Result<()> {
    match input {
        View::U8(input) => typed::<u8, O, 256>(output, input, table),
        View::I8(input) => typed::<i8, O, 256>(output, input, table),
        View::U16(input) => typed::<u16, O, 65536>(output, input, table),
        View::I16(input) => typed::<i16, O, 65536>(output, input, table),
        _ => Err(KernelError::parameter("only values of 8 and 16 bits have a table")),
    }
}

/// Values that count the entries of a table.
trait Index: Copy {
    /// The value's bits as a number without a sign.
    fn index(self) -> usize;
}

macro_rules! index {
    ($($type:ty as $bits:ty),*) => {
        $(impl Index for $type {
            #[inline(always)]
            fn index(self) -> usize {
                usize::from(self as $bits)
            }
        })*
    };
}

index!(u8 as u8, i8 as u8, u16 as u16, i16 as u16);

fn typed<I: Index, O: Copy, const ENTRIES: usize>(
    mut output: ArrayViewMutD<'_, O>,
    input: &ArrayViewD<'_, I>,
    table: &ArrayViewD<'_, O>,
) -> Result<()> {
    let channels = input.shape().last().copied().unwrap_or(1);
    if output.shape() != input.shape() || table.shape() != [channels, ENTRIES] {
        let shapes = (output.shape(), input.shape(), table.shape());
        return Err(KernelError::shape(format!("output, input and table of shapes {shapes:?} do not fit")));
    }
    let (Some(output), Some(input), Some(table)) =
        (output.as_slice_mut(), input.as_slice(), table.as_slice())
    else {
        return Err(KernelError::shape("all arrays must be C-contiguous"));
    };
    // Tables of known length: an index of the input's type is always in range, so the loop has no bounds check.
    let (tables, _) = table.as_chunks::<ENTRIES>();
    if channels == 0 {
        return Ok(());
    }
    match channels {
        1 => by_pixel::<I, O, ENTRIES, 1>(output, input, tables),
        3 => by_pixel::<I, O, ENTRIES, 3>(output, input, tables),
        _ => {
            for (pixel, values) in output.chunks_exact_mut(channels).zip(input.chunks_exact(channels)) {
                for ((out, value), table) in pixel.iter_mut().zip(values).zip(tables) {
                    *out = table[value.index()];
                }
            }
        }
    }
    Ok(())
}

/// The loop for a known number of channels, without an inner loop.
fn by_pixel<I: Index, O: Copy, const ENTRIES: usize, const CHANNELS: usize>(
    output: &mut [O],
    input: &[I],
    tables: &[[O; ENTRIES]],
) {
    let tables: &[_; CHANNELS] = tables.try_into().expect("a table for each channel");
    let (output, _) = output.as_chunks_mut::<CHANNELS>();
    let (input, _) = input.as_chunks::<CHANNELS>();
    for (out, values) in output.iter_mut().zip(input) {
        for channel in 0..CHANNELS {
            out[channel] = tables[channel][values[channel].index()];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::{Array2, Array3};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_value_is_looked_up_in_its_channel(
            (rows, columns, channels) in (0..5_usize, 0..7_usize, 0..5_usize), seed in any::<u16>(),
        ) {
            let input = Array3::from_shape_fn((rows, columns, channels), |(y, x, c)| {
                seed.wrapping_mul(31).wrapping_add((y * 97 + x * 41 + c * 13) as u16)
            });
            let table = Array2::from_shape_fn((channels, 65536), |(c, v)| (c * 100_000 + v) as u32);
            let mut output = Array3::<u32>::zeros((rows, columns, channels));
            lookup(
                ViewMut::U32(output.view_mut().into_dyn()),
                &View::U16(input.view().into_dyn()),
                &View::U32(table.view().into_dyn()),
            ).unwrap();
            for ((y, x, c), found) in output.indexed_iter() {
                prop_assert_eq!(*found, (c * 100_000) as u32 + u32::from(input[(y, x, c)]));
            }
        }
    }

    proptest! {
        #[test]
        fn bytes_are_looked_up_at_every_level(
            (pixels, channels) in (0_usize..200, 1_usize..5), is_one in any::<bool>(), seed in any::<u8>(),
        ) {
            let input = Array2::from_shape_fn((pixels, channels), |(p, c)| (p * 37 + c * 11) as u8 ^ seed);
            let table = Array2::from_shape_fn((channels, 256), |(c, v)| {
                (v * 7 + if is_one { 0 } else { c * 50 }) as u8 ^ seed
            });
            at_every_level(1, || {
                let mut output = Array2::<u8>::zeros(input.raw_dim());
                lookup(
                    ViewMut::U8(output.view_mut().into_dyn()), &View::U8(input.view().into_dyn()),
                    &View::U8(table.view().into_dyn()),
                ).unwrap();
                for ((pixel, channel), found) in output.indexed_iter() {
                    prop_assert_eq!(*found, table[[channel, usize::from(input[[pixel, channel]])]]);
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn shapes_and_types_that_do_not_fit_are_refused() {
        let input = Array3::<u8>::zeros((2, 2, 3));
        let mut output = Array3::<u8>::zeros((2, 2, 3));
        for table in [Array2::<u8>::zeros((2, 256)), Array2::zeros((3, 255))] {
            let table = View::U8(table.view().into_dyn());
            let output = ViewMut::U8(output.view_mut().into_dyn());
            assert!(lookup(output, &View::U8(input.view().into_dyn()), &table).is_err());
        }
        let table = Array2::<u16>::zeros((3, 256));
        let output = ViewMut::U8(output.view_mut().into_dyn());
        assert!(
            lookup(output, &View::U8(input.view().into_dyn()), &View::U16(table.view().into_dyn())).is_err()
        );
    }
}
