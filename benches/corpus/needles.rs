//! What is searched for in a corpus: picked from its own lines, so that each corpus has some of each frequency.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

/// Lengths of words that someone might search for.
const WORD_BYTES: std::ops::RangeInclusive<usize> = 5..=40;
/// So much in the middle of each file is looked at.
const SAMPLE_BYTES: usize = 2 << 20;
/// And no more of all files together.
const SAMPLES_BYTES_MAX: usize = 64 << 20;

/// What is searched for.
pub(crate) struct Needles {
    /// A word of letters and digits that is in very few lines.
    pub(crate) rare: String,
    /// A word that is in about one line of a hundred.
    pub(crate) common: String,
    /// Three words one after the other, as they are in about one line of a thousand.
    pub(crate) several: String,
}

impl Needles {
    /// The needles for the corpus that is in `files`.
    pub(crate) fn of(files: &[PathBuf]) -> Self {
        let mut words: HashMap<String, usize> = HashMap::new();
        let mut several: HashMap<String, usize> = HashMap::new();
        let mut line_count = 0;
        let sample_bytes = SAMPLE_BYTES.min(SAMPLES_BYTES_MAX / files.len());
        for file in files {
            let raw = fs::read(file).expect("the corpus is there");
            let start = (raw.len() / 2).saturating_sub(sample_bytes / 2);
            let sample = String::from_utf8_lossy(&raw[start..raw.len().min(start + sample_bytes)]).into_owned();
            for line in sample.lines() {
                line_count += 1;
                count(&mut words, line.split(|c: char| !c.is_ascii_alphanumeric()));
                let pieces: Vec<&str> = line.split(' ').collect();
                let triples = pieces.windows(3).filter(|triple| triple.iter().all(|word| is_plain(word)));
                let starts = triples.map(|triple| triple[0].as_ptr() as usize - line.as_ptr() as usize);
                let texts = starts.map(|start| &line[start..]).map(|rest| {
                    let end = rest.match_indices(' ').nth(2).map_or(rest.len(), |(end, _)| end);
                    &rest[..end]
                });
                count(&mut several, texts);
            }
        }
        let is_id = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
        Self {
            rare: nearest(&words, 1, &is_id),
            common: nearest(&words, line_count / 100, &|word| !is_id(word)),
            several: nearest(&several, line_count / 1000, &|_| true),
        }
    }
}

/// Whether a word is of letters alone.
fn is_plain(word: &str) -> bool {
    1 < word.len() && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Counts each of the texts of a line once.
fn count<'a>(counts: &mut HashMap<String, usize>, texts: impl Iterator<Item = &'a str>) {
    let mut texts: Vec<&str> = texts.filter(|text| WORD_BYTES.contains(&text.len())).collect();
    texts.sort_unstable();
    texts.dedup();
    for text in texts {
        *counts.entry(text.to_owned()).or_default() += 1;
    }
}

/// The longest of those that are met about as often as wanted; of equally long ones always the same.
fn nearest(counts: &HashMap<String, usize>, wanted: usize, is_wanted: &dyn Fn(&str) -> bool) -> String {
    let texts = counts.iter().filter(|(text, _)| is_wanted(text));
    let best = texts.min_by_key(|(text, count)| (count.abs_diff(wanted), usize::MAX - text.len(), *text));
    best.map_or_else(|| "0".into(), |(text, _)| text.clone())
}
