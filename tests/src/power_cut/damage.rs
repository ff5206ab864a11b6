//! Damage to the files of a store: what drives, copying programs and people do to them.

use std::path::{Path, PathBuf};

use super::image::Image;
use crate::simulation::random::Stream;

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// One bit is another.
    Flip,
    /// A sector reads as zeros.
    ZeroSector,
    /// The end is missing.
    CutOff,
    /// Nothing is left but the name.
    Emptied,
    /// The file is gone.
    Removed,
    /// Something was written behind the end.
    Grown,
}

impl Damage {
    /// All kinds.
    pub const ALL: [Damage; 6] =
        [Damage::Flip, Damage::ZeroSector, Damage::CutOff, Damage::Emptied, Damage::Removed, Damage::Grown];

    /// The image with one file damaged, and whether that changed anything.
    pub fn done_to(self, image: &Image, path: &Path, dice: u64) -> Option<Image> {
        let random = Stream::new(dice, "damage");
        let bytes = image.get(path)?.as_ref()?;
        // A journal and sled's file end in zeros that are not used yet; damage there is none.
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let place = || usize::try_from(random.below(used.max(1) as u64)).unwrap_or_default();
        let mut damaged = bytes.clone();
        match self {
            Damage::Flip => *damaged.get_mut(place())? ^= 1 << random.below(8),
            Damage::ZeroSector => {
                let start = place() / 512 * 512;
                let end = damaged.len().min(start + 512);
                damaged[start..end].fill(0);
            }
            Damage::CutOff => damaged.truncate(place()),
            Damage::Emptied => damaged.clear(),
            Damage::Removed => {}
            Damage::Grown => damaged.extend_from_slice(&random.bytes()),
        }
        let mut after = image.clone();
        if self == Damage::Removed {
            after.remove(path);
        } else {
            after.insert(path.to_owned(), Some(damaged));
        }
        (after != *image).then_some(after)
    }
}

/// The files of an image, each with the kind of file it is.
pub fn files(image: &Image) -> Vec<(&'static str, PathBuf)> {
    let kind = |path: &Path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some(match name.as_str() {
            "db" => "sled's pages",
            "conf" => "sled's settings",
            "mark" => "the mark",
            "triad" => "the standing",
            "lock" => "the lock",
            _ if name.starts_with("spare-") => "a spare file",
            _ if path.parent()?.ends_with("log") => "the journal",
            _ if name.starts_with("snap.") => "sled's table of pages",
            _ if name.starts_with("snapshot-") => "the snapshot",
            _ => "something else",
        })
    };
    let files = image.iter().filter(|(_, bytes)| bytes.is_some());
    files.filter_map(|(path, _)| Some((kind(path)?, path.clone()))).collect()
}
