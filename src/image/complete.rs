//! Whether a photo's file is all there. Decoders, browsers' included, show what is missing as grey.

/// Whether the file reaches the end that its format marks: JPEG's end-of-image marker, PNG's last
/// chunk, the length in WebP's header. Files of other formats pass; decoding will refuse them.
pub fn is_complete(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"\xff\xd8") {
        jpeg(bytes)
    } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        png(bytes)
    } else if bytes.starts_with(b"RIFF") {
        let length = bytes.get(4..8).map(|n| u32::from_le_bytes([n[0], n[1], n[2], n[3]]));
        length.is_some_and(|n| bytes.len() as u64 >= 8 + u64::from(n))
    } else {
        true
    }
}

/// Segments by their lengths, scans by their markers, so that an embedded thumbnail's end is not
/// taken for the picture's.
fn jpeg(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            0xd9 => return true,
            // Escaped data, padding, restarts and the like: no length follows.
            0x00 | 0x01 | 0xd0..=0xd8 | 0xff => {}
            _ => match bytes.get(at..at + 2) {
                Some(n) => at += usize::from(u16::from_be_bytes([n[0], n[1]])),
                None => return false,
            },
        }
    }
    false
}

/// The byte after the next 0xff, leaving `at` behind it (before it where it is another 0xff).
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    *at += bytes.get(*at..)?.iter().position(|&b| b == 0xff)? + 1;
    let marker = *bytes.get(*at)?;
    *at += usize::from(marker != 0xff);
    Some(marker)
}

/// Chunks: length, name, data, check sum; `IEND` is the last.
fn png(bytes: &[u8]) -> bool {
    let mut rest = &bytes[8..];
    while let Some((head, data)) = rest.split_at_checked(8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(next) = length.checked_add(4).and_then(|n| data.get(n..)) else { return false };
        if &head[4..] == b"IEND" {
            return true;
        }
        rest = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Complete as it is and with a trailer, incomplete at every earlier length from `from` on.
    fn whole(file: &[u8], from: usize) {
        assert!(is_complete(file));
        assert!(is_complete(&[file, b"trailer"].concat()));
        for n in from..file.len() {
            assert!(!is_complete(&file[..n]), "{n}");
        }
    }

    #[test]
    fn only_the_files_own_end_counts() {
        let thumbnail = [0xff, 0xe1, 0, 6, 0xff, 0xd8, 0xff, 0xd9];
        let scan = [0xff, 0xda, 0, 3, 1, 7, 0xff, 0x00, 8, 0xff, 0xd1, 9];
        whole(&[&[0xff, 0xd8][..], &thumbnail, &scan, &[0xff, 0xff, 0xd9]].concat(), 2);
        whole(b"\x89PNG\r\n\x1a\n\0\0\0\x04IDATIEND----\0\0\0\0IEND----", 8);
        whole(b"RIFF\x06\0\0\0WEBPxx", 4);
        assert!(!is_complete(b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffIDAT"));
        assert!(is_complete(b"") && is_complete(b"GIF89a"));
    }
}
