//! The recording: one record per call, in the order in which the calls took effect. A record is a length (four bytes,
//! little-endian), a kind, and its fields. This file is compiled into the recorder and into the replay.

/// Removing a file below this path makes a note and touches no disk.
pub const NOTES: &str = "/disk-recorder/note/";

/// A file or directory as the kernel numbers it: the same for every descriptor of it, whatever its name.
pub type Inode = u64;

/// What a program did to its disk. Paths are relative to the recorded tree, which is the empty path itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the arguments of the calls")]
pub enum Record {
    /// A file was made, empty, under this name.
    Create { path: String, inode: Inode },
    /// A file or directory that existed was opened.
    Open { path: String, inode: Inode },
    /// Bytes were written.
    Write { inode: Inode, offset: u64, data: Vec<u8> },
    /// The file was given this length.
    Truncate { inode: Inode, length: u64 },
    /// `fsync` or `fdatasync` of a file or a directory.
    Sync { inode: Inode },
    /// `sync_file_range`: moves bytes, promises nothing.
    Range { inode: Inode },
    /// A name was moved, over another one if there was one.
    Rename { from: String, to: String },
    /// A name was removed.
    Unlink { path: String },
    /// A directory was made.
    MakeDirectory { path: String, inode: Inode },
    /// The program had something to say.
    Note { text: String },
    /// An injected error was returned by this call.
    Failed { call: String },
}

impl Record {
    /// The record with its length in front.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 4];
        match self {
            Record::Create { path, inode } => named(&mut bytes, 1, *inode, path),
            Record::Open { path, inode } => named(&mut bytes, 2, *inode, path),
            Record::Write { inode, offset, data } => {
                numbers(&mut bytes, 3, &[*inode, *offset]);
                bytes.extend_from_slice(data);
            }
            Record::Truncate { inode, length } => numbers(&mut bytes, 4, &[*inode, *length]),
            Record::Sync { inode } => numbers(&mut bytes, 5, &[*inode]),
            Record::Range { inode } => numbers(&mut bytes, 6, &[*inode]),
            Record::Rename { from, to } => {
                numbers(&mut bytes, 7, &[from.len() as u64]);
                bytes.extend_from_slice(from.as_bytes());
                bytes.extend_from_slice(to.as_bytes());
            }
            Record::Unlink { path } => named(&mut bytes, 8, 0, path),
            Record::MakeDirectory { path, inode } => named(&mut bytes, 9, *inode, path),
            Record::Note { text } => named(&mut bytes, 10, 0, text),
            Record::Failed { call } => named(&mut bytes, 11, 0, call),
        }
        let length = (bytes.len() - 4) as u32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    /// All records of a recording. A half-written last one belongs to a program that was killed, and is left out.
    /// `None`: this is no recording.
    pub fn read_all(mut bytes: &[u8]) -> Option<Vec<Record>> {
        let mut records = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let Some((body, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
                break;
            };
            records.push(read(body)?);
            bytes = rest;
        }
        Some(records)
    }
}

fn numbers(bytes: &mut Vec<u8>, kind: u8, values: &[u64]) {
    bytes.push(kind);
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
}

fn named(bytes: &mut Vec<u8>, kind: u8, inode: Inode, name: &str) {
    numbers(bytes, kind, &[inode]);
    bytes.extend_from_slice(name.as_bytes());
}

fn read(body: &[u8]) -> Option<Record> {
    let (kind, rest) = body.split_first()?;
    let (first, rest) = rest.split_first_chunk::<8>()?;
    let first = u64::from_le_bytes(*first);
    let text = || String::from_utf8(rest.to_vec()).ok();
    let second = || rest.split_first_chunk::<8>().map(|(value, rest)| (u64::from_le_bytes(*value), rest));
    Some(match kind {
        1 => Record::Create { path: text()?, inode: first },
        2 => Record::Open { path: text()?, inode: first },
        3 => {
            let (offset, data) = second()?;
            Record::Write { inode: first, offset, data: data.to_vec() }
        }
        4 => Record::Truncate { inode: first, length: second()?.0 },
        5 => Record::Sync { inode: first },
        6 => Record::Range { inode: first },
        7 => {
            let both = text()?;
            let (from, to) = both.split_at_checked(usize::try_from(first).ok()?)?;
            Record::Rename { from: from.to_owned(), to: to.to_owned() }
        }
        8 => Record::Unlink { path: text()? },
        9 => Record::MakeDirectory { path: text()?, inode: first },
        10 => Record::Note { text: text()? },
        11 => Record::Failed { call: text()? },
        _ => return None,
    })
}
