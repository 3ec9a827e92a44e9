//! Room for hundreds of megabytes at once. A system hands memory out by pages of 4 KB, each on first touch, which for a
//! network's weights takes longer than to read and convert them; by large pages it is hardly felt.

/// What is smaller is not worth the call.
const LARGE: usize = 4 << 20;

/// An empty vector for so many values.
pub fn room<T>(n: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(n);
    prepare(&mut out);
    out
}

/// Asks for large pages under a vector that has its room and is not filled yet.
pub fn prepare<T>(vector: &mut Vec<T>) {
    let bytes = vector.spare_capacity_mut();
    if size_of_val(bytes) >= LARGE {
        advise(bytes.as_mut_ptr().cast(), size_of_val(bytes));
    }
}

#[cfg(target_os = "linux")]
fn advise(start: *mut u8, bytes: usize) {
    use std::ffi::{c_int, c_void};
    unsafe extern "C" {
        fn madvise(start: *mut c_void, bytes: usize, advice: c_int) -> c_int;
    }
    const PAGE: usize = 1 << 16;
    const MADV_HUGEPAGE: c_int = 14;
    // Whole pages of any size that Linux has.
    let skip = start.align_offset(PAGE);
    let length = bytes.saturating_sub(skip) & !(PAGE - 1);
    if length > 0 {
        // SAFETY: the range lies inside one allocation, and the advice changes no content. A system that does not
        // know it refuses, and pages stay small.
        unsafe { madvise(start.wrapping_add(skip).cast(), length, MADV_HUGEPAGE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn advise(_: *mut u8, _: usize) {}

#[cfg(test)]
mod tests {
    #[test]
    fn room_is_there_and_empty_whatever_its_size() {
        for n in [0, 1, 1000, 3 << 20] {
            let mut v: Vec<f32> = super::room(n);
            assert!(v.is_empty() && v.capacity() >= n);
            v.resize(n, 1.5);
            super::prepare(&mut v);
            assert!(v.iter().all(|x| *x == 1.5));
        }
    }
}
