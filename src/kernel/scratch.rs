//! Scratch memory that threads keep from call to call, so that nothing is allocated in steady state.

use std::cell::RefCell;

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Values in a cache line: scratch starts on one.
const LINE: usize = 16;

/// Borrowed scratch; it goes back when dropped. Not a closure's argument: a closure would be compiled
/// without the vector instructions of the function around it.
pub struct Scratch {
    buffer: Vec<f32>,
    skip: usize,
    n: usize,
}

/// `n` values of scratch, aligned to a cache line, whose contents are arbitrary.
pub fn take(n: usize) -> Scratch {
    let mut buffer = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < n + LINE {
        // Cleared first: growing would copy contents that nobody wants.
        buffer.clear();
        buffer.resize(n + LINE, 0.0);
    }
    let skip = buffer.as_ptr().align_offset(4 * LINE).min(LINE);
    Scratch { buffer, skip, n }
}

impl std::ops::Deref for Scratch {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.buffer[self.skip..self.skip + self.n]
    }
}

impl std::ops::DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.skip..self.skip + self.n]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        // A thread that ends drops the list before this: then the buffer is simply freed.
        let _ = FREE.try_with(|free| free.borrow_mut().push(buffer));
    }
}
