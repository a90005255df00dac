//! Coded data to pixels: inflated part by part, and each row restored from its filter as soon as it is whole.
//!
//! ```text
//! workspace: | last 32 kB, which later data repeat | rows to be restored | free |
//! a part is inflated into the free memory; whole rows → pixels; if little is free, the rest moves to the front
//! ```

use super::filter::restore;
use super::header::{Header, chunk_at};
use crate::Refused;
use crate::jpeg::Window;
use fdeflate::Decompressor;
use offgraph_kernels::memory;
use std::mem;

/// Bytes before those that are inflated, which these may repeat.
const HISTORY: usize = 32 << 10;
/// Bytes that are inflated before the workspace is moved.
const PART: usize = 128 << 10;
/// The workspace is moved when less is free.
const LEAST_FREE: usize = 8 << 10;
/// Workspaces of more bytes are freed after their file.
const KEPT_BYTES: usize = 2 << 20;
/// The window of the largest zlib streams: 2 to the power of this number and 8.
const LARGEST_WINDOW: u8 = 7;

/// Decodes files one after another, and keeps its workspaces between them.
///
/// The workspaces take some 160 kB, and a few rows.
#[derive(Default)]
pub struct Decoder {
    inflated: Vec<u8>,
    /// The row being restored, and the one above it.
    row: Vec<u8>,
    above: Vec<u8>,
}

impl Decoder {
    /// Decode the pixels of a window into `out`, an array (height, width, channels) in C order; samples of 16 bits with
    /// the high byte first, as they are stored. The file is the one that the header was read of.
    ///
    /// What lies below the window is not decoded: damage there goes unnoticed.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the file is not decoded here, if `out` has another size, or if the window is empty or reaches out of
    /// the image; `out` may have been written to.
    pub fn decode(
        &mut self,
        data: &[u8],
        header: &Header,
        window: &Window,
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let inside = window.rows.end <= header.height && window.columns.end <= header.width;
        if !inside || window.rows.is_empty() || window.columns.is_empty() {
            return Err(Refused("the window is empty, or not inside the image"));
        }
        if window.pixels().checked_mul(header.pixel()) != Some(out.len()) {
            return Err(Refused("the output has another size than the image"));
        }
        let result = self.run(data, header, window, out);
        if self.inflated.len() > KEPT_BYTES {
            *self = Self::default();
        }
        result
    }

    fn run(&mut self, data: &[u8], header: &Header, window: &Window, out: &mut [u8]) -> Result<(), Refused> {
        let pixel = header.pixel();
        let line = header.width.saturating_mul(pixel).saturating_add(1);
        let len = HISTORY.saturating_add(PART.max(line.saturating_mul(2)));
        if self.inflated.len() < len {
            memory::resize(&mut self.inflated, len, 0);
        }
        // Columns right of the window are not restored.
        let needed = window.columns.end * pixel;
        let kept = window.columns.start * pixel..needed;
        for row in [&mut self.row, &mut self.above] {
            row.clear();
            memory::resize(row, needed, 0);
        }
        let mut coded = CodedData { data, at: header.data_start };
        let mut input = coded.next().unwrap_or_default();
        if !fits_window(input, header.height.saturating_mul(line)) {
            return Err(Refused("its coded data have a small window"));
        }
        let mut stream = Decompressor::new();
        let (mut start, mut end, mut y) = (0, 0, 0);
        loop {
            let is_last = input.is_empty() && {
                let next = coded.next();
                input = next.unwrap_or_default();
                next.is_none()
            };
            let (read, made) = stream
                .read(input, &mut self.inflated, end, false)
                .map_err(|_| Refused("its coded data are damaged"))?;
            input = &input[read..];
            end += made;
            while end - start >= line {
                if y == header.height {
                    return Err(Refused("it has more coded data than pixels"));
                }
                let (filter, coded) = (self.inflated[start], &self.inflated[start + 1..][..needed]);
                restore(filter, coded, &self.above, pixel, &mut self.row)?;
                if y >= window.rows.start {
                    let place = (y - window.rows.start) * kept.len();
                    out[place..][..kept.len()].copy_from_slice(&self.row[kept.clone()]);
                }
                mem::swap(&mut self.row, &mut self.above);
                y += 1;
                start += line;
                if y == window.rows.end && y < header.height {
                    return Ok(());
                }
            }
            if stream.is_done() {
                break;
            }
            if read == 0 && made == 0 && (is_last || !input.is_empty()) {
                return Err(Refused("its coded data end early"));
            }
            if self.inflated.len() - end < LEAST_FREE {
                let from = start.min(end.saturating_sub(HISTORY));
                self.inflated.copy_within(from..end, 0);
                (start, end) = (start - from, end - from);
            }
        }
        let is_whole = y == header.height && start == end;
        if !is_whole || !input.is_empty() || coded.next().is_some() {
            return Err(Refused("it has fewer or more coded data than pixels"));
        }
        Ok(())
    }
}

/// Whether nothing that a zlib stream repeats can lie before the window that it declares.
fn fits_window(start: &[u8], inflated: usize) -> bool {
    let Some(declared) = start.first().map(|byte| byte >> 4) else { return false };
    declared >= LARGEST_WINDOW || inflated <= 1 << (declared + 8)
}

/// The contents of the chunks of coded data, one after another.
struct CodedData<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Iterator for CodedData<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let chunk = chunk_at(self.data, self.at).ok().filter(|chunk| chunk.kind == *b"IDAT")?;
        self.at = chunk.end;
        Some(chunk.contents)
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_header;
    use super::super::tests::file;
    use super::*;
    use miniz_oxide::deflate::compress_to_vec_zlib;
    use proptest::prelude::*;

    /// Rows with filters that change from one to the next, as pixels that they stand for would be random.
    fn rows(height: usize, row: usize, seed: u32) -> Vec<u8> {
        let mut state = seed;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        let mut made = Vec::new();
        for y in 0..height {
            made.push(((y as u32 + seed) % 5) as u8);
            let copied = y > 3 && y % 3 == 0;
            for x in 0..row {
                let before = copied.then(|| made[made.len() - 2 * (row + 1)]);
                made.push(before.unwrap_or((noise() % 7 + (x as u32 % 11)) as u8));
            }
        }
        made
    }

    /// The pixels of rows, one row after another, without parts and windows.
    fn restored(rows: &[u8], row: usize, pixel: usize) -> Vec<u8> {
        let mut above = vec![0; row];
        let mut pixels = Vec::new();
        for line in rows.chunks_exact(row + 1) {
            let mut out = vec![0; row];
            restore(line[0], &line[1..], &above, pixel, &mut out).unwrap();
            pixels.extend_from_slice(&out);
            above = out;
        }
        pixels
    }

    fn whole(header: &Header) -> Window {
        Window { rows: 0..header.height, columns: 0..header.width }
    }

    fn decoded(data: &[u8]) -> Result<Vec<u8>, Refused> {
        let header = read_header(data)?;
        let mut out = vec![0; header.height * header.width * header.pixel()];
        Decoder::default().decode(data, &header, &whole(&header), &mut out)?;
        Ok(out)
    }

    fn parts(coded: &[u8], len: usize) -> Vec<&[u8]> {
        coded.chunks(len).collect()
    }

    #[test]
    fn large_images_are_decoded_in_parts() {
        for (height, width, channels) in [(700, 300, 3), (90, 40_000, 1), (20_000, 20, 1)] {
            let rows = rows(height, width * channels, 5);
            let coded = compress_to_vec_zlib(&rows, 6);
            let data = file(height as u32, width as u32, channels, 8, &parts(&coded, 8192));
            assert_eq!(decoded(&data), Ok(restored(&rows, width * channels, channels)));
        }
    }

    #[test]
    fn data_that_do_not_fit_the_image_are_refused() {
        let rows = rows(9, 12, 1);
        let sound = compress_to_vec_zlib(&rows, 6);
        assert!(decoded(&file(9, 12, 1, 8, &[&sound])).is_ok());
        for (height, width) in [(8, 12), (10, 12), (9, 11), (9, 13), (13, 8)] {
            assert!(decoded(&file(height, width, 1, 8, &[&sound])).is_err(), "{height} {width}");
        }
        for len in 0..sound.len() {
            assert!(decoded(&file(9, 12, 1, 8, &[&sound[..len]])).is_err(), "{len}");
        }
        assert!(decoded(&file(9, 12, 1, 8, &[&sound, &[0; 12]])).is_err());
        let mut changed = sound.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(decoded(&file(9, 12, 1, 8, &[&changed])).is_err(), "checksum");
        let mut filter = rows;
        filter[13] = 5;
        assert!(decoded(&file(9, 12, 1, 8, &[&compress_to_vec_zlib(&filter, 6)])).is_err());
    }

    #[test]
    fn a_small_window_is_refused_where_it_could_be_left() {
        let rows = rows(40, 12, 1);
        let mut coded = compress_to_vec_zlib(&rows, 6);
        for (declared, is_enough) in [(0, false), (1, false), (2, true), (6, true), (7, true)] {
            coded[0] = declared << 4 | 8;
            coded[1] = (31 - u32::from(coded[0]) * 256 % 31) as u8 % 31;
            assert_eq!(decoded(&file(40, 12, 1, 8, &[&coded])).is_ok(), is_enough, "{declared}");
        }
    }

    proptest! {
        #[test]
        fn windows_have_the_pixels_of_the_whole(
            height in 1_usize..50,
            width in 1_usize..50,
            channels in 1_usize..5,
            is_deep: bool,
            seed: u32,
            part in 1_usize..400,
            edges in any::<[u16; 4]>(),
        ) {
            let depth = if is_deep { 16 } else { 8 };
            let pixel = channels * depth / 8;
            let rows = rows(height, width * pixel, seed);
            let coded = compress_to_vec_zlib(&rows, (seed % 9 + 1) as u8);
            let data = file(height as u32, width as u32, channels, depth as u8, &parts(&coded, part));
            let pixels = restored(&rows, width * pixel, pixel);
            prop_assert_eq!(&decoded(&data), &Ok(pixels.clone()));
            let header = read_header(&data).unwrap();
            let range = |a: u16, b: u16, len: usize| {
                let (a, b) = (usize::from(a) % len, usize::from(b) % len);
                a.min(b)..a.max(b) + 1
            };
            let window = Window { rows: range(edges[0], edges[1], height), columns: range(edges[2], edges[3], width) };
            let mut out = vec![0; window.pixels() * pixel];
            let mut decoder = Decoder::default();
            prop_assert_eq!(decoder.decode(&data, &header, &window, &mut out), Ok(()));
            let part: Vec<u8> = window.rows.clone().flat_map(|y| {
                pixels[(y * width + window.columns.start) * pixel..(y * width + window.columns.end) * pixel].to_vec()
            }).collect();
            prop_assert_eq!(out, part);
            prop_assert!(decoder.decode(&data, &header, &whole(&header), &mut [0; 1]).is_err() || pixels.len() == 1);
        }
    }
}
