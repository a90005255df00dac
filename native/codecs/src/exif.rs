//! The orientation of an image in its EXIF data, as `offgraph/formats/exif.py` reads it.

/// What precedes EXIF data in a segment.
pub(crate) const START: &[u8] = b"Exif\0\0";
/// What an XMP packet in a segment begins with.
pub(crate) const XMP_START: &[u8] = b"http://ns.adobe.com/xap/";
/// The name that an XMP packet gives the orientation.
const XMP_NAME: &[u8] = b"tiff:Orientation";

const ORIENTATION: u32 = 0x0112;
const SHORT: u32 = 3;
const LONG: u32 = 4;

/// The number that stands for the orientation in a TIFF header and its first directory: `None` if there is none, or if
/// the data are damaged. Any number may stand there.
pub(crate) fn orientation(block: &[u8]) -> Option<u32> {
    let is_little = match block.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let number = |at: usize, len: usize| -> Option<u32> {
        let bytes = block.get(at..at.checked_add(len)?)?;
        let join = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
        Some(if is_little { bytes.iter().rev().fold(0, join) } else { bytes.iter().fold(0, join) })
    };
    let start = number(4, 4)? as usize;
    for entry in 0..number(start, 2)? as usize {
        let at = start.checked_add(2 + 12 * entry)?;
        let (tag, kind, count) = (number(at, 2)?, number(at + 2, 2)?, number(at + 4, 4)?);
        if tag == ORIENTATION && matches!(kind, SHORT | LONG) && count == 1 {
            return number(at + 8, if kind == SHORT { 2 } else { 4 });
        }
    }
    None
}

/// The first digit that an XMP packet gives as the orientation, `name="6"` or `name>6`; `None` if there is none.
pub(crate) fn xmp_orientation(packet: &[u8]) -> Option<u32> {
    let names = packet.windows(XMP_NAME.len()).enumerate().filter(|(_, part)| *part == XMP_NAME);
    names.map(|(at, _)| &packet[at + XMP_NAME.len()..]).find_map(|rest| {
        let value = match trimmed(rest).strip_prefix(b"=") {
            Some(quoted) => trimmed(quoted).strip_prefix(b"\"").or(trimmed(quoted).strip_prefix(b"'")),
            None => rest.strip_prefix(b">"),
        };
        trimmed(value?).first().filter(|digit| digit.is_ascii_digit()).map(|digit| u32::from(digit - b'0'))
    })
}

/// Without the space before it, as regular expressions of Python know it.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    &text[text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(order: &[u8], entries: &[(u16, u16, u32, [u8; 4])]) -> Vec<u8> {
        let swap = |mut bytes: Vec<u8>| {
            if order == b"II" {
                bytes.reverse();
            }
            bytes
        };
        let mut block = order.to_vec();
        block.extend(swap(42_u16.to_be_bytes().to_vec()));
        block.extend(swap(8_u32.to_be_bytes().to_vec()));
        block.extend(swap((entries.len() as u16).to_be_bytes().to_vec()));
        for (tag, kind, count, value) in entries {
            block.extend(swap(tag.to_be_bytes().to_vec()));
            block.extend(swap(kind.to_be_bytes().to_vec()));
            block.extend(swap(count.to_be_bytes().to_vec()));
            block.extend(value);
        }
        block
    }

    #[test]
    fn the_first_entry_that_is_one_number_counts() {
        let little = block(b"II", &[(7, 3, 1, [9; 4]), (0x112, 3, 2, [5; 4]), (0x112, 3, 1, [6, 0, 9, 9])]);
        assert_eq!(orientation(&little), Some(6));
        let big = block(b"MM", &[(0x112, 4, 1, [0, 0, 0, 8]), (0x112, 3, 1, [0, 3, 0, 0])]);
        assert_eq!(orientation(&big), Some(8));
        assert_eq!(orientation(&block(b"MM", &[(0x112, 3, 1, [0x12, 0x34, 0, 0])])), Some(0x1234));
    }

    #[test]
    fn packets_give_an_attribute_or_an_element() {
        let packets: [(&[u8], Option<u32>); 9] = [
            (b"<x tiff:Orientation=\"6\"/>", Some(6)),
            (b"<x tiff:Orientation =\n ' 8'/>", Some(8)),
            (b"<tiff:Orientation>\t3</tiff:Orientation>", Some(3)),
            (b"tiff:Orientation x tiff:Orientation=\"60\"", Some(6)),
            (b"tiff:Orientation >3", None),
            (b"tiff:Orientation=6", None),
            (b"tiff:Orientation=\"x6\"", None),
            (b"tiff:Orientation=\"", None),
            (b"tiff:Orientation", None),
        ];
        for (packet, wanted) in packets {
            assert_eq!(xmp_orientation(packet), wanted, "{}", String::from_utf8_lossy(packet));
        }
    }

    #[test]
    fn damaged_data_have_none() {
        let sound = block(b"II", &[(7, 3, 1, [9; 4]), (0x112, 3, 1, [6, 0, 0, 0])]);
        for len in 0..sound.len() - 2 {
            assert_eq!(orientation(&sound[..len]), None, "{len}");
        }
        assert_eq!(orientation(b"II*\0\xff\xff\xff\xff"), None);
        assert_eq!(orientation(b"xx"), None);
    }
}
