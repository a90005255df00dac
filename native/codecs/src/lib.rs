//! Image files decoded into a caller's memory, whole or in part, and PNGs encoded.
//!
//! Only ordinary files are decoded here, and to the bytes that libjpeg-turbo gives. Anything else is [`Refused`]: odd,
//! damaged and rare files, and whatever libjpeg warns about. The decoders in Python (`offgraph/formats/`) read or
//! refuse those, so that messages and policies are theirs alone.

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

mod exec;
mod exif;
mod file;
pub mod jpeg;
pub mod png;

pub use file::{Format, ImageFile, Samples, decode_jpeg, decode_png};

/// Why a file is not decoded here. It may be sound all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub &'static str);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}
