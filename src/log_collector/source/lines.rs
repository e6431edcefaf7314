//! From the text of a file to entries: lines are cut out of it, decoded, joined, and put into the columns of each stream.

use std::ops::Range;

use crate::log_collector::Collected;
use crate::log_collector::checkpoint::TAIL_BYTES_MAX;
use crate::log_collector::source::{COLUMNS, Columns, Gathered, Reading, Source, labels_of};
use crate::model::{Batch, StreamLines};
use crate::status::SkipReason;

impl Source {
    /// Whether an entry is complete as soon as no further line comes for a while.
    pub(in crate::log_collector) fn is_joining(&self) -> bool {
        self.multiline.as_ref().is_some_and(|multiline| multiline.pending_from().is_some())
    }

    /// Takes the entries whose next line has taken too long.
    pub(in crate::log_collector) fn end_joining(&mut self, reading: &Reading<'_>) -> Collected {
        let mut gathered = self.gather(0);
        self.gather_joined(&mut gathered, u64::MAX);
        self.collected(gathered.columns, reading)
    }

    /// Takes the lines in `text`, which starts at the offset and ends with a newline.
    pub(super) fn take_lines(&mut self, text: &[u8], reading: &Reading<'_>) -> Collected {
        let mut gathered = self.gather(text.len());
        let mut start = 0;
        for end in self.encoding.line_ends(text, self.offset) {
            let (line, span) = (&text[start..end - self.encoding.newline_bytes()], start..end);
            if self.skipping {
                self.skipping = false;
                self.account(&span, line.len() as u64, reading);
            } else {
                self.take_line(line, span, &mut gathered, reading);
            }
            start = end;
        }
        self.advance(text, &mut gathered, reading);
        self.collected(gathered.columns, reading)
    }

    /// Takes `text`, which starts at the offset, as a line whose rest is over the limit and to be skipped.
    pub(super) fn take_beginning(&mut self, text: &[u8], reading: &Reading<'_>) -> Collected {
        let mut gathered = self.gather(text.len());
        self.take_line(text, 0..text.len(), &mut gathered, reading);
        self.advance(text, &mut gathered, reading);
        self.skipping = true;
        self.collected(gathered.columns, reading)
    }

    /// Goes on behind `text`, more of a line over the limit.
    pub(super) fn skip(&mut self, text: &[u8], reading: &Reading<'_>) -> Collected {
        let mut gathered = self.gather(0);
        self.account(&(0..text.len()), text.len() as u64, reading);
        self.advance(text, &mut gathered, reading);
        self.collected(gathered.columns, reading)
    }

    /// Decodes the line at bytes `span` after the offset, newline included, and gathers what it completes.
    pub(super) fn take_line(
        &mut self,
        line: &[u8],
        span: Range<usize>,
        gathered: &mut Gathered,
        reading: &Reading<'_>,
    ) {
        let (start, end) = (self.offset + span.start as u64, self.offset + span.end as u64);
        self.cut_joined(gathered, start);
        if self.encoding.is_damage(line) {
            return self.account_damage(start..end, reading);
        }
        let text = self.encoding.decode(line, start == 0);
        let is_end = std::mem::take(&mut self.continues) && text.is_empty();
        if is_end {
            // The newline of a line that was taken before it ended.
            return self.account(&span, 0, reading);
        }
        if let Some(decoded) = self.decoder.decode(&text, start, reading.now) {
            match &mut self.multiline {
                None => gathered.push(&self.deliveries, &decoded, end),
                Some(multiline) => {
                    multiline.add(&decoded, start, |entry| gathered.push(&self.deliveries, entry, end));
                }
            }
        }
        self.account(&span, self.decoder.cut_bytes(), reading);
    }

    /// Moves the offset behind `text`, which starts at it and whose lines are `gathered`.
    pub(super) fn advance(&mut self, text: &[u8], gathered: &mut Gathered, reading: &Reading<'_>) {
        self.head.extend(text);
        self.offset += text.len() as u64;
        self.cut_joined(gathered, self.offset);
        let kept = TAIL_BYTES_MAX.saturating_sub(text.len()).min(self.tail.len());
        self.tail.drain(..self.tail.len() - kept);
        self.tail.extend_from_slice(&text[text.len().saturating_sub(TAIL_BYTES_MAX)..]);
        for delivery in &mut self.deliveries {
            delivery.reach(self.offset);
        }
        if self.decoder.pending_from() != Some(0) {
            self.forget_partials();
        }
        self.unended_since = None;
        self.state.read_bytes.set(self.offset);
        self.state.unended_bytes.set(0);
        self.state.last_read_ns.set(reading.now.as_ns().cast_unsigned());
        reading.status.bytes_read.add(text.len() as u64);
    }

    /// Room for the entries of `text_bytes` bytes of text.
    pub(super) fn gather(&self, text_bytes: usize) -> Gathered {
        Gathered { columns: self.deliveries.iter().map(|_| Default::default()).collect(), text_bytes }
    }

    /// Puts labels on the columns of each delivery, and the checkpoint beside them.
    pub(super) fn collected(&mut self, mut columns: Vec<Columns>, reading: &Reading<'_>) -> Collected {
        let (mut streams, mut begun) = (Vec::new(), Vec::new());
        self.leave_out_excluded(&mut columns, reading);
        for (columns, delivery) in columns.into_iter().zip(&mut self.deliveries) {
            let first = streams.len();
            for ((lines, column), labels) in columns.into_iter().zip(COLUMNS).zip(&mut delivery.labels) {
                if !lines.is_empty() {
                    let labels = labels.get_or_insert_with(|| labels_of(column, &delivery.path, reading));
                    reading.status.lines_read.add(lines.len() as u64);
                    streams.push(StreamLines { labels: labels.clone(), lines });
                }
            }
            if first < streams.len() && std::mem::take(&mut delivery.is_new) {
                begun.push(first..streams.len());
            }
        }
        let batch = Batch { checkpoint: Some(self.checkpoint(reading.now)), streams };
        Collected { batch, source_bytes: std::mem::take(&mut self.taken), unended: None, begun }
    }

    /// Ends what is being joined at the cuts up to byte `at`, where reading has come to, and the streams that end there.
    fn cut_joined(&mut self, gathered: &mut Gathered, at: u64) {
        while let Some(cut) = self.cuts.first().copied().filter(|cut| *cut <= at) {
            self.cuts.remove(&cut);
            self.gather_joined(gathered, cut);
            let ending = self.deliveries.iter_mut().filter(|delivery| delivery.end <= cut);
            ending.for_each(|delivery| delivery.reach(at));
        }
    }

    /// Gathers all entries that are being joined, as ones that end at byte `end`.
    pub(super) fn gather_joined(&mut self, gathered: &mut Gathered, end: u64) {
        if let Some(multiline) = &mut self.multiline {
            multiline.end_all(|entry| gathered.push(&self.deliveries, entry, end));
        }
    }

    /// Leaves out what was gathered, and counts its bytes as skipped, where all names of the file are excluded.
    fn leave_out_excluded(&mut self, columns: &mut Vec<Columns>, reading: &Reading<'_>) {
        let is_excluded = self.delivery_paths().all(|path| reading.naming.excludes(path));
        if is_excluded && self.delivery_paths().next().is_some() {
            reading.status.add_skipped(SkipReason::Excluded, std::mem::take(&mut self.taken));
            columns.clear();
        }
    }
}
