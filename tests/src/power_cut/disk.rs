//! The disk behind a recording: what is surely on it, and what had only been written when the power failed.
//!
//! Bytes of a file are sure once the file was synced; a name is sure once its directory was. Everything else may be
//! there or not, and in any combination: between two syncs neither the kernel nor the drive owes an order. That is what
//! POSIX promises; ext4 and others keep more, and none keeps less.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::format::{Inode, Record};
use crate::simulation::random::Stream;

/// Drives write sectors of this size as a whole.
const SECTOR: u64 = 512;

/// What becomes of the bytes and names that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Model {
    /// All of them are gone.
    Strict,
    /// Each is there or not.
    Lenient,
    /// The bytes are there in order up to one write that is cut at a sector; each name is there or not.
    Torn,
    /// All of them are there: the program died, the power did not.
    Kept,
}

/// The models in which the power fails.
pub const POWER_CUTS: [Model; 3] = [Model::Strict, Model::Lenient, Model::Torn];

/// Files with their bytes, directories with `None`, by path.
pub type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

#[derive(Clone)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    Length(u64),
}

#[derive(Default)]
struct File {
    sure: Vec<u8>,
    pending: Vec<Change>,
}

type Names = BTreeMap<String, usize>;

/// Names that change together: both names of a renamed file.
struct Renaming(Vec<(usize, String, Option<usize>)>);

enum Node {
    File(File),
    Directory {
        sure: Names,
        /// As the program sees it.
        now: Names,
    },
}

/// A disk at one instant of a recording.
pub struct Disk {
    nodes: Vec<Node>,
    numbers: HashMap<Inode, usize>,
    renamings: Vec<Renaming>,
}

const ROOT: usize = 0;

impl Disk {
    /// An empty tree.
    pub fn empty() -> Disk {
        let root = Node::Directory { sure: Names::new(), now: Names::new() };
        Disk { nodes: vec![root], numbers: HashMap::new(), renamings: Vec::new() }
    }

    /// A tree that holds this, all of it synced.
    pub fn holding(image: &Image) -> Disk {
        let mut disk = Disk::empty();
        for (path, bytes) in image {
            let node = match bytes {
                Some(bytes) => Node::File(File { sure: bytes.clone(), pending: Vec::new() }),
                None => Node::Directory { sure: Names::new(), now: Names::new() },
            };
            let (parent, name) = disk.place(&path.to_string_lossy()).expect("parents come before children");
            disk.nodes.push(node);
            let number = disk.nodes.len() - 1;
            if let Node::Directory { sure, now } = &mut disk.nodes[parent] {
                sure.insert(name.clone(), number);
                now.insert(name, number);
            }
        }
        disk
    }

    /// Carries out what the program did next. `None`: it did something to a file nobody has seen.
    pub fn play(&mut self, record: &Record) -> Option<()> {
        match record {
            Record::Create { path, inode } => {
                self.add(path, *inode, Node::File(File::default()))?;
            }
            Record::MakeDirectory { path, inode } => {
                self.add(path, *inode, Node::Directory { sure: Names::new(), now: Names::new() })?;
            }
            Record::Open { path, inode } => {
                let number = self.find(path)?;
                self.numbers.insert(*inode, number);
            }
            Record::Write { inode, offset, data } => {
                self.change(*inode, Change::Write { offset: *offset, data: data.clone() })?;
            }
            Record::Truncate { inode, length } => self.change(*inode, Change::Length(*length))?,
            Record::Sync { inode } => self.sync(*self.numbers.get(inode)?),
            Record::Rename { from, to } => {
                let (from, to) = (self.place(from)?, self.place(to)?);
                let number = self.lookup(from.0, &from.1)?;
                self.rename(vec![(from.0, from.1, None), (to.0, to.1, Some(number))]);
            }
            Record::Unlink { path } => {
                let (directory, name) = self.place(path)?;
                self.lookup(directory, &name)?;
                self.rename(vec![(directory, name, None)]);
            }
            Record::Range { .. } | Record::Note { .. } | Record::Failed { .. } => {}
        }
        Some(())
    }

    /// What is found after a cut at this instant.
    pub(crate) fn image(&self, model: Model, random: &Stream) -> Image {
        // Now nearly all of the unsynced is there, now nearly nothing.
        let share = [10, 50, 90][usize::try_from(random.below(3)).unwrap_or_default()];
        let kept = |model| match model {
            Model::Strict => false,
            Model::Lenient | Model::Torn => random.chance(share),
            Model::Kept => true,
        };
        let mut names: HashMap<usize, Names> = HashMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if let Node::Directory { sure, .. } = node {
                names.insert(number, sure.clone());
            }
        }
        for Renaming(changes) in self.renamings.iter().filter(|_| kept(model)) {
            for (directory, name, number) in changes {
                let names = names.entry(*directory).or_default();
                match number {
                    Some(number) => names.insert(name.clone(), *number),
                    None => names.remove(name),
                };
            }
        }
        let mut image = Image::new();
        let mut open = vec![(PathBuf::new(), ROOT)];
        while let Some((path, directory)) = open.pop() {
            for (name, number) in &names[&directory] {
                let path = path.join(name);
                match &self.nodes[*number] {
                    Node::File(file) => {
                        image.insert(path, Some(contents(file, model, random, &kept)));
                    }
                    Node::Directory { .. } => {
                        image.insert(path.clone(), None);
                        open.push((path, *number));
                    }
                }
            }
        }
        image
    }

    fn add(&mut self, path: &str, inode: Inode, node: Node) -> Option<()> {
        let (directory, name) = self.place(path)?;
        self.nodes.push(node);
        let number = self.nodes.len() - 1;
        self.numbers.insert(inode, number);
        self.rename(vec![(directory, name, Some(number))]);
        Some(())
    }

    fn rename(&mut self, changes: Vec<(usize, String, Option<usize>)>) {
        for (directory, name, number) in &changes {
            if let Node::Directory { now, .. } = &mut self.nodes[*directory] {
                match number {
                    Some(number) => now.insert(name.clone(), *number),
                    None => now.remove(name),
                };
            }
        }
        self.renamings.push(Renaming(changes));
    }

    fn change(&mut self, inode: Inode, change: Change) -> Option<()> {
        match &mut self.nodes[*self.numbers.get(&inode)?] {
            Node::File(file) => file.pending.push(change),
            Node::Directory { .. } => return None,
        }
        Some(())
    }

    fn sync(&mut self, number: usize) {
        if let Node::File(file) = &mut self.nodes[number] {
            let File { sure, pending } = file;
            pending.drain(..).for_each(|change| apply(sure, &change));
            return;
        }
        let touches = |renaming: &Renaming| renaming.0.iter().any(|(directory, ..)| *directory == number);
        let (synced, rest): (Vec<_>, Vec<_>) = self.renamings.drain(..).partition(touches);
        self.renamings = rest;
        for (directory, name, number) in synced.into_iter().flat_map(|renaming| renaming.0) {
            if let Node::Directory { sure, .. } = &mut self.nodes[directory] {
                match number {
                    Some(number) => sure.insert(name, number),
                    None => sure.remove(&name),
                };
            }
        }
    }

    fn lookup(&self, directory: usize, name: &str) -> Option<usize> {
        match &self.nodes[directory] {
            Node::Directory { now, .. } => now.get(name).copied(),
            Node::File(_) => None,
        }
    }

    fn find(&self, path: &str) -> Option<usize> {
        path.split('/').filter(|name| !name.is_empty()).try_fold(ROOT, |at, name| self.lookup(at, name))
    }

    /// The directory a path lies in, and its name there.
    fn place(&self, path: &str) -> Option<(usize, String)> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        Some((self.find(directory)?, name.to_owned()))
    }
}

fn contents(file: &File, model: Model, random: &Stream, kept: &impl Fn(Model) -> bool) -> Vec<u8> {
    let mut bytes = file.sure.clone();
    if model != Model::Torn {
        file.pending.iter().filter(|_| kept(model)).for_each(|change| apply(&mut bytes, change));
        return bytes;
    }
    let whole = random.below(file.pending.len() as u64 + 1);
    let whole = usize::try_from(whole).unwrap_or_default();
    file.pending[..whole].iter().for_each(|change| apply(&mut bytes, change));
    if let Some(Change::Write { offset, data }) = file.pending.get(whole) {
        // Sectors of the file, counted from its beginning.
        let first = offset / SECTOR;
        let sectors = (offset + data.len() as u64).div_ceil(SECTOR) - first;
        let end = (first + random.below(sectors.max(1))) * SECTOR;
        let torn = data[..usize::try_from(end.saturating_sub(*offset)).unwrap_or_default()].to_vec();
        apply(&mut bytes, &Change::Write { offset: *offset, data: torn });
    }
    bytes
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    match change {
        Change::Length(length) => bytes.resize(size(*length), 0),
        Change::Write { data, .. } if data.is_empty() => {}
        Change::Write { offset, data } => {
            let (start, end) = (size(*offset), size(*offset) + data.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(data);
        }
    }
}

/// Makes the files and directories of an image below `directory`.
///
/// # Errors
///
/// The system's.
pub fn write(image: &Image, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for (path, bytes) in image {
        let path = directory.join(path);
        match bytes {
            Some(bytes) => fs::write(path, bytes)?,
            None => fs::create_dir(path)?,
        }
    }
    Ok(())
}

/// The image of what is below `directory` now.
///
/// # Errors
///
/// The system's.
pub fn read(directory: &Path) -> io::Result<Image> {
    let mut image = Image::new();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        for file in fs::read_dir(directory.join(&path))? {
            let file = file?;
            let path = path.join(file.file_name());
            if file.file_type()?.is_dir() {
                image.insert(path.clone(), None);
                open.push(path);
            } else {
                image.insert(path, Some(fs::read(file.path())?));
            }
        }
    }
    Ok(image)
}
