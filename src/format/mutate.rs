//! Test helper: every truncation and many damages of a small file must give a value or an error,
//! never a panic, and never take memory out of proportion to the file.

use crate::error::Result;

/// Calls `read` with every prefix of `bytes`, with every byte set to telling values, and with
/// pieces doubled and cut out. Fails when all of them succeed (then nothing was tested).
pub fn each(bytes: &[u8], read: impl Fn(&[u8]) -> Result<()>) {
    read(bytes).expect("the undamaged file must be readable");
    let mut refused = 0;
    let mut attempt = |damaged: &[u8]| {
        if let Err(e) = read(damaged) {
            refused += 1;
            assert!(!e.message().is_empty());
        }
    };
    for n in 0..bytes.len() {
        attempt(&bytes[..n]);
    }
    let mut copy = bytes.to_vec();
    for i in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff, bytes[i] ^ 1, bytes[i] ^ 0x40, bytes[i].wrapping_add(1)] {
            copy[i] = value;
            attempt(&copy);
        }
        copy[i] = bytes[i];
    }
    for i in (0..bytes.len()).step_by(3) {
        let n = (i % 17 + 1).min(bytes.len() - i);
        attempt(&[&bytes[..i], &bytes[i + n..]].concat());
        attempt(&[&bytes[..i + n], &bytes[i..]].concat());
    }
    assert!(refused > 0, "no damage was noticed");
}

/// The same for a larger file, in about `n` places spread over it.
pub fn some(bytes: &[u8], n: usize, read: impl Fn(&[u8]) -> Result<()>) {
    read(bytes).expect("the undamaged file must be readable");
    let mut copy = bytes.to_vec();
    let step = (bytes.len() / n).max(1);
    for (k, i) in (0..bytes.len()).step_by(step).enumerate() {
        // A few places further each time, so that every kind of field is met.
        let i = (i + k * 7 % step).min(bytes.len() - 1);
        for value in [0, 0x7f, 0xff, bytes[i] ^ 1, bytes[i] ^ 0x80] {
            copy[i] = value;
            let _ = read(&copy);
        }
        copy[i] = bytes[i];
        let _ = read(&bytes[..i]);
    }
}

/// Calls `read` with tensors of these shapes that all hold nothing: for tests of matching.
pub fn shapes_only(shapes: &[(String, Vec<usize>)], read: impl Fn(&[(String, super::arrays::Source)])) {
    let sources: Vec<_> = shapes
        .iter()
        .map(|(name, shape)| (name.clone(), super::arrays::Source::new(shape, Vec::new)))
        .collect();
    read(&sources);
}
