//! The functions of the C library that are intercepted: those by which a Rust program changes files.
//!
//! `open` and its kin take their mode as a variable argument. Declared here with a fixed one they read the same
//! register on every Linux platform; when the caller passes none, the kernel ignores what lies there.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use libc::{AT_FDCWD, iovec};

use crate::recorder::{kernel, recorder};

const HERE: c_long = AT_FDCWD as c_long;

fn open_at(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    match recorder() {
        Some(recorder) => recorder.open(directory, path, flags, c_long::from(mode)),
        None => {
            let arguments =
                [c_long::from(directory), path as c_long, c_long::from(flags), c_long::from(mode)];
            kernel(libc::SYS_openat, arguments) as c_int
        }
    }
}

fn write_at(fd: c_int, bytes: *const c_void, count: usize, offset: Option<i64>) -> isize {
    match (recorder(), offset) {
        (Some(recorder), _) => recorder.write(fd, bytes, count, offset),
        (None, Some(offset)) => {
            kernel(libc::SYS_pwrite64, [c_long::from(fd), bytes as c_long, count as c_long, offset]) as isize
        }
        (None, None) => {
            kernel(libc::SYS_write, [c_long::from(fd), bytes as c_long, count as c_long, 0]) as isize
        }
    }
}

fn set_length(fd: c_int, length: i64) -> c_int {
    match recorder() {
        Some(recorder) => recorder.truncate(fd, length),
        None => kernel(libc::SYS_ftruncate, [c_long::from(fd), length, 0, 0]) as c_int,
    }
}

fn sync(fd: c_int, number: c_long) -> c_int {
    let through = || kernel(number, [c_long::from(fd), 0, 0, 0]) as c_int;
    recorder().and_then(|recorder| recorder.sync(fd, false)).unwrap_or_else(through)
}

// SAFETY (of all below): the names are replaced on purpose, with the C library's own signatures; each function passes
// what it was given to the kernel, as the one it replaces does.

#[unsafe(no_mangle)]
extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    open_at(AT_FDCWD, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    open_at(AT_FDCWD, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    open_at(directory, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn openat64(directory: c_int, path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    open_at(directory, path, flags, mode)
}

#[unsafe(no_mangle)]
extern "C" fn close(fd: c_int) -> c_int {
    match recorder() {
        Some(recorder) => recorder.close(fd),
        None => kernel(libc::SYS_close, [c_long::from(fd), 0, 0, 0]) as c_int,
    }
}

#[unsafe(no_mangle)]
extern "C" fn write(fd: c_int, bytes: *const c_void, count: usize) -> isize {
    write_at(fd, bytes, count, None)
}

/// Writes the first part only: a short write, which every caller has to be ready for.
#[unsafe(no_mangle)]
extern "C" fn writev(fd: c_int, parts: *const iovec, count: c_int) -> isize {
    // SAFETY: the caller owes `count` parts.
    let parts = unsafe { std::slice::from_raw_parts(parts, usize::try_from(count).unwrap_or_default()) };
    match parts.iter().find(|part| part.iov_len > 0) {
        Some(part) => write_at(fd, part.iov_base, part.iov_len, None),
        None => 0,
    }
}

#[unsafe(no_mangle)]
extern "C" fn pwrite(fd: c_int, bytes: *const c_void, count: usize, offset: i64) -> isize {
    write_at(fd, bytes, count, Some(offset))
}

#[unsafe(no_mangle)]
extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, count: usize, offset: i64) -> isize {
    write_at(fd, bytes, count, Some(offset))
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate(fd: c_int, length: i64) -> c_int {
    set_length(fd, length)
}

#[unsafe(no_mangle)]
extern "C" fn ftruncate64(fd: c_int, length: i64) -> c_int {
    set_length(fd, length)
}

#[unsafe(no_mangle)]
extern "C" fn fsync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fsync)
}

#[unsafe(no_mangle)]
extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fdatasync)
}

#[unsafe(no_mangle)]
extern "C" fn sync_file_range(fd: c_int, offset: i64, count: i64, flags: c_uint) -> c_int {
    let through = || {
        let arguments = [c_long::from(fd), offset, count, c_long::from(flags)];
        kernel(libc::SYS_sync_file_range, arguments) as c_int
    };
    recorder().and_then(|recorder| recorder.sync(fd, true)).unwrap_or_else(through)
}

#[unsafe(no_mangle)]
extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let through = || kernel(libc::SYS_renameat, [HERE, from as c_long, HERE, to as c_long]) as c_int;
    match recorder() {
        Some(recorder) => recorder.rename(from, to, through),
        None => through(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn unlink(path: *const c_char) -> c_int {
    let through = || kernel(libc::SYS_unlinkat, [HERE, path as c_long, 0, 0]) as c_int;
    match recorder() {
        Some(recorder) => recorder.unlink(path, through),
        None => through(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn mkdir(path: *const c_char, mode: c_uint) -> c_int {
    let through = || kernel(libc::SYS_mkdirat, [HERE, path as c_long, c_long::from(mode), 0]) as c_int;
    match recorder() {
        Some(recorder) => recorder.make_directory(path, through),
        None => through(),
    }
}
