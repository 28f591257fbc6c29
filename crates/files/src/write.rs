//! Writing through a temporary file beside the target, which takes the target's name at the end.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::Serialize;
use tempfile::NamedTempFile;

/// The names of temporary files begin and end with these, whatever the target is called: a name of the
/// greatest length leaves no room for an addition.
const PREFIX: &str = ".ballast-";
const SUFFIX: &str = ".part";

/// The kernel's own limit on links that lead to links.
const MOST_LINKS: usize = 40;

/// Writes a file where a user says, so that a reader sees the old content or the new, never a part.
///
/// Where `path` is a link, the file it leads to is replaced and the link stays. An existing file keeps its
/// permissions. What cannot be replaced, such as a device, a pipe or `/dev/stdout`, is written to directly, and `-`
/// is stdout. Content and name are on the disk when this returns.
///
/// # Errors
/// Those of `write` and of the file system. The old file is then intact and no temporary file stays behind.
pub fn write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    match destination(path)? {
        Destination::File(file) => swap(&file, permissions(&file), write),
        Destination::Stream => {
            let mut stream = BufWriter::new(OpenOptions::new().append(true).open(path)?);
            write(&mut stream)?;
            stream.flush()
        }
        Destination::Stdout => {
            let mut stdout = BufWriter::new(io::stdout().lock());
            match write(&mut stdout).and_then(|()| stdout.flush()) {
                // A reader that has gone, as in `… | head`, has what it wanted.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                done => done,
            }
        }
    }
}

/// Writes `text` as [`write()`] does.
///
/// # Errors
/// As [`write()`].
pub fn write_text(path: &Path, text: &str) -> io::Result<()> {
    write(path, |file| file.write_all(text.as_bytes()))
}

/// Writes `value` as indented JSON as [`write()`] does.
///
/// # Errors
/// As [`write()`], and for a value that JSON cannot express.
pub fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    write(path, |file| json(file, value))
}

/// Writes a file in a directory of ours, so that a reader sees the old content or the new, never a part.
///
/// Whatever has the name `path`, be it a link or a device, gives way to a new regular file, so that nobody can
/// lead the content elsewhere. Content and name are on the disk when this returns.
///
/// # Errors
/// As [`write()`].
pub fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    swap(path, None, write)
}

/// Writes `text` as [`replace`] does.
///
/// # Errors
/// As [`replace`].
pub fn replace_text(path: &Path, text: &str) -> io::Result<()> {
    replace(path, |file| file.write_all(text.as_bytes()))
}

/// Writes `value` as indented JSON as [`replace`] does.
///
/// # Errors
/// As [`replace`], and for a value that JSON cannot express.
pub fn replace_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    replace(path, |file| json(file, value))
}

fn json(mut file: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")
}

/// Adds `bytes` to the end of a file in a directory of ours, which must be there and be no link.
///
/// # Errors
/// Those of the file system; a part of `bytes` may then have been added.
pub fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW.bits() as i32;
    OpenOptions::new().append(true).custom_flags(flags).open(path)?.write_all(bytes)
}

/// Removes the temporary files that killed processes left in `folder`, and returns their number.
///
/// Only the holder of a lock on the folder should call this: the temporary file of a process at work is removed
/// as well, and its write then fails.
///
/// # Errors
/// If the folder cannot be listed or a file not removed.
pub fn remove_unfinished(folder: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_temporary(&entry.file_name()) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
}

/// The place that a write to a path goes to.
#[derive(Debug, PartialEq)]
enum Destination {
    /// A regular file, or one that is not there yet, by a path that is no link itself.
    File(PathBuf),
    /// A device, a pipe or an open file: another file cannot take its place.
    Stream,
    /// The stdout of this process.
    Stdout,
}

fn destination(path: &Path) -> io::Result<Destination> {
    if path == Path::new("-") {
        return Ok(Destination::Stdout);
    }
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return Ok(Destination::Stream);
    }
    let mut end = path.to_owned();
    for _ in 0..MOST_LINKS {
        // An open file of a process, as `/dev/stdout` is where it was redirected to a regular file: the link is
        // not to a name, and whoever opened it would not see a file that replaces it.
        if end.starts_with("/proc") {
            return Ok(Destination::Stream);
        }
        match fs::read_link(&end) {
            Ok(next) => end = folder(&end).join(next),
            Err(_) => return Ok(Destination::File(end)), // no link, or nothing there
        }
    }
    Err(rustix::io::Errno::LOOP.into())
}

/// The permissions of an existing file.
fn permissions(file: &Path) -> Option<Permissions> {
    let mode = fs::metadata(file).ok()?.permissions().mode();
    Some(Permissions::from_mode(mode & 0o777))
}

/// Writes a new file and gives it the name `path`.
fn swap(
    path: &Path,
    permissions: Option<Permissions>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let folder = folder(path);
    // Opened as a file that must not be there; it is removed when it is dropped unnamed.
    let temporary: NamedTempFile = tempfile::Builder::new()
        .prefix(PREFIX)
        .suffix(SUFFIX)
        .permissions(Permissions::from_mode(0o666)) // the umask applies
        .tempfile_in(folder)?;
    let mut buffer = BufWriter::new(temporary.as_file());
    write(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    if let Some(permissions) = permissions {
        temporary.as_file().set_permissions(permissions)?;
    }
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|failed| failed.error)?;
    // The new name is on the disk once its folder is.
    File::open(folder)?.sync_all()
}

/// The folder that holds `path`.
fn folder(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::thread;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name =
            |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        write_text(&path, "old").unwrap();
        let half = |file: &mut dyn Write| {
            file.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        for failed in [write(&path, half), replace(&path, half)] {
            assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["run.json"]);
        // The last step fails where a folder has the name.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        assert!(write_text(&taken, "new").is_err() && replace_text(&taken, "new").is_err());
        assert!(write_text(&folder.path().join("missing/file"), "new").is_err());
        assert_eq!(names(folder.path()), ["run.json", "taken"]);
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let ended = thread::spawn(move || write(&path, |_| panic!("on purpose"))).join();
        assert!(ended.is_err());
        assert_eq!(names(folder.path()), [""; 0]);
    }

    /// A reader that holds the old file keeps it, and the new one is another file.
    #[test]
    fn a_reader_sees_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_text(&path, "the old content").unwrap();
        let mut old = File::open(&path).unwrap();
        write(&path, |file| {
            file.write_all(b"new")?;
            assert_eq!(fs::read_to_string(&path).unwrap(), "the old content");
            Ok(())
        })
        .unwrap();
        let mut text = String::new();
        old.read_to_string(&mut text).unwrap();
        assert_eq!(
            (text.as_str(), fs::read_to_string(&path).unwrap().as_str()),
            ("the old content", "new")
        );
    }

    #[test]
    fn permissions_stay_and_new_files_have_the_usual_ones() {
        let folder = tempfile::tempdir().unwrap();
        let (path, usual) = (folder.path().join("file"), folder.path().join("usual"));
        File::create(&usual).unwrap();
        write_text(&path, "new").unwrap();
        assert_eq!(mode(&path), mode(&usual));
        for wanted in [0o664, 0o600, 0o444] {
            fs::set_permissions(&path, Permissions::from_mode(wanted)).unwrap();
            write_text(&path, "newer").unwrap();
            assert_eq!(mode(&path), wanted);
        }
    }

    #[test]
    fn a_users_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("elsewhere")).unwrap();
        fs::write(at("elsewhere/file"), "old").unwrap();
        fs::set_permissions(at("elsewhere/file"), Permissions::from_mode(0o640)).unwrap();
        symlink("elsewhere/file", at("near")).unwrap();
        symlink(at("near"), at("far")).unwrap();
        symlink("elsewhere/none", at("dangling")).unwrap();
        symlink("circle", at("circle")).unwrap();
        write_text(&at("far"), "new").unwrap();
        assert_eq!(fs::read_to_string(at("elsewhere/file")).unwrap(), "new");
        assert_eq!(mode(&at("elsewhere/file")), 0o640);
        assert_eq!(fs::read_link(at("near")).unwrap(), Path::new("elsewhere/file"));
        write_text(&at("dangling"), "new").unwrap();
        assert_eq!(fs::read_to_string(at("elsewhere/none")).unwrap(), "new");
        assert_eq!(names(&at("elsewhere")), ["file", "none"]);
        assert!(write_text(&at("circle"), "new").is_err());
        assert_eq!(names(folder.path()), ["circle", "dangling", "elsewhere", "far", "near"]);
    }

    /// A link that somebody planted in a run directory leads nowhere.
    #[test]
    fn a_link_of_ours_is_replaced_and_its_target_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("precious"), "old").unwrap();
        symlink("precious", at("run.json")).unwrap();
        replace_json(&at("run.json"), &[1, 2]).unwrap();
        assert_eq!(fs::read_to_string(at("precious")).unwrap(), "old");
        assert!(fs::symlink_metadata(at("run.json")).unwrap().is_file());
        assert_eq!(fs::read_to_string(at("run.json")).unwrap(), "[\n  1,\n  2\n]\n");
    }

    #[test]
    fn lines_are_added_to_no_link() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "a\n").unwrap();
        symlink("file", at("link")).unwrap();
        append(&at("file"), b"b\n").unwrap();
        assert!(append(&at("link"), b"c\n").is_err() && append(&at("none"), b"c\n").is_err());
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "a\nb\n");
    }

    #[test]
    fn pipes_and_devices_are_written_to_and_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        symlink("pipe", folder.path().join("link")).unwrap();
        for name in ["pipe", "link"] {
            let (reader, writer) = (path.clone(), folder.path().join(name));
            let reader = thread::spawn(move || fs::read_to_string(reader).unwrap());
            write_text(&writer, "through").unwrap();
            // Before the reader is waited for, who would wait forever if the pipe were gone.
            assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
            assert_eq!(reader.join().unwrap(), "through");
        }
        assert_eq!(destination(Path::new("/dev/null")).unwrap(), Destination::Stream);
        write_text(Path::new("/dev/null"), "gone").unwrap();
        let full = write_text(Path::new("/dev/full"), "no room").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    }

    /// A name with a folder is a file.
    #[test]
    fn a_dash_is_stdout() {
        assert_eq!(destination(Path::new("-")).unwrap(), Destination::Stdout);
        assert_eq!(destination(Path::new("./-")).unwrap(), Destination::File("./-".into()));
    }

    /// `/dev/stdout` redirected to a file leads through `/proc/self/fd` to that file, which must stay the same.
    #[test]
    fn an_open_file_is_written_to_and_stays() {
        use std::os::fd::AsRawFd;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let mut open = File::create(&path).unwrap();
        open.write_all(b"before\n").unwrap();
        let link = folder.path().join("stdout");
        symlink(format!("/proc/self/fd/{}", open.as_raw_fd()), &link).unwrap();
        write_text(&link, "after\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\nafter\n");
        assert_eq!(names(folder.path()), ["output", "stdout"]);
    }

    /// Many writers of one file: each leaves its own content whole, and none fails.
    #[test]
    fn writers_at_one_time_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let texts: Vec<String> = (0..8).map(|writer| writer.to_string().repeat(10_000)).collect();
        thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| (0..20).for_each(|_| write_text(&path, text).unwrap()));
            }
        });
        assert!(texts.contains(&fs::read_to_string(&path).unwrap()));
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn only_temporary_files_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["run.json", ".ballast-a1b2c3.part", "a.part", ".ballast-notes"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(remove_unfinished(folder.path()).unwrap(), 1);
        assert_eq!(names(folder.path()), [".ballast-notes", "a.part", "run.json"]);
        // They are called as the writer calls them.
        let path = folder.path().join("file");
        write(&path, |_| {
            assert_eq!(remove_unfinished(folder.path())?, 1);
            Ok(())
        })
        .unwrap_err();
    }

    #[test]
    fn a_name_of_the_greatest_length_is_written() {
        let folder = tempfile::tempdir().unwrap();
        write_text(&folder.path().join("n".repeat(255)), "new").unwrap();
    }
}
