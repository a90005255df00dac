//! PNG without palette or interlacing: decoded from 8 and 16 bits per sample, encoded to 8.
//!
//! ```text
//! header     chunks, and what is accepted
//! filter     rows ↔ differences from a predicted value, in which small numbers are frequent
//! decode     coded data → rows, part by part → pixels of a window
//! encode     differences → deflate with one fixed code, where that fits the image
//! ```

mod decode;
mod encode;
mod filter;
mod header;

pub use decode::Decoder;
pub use encode::encode;
pub use header::{Header, read_header};

/// What a file begins with.
pub(crate) const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Bits per sample.
const DEPTH: u8 = 8;
/// Channels → colour type: grey, grey and alpha, RGB, RGBA.
const COLOUR_TYPES: [u8; 4] = [0, 4, 2, 6];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A smooth image with some noise: what the fixed code is made for.
    pub(crate) fn photograph(height: usize, width: usize, channels: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) % 5
        };
        let value = |y: usize, x: usize, c: usize| ((y * (3 + c) + x * 2) / 4 % 240) as u8;
        (0..height * width * channels)
            .map(|at| {
                let (pixel, c) = (at / channels, at % channels);
                value(pixel / width, pixel % width, c) + noise() as u8
            })
            .collect()
    }

    /// A chunk with its checksum.
    pub(super) fn chunk(kind: &[u8; 4], contents: &[u8]) -> Vec<u8> {
        let checked = [kind, contents].concat();
        let checksum = crc32fast::hash(&checked);
        [&(contents.len() as u32).to_be_bytes()[..], &checked, &checksum.to_be_bytes()].concat()
    }

    /// A file with coded data in several chunks.
    pub(super) fn file(height: u32, width: u32, channels: usize, depth: u8, coded: &[&[u8]]) -> Vec<u8> {
        let colour = COLOUR_TYPES[channels - 1];
        let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
        let header = chunk(b"IHDR", &[&size[..], &[depth, colour, 0, 0, 0]].concat());
        let coded: Vec<u8> = coded.iter().flat_map(|part| chunk(b"IDAT", part)).collect();
        [&SIGNATURE[..], &header, &coded, &chunk(b"IEND", &[])].concat()
    }
}
