//! Files that a command leaves: all of them, complete, or none.
//!
//! They are written in a hidden folder beside their place and moved there at the end. What a failed
//! command wrote is removed with the folder.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::failure::Failure;

/// Why outputs cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file is there already.
    #[error("{} exists; choose another place, or overwrite it with --force", .0.display())]
    Exists(PathBuf),
    /// A folder stands where the file would go.
    #[error("{} is a directory; name a file", .0.display())]
    Directory(PathBuf),
    /// The folder for the file does not exist.
    #[error("the folder {} does not exist; make it first", .0.display())]
    NoFolder(PathBuf),
    /// The output would replace a file that the command reads.
    #[error("{} is read by this command and would be overwritten; choose another --out", .0.display())]
    OverInput(PathBuf),
    /// The path does not end in a file's name.
    #[error("\"{}\" names no file", .0.display())]
    NoName(PathBuf),
    /// The file system refuses.
    #[error("{} cannot be written; check permissions and free space", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Files being written.
pub struct Outputs {
    folder: PathBuf,
    /// Whether the folder was made for these files, to be removed with them.
    made: bool,
    /// Gone once the files are in place.
    staging: Option<TempDir>,
    names: Vec<PathBuf>,
}

impl Outputs {
    /// Plans `out` and, named after it, a file for each of `extensions`; these come before `out`
    /// when the files are put in place. `inputs` are files that must not be overwritten.
    ///
    /// # Errors
    /// [`Failure`], before any work is done.
    pub fn beside(
        out: &Path,
        extensions: &[&str],
        inputs: &[&Path],
        force: bool,
    ) -> Result<Self, Failure> {
        let name = out
            .file_name()
            .ok_or_else(|| Failure::input(Error::NoName(out.into())))?;
        let folder = match out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = Path::new(name);
        let mut names: Vec<PathBuf> = extensions.iter().map(|e| name.with_extension(e)).collect();
        names.push(name.into());
        if !folder.is_dir() {
            return Err(Failure::input(Error::NoFolder(folder.into())));
        }
        Self::plan(folder, names, inputs, force)
    }

    /// Plans the files `names` in `folder`, which is made if need be.
    ///
    /// # Errors
    /// [`Failure`], before any work is done.
    pub fn within(
        folder: &Path,
        names: &[&str],
        inputs: &[&Path],
        force: bool,
    ) -> Result<Self, Failure> {
        let names = names.iter().map(PathBuf::from).collect();
        Self::plan(folder, names, inputs, force)
    }

    fn plan(
        folder: &Path,
        names: Vec<PathBuf>,
        inputs: &[&Path],
        force: bool,
    ) -> Result<Self, Failure> {
        let inputs: Vec<PathBuf> = inputs
            .iter()
            .filter_map(|p| p.canonicalize().ok())
            .collect();
        for target in names.iter().map(|name| folder.join(name)) {
            // Whatever is there counts, a dangling link too.
            let Ok(found) = target.symlink_metadata() else {
                continue;
            };
            let over_input = target
                .canonicalize()
                .is_ok_and(|path| inputs.contains(&path));
            let refusal = if over_input {
                Error::OverInput(target)
            } else if found.is_dir() {
                Error::Directory(target)
            } else if !force {
                Error::Exists(target)
            } else {
                continue;
            };
            return Err(Failure::input(refusal));
        }
        let made = !folder.exists();
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        let staging = tempfile::Builder::new()
            .prefix(".linkage-")
            .tempdir_in(folder)
            .map_err(io_error(folder))?;
        Ok(Self {
            folder: folder.into(),
            made,
            staging: Some(staging),
            names,
        })
    }

    /// The folder in which the files are written before they are put in place.
    pub fn staging(&self) -> &Path {
        self.staging.as_ref().map_or(&self.folder, TempDir::path)
    }

    /// Where the planned file with this index is written before it is put in place.
    pub fn staged(&self, index: usize) -> PathBuf {
        let name = self
            .names
            .get(index)
            .map_or(Path::new(""), PathBuf::as_path);
        self.staging().join(name)
    }

    /// Where the planned file with this index will be.
    pub fn target(&self, index: usize) -> PathBuf {
        let name = self
            .names
            .get(index)
            .map_or(Path::new(""), PathBuf::as_path);
        if self.folder == Path::new(".") {
            return name.into();
        }
        self.folder.join(name)
    }

    /// Makes the planned file with this index, readable by the user alone.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(&self, index: usize) -> Result<File, Error> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.staged(index))
            .map_err(io_error(&self.target(index)))
    }

    /// Moves one finished file to its place, apart from the others.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn keep(&self, index: usize) -> Result<PathBuf, Error> {
        let (staged, target) = (self.staged(index), self.target(index));
        let moved = File::open(&staged)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&staged, &target));
        moved.map_err(io_error(&target))?;
        Ok(target)
    }

    /// Moves the files to their places. A planned file that was not written is removed from its
    /// place, where an earlier one would be taken for this command's.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn commit(mut self) -> Result<(), Error> {
        for index in 0..self.names.len() {
            if self.staged(index).exists() {
                self.keep(index)?;
                continue;
            }
            let target = self.target(index);
            match fs::remove_file(&target) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Io {
                        path: target,
                        source,
                    });
                }
                _ => {}
            }
        }
        self.made = false;
        // The names are durable once the folder is.
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io_error(&self.folder))
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        drop(self.staging.take());
        if self.made {
            // Fails, as it should, when something else has been put there.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// Turns what the system said about `path` into an [`Error::Io`].
pub fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_appear_together_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a.tokens");
        let plan = || Outputs::beside(&out, &["ids.csv", "rejects.csv"], &[], false).unwrap();
        let outputs = plan();
        outputs.create(0).unwrap().write_all(b"1").unwrap();
        assert!(!outputs.target(0).exists());
        drop(outputs);
        assert!(names(folder.path()).is_empty());

        let outputs = plan();
        outputs.create(0).unwrap().write_all(b"1").unwrap();
        outputs.create(2).unwrap().write_all(b"2").unwrap();
        outputs.commit().unwrap();
        assert_eq!(names(folder.path()), ["a.ids.csv", "a.tokens"]);
        let mode = out.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn nothing_is_overwritten_unasked_and_inputs_never() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a.tokens");
        let ids = folder.path().join("a.ids.csv");
        fs::write(&ids, "old").unwrap();
        let refused = |inputs: &[&Path], force| {
            let result = Outputs::beside(&out, &["ids.csv"], inputs, force);
            result.err().map(|failure| failure.error().to_string())
        };
        assert!(refused(&[], false).unwrap().contains("--force"));
        assert!(
            refused(&[&ids], true)
                .unwrap()
                .contains("read by this command")
        );
        assert_eq!(refused(&[], true), None);

        // Overwriting leaves no file of the earlier run.
        let outputs = Outputs::beside(&out, &["ids.csv"], &[], true).unwrap();
        outputs.create(1).unwrap();
        outputs.commit().unwrap();
        assert_eq!(names(folder.path()), ["a.tokens"]);
    }

    #[test]
    fn a_folder_made_for_nothing_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("result");
        drop(Outputs::within(&folder, &["x"], &[], false).unwrap());
        assert!(!folder.exists());
        let outputs = Outputs::within(&folder, &["x"], &[], false).unwrap();
        outputs.create(0).unwrap();
        outputs.commit().unwrap();
        assert_eq!(names(&folder), ["x"]);
    }
}
