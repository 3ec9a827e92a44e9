//! Splitting work over the threads.
//!
//! A pass is dozens of short regions. To wake a sleeping thread costs about 50 µs in a browser, as much as a small
//! layer; so for the length of a pass the pool's threads form a [`Team`] that looks out for the next region instead
//! of sleeping: a region then costs about a microsecond, and tasks go to whoever is free.

use std::cell::{Cell, UnsafeCell};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Multiply-adds (or as much other work) below which a parallel region costs more than it saves.
pub const SERIAL: usize = 1 << 16;

/// How often a thread looks before it sleeps: for about half a millisecond. Shorter, and threads that sleep and wake
/// each other are kept on one core by the scheduler (14 ms for SqueezeNet, 9.5 when apart); longer, and where another
/// program has a core the waiting takes it from the one waited for. The pause instruction takes tens of nanoseconds
/// natively, and does not exist in WebAssembly.
const PATIENCE: u32 = if cfg!(target_arch = "wasm32") { 1 << 19 } else { 1 << 14 };

/// Threads that a region of this much work should count on.
pub fn threads(work: usize) -> usize {
    if work < SERIAL || ALONE.get() { 1 } else { rayon::current_num_threads().max(1) }
}

/// Runs work whose neighbours are on the other threads already: regions inside it stay on this one.
pub fn alone<R>(work: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _restore = Restore(ALONE.replace(true));
    work()
}

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Calls `f(0..n)`, on all threads when there are several. The caller works too; without a pool
/// (wasm without threads) it does everything.
pub fn for_each(n: usize, threads: usize, f: &(dyn Fn(usize) + Sync)) {
    if threads <= 1 || n <= 1 {
        (0..n).for_each(f);
        return;
    }
    match TEAM.get() {
        // SAFETY: `inside` keeps its team alive until it has taken it away from this thread again.
        Some(team) => unsafe { &*team }.region(n, f),
        None => halve(0, n, f),
    }
}

/// What `f` makes of 0..n, each on a thread of its own where there are several.
pub fn map<T: Send>(n: usize, f: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
    // Each lock is taken once: it only carries a result to its place.
    let slots: Vec<Mutex<Option<T>>> = (0..n).map(|_| Mutex::new(None)).collect();
    for_each(n, threads(usize::MAX), &|i| {
        let made = f(i);
        *slots[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
    });
    let taken = slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    taken.map(|made| made.expect("every index was called")).collect()
}

fn halve(from: usize, to: usize, f: &(dyn Fn(usize) + Sync)) {
    if to - from == 1 {
        return f(from);
    }
    let mid = from + (to - from) / 2;
    rayon::join(|| halve(from, mid, f), || halve(mid, to, f));
}

/// Runs work that has many regions, with the pool's threads at hand for all of them. A thread that belongs to the
/// pool already (an image of many worked on side by side) shares its regions through the pool as usual.
pub fn inside<R>(work: impl FnOnce() -> R) -> R {
    let threads = rayon::current_num_threads();
    if threads <= 1 || ALONE.get() || TEAM.get().is_some() || rayon::current_thread_index().is_some() {
        return work();
    }
    // Shared, not scoped: where the pool is busy with something else, nobody waits for a helper that never came.
    let team = Arc::new(Team::default());
    for _ in 1..threads {
        let team = team.clone();
        rayon::spawn(move || team.help());
    }
    let _end = End(&team);
    TEAM.set(Some(Arc::as_ptr(&team)));
    work()
}

thread_local! {
    /// The team that this thread leads.
    static TEAM: Cell<Option<*const Team>> = const { Cell::new(None) };
}

/// Ends a pass, also one that panics: the helpers go back to the pool.
struct End<'a>(&'a Team);

impl Drop for End<'_> {
    fn drop(&mut self) {
        TEAM.set(None);
        self.0.over.store(true, SeqCst);
        self.0.wake();
    }
}

/// A region under way: `f` is to be called for every index below `n`.
#[derive(Clone, Copy)]
struct Region {
    f: *const (dyn Fn(usize) + Sync),
    n: usize,
}

/// One leader, who opens regions, and helpers, who look out for them.
struct Team {
    /// Number of the open region, 0 when none is.
    open: AtomicU32,
    last: Cell<u32>,
    /// Written by the leader while no region is open and no helper is inside.
    region: UnsafeCell<Option<Region>>,
    next: AtomicUsize,
    /// Helpers that may be using the region.
    busy: AtomicUsize,
    over: AtomicBool,
    /// A helper's task panicked.
    failed: AtomicBool,
    /// Threads asleep: helpers until a region opens, the leader until the last helper has left.
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
}

// SAFETY: pointers to regions are valid while used: `last` is the leader's alone; `region` is written only when `open` is 0 and `busy` is 0, and read only by
// a helper that counted itself in `busy` and then found the region open. All are sequentially consistent: either the
// helper sees that the region is closed, or the leader sees the helper.
unsafe impl Sync for Team {}
// SAFETY: the same; the helpers that outlive a pass never read `region` again, because none opens.
unsafe impl Send for Team {}

impl Default for Team {
    fn default() -> Team {
        Team {
            open: AtomicU32::new(0),
            last: Cell::new(0),
            region: UnsafeCell::new(None),
            next: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            bed: Mutex::new(()),
            alarm: Condvar::new(),
        }
    }
}

impl Team {
    fn region(&self, n: usize, f: &(dyn Fn(usize) + Sync)) {
        // SAFETY: the lifetime ends when `close` is dropped: no helper uses `f` after that.
        let f: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(f) };
        // SAFETY: no region is open, and `Close` waited until no helper was inside the one before.
        unsafe { *self.region.get() = Some(Region { f, n }) };
        self.next.store(0, SeqCst);
        // A task of this thread that opens a region itself does all of it.
        let team = TEAM.replace(None);
        let close = Close { team: self, restore: team };
        let number = self.last.get().wrapping_add(1).max(1);
        self.last.set(number);
        self.open.store(number, SeqCst);
        self.wake();
        self.work(n, f);
        drop(close);
        assert!(!self.failed.load(SeqCst), "a task panicked on another thread");
    }

    fn work(&self, n: usize, f: &(dyn Fn(usize) + Sync)) {
        loop {
            let i = self.next.fetch_add(1, SeqCst);
            if i >= n {
                return;
            }
            f(i);
        }
    }

    fn wake(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            drop(self.bed.lock());
            self.alarm.notify_all();
        }
    }

    /// What a helper does until the pass is over.
    fn help(&self) {
        let mut seen = 0;
        loop {
            let mut open = 0;
            self.wait(|| {
                open = self.open.load(SeqCst);
                (open != 0 && open != seen) || self.over.load(SeqCst)
            });
            if self.over.load(SeqCst) {
                return;
            }
            self.busy.fetch_add(1, SeqCst);
            if self.open.load(SeqCst) == open {
                // SAFETY: the region is open and this helper is counted.
                if let Some(Region { f, n }) = unsafe { *self.region.get() } {
                    // SAFETY: the leader keeps `f` until no helper is inside.
                    let work = AssertUnwindSafe(|| self.work(n, unsafe { &*f }));
                    if std::panic::catch_unwind(work).is_err() {
                        self.failed.store(true, SeqCst);
                    }
                }
                seen = open;
            }
            if self.busy.fetch_sub(1, SeqCst) == 1 {
                self.wake();
            }
        }
    }

    /// Returns when `ready` says so: looks for a while, then sleeps until somebody wakes it.
    fn wait(&self, mut ready: impl FnMut() -> bool) {
        for _ in 0..PATIENCE {
            if ready() {
                return;
            }
            std::hint::spin_loop();
        }
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, SeqCst);
        while !ready() {
            bed = self.alarm.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }
}

/// Closes the region and waits for its helpers, also when the leader's own task panics.
struct Close<'a> {
    team: &'a Team,
    restore: Option<*const Team>,
}

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.team.open.store(0, SeqCst);
        self.team.wait(|| self.team.busy.load(SeqCst) == 0);
        TEAM.set(self.restore);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_task_runs_once() {
        for n in [1usize, 2, 3, 17, 256] {
            for _ in 0..200 {
                let ran: Vec<AtomicUsize> = (0..n).map(|_| AtomicUsize::new(0)).collect();
                for_each(n, 4, &|i| {
                    ran[i].fetch_add(1, SeqCst);
                });
                assert!(ran.iter().all(|r| r.load(SeqCst) == 1));
            }
        }
    }

    #[test]
    fn tasks_run_once_with_and_without_a_team() {
        every_task_runs_once();
        inside(every_task_runs_once);
        // Several leaders share the pool.
        std::thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| inside(every_task_runs_once));
            }
        });
    }

    #[test]
    fn helpers_that_slept_wake_up_and_nested_regions_are_done_by_their_task() {
        inside(|| {
            for _ in 0..3 {
                std::thread::sleep(std::time::Duration::from_millis(20));
                let sum = AtomicUsize::new(0);
                for_each(8, 2, &|i| {
                    for_each(4, 2, &|j| {
                        sum.fetch_add(10 * i + j, SeqCst);
                    })
                });
                assert_eq!(sum.load(SeqCst), 4 * 280 + 8 * 6);
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let gone = std::panic::catch_unwind(|| inside(|| for_each(64, 2, &|i| assert!(i != 40))));
        assert!(gone.is_err());
        inside(every_task_runs_once);
    }
}
