//! What lies on a disk: files with their bytes, directories.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files with their bytes, directories with `None`, by path.
pub type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

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
