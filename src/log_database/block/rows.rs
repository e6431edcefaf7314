//! A set of rows of a block or of a column.

/// Bits in one word of the set.
const WORD_BITS: u32 = u64::BITS;

/// Which of the rows `0..row_count` are selected: one bit a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    words: Vec<u64>,
    row_count: u32,
}

impl Rows {
    /// None of `row_count` rows.
    pub fn none(row_count: u32) -> Self {
        Self { words: vec![0; row_count.div_ceil(WORD_BITS) as usize], row_count }
    }

    /// All of `row_count` rows.
    pub fn all(row_count: u32) -> Self {
        let mut rows = Self::none(row_count);
        rows.words.fill(u64::MAX);
        rows.clear_past_end();
        rows
    }

    /// A row for each of `items`, of which those are selected that `test` accepts.
    pub(super) fn of<T>(items: &[T], test: impl Fn(&T) -> bool) -> Self {
        let to_word = |items: &[T]| items.iter().rev().fold(0, |word, item| word << 1 | u64::from(test(item)));
        let words = items.chunks(WORD_BITS as usize).map(to_word).collect();
        Self { words, row_count: u32::try_from(items.len()).expect("rows are counted in 32 bits") }
    }

    /// The bits past the last row are zero, so that counting may look at whole words.
    fn clear_past_end(&mut self) {
        let used = self.row_count % WORD_BITS;
        if used != 0
            && let Some(last) = self.words.last_mut()
        {
            *last &= (1 << used) - 1;
        }
    }

    /// How many rows there are, selected or not.
    pub fn row_count(&self) -> u32 {
        self.row_count
    }

    /// How many rows are selected.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no row is selected.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether `row` is selected; panics past the last row like a slice.
    pub fn contains(&self, row: u32) -> bool {
        self.words[(row / WORD_BITS) as usize] >> (row % WORD_BITS) & 1 == 1
    }

    /// Whether `row`, which may be past the last one, is selected.
    pub(super) fn contains_checked(&self, row: u32) -> bool {
        row < self.row_count && self.contains(row)
    }

    /// Selects `row`; panics past the last row like a slice.
    pub fn insert(&mut self, row: u32) {
        self.words[(row / WORD_BITS) as usize] |= 1 << (row % WORD_BITS);
    }

    /// Unselects `row`; panics past the last row like a slice.
    pub fn remove(&mut self, row: u32) {
        self.words[(row / WORD_BITS) as usize] &= !(1 << (row % WORD_BITS));
    }

    /// Keeps the rows that `other`, of equally many rows, has as well.
    pub fn intersect(&mut self, other: &Self) {
        assert_eq!(self.row_count, other.row_count, "only sets over the same rows are combined");
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Adds the rows of `other`, of equally many rows.
    pub fn unite(&mut self, other: &Self) {
        assert_eq!(self.row_count, other.row_count, "only sets over the same rows are combined");
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Selects exactly the rows that were not.
    pub fn invert(&mut self) {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.clear_past_end();
    }

    /// The selected rows, ascending; reversed, descending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> {
        let firsts = (0..self.row_count).step_by(WORD_BITS as usize);
        firsts.zip(&self.words).flat_map(|(first, word)| Bits { word: *word, first })
    }
}

/// The rows of one word.
struct Bits {
    word: u64,
    first: u32,
}

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let bit = self.word.trailing_zeros();
        if bit == WORD_BITS {
            return None;
        }
        self.word &= self.word - 1;
        Some(self.first + bit)
    }
}

impl DoubleEndedIterator for Bits {
    fn next_back(&mut self) -> Option<u32> {
        let bit = (WORD_BITS - 1).checked_sub(self.word.leading_zeros())?;
        self.word &= !(1 << bit);
        Some(self.first + bit)
    }
}
