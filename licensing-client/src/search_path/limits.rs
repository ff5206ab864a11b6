//! What a search path may be made of, and how much of it.

/// The port of `@host`. FlexNet tries 27000 to 27009; ten connection attempts for one missing number hide the
/// mistake that one of ten servers answers, so we try the first only.
pub const DEFAULT_PORT: u16 = 27000;

/// How many ports from [`DEFAULT_PORT`] on are tried for an entry that names none: a server whose SERVER line names no
/// port takes the first that is free (FlexNet License Administration Guide, SERVER Lines).
pub const DEFAULT_PORTS: u16 = 10;

/// Longest search path, in bytes: room for every site below with long names.
pub const MAX_PATH_BYTES: usize = 8192;

/// Most independent sites in one path: each costs up to seconds when it is dead, so a longer list would never be
/// searched to its end within a reconnect timeout.
pub const MAX_SITES: usize = 32;

/// The text, if it can be a host.
pub(super) fn plain_host(host: &str) -> Option<&str> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!host.is_empty() && host.bytes().all(sound)).then_some(host)
}
