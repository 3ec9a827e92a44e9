//! ZIP archives as NumPy and PyTorch write them: entries stored or deflated, ZIP64 included (APPNOTE 6.3). Entries
//! borrow from the file; one is unpacked when it is asked for.

use crate::error::{Error, Result};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// More entries than any checkpoint has.
const MOST_ENTRIES: usize = 1 << 20;

/// No deflated byte stands for more than this many (a match of 258 in two bits): what claims more is not read.
const MOST_EXPANSION: usize = 1032;

/// One file of an archive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'a> {
    bytes: &'a [u8],
    /// Size and checksum of what was deflated.
    deflated: Option<(usize, u32)>,
}

impl<'a> Entry<'a> {
    /// Its bytes where they stand in the archive as they are. Error: Unsupported.
    pub fn stored(&self, name: &str) -> Result<&'a [u8]> {
        if self.deflated.is_some() {
            return Err(Error::Unsupported(format!(
                "ZIP archive: `{name}` is compressed, which torch.save never does; unpack and pack it without compression"
            )));
        }
        Ok(self.bytes)
    }

    /// Bytes that it unpacks to; what is compressed is subtracted from `room` before it is unpacked. Errors: Limit; Malformed.
    pub fn claim(&self, name: &str, room: &mut usize) -> Result<usize> {
        let Some((size, _)) = self.deflated else { return Ok(self.bytes.len()) };
        if size / MOST_EXPANSION > self.bytes.len() {
            return Err(malformed(&format!("`{name}` claims more bytes than its compressed ones can hold")));
        }
        *room = room.checked_sub(size).ok_or_else(|| {
            Error::Limit(format!(
                "ZIP archive: `{name}` unpacks to {size} bytes, more than are left of the limit; raise it (--limit), or \
                 save the arrays without compression"
            ))
        })?;
        Ok(size)
    }

    /// Its first bytes, so many or all. Error: Malformed.
    pub fn head(&self, name: &str, n: usize) -> Result<Cow<'a, [u8]>> {
        if self.deflated.is_none() {
            return Ok(self.bytes[..n.min(self.bytes.len())].into());
        }
        let mut out = Vec::new();
        self.unpack(name, &mut |piece| {
            out.extend_from_slice(&piece[..piece.len().min(n - out.len())]);
            out.len() < n
        })?;
        Ok(out.into())
    }

    /// Hands its bytes over piece by piece, unpacked through a window of 64 KB, as long as `sink` wants more; whoever takes
    /// them all knows that size and sum are right. Error: Malformed.
    pub fn unpack(&self, name: &str, sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<()> {
        let Some((size, sum)) = self.deflated else {
            sink(self.bytes);
            return Ok(());
        };
        let damaged = || malformed(&format!("`{name}` does not unpack to what the directory says"));
        let mut state = Box::new(DecompressorOxide::new());
        let mut window = vec![0; 1 << 16];
        let mut hasher = crc32fast::Hasher::new();
        let (mut from, mut at, mut done) = (0, 0, 0usize);
        loop {
            let (status, read, written) = decompress(&mut state, &self.bytes[from..], &mut window, at, 0);
            let piece = &window[at..at + written];
            done += written;
            if done > size {
                return Err(damaged());
            }
            hasher.update(piece);
            if !sink(piece) {
                return Ok(());
            }
            from += read;
            at = (at + written) % window.len();
            match status {
                TINFLStatus::Done => break,
                TINFLStatus::HasMoreOutput if read + written > 0 => {}
                _ => return Err(damaged()),
            }
        }
        if done != size || hasher.finalize() != sum {
            return Err(damaged());
        }
        Ok(())
    }
}

/// Whether the bytes start like an archive.
pub fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

fn malformed(what: &str) -> Error {
    Error::Malformed(format!("ZIP archive: {what}; the file is damaged or truncated, get it again"))
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    let end = at.checked_add(N);
    end.and_then(|end| bytes.get(at..end)?.try_into().ok())
        .ok_or_else(|| malformed("it ends inside a record"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<usize> {
    Ok(u16::from_le_bytes(get(bytes, at)?).into())
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u64> {
    Ok(u32::from_le_bytes(get(bytes, at)?).into())
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64> {
    Ok(u64::from_le_bytes(get(bytes, at)?))
}

fn slice(bytes: &[u8], at: u64, n: u64) -> Result<&[u8]> {
    let (at, n) = (usize::try_from(at).ok(), usize::try_from(n).ok());
    at.and_then(|at| bytes.get(at..at.checked_add(n?)?))
        .ok_or_else(|| malformed("an entry lies outside of the file"))
}

/// All entries by name. Errors: Malformed; Unsupported for encrypted ones and compression other than deflate; Limit.
pub fn read(bytes: &[u8]) -> Result<BTreeMap<String, Entry<'_>>> {
    // The record at the end may be followed by a comment of up to 64 kB.
    let from = bytes.len().saturating_sub(22 + 0xffff);
    let end = bytes[from..].windows(4).rposition(|w| w == b"PK\x05\x06").map(|i| from + i);
    let end = end.ok_or_else(|| malformed("its directory is missing"))?;
    let (mut count, mut start) = (u16_at(bytes, end + 10)? as u64, u32_at(bytes, end + 16)?);
    if let Some(locator) = end.checked_sub(20).filter(|l| bytes[*l..].starts_with(b"PK\x06\x07")) {
        let at = usize::try_from(u64_at(bytes, locator + 8)?).map_err(|_| malformed("it is too large"))?;
        if bytes.get(at..).is_some_and(|b| b.starts_with(b"PK\x06\x06")) {
            (count, start) = (u64_at(bytes, at.saturating_add(32))?, u64_at(bytes, at.saturating_add(48))?);
        }
    }
    if count > MOST_ENTRIES as u64 {
        return Err(Error::Limit(format!("ZIP archive: {count} entries; no checkpoint has so many")));
    }
    let mut at = usize::try_from(start).map_err(|_| malformed("it is too large"))?;
    let mut entries = BTreeMap::new();
    for _ in 0..count {
        if !bytes.get(at..).is_some_and(|b| b.starts_with(b"PK\x01\x02")) {
            return Err(malformed("its directory is cut short"));
        }
        let (flags, method) = (u16_at(bytes, at + 8)?, u16_at(bytes, at + 10)?);
        let (name, extra, comment) =
            (u16_at(bytes, at + 28)?, u16_at(bytes, at + 30)?, u16_at(bytes, at + 32)?);
        let name_bytes = slice(bytes, at as u64 + 46, name as u64)?;
        let name_text = String::from_utf8_lossy(name_bytes).into_owned();
        let (mut packed, mut size, mut offset) =
            (u32_at(bytes, at + 20)?, u32_at(bytes, at + 24)?, u32_at(bytes, at + 42)?);
        let mut more = slice(bytes, (at + 46 + name) as u64, extra as u64)?;
        while more.len() >= 4 {
            let (id, n) = (u16_at(more, 0)?, u16_at(more, 2)?);
            let field = more.get(4..4 + n).ok_or_else(|| malformed("an entry's extra field is cut short"))?;
            if id == 1 {
                // Only what did not fit above is repeated here, in this order.
                let mut k = 0;
                for value in [&mut size, &mut packed, &mut offset] {
                    if *value == u64::from(u32::MAX) {
                        *value = u64_at(field, k)?;
                        k += 8;
                    }
                }
            }
            more = &more[4 + n..];
        }
        if flags & 1 != 0 {
            return Err(Error::Unsupported(format!(
                "ZIP archive: `{name_text}` is encrypted; decrypt the file first"
            )));
        }
        if !matches!(method, 0 | 8) {
            return Err(Error::Unsupported(format!(
                "ZIP archive: `{name_text}` is compressed by method {method}; only deflate is read (numpy.savez_compressed)"
            )));
        }
        if method == 0 && packed != size {
            return Err(malformed("an entry that is not compressed has two sizes"));
        }
        let sum = u32_at(bytes, at + 16)? as u32;
        let header = usize::try_from(offset).map_err(|_| malformed("it is too large"))?;
        if !bytes.get(header..).is_some_and(|b| b.starts_with(b"PK\x03\x04")) {
            return Err(malformed("an entry is not where the directory says"));
        }
        let skip = 30 + u16_at(bytes, header + 26)? + u16_at(bytes, header + 28)?;
        let data = slice(bytes, (header + skip) as u64, packed)?;
        let whole = usize::try_from(size).map_err(|_| malformed("it is too large"))?;
        let entry = Entry { bytes: data, deflated: (method == 8).then_some((whole, sum)) };
        if entries.insert(name_text, entry).is_some() {
            return Err(malformed("two entries have the same name"));
        }
        at += 46 + name + extra + comment;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{mutate, npy};

    /// Python's: `a.weight` is 0…5 as 2×3, `zeros` a thousand zeros.
    const FILE: &[u8] = include_bytes!("../../tests/data/compressed.npz");

    fn all(entry: &Entry, room: &mut usize) -> Result<Vec<u8>> {
        let size = entry.claim("zeros", room)?;
        let mut out = Vec::new();
        entry.unpack("zeros", &mut |piece| {
            out.extend_from_slice(piece);
            true
        })?;
        assert_eq!(out.len(), size);
        Ok(out)
    }

    #[test]
    fn deflated_entries_are_unpacked() {
        let entries = read(FILE).unwrap();
        let mut room = 1 << 13;
        let a = all(&entries["a.weight.npy"], &mut room).unwrap();
        assert_eq!(npy::read(&a).unwrap().values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let zeros = all(&entries["zeros.npy"], &mut room).unwrap();
        assert_eq!(npy::read(&zeros).unwrap().values, [0.0; 1000]);
        assert_eq!(room, (1 << 13) - a.len() - zeros.len());
        assert_eq!(*entries["zeros.npy"].head("zeros", 200).unwrap(), zeros[..200]);
    }

    #[test]
    fn each_fault_has_its_error() {
        let entry = read(FILE).unwrap()["zeros.npy"];
        let says = |entry: Entry, mut room: usize, kind: &str, what: &str| {
            let e = all(&entry, &mut room).unwrap_err();
            assert!(e.kind() == kind && e.message().contains(what), "{e:?}");
        };
        let (size, sum) = entry.deflated.unwrap();
        let with = |size, sum| Entry { deflated: Some((size, sum)), ..entry };
        says(entry, 4000, "Limit", "limit");
        says(with(1 << 30, sum), usize::MAX, "Malformed", "claims more");
        says(with(size + 1, sum), 1 << 20, "Malformed", "does not unpack");
        says(with(size - 1, sum), 1 << 20, "Malformed", "does not unpack");
        says(with(size, sum ^ 1), 1 << 20, "Malformed", "does not unpack");
        assert!(
            matches!(entry.stored("zeros"), Err(Error::Unsupported(m)) if m.contains("`zeros` is compressed"))
        );
        // The method in the directory: 8 is deflate, 12 bzip2.
        let mut other = FILE.to_vec();
        let at = FILE.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        other[at + 10] = 12;
        assert!(matches!(read(&other), Err(Error::Unsupported(m)) if m.contains("method 12")));
        other[at + 10] = 0;
        assert!(matches!(read(&other), Err(Error::Malformed(m)) if m.contains("two sizes")));
    }

    #[test]
    fn no_mutation_panics() {
        mutate::each(FILE, |bytes| {
            for entry in read(bytes)?.values() {
                all(entry, &mut (1 << 20))?;
                entry.head("x", 100)?;
            }
            Ok(())
        });
    }
}
