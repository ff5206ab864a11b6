//! The disk behind a recording: what is surely on it, and what had only been written when the power failed.
//!
//! Bytes of a file are sure once the file was synced; a name is sure once its directory was. Everything else may be
//! there or not, and in any combination: between two syncs neither the kernel nor the drive owes an order. That is what
//! POSIX promises; ext4 and others keep more, and none keeps less.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::format::{Inode, Record};
use super::image::Image;
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
    /// Those are there that the dice name: see `Disk::choices`.
    Chosen,
}

/// The models in which the power fails.
pub const POWER_CUTS: [Model; 3] = [Model::Strict, Model::Lenient, Model::Torn];

/// So many of the unsynced names and files are there or not in every combination; see [`Disk::choices`].
const CHOSEN: u32 = 4;

#[derive(Clone)]
enum Change {
    Write { offset: u64, data: Vec<u8> },
    Length(u64),
}

#[derive(Default)]
struct File {
    sure: Vec<u8>,
    /// How many changes are in it.
    settled: usize,
    pending: Vec<Change>,
    /// When the last one came.
    changed_at: u64,
}

/// The content of a file: so many of its changes, from the first one on, are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Version {
    file: usize,
    changes: usize,
}

type Names = BTreeMap<String, usize>;

/// A name in a directory, and what it names from now on.
type Naming = (usize, String, Option<usize>);

/// Names that change together: both names of a renamed file.
struct Renaming {
    names: Vec<Naming>,
    at: u64,
}

/// A name or a file that is not synced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unsynced {
    Renaming(usize),
    File(usize),
}

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
    /// How many changes have been played.
    time: u64,
}

const ROOT: usize = 0;

impl Disk {
    /// An empty tree.
    pub fn empty() -> Disk {
        let root = Node::Directory { sure: Names::new(), now: Names::new() };
        Disk { nodes: vec![root], numbers: HashMap::new(), renamings: Vec::new(), time: 0 }
    }

    /// A tree that holds this, all of it synced.
    pub fn holding(image: &Image) -> Disk {
        let mut disk = Disk::empty();
        for (path, bytes) in image {
            let node = match bytes {
                Some(bytes) => Node::File(File { sure: bytes.clone(), ..File::default() }),
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
    pub(crate) fn image(&self, model: Model, dice: u64) -> Image {
        if model == Model::Chosen {
            let files = self.chosen(dice).into_iter();
            return files.map(|(path, version)| (path, version.map(|version| self.bytes(version)))).collect();
        }
        let random = &Stream::new(dice, "model");
        // Now nearly all of the unsynced is there, now nearly nothing.
        let share = [10, 50, 90][usize::try_from(random.below(3)).unwrap_or_default()];
        let kept = |model| match model {
            Model::Strict | Model::Chosen => false,
            Model::Lenient | Model::Torn => random.chance(share),
            Model::Kept => true,
        };
        let bytes_of = |number: usize| match &self.nodes[number] {
            Node::File(file) => Some(contents(file, model, random, &kept)),
            Node::Directory { .. } => None,
        };
        let tree = self.tree(|_| kept(model)).into_iter();
        tree.map(|(path, number)| (path, bytes_of(number))).collect()
    }

    /// How many ways there are to choose from what is not synced. A choice is a number; its lowest bit is for the latest
    /// change. With more than four unsynced names and files each of the latest four is there or not, and all older ones
    /// together are, for the highest bit: each was among the latest once, when all that happened since had not begun, and
    /// what is written next is written by somebody who knows of the last few steps.
    pub(crate) fn choices(&self) -> u64 {
        let unsynced = u32::try_from(self.unsynced().len()).unwrap_or(u32::MAX);
        1 << unsynced.min(CHOSEN + 1)
    }

    /// What is found when of the unsynced exactly what the choice names is there: files with their version, directories.
    pub(crate) fn chosen(&self, choice: u64) -> BTreeMap<PathBuf, Option<Version>> {
        let latest_first = self.unsynced().into_iter().rev().enumerate();
        let bit = |place: usize| u32::try_from(place).unwrap_or(CHOSEN).min(CHOSEN);
        let kept = latest_first.filter(|(place, _)| (choice >> bit(*place)) & 1 == 1);
        let kept: Vec<Unsynced> = kept.map(|(_, unsynced)| unsynced).collect();
        let version = |file: usize| match &self.nodes[file] {
            Node::File(File { settled, pending, .. }) => {
                let pending = if kept.contains(&Unsynced::File(file)) { pending.len() } else { 0 };
                Some(Version { file, changes: settled + pending })
            }
            Node::Directory { .. } => None,
        };
        let tree = self.tree(|renaming| kept.contains(&Unsynced::Renaming(renaming))).into_iter();
        tree.map(|(path, number)| (path, version(number))).collect()
    }

    /// The bytes of a version that [`Disk::chosen`] named at this instant.
    pub(crate) fn bytes(&self, version: Version) -> Vec<u8> {
        let Node::File(file) = &self.nodes[version.file] else { return Vec::new() };
        let mut bytes = file.sure.clone();
        let unsure = &file.pending[..version.changes - file.settled];
        unsure.iter().for_each(|change| apply(&mut bytes, change));
        bytes
    }

    /// What is not synced, the latest change last.
    fn unsynced(&self) -> Vec<Unsynced> {
        let renamings = self.renamings.iter().enumerate();
        let mut unsynced: Vec<(u64, Unsynced)> =
            renamings.map(|(number, renaming)| (renaming.at, Unsynced::Renaming(number))).collect();
        for (number, node) in self.nodes.iter().enumerate() {
            if let Node::File(File { pending, changed_at, .. }) = node
                && !pending.is_empty()
            {
                unsynced.push((*changed_at, Unsynced::File(number)));
            }
        }
        unsynced.sort_by_key(|(at, _)| *at);
        unsynced.into_iter().map(|(_, unsynced)| unsynced).collect()
    }

    /// Everything that has a name, when of the unsynced renamings those are there that `kept` says.
    fn tree(&self, mut kept: impl FnMut(usize) -> bool) -> BTreeMap<PathBuf, usize> {
        let mut names: HashMap<usize, Names> = HashMap::new();
        for (number, node) in self.nodes.iter().enumerate() {
            if let Node::Directory { sure, .. } = node {
                names.insert(number, sure.clone());
            }
        }
        let renamings = self.renamings.iter().enumerate().filter(|(number, _)| kept(*number));
        for (directory, name, number) in renamings.flat_map(|(_, renaming)| &renaming.names) {
            let names = names.entry(*directory).or_default();
            match number {
                Some(number) => names.insert(name.clone(), *number),
                None => names.remove(name),
            };
        }
        let mut tree = BTreeMap::new();
        let mut open = vec![(PathBuf::new(), ROOT)];
        while let Some((path, directory)) = open.pop() {
            for (name, number) in &names[&directory] {
                let path = path.join(name);
                tree.insert(path.clone(), *number);
                if let Node::Directory { .. } = self.nodes[*number] {
                    open.push((path, *number));
                }
            }
        }
        tree
    }

    fn add(&mut self, path: &str, inode: Inode, node: Node) -> Option<()> {
        let (directory, name) = self.place(path)?;
        self.nodes.push(node);
        let number = self.nodes.len() - 1;
        self.numbers.insert(inode, number);
        self.rename(vec![(directory, name, Some(number))]);
        Some(())
    }

    fn rename(&mut self, names: Vec<Naming>) {
        for (directory, name, number) in &names {
            if let Node::Directory { now, .. } = &mut self.nodes[*directory] {
                match number {
                    Some(number) => now.insert(name.clone(), *number),
                    None => now.remove(name),
                };
            }
        }
        self.time += 1;
        self.renamings.push(Renaming { names, at: self.time });
    }

    fn change(&mut self, inode: Inode, change: Change) -> Option<()> {
        let Node::File(file) = &mut self.nodes[*self.numbers.get(&inode)?] else { return None };
        self.time += 1;
        file.changed_at = self.time;
        file.pending.push(change);
        Some(())
    }

    fn sync(&mut self, number: usize) {
        if let Node::File(file) = &mut self.nodes[number] {
            let File { sure, settled, pending, .. } = file;
            *settled += pending.len();
            pending.drain(..).for_each(|change| apply(sure, &change));
            return;
        }
        let touches = |renaming: &Renaming| renaming.names.iter().any(|(directory, ..)| *directory == number);
        let (synced, rest): (Vec<_>, Vec<_>) = self.renamings.drain(..).partition(touches);
        self.renamings = rest;
        for (directory, name, number) in synced.into_iter().flat_map(|renaming| renaming.names) {
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
