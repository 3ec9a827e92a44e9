//! Dictionaries of sparse coding; what is read is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(dictionary) = unpool::format::dictionary::read(bytes) {
        let again = unpool::format::dictionary::read(&unpool::format::dictionary::write_exact(&dictionary));
        assert_eq!(again.expect("what was written is read"), dictionary);
    }
});
