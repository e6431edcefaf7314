//! Memory that loses power and fails on command.
//!
//! Every file and every directory has two images: what programs see (live) and what survives a loss of power (durable),
//! with the changes between them in order. [`SimulatedStorage::crash`] decides which of those changes made it. The
//! model is the one that `log_database` states: changes of one directory survive in order; writes to a file survive in
//! any combination of 512-byte sectors, and so does nothing at all that was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::log_database::storage::{IoError, Kind, Result, Storage, StoredFile};

/// What a disk writes as a whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;
/// What the medium holds unless it is told otherwise, in bytes.
const CAPACITY_BYTES: u64 = 1 << 30;

/// What becomes of changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashMode {
    /// All survive and may be lost later: only the process died.
    ProcessKilled,
    /// None survives.
    AllLost,
    /// The first few of each file and directory survive.
    Prefix,
    /// As [`CrashMode::Prefix`], and of the next write any of its sectors.
    Torn,
    /// Any of them survive: later writes without earlier ones.
    Reordered,
}

impl CrashMode {
    /// All modes.
    pub const ALL: [Self; 5] = [Self::ProcessKilled, Self::AllLost, Self::Prefix, Self::Torn, Self::Reordered];
}

/// Which calls fail, counted from 0 over the storage's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// That one.
    Once(u64),
    /// That one and all after it.
    From(u64),
}

/// Files in memory. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct SimulatedStorage(Arc<Mutex<World>>);

#[derive(Debug, Default)]
struct World {
    directories: BTreeMap<String, Directory>,
    /// Every file there ever was; directories name them by index.
    files: Vec<Image>,
    call_count: u64,
    /// Salts so far: the next process must not get the same ones again.
    salt_count: u64,
    failure: Option<Failure>,
    /// What failing calls say; [`io::ErrorKind::Other`] where nothing was asked for.
    failure_kind: Option<io::ErrorKind>,
    capacity_bytes: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Directory {
    live: Names,
    durable: Names,
    unsynced: Vec<Change>,
}

/// File names, and the files' indices in [`World::files`].
type Names = BTreeMap<String, usize>;

#[derive(Clone, Debug)]
enum Change {
    Link { name: String, file: usize },
    Rename { from: String, to: String },
    Unlink { name: String },
}

#[derive(Clone, Debug, Default)]
struct Image {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Write>,
}

#[derive(Clone, Debug)]
enum Write {
    Bytes { offset: usize, bytes: Vec<u8> },
    Empty,
}

impl Change {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Link { name, file } => {
                names.insert(name.clone(), *file);
            }
            Self::Rename { from, to } => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::Unlink { name } => {
                names.remove(name);
            }
        }
    }
}

impl Write {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Bytes { offset, bytes } => {
                let end = offset + bytes.len();
                if image.len() < end {
                    image.resize(end, 0);
                }
                image[*offset..end].copy_from_slice(bytes);
            }
            Self::Empty => image.clear(),
        }
    }

    /// Applies some of the write's sectors. The file may get its full length all the same: that is metadata.
    fn apply_torn(&self, image: &mut Vec<u8>, random: &mut Random) {
        let Self::Bytes { offset, bytes } = self else { return };
        if random.coin() && image.len() < offset + bytes.len() {
            image.resize(offset + bytes.len(), 0);
        }
        let mut start = 0;
        while start < bytes.len() {
            let end = bytes.len().min((offset + start + 1).next_multiple_of(SECTOR_BYTES) - offset);
            if random.coin() {
                Self::Bytes { offset: offset + start, bytes: bytes[start..end].to_vec() }.apply(image);
            }
            start = end;
        }
    }
}

impl SimulatedStorage {
    /// Calls so far, failed ones included.
    pub fn call_count(&self) -> u64 {
        self.world().call_count
    }

    /// Lets calls fail from now on; `None` ends that. A failed write leaves its first half, and a failed sync of a
    /// file loses for good what it should have made durable. Names are not lost so: file systems that cannot write them
    /// stop altogether.
    pub fn set_failure(&self, failure: Option<Failure>) {
        self.world().failure = failure;
    }

    /// What failing calls say is wrong.
    pub fn set_failure_kind(&self, kind: io::ErrorKind) {
        self.world().failure_kind = Some(kind);
    }

    /// How much all files may have together; writes of more fail because the medium is full.
    pub fn set_capacity_bytes(&self, capacity_bytes: u64) {
        self.world().capacity_bytes = Some(capacity_bytes);
    }

    /// The storage as it may look after the process or the machine died now. This one stays as it is.
    #[must_use]
    pub fn crash(&self, mode: CrashMode, seed: u64) -> Self {
        let world = self.world();
        let mut random = Random(seed);
        let mut crashed = World { salt_count: world.salt_count, ..World::default() };
        if mode == CrashMode::ProcessKilled {
            (crashed.files, crashed.directories) = (world.files.clone(), world.directories.clone());
            return Self(Arc::new(Mutex::new(crashed)));
        }
        for image in &world.files {
            let content = image.after_power_cut(mode, &mut random);
            crashed.files.push(Image { live: content.clone(), durable: content, unsynced: Vec::new() });
        }
        for (path, directory) in &world.directories {
            let names = directory.after_power_cut(mode, &mut random);
            let directory = Directory { live: names.clone(), durable: names, unsynced: Vec::new() };
            crashed.directories.insert(path.clone(), directory);
        }
        Self(Arc::new(Mutex::new(crashed)))
    }

    /// The content of every file under its name.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let world = self.world();
        let names = world.directories.values().flat_map(|directory| &directory.live);
        names.map(|(name, file)| (name.clone(), world.files[*file].live.clone())).collect()
    }

    /// Puts a durable file there, or replaces it, as if it had always been so.
    pub fn put(&self, name: &str, content: Vec<u8>) {
        let mut world = self.world();
        let file = world.files.len();
        world.files.push(Image { live: content.clone(), durable: content, unsynced: Vec::new() });
        let directory = world.directories.entry(directory_of(name).to_owned()).or_default();
        directory.live.insert(name.to_owned(), file);
        directory.durable.insert(name.to_owned(), file);
    }

    /// Damages the first occurrence of `text` in a file, as a medium may at any time.
    pub fn damage(&self, name: &str, text: &[u8]) {
        let mut world = self.world();
        let file = world.directories[directory_of(name)].live[name];
        let live = &mut world.files[file].live;
        let position = live.windows(text.len()).position(|window| window == text).expect("the text is in the file");
        live[position] ^= 1;
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call and fails it where that was asked for.
    fn call(&self, action: &'static str, path: &Path) -> Result<MutexGuard<'_, World>> {
        let mut world = self.world();
        if world.next_call_fails() { Err(world.error(action, path)) } else { Ok(world) }
    }

    fn change(&self, action: &'static str, change: Change, name: &str) -> Result<()> {
        let mut world = self.call(action, Path::new(name))?;
        let directory = world.directories.entry(directory_of(name).to_owned()).or_default();
        if !directory.live.contains_key(name) {
            return Err(IoError { action, path: name.into(), source: io::ErrorKind::NotFound.into() });
        }
        change.apply(&mut directory.live);
        directory.unsynced.push(change);
        Ok(())
    }

    fn handle(&self, name: &str, file: usize) -> Arc<dyn StoredFile> {
        Arc::new(SimulatedFile { storage: self.clone(), path: name.into(), file })
    }
}

impl World {
    fn next_call_fails(&mut self) -> bool {
        let number = self.call_count;
        self.call_count += 1;
        match self.failure {
            None => false,
            Some(Failure::Once(failing)) => number == failing,
            Some(Failure::From(first)) => first <= number,
        }
    }

    fn error(&self, action: &'static str, path: &Path) -> IoError {
        let kind = self.failure_kind.unwrap_or(io::ErrorKind::Other);
        IoError { action, path: path.to_owned(), source: io::Error::new(kind, "simulated failure") }
    }

    fn free_bytes(&self) -> u64 {
        let linked = self.directories.values().flat_map(|directory| directory.live.values());
        let used: usize = linked.map(|file| self.files[*file].live.len()).sum();
        self.total_bytes().saturating_sub(used as u64)
    }

    fn total_bytes(&self) -> u64 {
        self.capacity_bytes.unwrap_or(CAPACITY_BYTES)
    }
}

impl Image {
    fn write(&mut self, write: Write) {
        write.apply(&mut self.live);
        self.unsynced.push(write);
    }

    fn after_power_cut(&self, mode: CrashMode, random: &mut Random) -> Vec<u8> {
        let mut content = self.durable.clone();
        let survivors = random.below(self.unsynced.len() + 1);
        match mode {
            CrashMode::ProcessKilled | CrashMode::AllLost => {}
            CrashMode::Prefix => self.unsynced[..survivors].iter().for_each(|write| write.apply(&mut content)),
            CrashMode::Torn => {
                self.unsynced[..survivors].iter().for_each(|write| write.apply(&mut content));
                if let Some(write) = self.unsynced.get(survivors) {
                    write.apply_torn(&mut content, random);
                }
            }
            CrashMode::Reordered => {
                for write in &self.unsynced {
                    match random.below(3) {
                        0 => {}
                        1 => write.apply(&mut content),
                        _ => write.apply_torn(&mut content, random),
                    }
                }
            }
        }
        content
    }
}

impl Directory {
    fn after_power_cut(&self, mode: CrashMode, random: &mut Random) -> Names {
        let survivors = match mode {
            CrashMode::ProcessKilled | CrashMode::AllLost => 0,
            CrashMode::Prefix | CrashMode::Torn | CrashMode::Reordered => random.below(self.unsynced.len() + 1),
        };
        let mut names = self.durable.clone();
        self.unsynced[..survivors].iter().for_each(|change| change.apply(&mut names));
        names
    }
}

impl Storage for SimulatedStorage {
    fn create_directory(&self, directory: &str) -> Result<()> {
        let mut world = self.call("create the directory", Path::new(directory))?;
        world.directories.entry(directory.to_owned()).or_default();
        Ok(())
    }

    fn remove_directory(&self, directory: &str) -> Result<()> {
        let mut world = self.call("remove the directory", Path::new(directory))?;
        if world.directories.get(directory).is_some_and(|found| !found.live.is_empty()) {
            let source = io::ErrorKind::DirectoryNotEmpty.into();
            return Err(IoError { action: "remove the directory", path: directory.into(), source });
        }
        world.directories.remove(directory);
        Ok(())
    }

    fn list(&self, directory: &str) -> Result<Vec<String>> {
        let world = self.call("read the directory", Path::new(directory))?;
        let files = world.directories.get(directory).into_iter().flat_map(|found| found.live.keys());
        let directories = world.directories.keys().filter(|name| directory_of(name) == directory);
        let names: BTreeSet<&String> = files.chain(directories).collect();
        Ok(names.into_iter().cloned().collect())
    }

    fn kind(&self, name: &str) -> Result<Kind> {
        let world = self.call("stat", Path::new(name))?;
        Ok(if world.directories.contains_key(name) { Kind::Directory } else { Kind::Regular })
    }

    fn create(&self, name: &str) -> Result<Arc<dyn StoredFile>> {
        let mut world = self.call("create", Path::new(name))?;
        let next = world.files.len();
        let directory = world.directories.entry(directory_of(name).to_owned()).or_default();
        let file = *directory.live.entry(name.to_owned()).or_insert(next);
        if file == next {
            directory.unsynced.push(Change::Link { name: name.to_owned(), file });
            world.files.push(Image::default());
        } else {
            world.files[file].write(Write::Empty);
        }
        Ok(self.handle(name, file))
    }

    fn open(&self, name: &str) -> Result<Arc<dyn StoredFile>> {
        let world = self.call("open", Path::new(name))?;
        let file = world.directories.get(directory_of(name)).and_then(|directory| directory.live.get(name));
        match file {
            Some(file) => Ok(self.handle(name, *file)),
            None => Err(IoError { action: "open", path: name.into(), source: io::ErrorKind::NotFound.into() }),
        }
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        assert_eq!(directory_of(from), directory_of(to), "files are renamed inside their directory");
        self.change("rename", Change::Rename { from: from.to_owned(), to: to.to_owned() }, from)
    }

    fn remove(&self, name: &str) -> Result<()> {
        match self.change("remove", Change::Unlink { name: name.to_owned() }, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn sync_directory(&self, directory: &str) -> Result<()> {
        let mut world = self.call("sync the directory", Path::new(directory))?;
        let synced = world.directories.entry(directory.to_owned()).or_default();
        for change in std::mem::take(&mut synced.unsynced) {
            change.apply(&mut synced.durable);
        }
        Ok(())
    }

    fn salt(&self) -> u64 {
        let mut world = self.world();
        world.salt_count += 1;
        Random(world.salt_count).next()
    }

    fn check(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn free_bytes(&self) -> Result<u64> {
        self.call("stat the file system of", Path::new("/")).map(|world| world.free_bytes())
    }

    fn total_bytes(&self) -> Result<u64> {
        self.call("stat the file system of", Path::new("/")).map(|world| world.total_bytes())
    }
}

#[derive(Debug)]
struct SimulatedFile {
    storage: SimulatedStorage,
    path: PathBuf,
    file: usize,
}

impl StoredFile for SimulatedFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn size_bytes(&self) -> Result<u64> {
        let world = self.storage.call("stat", &self.path)?;
        Ok(world.files[self.file].live.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let world = self.storage.call("read", &self.path)?;
        let live = &world.files[self.file].live;
        let rest = usize::try_from(offset).ok().and_then(|offset| live.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> Result<()> {
        let offset = usize::try_from(offset).expect("simulated files are small");
        let mut bytes = slices.iter().map(|slice| &slice[..]).collect::<Vec<_>>().concat();
        let mut world = self.storage.world();
        let failed = world.next_call_fails();
        let growth = (offset + bytes.len()).saturating_sub(world.files[self.file].live.len());
        if world.free_bytes() < growth as u64 {
            let source = io::ErrorKind::StorageFull.into();
            return Err(IoError { action: "write", path: self.path.clone(), source });
        }
        if failed {
            bytes.truncate(bytes.len() / 2);
        }
        world.files[self.file].write(Write::Bytes { offset, bytes });
        if failed { Err(world.error("write", &self.path)) } else { Ok(()) }
    }

    fn sync(&self) -> Result<()> {
        let mut world = self.storage.world();
        let failed = world.next_call_fails();
        let image = &mut world.files[self.file];
        let writes = std::mem::take(&mut image.unsynced);
        if failed {
            return Err(world.error("sync", &self.path));
        }
        for write in writes {
            write.apply(&mut image.durable);
        }
        Ok(())
    }
}

fn directory_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// Random numbers that a seed repeats (`SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>).
#[derive(Debug)]
pub(in crate::log_database) struct Random(pub(in crate::log_database) u64);

impl Random {
    pub(in crate::log_database) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(in crate::log_database) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("less than bound")
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}
