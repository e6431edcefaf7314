//! Lines on their way out: what a batch of stored lines is sent as, within what receivers take.

use crate::log_database::metadata;
use crate::model::{Labels, LogEntry, StreamLines, Timestamp};

/// Most labels of a stream that Loki takes as it is configured by default; further ones are sent with each entry.
const LABELS_MAX: usize = 15;
/// The longest line that it takes, in bytes.
const LINE_BYTES_MAX: usize = 256 << 10;
/// The longest value of a label that it takes, in bytes.
const VALUE_BYTES_MAX: usize = 2048;
/// Most labels of one entry that it takes, and most bytes of them.
const METADATA_MAX: usize = 128;
const METADATA_BYTES_MAX: usize = 64 << 10;
/// Labels that tell streams apart, which stay those of the stream where there are too many.
const IDENTIFYING: [&str; 13] = [
    "namespace",
    "pod",
    "container",
    "node",
    "job",
    "app",
    "instance",
    "stream",
    "path",
    "unit",
    "service_name",
    "cluster",
    "container_id",
];

/// Entries of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) labels: Labels,
    /// Labels of the stream that are sent with each entry.
    pub(super) folded: Vec<(String, String)>,
    pub(super) entries: Vec<Entry>,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) time: Timestamp,
    pub(super) line: Vec<u8>,
    /// Labels of this entry alone.
    pub(super) metadata: Vec<(String, String)>,
}

/// What stored lines are sent as: with the labels that `shown_as` gives them.
pub(super) fn of_batch(batch: &[StreamLines], shown_as: impl Fn(&Labels) -> Labels) -> Vec<Stream> {
    let streams =
        batch.iter().filter(|stream| !stream.lines.is_empty()).map(|StreamLines { labels: stored, lines }| {
            let unmarked = metadata::unmark(stored);
            let has_metadata = unmarked.is_some();
            let own = unmarked.unwrap_or_else(|| stored.clone());
            let entries = lines.iter().map(|line| {
                let entry = LogEntry::new(&own, line, has_metadata);
                let pairs = entry.metadata.iter().map(|(name, value)| (name.into_owned(), value.into_owned()));
                Entry { time: entry.timestamp, line: entry.line.to_vec(), metadata: pairs.collect() }
            });
            Stream { labels: shown_as(&own), folded: Vec::new(), entries: entries.collect() }
        });
    streams.collect()
}

/// Brings a stream within what Loki takes by default, and OpenTelemetry's receivers usually: what is too much of its labels becomes
/// labels of its entries, and what is too long is cut and says so.
pub(super) fn fit(stream: &mut Stream) {
    let rank = |name: &str| IDENTIFYING.iter().position(|known| *known == name).unwrap_or(IDENTIFYING.len());
    let mut names: Vec<&str> = stream.labels.iter().map(|(name, _)| name).collect();
    names.sort_by_key(|name| rank(name));
    let kept = names.get(..LABELS_MAX).unwrap_or(&names);
    let (mut own, mut folded) = (Vec::new(), Vec::new());
    for (name, value) in stream.labels.iter() {
        let pair = (name.to_owned(), cut_value(value).to_owned());
        if kept.contains(&name) { own.push(pair) } else { folded.push(pair) }
    }
    stream.labels = Labels::new(own).expect("fewer and shorter labels than before are labels, too");
    // It may have been here before: what was refused or not answered is sent again.
    stream.folded.extend(folded);
    for entry in stream.entries.iter_mut().filter(|entry| LINE_BYTES_MAX < entry.line.len()) {
        let mark = format!("… [cut, {} bytes]", entry.line.len());
        entry.line.truncate(LINE_BYTES_MAX - mark.len());
        if let Err(error) = str::from_utf8(&entry.line)
            && error.error_len().is_none()
        {
            // Inside a character.
            let end = error.valid_up_to();
            entry.line.truncate(end);
        }
        entry.line.extend_from_slice(mark.as_bytes());
    }
}

fn cut_value(value: &str) -> &str {
    &value[..value.floor_char_boundary(VALUE_BYTES_MAX)]
}

/// The labels that are sent with an entry: its own and then those of its stream, as many as a receiver takes.
pub(super) fn sent_with<'a>(entry: &'a Entry, stream: &'a Stream) -> impl Iterator<Item = (&'a str, &'a str)> {
    let all = entry.metadata.iter().chain(&stream.folded).take(METADATA_MAX);
    let mut left = METADATA_BYTES_MAX;
    let taken = all.filter(move |(name, value)| match left.checked_sub(name.len() + value.len()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    });
    taken.map(|(name, value)| (name.as_str(), value.as_str()))
}

/// How many entries there are.
pub(super) fn count(streams: &[Stream]) -> usize {
    streams.iter().map(|stream| stream.entries.len()).sum()
}

/// The first and the second half of more than one entry.
pub(super) fn halves(mut streams: Vec<Stream>) -> (Vec<Stream>, Vec<Stream>) {
    let mut left = count(&streams) / 2;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for stream in &mut streams {
        let rest = stream.entries.split_off(left.min(stream.entries.len()));
        left -= stream.entries.len();
        let (labels, folded) = (stream.labels.clone(), stream.folded.clone());
        second.push(Stream { labels, folded, entries: rest });
        first.push(std::mem::take(stream));
    }
    for half in [&mut first, &mut second] {
        half.retain(|stream| !stream.entries.is_empty());
    }
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Lines;

    fn entry(line: &str) -> Entry {
        Entry { time: Timestamp::from_ns(1), line: line.into(), metadata: Vec::new() }
    }

    #[test]
    fn metadata_are_taken_apart_and_labels_joined() {
        let own = Labels::new([("app", "a")]).unwrap();
        let mut line = b"text".to_vec();
        metadata::append(&mut line, [("trace", "7")]).unwrap();
        let mut lines = Lines::default();
        lines.push(Timestamp::from_ns(5), &line);
        let batch = [StreamLines { labels: metadata::mark(&own).unwrap(), lines }];
        let sent = of_batch(&batch, |labels| labels.extended([("cluster", "x")]));
        let metadata = vec![("trace".to_owned(), "7".to_owned())];
        let entries = vec![Entry { time: Timestamp::from_ns(5), line: b"text".to_vec(), metadata }];
        let labels = Labels::new([("app", "a"), ("cluster", "x")]).unwrap();
        assert_eq!(sent, [Stream { labels, folded: Vec::new(), entries }]);
    }

    #[test]
    fn labels_that_are_too_many_go_with_the_entries() {
        let names: Vec<String> = (0..20).map(|number| format!("a{number:02}")).collect();
        let pairs = names.iter().map(|name| (name.as_str(), "v")).chain([("pod", "p"), ("namespace", "n")]);
        let mut stream = Stream { labels: Labels::new(pairs).unwrap(), ..Stream::default() };
        fit(&mut stream);
        assert_eq!((stream.labels.iter().len(), stream.folded.len()), (LABELS_MAX, 7));
        assert_eq!(
            (stream.labels.get("pod"), stream.labels.get("a12"), stream.labels.get("a13")),
            (Some("p"), Some("v"), None)
        );
        let once = stream.clone();
        fit(&mut stream);
        assert_eq!(stream, once);
        let few = Labels::new([("b", "é".repeat(2000))]).unwrap();
        let mut stream = Stream { labels: few, ..Stream::default() };
        fit(&mut stream);
        assert_eq!(stream.labels.get("b").map(str::len), Some(VALUE_BYTES_MAX));
    }

    #[test]
    fn labels_of_an_entry_are_as_many_as_are_taken() {
        let pairs = |count: usize, bytes: usize| {
            (0..count).map(|number| (format!("{number:03}"), "v".repeat(bytes))).collect::<Vec<_>>()
        };
        let sent = |metadata, folded| {
            let (entry, stream) = (Entry { metadata, ..entry("") }, Stream { folded, ..Stream::default() });
            let names: Vec<String> = sent_with(&entry, &stream).map(|(name, _)| name.to_owned()).collect();
            names
        };
        let all = sent(pairs(127, 1), vec![("a".into(), String::new()), ("b".into(), String::new())]);
        assert_eq!((all.len(), all[126].as_str(), all[127].as_str()), (METADATA_MAX, "126", "a"));
        // What is too large leaves room for what is not.
        let large = sent(pairs(1, METADATA_BYTES_MAX - 6), vec![("b".into(), "xxx".into()), ("c".into(), "xx".into())]);
        assert_eq!(large, ["000", "c"]);
    }

    #[test]
    fn lines_that_are_too_long_are_cut_and_say_so() {
        let long = "é".repeat(LINE_BYTES_MAX);
        let mut stream = Stream { entries: vec![entry(&long), entry("short")], ..Stream::default() };
        fit(&mut stream);
        let cut = str::from_utf8(&stream.entries[0].line).unwrap();
        assert!(LINE_BYTES_MAX - 2 <= cut.len() && cut.len() <= LINE_BYTES_MAX, "{}", cut.len());
        assert!(cut.ends_with("é… [cut, 524288 bytes]"), "{}", &cut[cut.len() - 40..]);
        assert_eq!(stream.entries[1].line, b"short");
    }

    #[test]
    fn halves_have_all_entries_in_their_order() {
        let stream = |name: &str, lines: &[&str]| Stream {
            labels: Labels::new([("a", name)]).unwrap(),
            folded: Vec::new(),
            entries: lines.iter().map(|line| entry(line)).collect(),
        };
        let (first, second) = halves(vec![stream("x", &["1"]), stream("y", &["2", "3", "4"])]);
        assert_eq!(first, [stream("x", &["1"]), stream("y", &["2"])]);
        assert_eq!(second, [stream("y", &["3", "4"])]);
        let (first, second) = halves(vec![stream("x", &["1", "2"])]);
        assert_eq!((first, second), (vec![stream("x", &["1"])], vec![stream("x", &["2"])]));
    }
}
