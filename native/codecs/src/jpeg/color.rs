//! YCbCr as RGB, to libjpeg's bytes: red is y + 1.402 cr rounded, and so on, with 16 bits of fraction.

/// Pixels that are converted together.
const GROUP: usize = 64;

/// Convert a row. `rgb` is three times as long as the others.
#[inline(always)]
pub(super) fn convert_row(y: &[u8], cb: &[u8], cr: &[u8], rgb: &mut [u8]) {
    let groups = y.as_chunks().0.iter().zip(cb.as_chunks().0).zip(cr.as_chunks().0);
    for (((y, cb), cr), rgb) in groups.zip(rgb.as_chunks_mut().0) {
        convert_group(y, cb, cr, rgb);
    }
    if y.len().is_multiple_of(GROUP) {
        return;
    }
    // The last group begins within the one before it.
    let last = (y.last_chunk(), cb.last_chunk(), cr.last_chunk());
    if let ((Some(y), Some(cb), Some(cr)), Some(rgb)) = (last, rgb.last_chunk_mut()) {
        return convert_group(y, cb, cr, rgb);
    }
    for (((rgb, &y), &cb), &cr) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(y).zip(cb).zip(cr) {
        *rgb = convert(y, cb, cr);
    }
}

/// Compilers find vector code for the arithmetic and for the interleaving, but not for both in one loop.
#[inline(always)]
fn convert_group(y: &[u8; GROUP], cb: &[u8; GROUP], cr: &[u8; GROUP], rgb: &mut [u8; 3 * GROUP]) {
    let mut planes = [[0; GROUP]; 3];
    for at in 0..GROUP {
        let pixel = convert(y[at], cb[at], cr[at]);
        for (plane, value) in planes.iter_mut().zip(pixel) {
            plane[at] = value;
        }
    }
    for (at, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        pixel[0] = planes[0][at];
        pixel[1] = planes[1][at];
        pixel[2] = planes[2][at];
    }
}

/// In 16 bits where that is enough: the whole part of a factor is taken out of it, and what is left is rounded.
#[inline(always)]
fn convert(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i16::from(y), i16::from(cb) - 128, i16::from(cr) - 128);
    let red = y + cr + rounded(2 * cr, 26345); // 1.402 = 1 + 0.402
    let blue = y + 2 * cb - rounded_up(2 * cb, 14942); // 1.772 = 2 - 0.228
    // 0.344 cb + 0.714 cr, where 0.714 = 1 - 0.286
    let green = (i32::from(cr) * 18734 - i32::from(cb) * 22554 + (1 << 15)) >> 16;
    let green = y + green as i16 - cr;
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}

/// Half of `value · factor / 65536`, rounded; halves go up.
#[inline(always)]
fn rounded(value: i16, factor: i16) -> i16 {
    (high_product(value, factor) + 1) >> 1
}

/// Minus the same of `-factor`.
#[inline(always)]
fn rounded_up(value: i16, factor: i16) -> i16 {
    -((high_product(value, -factor) + 1) >> 1)
}

#[inline(always)]
fn high_product(a: i16, b: i16) -> i16 {
    ((i32::from(a) * i32::from(b)) >> 16) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of jdcolor.c.
    fn by_definition(y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let (y, cb, cr) = (i64::from(y), i64::from(cb) - 128, i64::from(cr) - 128);
        let half = 1 << 15;
        [
            y + ((91881 * cr + half) >> 16),
            y + ((-22554 * cb + half - 46802 * cr) >> 16),
            y + ((116_130 * cb + half) >> 16),
        ]
        .map(|value| value.clamp(0, 255) as u8)
    }

    #[test]
    fn rows_of_any_length_are_converted() {
        for len in [0, 1, 63, 64, 65, 127, 128, 200] {
            let row = |factor: usize| (0..len).map(|i| (i * factor + factor) as u8).collect::<Vec<u8>>();
            let (y, cb, cr) = (row(5), row(7), row(11));
            let mut rgb = vec![9; 3 * len];
            convert_row(&y, &cb, &cr, &mut rgb);
            let expected: Vec<u8> = (0..len).flat_map(|i| by_definition(y[i], cb[i], cr[i])).collect();
            assert_eq!(rgb, expected, "{len}");
        }
    }

    #[test]
    fn all_colours_are_the_definition() {
        for y in [0, 1, 77, 128, 200, 254, 255] {
            for cb in 0..=255 {
                for cr in 0..=255 {
                    assert_eq!(convert(y, cb, cr), by_definition(y, cb, cr), "{y} {cb} {cr}");
                }
            }
        }
    }
}
