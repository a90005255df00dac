//! The chunks of a PNG: what it holds, and where its coded data begin.
//!
//! Accepted is what `offgraph/formats/png.py` reads without a word and without looking at anything but header and
//! data. Of other chunks it drops most unread, as this does; those that it reads are refused here.

use super::{COLOUR_TYPES, SIGNATURE};
use crate::Refused;

/// Chunks at most.
const MOST_CHUNKS: usize = 10_000;
/// Bytes of a chunk beside its contents: length, kind and checksum.
const AROUND: usize = 12;
/// Bytes that one byte of deflated data stands for, at most.
const DEFLATE_BEST: usize = 1032;
/// Texts in which an orientation may stand.
const TEXTS: [&[u8]; 2] = [b"XML:com.adobe.xmp", b"Raw profile type exif"];

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels: grey, grey and alpha, RGB, RGBA.
    pub channels: usize,
    /// Bits per sample: 8 or 16.
    pub depth: usize,
    /// Where the first chunk of coded data begins.
    pub(super) data_start: usize,
}

impl Header {
    /// Bytes per pixel.
    pub(super) fn pixel(&self) -> usize {
        self.channels * self.depth / 8
    }

    /// Whether a file of so many bytes can hold as many pixels, as far as deflate goes.
    pub(crate) fn is_plausible(&self, bytes: usize) -> bool {
        let most = bytes.saturating_mul((DEFLATE_BEST / self.pixel()).max(1));
        self.height.saturating_mul(self.width) <= most
    }
}

/// Read the chunks of a file, and check those that make the image against their checksums.
///
/// # Errors
///
/// [`Refused`] if such files are not decoded here.
pub fn read_header(data: &[u8]) -> Result<Header, Refused> {
    if !data.starts_with(&SIGNATURE) {
        return Err(Refused("it is not a PNG"));
    }
    let first = chunk_at(data, SIGNATURE.len())?;
    if first.kind != *b"IHDR" {
        return Err(Refused("it does not begin with its header"));
    }
    first.check()?;
    let mut header = image_header(first.contents)?;
    let mut at = first.end;
    let mut data_end = None;
    for _ in 0..MOST_CHUNKS {
        let chunk = chunk_at(data, at)?;
        match &chunk.kind {
            b"IDAT" => {
                if *data_end.get_or_insert(at) != at {
                    return Err(Refused("its coded data are not in one piece"));
                }
                if header.data_start == 0 {
                    header.data_start = at;
                }
                chunk.check()?;
                data_end = Some(chunk.end);
            }
            b"IEND" if header.data_start == 0 => return Err(Refused("it has no coded data")),
            b"IEND" => return Ok(header),
            b"IHDR" | b"PLTE" | b"tRNS" | b"acTL" | b"eXIf" => {
                return Err(Refused("it has a palette, a transparent colour, frames or an orientation"));
            }
            b"tEXt" | b"zTXt" | b"iTXt" => {
                let key = chunk.contents.split(|byte| *byte == 0).next();
                if key.is_some_and(|key| TEXTS.contains(&key)) {
                    return Err(Refused("it has a text in which an orientation may stand"));
                }
            }
            _ => {}
        }
        at = chunk.end;
    }
    Err(Refused("its chunks are too many"))
}

fn image_header(contents: &[u8]) -> Result<Header, Refused> {
    let Ok([w0, w1, w2, w3, h0, h1, h2, h3, depth, colour, 0, 0, 0]) = <[u8; 13]>::try_from(contents) else {
        return Err(Refused("it is interlaced, or damaged"));
    };
    let (width, height) = (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
    let Some(channels) = COLOUR_TYPES.iter().position(|known| *known == colour).map(|place| place + 1) else {
        return Err(Refused("it has a palette, or an unknown kind of colours"));
    };
    if !matches!(depth, 8 | 16) {
        return Err(Refused("it has other than 8 or 16 bits"));
    }
    if height == 0 || width == 0 || height.max(width) > i32::MAX as u32 {
        return Err(Refused("it has no such size"));
    }
    let (height, width, depth) = (height as usize, width as usize, usize::from(depth));
    Ok(Header { height, width, channels, depth, data_start: 0 })
}

/// A chunk of a file.
pub(super) struct Chunk<'a> {
    pub(super) kind: [u8; 4],
    pub(super) contents: &'a [u8],
    checksum: [u8; 4],
    /// Where the next one begins.
    pub(super) end: usize,
    /// What the checksum is of: kind and contents.
    checked: &'a [u8],
}

impl Chunk<'_> {
    fn check(&self) -> Result<(), Refused> {
        if crc32fast::hash(self.checked).to_be_bytes() != self.checksum {
            return Err(Refused("a checksum is wrong"));
        }
        Ok(())
    }
}

/// The chunk that begins at a place.
pub(super) fn chunk_at(data: &[u8], at: usize) -> Result<Chunk<'_>, Refused> {
    let read = || {
        let (len, rest) = data.get(at..)?.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes(*len) as usize;
        let checked = rest.get(..len.checked_add(4)?)?;
        let (kind, contents) = checked.split_first_chunk::<4>()?;
        let checksum = *rest[checked.len()..].first_chunk::<4>()?;
        Some(Chunk { kind: *kind, contents, checksum, end: at + AROUND + len, checked })
    };
    read().ok_or(Refused("it ends early"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{chunk, file};
    use super::*;

    #[test]
    fn what_a_file_holds_is_read() {
        let data = file(3, 5, 2, 16, &[&[1, 2, 3], &[4]]);
        let header = read_header(&data).expect("ordinary");
        let expected = Header { height: 3, width: 5, channels: 2, depth: 16, data_start: 33 };
        assert_eq!(header, expected);
        // What follows the end, and chunks that say nothing of the pixels, change nothing.
        let end = data.len() - AROUND;
        let chunks = [chunk(b"gAMA", &[0; 4]), chunk(b"tEXt", b"Title\0of it"), chunk(b"zzzz", &[])].concat();
        let more =
            [&data[..33], &chunks, &data[33..end], &chunk(b"tIME", &[0; 7]), &data[end..], b"more"].concat();
        assert_eq!(read_header(&more), Ok(Header { data_start: 33 + chunks.len(), ..expected }));
    }

    #[test]
    fn odd_and_damaged_files_are_refused() {
        let data = file(3, 5, 1, 8, &[&[1, 2, 3], &[4]]);
        for len in 0..data.len() {
            assert!(read_header(&data[..len]).is_err(), "{len}");
        }
        let (start, end) = (33, data.len() - AROUND);
        let between = |at: usize, part: &[u8]| [&data[..at], part, &data[at..]].concat();
        for (kind, contents) in [
            (b"PLTE", &[0; 3][..]),
            (b"tRNS", &[0, 7]),
            (b"acTL", &[0; 8]),
            (b"eXIf", b"II"),
            (b"IHDR", &data[16..29]),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"),
            (b"zTXt", b"Raw profile type exif\0\0x"),
            (b"tEXt", b"Raw profile type exif"),
        ] {
            assert!(read_header(&between(start, &chunk(kind, contents))).is_err(), "{kind:?}");
        }
        assert!(read_header(&between(start + 15, &chunk(b"tIME", &[0; 7]))).is_err(), "data in two pieces");
        assert!(read_header(&between(8, &chunk(b"tIME", &[0; 7]))).is_err(), "not the header first");
        assert!(read_header(&[&data[..start], &data[end..]].concat()).is_err(), "no data");
        for at in (16..29).chain([start + 9, start + 24]) {
            let mut changed = data.clone();
            changed[at] ^= 1;
            assert!(read_header(&changed).is_err(), "checksum, {at}");
        }
        for (at, value) in
            [(19, 0), (23, 0), (16, 0x80), (24, 4), (25, 3), (25, 1), (26, 1), (27, 1), (28, 1)]
        {
            let mut contents = data[16..29].to_vec();
            contents[at - 16] = value;
            let changed = [&data[..8], &chunk(b"IHDR", &contents), &data[start..]].concat();
            assert!(read_header(&changed).is_err(), "{at} is {value}");
        }
        let many = chunk(b"zzzz", &[]).repeat(MOST_CHUNKS);
        assert_eq!(read_header(&between(start, &many)), Err(Refused("its chunks are too many")));
    }
}
