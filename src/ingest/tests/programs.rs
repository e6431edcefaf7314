//! What programs and administrators do to log files.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::REUSED_INODES;
use super::logs::{Scheme, Written};
use super::world::{Check, World};
use crate::log_collector::directory::tests::{key_of, tick};
use crate::log_collector::source::COPY_BYTES_MIN;

impl World {
    pub(super) fn happened(&self, path: &Path) {
        self.mock.entry(path.parent().unwrap(), path.file_name().unwrap());
        self.mock.changed(path);
        self.mock.moved(path);
    }

    /// The path that a log is written to.
    pub(super) fn path(&self, log: usize) -> PathBuf {
        match self.logs[log].scheme {
            Scheme::Kubelet => self.base.join(format!("pods/{}.log", self.logs[log].link_target)),
            _ => self.base.join("root").join(self.logs[log].name),
        }
    }

    pub(super) fn create(&mut self, log: usize) {
        tick(&self.base.join("clock"));
        let path = self.path(log);
        let inode = File::create_new(&path).unwrap().metadata().unwrap().ino();
        if self.freed_inodes.remove(&inode) {
            REUSED_INODES.set(REUSED_INODES.get() + 1);
        }
        self.happened(&path);
        let it = &mut self.logs[log];
        (it.is_torn, it.is_shortened) = (false, false);
        let link_target = it.link_target;
        it.files.push(Written { key: key_of(&path), path, is_on_disk: true, link_target, ..Written::default() });
    }

    fn append(&self, log: usize, text: &str) {
        tick(&self.base.join("clock"));
        let path = self.path(log);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
        self.happened(&path);
    }

    pub(super) fn write(&mut self, log: usize, line_count: usize) -> Check {
        self.let_shortening_be_noticed(log)?;
        self.end_line(log);
        let mut text = self.end_of_torn(log).to_owned();
        let it = &mut self.logs[log];
        for id in it.line_count..it.line_count + line_count {
            text += &it.line(id);
            text += "\n";
            it.current().lines.push(id);
        }
        it.line_count += line_count;
        self.append(log, &text);
        Ok(())
    }

    pub(super) fn write_unended(&mut self, log: usize) -> Check {
        self.let_shortening_be_noticed(log)?;
        self.end_line(log);
        let torn = self.end_of_torn(log);
        let it = &mut self.logs[log];
        let text = format!("{torn}{}", &it.line(it.line_count)[..8]);
        let id = it.line_count;
        it.current().lines.push(id);
        it.line_count += 1;
        it.is_unended = true;
        self.append(log, &text);
        Ok(())
    }

    /// A file that lost its end in a power cut is not written to before the agent has stored that it did: once it is longer
    /// again than it was, all that could tell where its old content ends are the stored lines, which the collector does
    /// not see; the fingerprints of a position cover the file's beginning and the bytes before the offset.
    fn let_shortening_be_noticed(&mut self, log: usize) -> Check {
        if std::mem::take(&mut self.logs[log].is_shortened) {
            self.end_disk_full();
            self.look(1000)?;
            self.sync();
        }
        Ok(())
    }

    /// Ends the last line, before the file is put aside.
    fn end_last_line(&mut self, log: usize) -> Check {
        self.end_line(log);
        if self.logs[log].is_torn {
            self.let_shortening_be_noticed(log)?;
            let end = self.end_of_torn(log);
            self.append(log, end);
        }
        Ok(())
    }

    /// What ends the line that a power cut tore; it is no part of any line that was written.
    fn end_of_torn(&mut self, log: usize) -> &'static str {
        if std::mem::take(&mut self.logs[log].is_torn) {
            self.destroyed_bytes += 1;
            return "\n";
        }
        ""
    }

    pub(super) fn end_line(&mut self, log: usize) {
        if std::mem::take(&mut self.logs[log].is_unended) {
            let text = format!("{}\n", &self.logs[log].line(self.logs[log].line_count - 1)[8..]);
            self.append(log, &text);
        }
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) {
        fs::rename(from, to).unwrap();
        self.happened(from);
        self.happened(to);
    }

    /// Makes room for the next rotated file and says what it is called.
    pub(super) fn next_name(&mut self, log: usize) -> PathBuf {
        let path = self.path(log);
        let it = &mut self.logs[log];
        let path = if it.scheme == Scheme::CopyAway { self.base.join("root/old").join(it.name) } else { path };
        it.rotations += 1;
        if it.scheme == Scheme::Kubelet {
            return path.with_added_extension(format!("20261122-{:06}", it.rotations));
        }
        let last = it.files.len() - 1;
        let on_disk: Vec<usize> = (0..last).filter(|index| it.files[*index].is_on_disk).collect();
        for (age, index) in on_disk.iter().enumerate() {
            let file = &self.logs[log].files[*index];
            let ending = if file.is_compressed { ".gz" } else { "" };
            let from = file.path.clone();
            let to = path.with_added_extension(format!("{}{ending}", on_disk.len() - age + 1));
            self.rename(&from, &to);
            self.logs[log].files[*index].path = to;
        }
        path.with_added_extension("1")
    }

    pub(super) fn rotate(&mut self, log: usize, look_between: bool, write_between: bool) -> Check {
        if self.logs[log].scheme.is_copy() && !self.is_known(log, self.logs[log].files.len() - 1) {
            // Of a file that is truncated before anything durable was read of it there is nothing to compare with, and its
            // copy looks like a log of its own: `worker-1.log` beside `worker.log`.
            return Ok(());
        }
        self.end_last_line(log)?;
        let (path, rotated) = (self.path(log), self.next_name(log));
        if !self.logs[log].scheme.is_copy() {
            self.rename(&path, &rotated);
            self.logs[log].current().path = rotated;
            if look_between {
                self.look(1000)?;
            }
            self.create(log);
            return Ok(());
        }
        tick(&self.base.join("clock"));
        fs::copy(&path, &rotated).unwrap();
        self.happened(&rotated);
        let copied = std::mem::take(&mut self.logs[log].current().lines);
        let key = key_of(&rotated);
        let copy = Written { path: rotated, lines: copied, is_on_disk: true, key, ..Written::default() };
        let last = self.logs[log].files.len() - 1;
        self.logs[log].files.insert(last, copy);
        if look_between {
            self.look(1000)?;
        }
        if write_between {
            self.write(log, 1)?;
        }
        self.truncate(log);
        Ok(())
    }

    /// Copies a log of which something durable was read: of another one, the copy looks like a log of its own, and so does one
    /// that is too short to tell from others.
    pub(super) fn copy(&mut self, log: usize, is_away: bool) {
        let is_short = fs::metadata(self.path(log)).unwrap().len() < COPY_BYTES_MIN;
        let is_known = self.is_known(log, self.logs[log].files.len() - 1);
        if self.logs[log].scheme == Scheme::Kubelet || is_short || !is_known {
            return;
        }
        let it = &mut self.logs[log];
        it.copies += 1;
        let directory = self.base.join(if is_away { "root/old" } else { "root" });
        let copy = directory.join(format!("{}-{}", it.name, 20_270_000 + it.copies));
        tick(&self.base.join("clock"));
        fs::copy(self.path(log), &copy).unwrap();
        self.happened(&copy);
        self.copies.push(copy);
    }

    pub(super) fn truncate(&mut self, log: usize) {
        let last = self.logs[log].files.len() - 1;
        self.lose_content(log, last);
        let it = &mut self.logs[log];
        (it.is_unended, it.is_torn, it.is_shortened) = (false, false, false);
        tick(&self.base.join("clock"));
        let path = self.path(log);
        File::create(&path).unwrap();
        self.happened(&path);
    }

    pub(super) fn compress(&mut self, log: usize, which: usize) {
        let it = &self.logs[log];
        let last = it.files.len() - 1;
        let plain = |index: &usize| it.files[*index].is_on_disk && !it.files[*index].is_compressed;
        let rotated: Vec<usize> = (0..last).filter(plain).collect();
        // A copy of which nothing durable was read looks like a log of its own, and then like the end of one.
        let may_be_compressed = |index: &&usize| !it.scheme.is_copy() || self.is_known(log, **index);
        let Some(&index) = rotated.get(which).filter(may_be_compressed) else { return };
        let from = it.files[index].path.clone();
        if it.scheme == Scheme::Kubelet && from.extension().is_some_and(|extension| extension == "log") {
            // A container that has ended; the kubelet does not touch its last file.
            return;
        }
        tick(&self.base.join("clock"));
        let to = from.with_added_extension("gz");
        let mut encoder = GzEncoder::new(File::create(&to).unwrap(), Compression::fast());
        encoder.write_all(&fs::read(&from).unwrap()).unwrap();
        let compressed = encoder.finish().unwrap();
        if it.scheme != Scheme::Kubelet {
            // gzip does so, the kubelet does not.
            compressed.set_modified(fs::metadata(&from).unwrap().modified().unwrap()).unwrap();
        }
        self.happened(&to);
        fs::remove_file(&from).unwrap();
        self.happened(&from);
        let file = &mut self.logs[log].files[index];
        (file.path, file.is_compressed) = (to, true);
    }

    /// Removes a file; an agent that has seen it holds it.
    pub(super) fn delete(&mut self, log: usize, index: usize) {
        let file = &mut self.logs[log].files[index];
        let path = file.path.clone();
        file.is_on_disk = false;
        // A file that is closed for now cannot be read once it is deleted.
        let is_held = file.is_held && self.collector.as_ref().is_some_and(|collector| collector.has_open(&file.key));
        self.freed_inodes.insert(fs::metadata(&path).unwrap().ino());
        fs::remove_file(&path).unwrap();
        self.happened(&path);
        if !is_held {
            self.lose_content(log, index);
        }
    }

    pub(super) fn delete_oldest(&mut self, log: usize) {
        let last = self.logs[log].files.len() - 1;
        let oldest = (0..last).find(|index| self.logs[log].files[*index].is_on_disk);
        if let Some(oldest) = oldest {
            self.delete(log, oldest);
        }
    }

    pub(super) fn delete_and_create(&mut self, log: usize) -> Check {
        self.end_last_line(log)?;
        let last = self.logs[log].files.len() - 1;
        self.delete(log, last);
        self.create(log);
        Ok(())
    }

    /// A container is started anew: its link leads to another file.
    pub(super) fn switch_link(&mut self) -> Check {
        let log = 2;
        self.end_last_line(log)?;
        self.logs[log].link_target += 1;
        self.lose_what_no_link_led_to();
        self.create(log);
        let (link, aside) = (self.base.join("root/k.log"), self.base.join("link"));
        symlink(self.path(log), &aside).unwrap();
        fs::rename(aside, &link).unwrap();
        self.happened(&link);
        Ok(())
    }
}
