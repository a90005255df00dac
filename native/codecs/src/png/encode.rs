//! PNG written fast: Paeth's filter for all rows, and fdeflate's one code, which suits filtered photographs.
//!
//! A fixed code is bad at what repeats and at noise. A sample of the rows is therefore compressed by a general encoder
//! as well, and the image is refused if that takes clearly less. All of it follows from the pixels alone, so that an
//! image has the same bytes on every machine.

use super::filter::{PAETH, subtract_paeth};
use super::{COLOUR_TYPES, DEPTH, SIGNATURE};
use fdeflate::Compressor;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};
use offgraph_kernels::memory;
use std::cell::RefCell;
use std::io::{self, Write};
use std::ops::Range;

/// Filtered bytes that are compressed at a time.
const BAND: usize = 32 << 10;
/// Filtered bytes of each of the two places that a sample is taken from.
const SAMPLE: usize = 4 << 10;
/// Largest size of a sample, in hundredths of what a general encoder makes of it.
const MOST: usize = 115;
/// Bytes of pixels in one file, whose chunks are shorter than 2³¹.
const MOST_BYTES: usize = 1 << 30;
/// Workspaces for longer rows are freed after their image.
const KEPT_BYTES: usize = 1 << 20;
/// Why writing cannot fail.
const NO_ERRORS: &str = "nothing but memory is written to";
/// The general encoder's first level, and its format without a header.
const LEVEL: i32 = 1;
const RAW: i32 = -15;

thread_local! {
    /// A thread keeps its workspace from one image to the next.
    static ROWS: RefCell<Rows> = RefCell::default();
}

/// Encode an array (height, width, channels) in C order. `None` if a general encoder would give a far smaller file, or
/// if there are no such files.
pub fn encode(pixels: &[u8], height: usize, width: usize, channels: usize) -> Option<Vec<u8>> {
    let size = height.checked_mul(width)?.checked_mul(channels)?;
    let colour = *COLOUR_TYPES.get(channels.checked_sub(1)?)?;
    if size == 0 || size != pixels.len() || size > MOST_BYTES {
        return None;
    }
    let image = Image { pixels, height, row: width * channels, pixel: channels };
    ROWS.with_borrow_mut(|rows| {
        if image.row > KEPT_BYTES {
            return encode_with(&image, colour, &mut Rows::default());
        }
        encode_with(&image, colour, rows)
    })
}

fn encode_with(image: &Image<'_>, colour: u8, rows: &mut Rows) -> Option<Vec<u8>> {
    if !fits(image, rows) {
        return None;
    }
    let mut file = memory::with_capacity(image.pixels.len() / 2 + 1024);
    memory::extend_from_slice(&mut file, &SIGNATURE);
    let mut header = [0; 13];
    header[..4].copy_from_slice(&((image.row / image.pixel) as u32).to_be_bytes());
    header[4..8].copy_from_slice(&(image.height as u32).to_be_bytes());
    header[8..10].copy_from_slice(&[DEPTH, colour]);
    chunk(&mut file, b"IHDR", |file| memory::extend_from_slice(file, &header));
    chunk(&mut file, b"IDAT", |file| deflate(file, image, rows));
    chunk(&mut file, b"IEND", |_| {});
    Some(file)
}

struct Image<'a> {
    pixels: &'a [u8],
    height: usize,
    /// Bytes per row, and per pixel.
    row: usize,
    pixel: usize,
}

/// Filtered rows, and a row of zeros.
#[derive(Default)]
struct Rows {
    filtered: Vec<u8>,
    zeros: Vec<u8>,
}

impl Rows {
    /// Filter rows of an image and append them.
    fn filter(&mut self, image: &Image<'_>, rows: Range<usize>) {
        memory::resize(&mut self.zeros, image.row, 0);
        let start = self.filtered.len();
        memory::resize(&mut self.filtered, start + rows.len() * (image.row + 1), PAETH);
        let filtered = self.filtered[start..].chunks_exact_mut(image.row + 1);
        for (y, filtered) in rows.zip(filtered) {
            let row = &image.pixels[y * image.row..][..image.row];
            let above = match y.checked_sub(1) {
                Some(above) => &image.pixels[above * image.row..][..image.row],
                None => &self.zeros,
            };
            filtered[0] = PAETH;
            subtract_paeth(row, above, image.pixel, &mut filtered[1..]);
        }
    }
}

/// Whether the fixed code suits an image, as far as a sample tells.
fn fits(image: &Image<'_>, rows: &mut Rows) -> bool {
    rows.filtered.clear();
    let count = SAMPLE.div_ceil(image.row + 1);
    if image.height <= 2 * count {
        rows.filter(image, 0..image.height);
    } else {
        for quarter in [1, 3] {
            let start = (image.height * quarter / 4).saturating_sub(count / 2).min(image.height - count);
            rows.filter(image, start..start + count);
        }
    }
    let mut fixed = Compressor::new(Counter(0)).expect(NO_ERRORS);
    fixed.write_data(&rows.filtered).expect(NO_ERRORS);
    let Counter(fixed) = fixed.finish().expect(NO_ERRORS);
    let mut general = CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL, RAW, 0));
    let mut len = 0;
    compress_to_output(&mut general, &rows.filtered, TDEFLFlush::Finish, |part| {
        len += part.len();
        true
    });
    fixed * 100 <= len * MOST
}

/// Append the compressed rows of an image.
fn deflate(file: &mut Vec<u8>, image: &Image<'_>, rows: &mut Rows) {
    let mut compressor = Compressor::new(Grown(file)).expect(NO_ERRORS);
    let band = (BAND / (image.row + 1)).max(1);
    for start in (0..image.height).step_by(band) {
        rows.filtered.clear();
        rows.filter(image, start..(start + band).min(image.height));
        compressor.write_data(&rows.filtered).expect(NO_ERRORS);
    }
    compressor.finish().expect(NO_ERRORS);
}

/// Append a chunk whose contents `write` appends.
fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], write: impl FnOnce(&mut Vec<u8>)) {
    let start = file.len();
    memory::extend_from_slice(file, &[0; 4]);
    memory::extend_from_slice(file, kind);
    write(file);
    let len = (file.len() - start - 8) as u32;
    file[start..start + 4].copy_from_slice(&len.to_be_bytes());
    let checksum = crc32fast::hash(&file[start + 4..]);
    memory::extend_from_slice(file, &checksum.to_be_bytes());
}

/// A vector that is written to, and that ends the call for want of memory.
struct Grown<'a>(&'a mut Vec<u8>);

impl Write for Grown<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        memory::extend_from_slice(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts what is written.
struct Counter(usize);

impl Write for Counter {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::photograph;
    use super::*;
    use proptest::prelude::*;

    /// The pixels of a file, by miniz_oxide and the definition of the filters.
    fn decoded(file: &[u8], row: usize, pixel: usize) -> Vec<u8> {
        let start = SIGNATURE.len() + 12 + 13;
        let len = u32::from_be_bytes(file[start..start + 4].try_into().unwrap()) as usize;
        assert_eq!(file.len(), start + 12 + len + 12);
        let filtered = miniz_oxide::inflate::decompress_to_vec_zlib(&file[start + 8..][..len]).unwrap();
        let mut pixels: Vec<u8> = Vec::new();
        for line in filtered.chunks_exact(row + 1) {
            assert_eq!(line[0], PAETH);
            let done = pixels.len();
            for (x, difference) in line[1..].iter().enumerate() {
                let at = |y: usize, x: Option<usize>| match (done.checked_sub(y * row), x) {
                    (Some(start), Some(x)) => i32::from(pixels[start + x]),
                    _ => 0,
                };
                let before = x.checked_sub(pixel);
                let (a, b, c) = (at(0, before), at(1, Some(x)), at(1, before));
                let p = a + b - c;
                let nearest = [a, b, c].into_iter().min_by_key(|value| (p - value).abs()).unwrap();
                pixels.push(difference.wrapping_add(nearest as u8));
            }
        }
        pixels
    }

    #[test]
    fn photographs_are_encoded_band_by_band() {
        for (height, width, channels) in
            [(150, 200, 3), (150, 200, 1), (90, 70, 4), (200, 40, 2), (3, 9000, 3)]
        {
            let pixels = photograph(height, width, channels);
            let file = encode(&pixels, height, width, channels).expect("suits the fixed code");
            assert!(file.len() < pixels.len() * 3 / 5);
            assert_eq!(decoded(&file, width * channels, channels), pixels);
        }
    }

    #[test]
    fn what_repeats_and_noise_are_refused() {
        let text = [0, 255, 255, 255, 0, 0, 255, 0].repeat(10_000);
        assert_eq!(encode(&text, 200, 400, 1), None);
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let noise: Vec<u8> = noise.take(80_000).collect();
        assert_eq!(encode(&noise, 200, 400, 1), None);
    }

    #[test]
    fn other_arrays_are_refused() {
        assert_eq!(encode(&[], 0, 4, 1), None);
        assert_eq!(encode(&[1; 8], 2, 4, 3), None);
        assert_eq!(encode(&[1; 40], 2, 4, 5), None);
        assert_eq!(encode(&[1; 8], 2, 4, 0), None);
        assert_eq!(encode(&[1; 8], usize::MAX, 4, 2), None);
    }

    proptest! {
        #[test]
        fn whatever_is_encoded_is_decoded(height in 1_usize..60, width in 1_usize..60, channels in 1_usize..5, seed: u8) {
            let pixels = photograph(height + usize::from(seed), width, channels);
            let pixels = &pixels[usize::from(seed) * width * channels..];
            if let Some(file) = encode(pixels, height, width, channels) {
                prop_assert_eq!(decoded(&file, width * channels, channels), pixels);
            }
        }
    }
}
