//! What the intercepted calls do: carry out the call, and write it down, under one lock, so that the order of the
//! recording is the order in which the calls took effect.
//!
//! Everything here goes to the kernel by `syscall`, never through a function that is intercepted.

use std::collections::HashMap;
use std::ffi::{CStr, OsString, c_char, c_int, c_long, c_void};
use std::os::unix::ffi::OsStringExt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::format::{Inode, NOTES, Record};

/// What is failed, and from which call on.
struct Failure {
    syncs: bool,
    from: u64,
    errno: c_int,
}

pub(crate) struct Recorder {
    root: Vec<u8>,
    log: Option<c_int>,
    failure: Option<Failure>,
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    /// Open descriptors of the tree.
    open: HashMap<c_int, Opened>,
    writes: u64,
    syncs: u64,
}

#[derive(Clone, Copy)]
struct Opened {
    inode: Inode,
    append: bool,
}

/// The recorder of this process, when it is asked for one.
pub(crate) fn recorder() -> Option<&'static Recorder> {
    static RECORDER: OnceLock<Option<Recorder>> = OnceLock::new();
    RECORDER.get_or_init(Recorder::from_environment).as_ref()
}

/// Carries out a system call. Returns -1 and leaves the reason in `errno` like the C library's own functions.
pub(crate) fn kernel(number: c_long, arguments: [c_long; 4]) -> c_long {
    let [first, second, third, fourth] = arguments;
    // SAFETY: the arguments are those the intercepted call was made with, or point to values that outlive the call.
    unsafe { libc::syscall(number, first, second, third, fourth) }
}

fn set_errno(errno: c_int) {
    // SAFETY: the location belongs to this thread.
    unsafe { *libc::__errno_location() = errno };
}

impl Recorder {
    fn from_environment() -> Option<Recorder> {
        let root = std::env::var_os("DISK_RECORDER_ROOT")?.into_vec();
        let log = std::env::var_os("DISK_RECORDER_LOG").map(open_log);
        let failure = std::env::var("DISK_RECORDER_FAIL").ok().and_then(|text| {
            let mut parts = text.split(':');
            let syncs = parts.next()? == "sync";
            Some(Failure { syncs, from: parts.next()?.parse().ok()?, errno: parts.next()?.parse().ok()? })
        });
        Some(Recorder { root, log, failure, calls: Mutex::default() })
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path below the recorded tree, if it is below.
    fn within(&self, path: *const c_char) -> Option<String> {
        // SAFETY: the caller of the intercepted function owes it a string that ends with a zero.
        let path = unsafe { CStr::from_ptr(path) }.to_bytes();
        let rest = path.strip_prefix(self.root.as_slice())?;
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix(b"/")? };
        String::from_utf8(rest.to_vec()).ok()
    }

    fn say(&self, record: &Record) {
        let Some(log) = self.log else { return };
        let bytes = record.to_bytes();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let wrote = kernel(
                libc::SYS_write,
                [c_long::from(log), rest.as_ptr() as c_long, rest.len() as c_long, 0],
            );
            // A recording with a hole would be believed; a dead program is noticed.
            let Ok(wrote @ 1..) = usize::try_from(wrote) else { std::process::abort() };
            rest = &rest[wrote..];
        }
    }

    /// Whether this call is one that fails; counts it.
    fn fails(&self, calls: &mut Calls, sync: bool) -> Option<c_int> {
        let counter = if sync { &mut calls.syncs } else { &mut calls.writes };
        *counter += 1;
        let failure = self.failure.as_ref()?;
        (failure.syncs == sync && *counter >= failure.from).then_some(failure.errno)
    }

    pub(crate) fn open(&self, directory: c_int, path: *const c_char, flags: c_int, mode: c_long) -> c_int {
        let arguments = [c_long::from(directory), path as c_long, c_long::from(flags), mode];
        let Some(name) = self.within(path) else { return kernel(libc::SYS_openat, arguments) as c_int };
        let mut calls = self.calls();
        let exists = [c_long::from(libc::AT_FDCWD), path as c_long, c_long::from(libc::F_OK), 0];
        let existed = kernel(libc::SYS_faccessat, exists) == 0;
        let fd = kernel(libc::SYS_openat, arguments) as c_int;
        let Some((inode, length)) = status(fd) else { return fd };
        calls.open.insert(fd, Opened { inode, append: flags & libc::O_APPEND != 0 });
        if existed {
            self.say(&Record::Open { path: name, inode });
            if flags & libc::O_TRUNC != 0 {
                self.say(&Record::Truncate { inode, length });
            }
        } else {
            self.say(&Record::Create { path: name, inode });
        }
        fd
    }

    pub(crate) fn close(&self, fd: c_int) -> c_int {
        // Forgotten before the number can be given to another file.
        self.calls().open.remove(&fd);
        kernel(libc::SYS_close, [c_long::from(fd), 0, 0, 0]) as c_int
    }

    /// `write` without an offset, `pwrite` with one.
    pub(crate) fn write(&self, fd: c_int, bytes: *const c_void, count: usize, offset: Option<i64>) -> isize {
        let mut calls = self.calls();
        let Some(file) = calls.open.get(&fd).copied() else {
            drop(calls);
            return write_through(fd, bytes, count, offset);
        };
        let mut count = count;
        if let Some(errno) = self.fails(&mut calls, false) {
            let first = self.failure.as_ref().is_some_and(|failure| failure.from == calls.writes);
            self.say(&Record::Failed { call: format!("write {}", calls.writes) });
            if errno != libc::ENOSPC || !first || count < 2 {
                set_errno(errno);
                return -1;
            }
            count /= 2;
        }
        let place = offset.unwrap_or_else(|| {
            let (from, whence) = if file.append { (0, libc::SEEK_END) } else { (0, libc::SEEK_CUR) };
            kernel(libc::SYS_lseek, [c_long::from(fd), from, c_long::from(whence), 0])
        });
        let wrote = write_through(fd, bytes, count, offset);
        if let (Ok(wrote @ 1..), Ok(offset)) = (usize::try_from(wrote), u64::try_from(place)) {
            // SAFETY: the kernel has just read these bytes from there.
            let data = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), wrote) }.to_vec();
            self.say(&Record::Write { inode: file.inode, offset, data });
        }
        wrote
    }

    pub(crate) fn truncate(&self, fd: c_int, length: i64) -> c_int {
        let calls = self.calls();
        let done = kernel(libc::SYS_ftruncate, [c_long::from(fd), length, 0, 0]) as c_int;
        if let (0, Some(file), Ok(length)) = (done, calls.open.get(&fd), u64::try_from(length)) {
            self.say(&Record::Truncate { inode: file.inode, length });
        }
        done
    }

    /// `None`: not a file of the tree.
    pub(crate) fn sync(&self, fd: c_int, range: bool) -> Option<c_int> {
        let mut calls = self.calls();
        let inode = calls.open.get(&fd)?.inode;
        if let Some(errno) = self.fails(&mut calls, true) {
            self.say(&Record::Failed { call: format!("sync {}", calls.syncs) });
            set_errno(errno);
            return Some(-1);
        }
        self.say(&if range { Record::Range { inode } } else { Record::Sync { inode } });
        Some(0)
    }

    /// A call about names; `record` is written down when it succeeds.
    pub(crate) fn names(&self, call: impl FnOnce() -> c_int, record: impl FnOnce() -> Record) -> c_int {
        let _order = self.calls();
        let done = call();
        if done == 0 {
            self.say(&record());
        }
        done
    }

    pub(crate) fn unlink(&self, path: *const c_char, call: impl FnOnce() -> c_int) -> c_int {
        // SAFETY: the caller of the intercepted function owes it a string that ends with a zero.
        let text = unsafe { CStr::from_ptr(path) }.to_string_lossy();
        if let Some(text) = text.strip_prefix(NOTES) {
            return self.names(|| 0, || Record::Note { text: text.to_owned() });
        }
        match self.within(path) {
            Some(path) => self.names(call, || Record::Unlink { path }),
            None => call(),
        }
    }

    pub(crate) fn rename(
        &self,
        from: *const c_char,
        to: *const c_char,
        call: impl FnOnce() -> c_int,
    ) -> c_int {
        match (self.within(from), self.within(to)) {
            (Some(from), Some(to)) => self.names(call, || Record::Rename { from, to }),
            _ => call(),
        }
    }

    pub(crate) fn make_directory(&self, path: *const c_char, call: impl FnOnce() -> c_int) -> c_int {
        let Some(name) = self.within(path) else { return call() };
        self.names(call, || {
            let flags = c_long::from(libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC);
            let fd =
                kernel(libc::SYS_openat, [c_long::from(libc::AT_FDCWD), path as c_long, flags, 0]) as c_int;
            let inode = status(fd).map_or(0, |(inode, _)| inode);
            kernel(libc::SYS_close, [c_long::from(fd), 0, 0, 0]);
            Record::MakeDirectory { path: name, inode }
        })
    }
}

fn open_log(path: OsString) -> c_int {
    let mut path = path.into_vec();
    path.push(0);
    let flags = c_long::from(libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_CLOEXEC);
    let fd = kernel(libc::SYS_openat, [c_long::from(libc::AT_FDCWD), path.as_ptr() as c_long, flags, 0o644]);
    // Without a place to write it down there is no recording, and no point in going on.
    if fd < 0 { std::process::abort() } else { fd as c_int }
}

fn write_through(fd: c_int, bytes: *const c_void, count: usize, offset: Option<i64>) -> isize {
    let (fd, bytes, count) = (c_long::from(fd), bytes as c_long, count as c_long);
    let wrote = match offset {
        Some(offset) => kernel(libc::SYS_pwrite64, [fd, bytes, count, offset]),
        None => kernel(libc::SYS_write, [fd, bytes, count, 0]),
    };
    wrote as isize
}

/// Inode and length of an open file.
fn status(fd: c_int) -> Option<(Inode, u64)> {
    if fd < 0 {
        return None;
    }
    let mut status = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel fills the whole structure or says that it has not.
    let status = unsafe {
        if libc::fstat(fd, status.as_mut_ptr()) != 0 {
            return None;
        }
        status.assume_init()
    };
    Some((status.st_ino, u64::try_from(status.st_size).unwrap_or_default()))
}
