//! What pipelines depend on, by outline.

use super::{Piece, Reading, Reads, Run, Silence, Unknown};
use crate::logql::pipeline::{Needed, NeededLabels};
use crate::logql::stages::level::{self, format};
use crate::logql::stages::tests::{clock, stages};
use crate::logql::stages::{Pipeline, level_of_text};
use crate::model::{ByteSet, Labels};

/// The outline that a text stands for: `#` is a number of one to four digits, `%` one of two, `@` a word of lower case letters
/// that may be empty, `~` the same that is silent, and `?` any text.
fn outline(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let letters = ByteSet::range(b'a', b'z');
    for part in text.split_inclusive(['#', '%', '@', '~', '?']) {
        let (literal, mark) = match part.char_indices().last() {
            Some((at, mark)) if "#%@~?".contains(mark) => (&part[..at], Some(mark)),
            _ => (part, None),
        };
        if !literal.is_empty() {
            pieces.push(Piece::Text { bytes: literal.as_bytes().into(), column: None });
        }
        let column = pieces.iter().filter(|piece| matches!(piece, Piece::Run(_))).count();
        let run =
            |bytes, shortest, longest, silence| Run { column, bytes, shortest, longest, silence, is_escaped: false };
        let run = match mark {
            None => continue,
            Some('#') => run(ByteSet::DIGITS, 1, 4, Silence::None),
            Some('%') => run(ByteSet::DIGITS, 2, 2, Silence::None),
            Some('@') => run(letters, 0, 20, Silence::None),
            Some('~') => run(letters, 0, 20, Silence::Names),
            Some(_) => run(ByteSet::ALL, 0, 100, Silence::None),
        };
        pieces.push(Piece::Run(run));
    }
    pieces
}

/// What a pipeline says of lines with an outline, in an answer that needs the labels `needed`.
fn read(query: &str, needed: &[&str], outline: &[Piece<'_>], stream: &[(&str, &str)]) -> Result<Reading, Unknown> {
    let labels = NeededLabels::Only(needed.iter().map(|name| (*name).to_owned()).collect());
    let needed = Needed { labels, level: false };
    let pipeline = Pipeline::new(&stages(query).unwrap(), &needed, &clock()).unwrap();
    let reads = Reads::of(&pipeline).expect("columns tell");
    reads.read(outline, &Labels::new(stream.iter().copied()).unwrap())
}

#[track_caller]
fn check_of(stream: &[(&str, &str)], query: &str, needed: &[&str], text: &str, expected: &str) {
    let actual = match read(query, needed, &outline(text), stream) {
        Err(Unknown::Column(column)) => format!("more of {column}"),
        Err(Unknown::Line) => "the line".to_owned(),
        Ok(Reading { values, numbers, unwrapped, .. }) => {
            let values: Vec<String> = values.iter().map(usize::to_string).collect();
            let numbers: Vec<String> =
                numbers.iter().map(|(column, numbers)| format!(" {column}:{}", numbers.code_count())).collect();
            let unwrapped = unwrapped.map(|column| format!(" -> {column}")).unwrap_or_default();
            format!("[{}]{}{unwrapped}", values.join(" "), numbers.concat())
        }
    };
    assert_eq!(actual, expected, "{query} over {text}");
}

#[track_caller]
fn check(query: &str, needed: &[&str], text: &str, expected: &str) {
    check_of(&[], query, needed, text, expected);
}

#[test]
fn json_depends_on_its_structure_and_on_what_is_wanted() {
    let check = |needed: &[&str], text, expected| check("| json", needed, text, expected);
    check(&["a"], r#"{"a":"@","b":"@"}"#, "[0]");
    check(&["b"], r#"{"a":"@","b":#,"c":?}"#, "[1]");
    check(&["c"], r#"{"a":"@","b":#,"c":?}"#, "more of 2");
    check(&["a"], r#"{"b":"?","a":1}"#, "more of 0");
    check(&["a"], r#"{"b":"\@","a":1}"#, "more of 0");
    check(&["a"], r#"{"@":1,"a":1}"#, "more of 0");
    check(&["a_b"], r#"{"a":{"b":"x@y"},"c":1}"#, "[0]");
    check(&["b"], r#"{"a":{"x":[@]},"b":"x"}"#, "[]");
    check(&["b"], r#"{"a":@,"b":"x"}"#, "more of 0");
    check(&["b"], r#"{"a":"@"#, "the line");
    check(&["b"], "no JSON: @", "[]");
    check(&["b"], "@", "[]");
    check(&["b"], r#"{"b":null,"b":"@"}"#, "[0]");
    check(&["b_extracted"], r#"{"b":"@"}"#, "[0]");
    check(&[], "@{", "[]");
}

#[test]
fn logfmt_depends_on_its_structure_and_on_what_is_wanted() {
    let all = |query, needed: &[&str], text, expected| check(query, needed, text, expected);
    all("| logfmt", &["b"], "a=@ b=x#y c=1", "[1]");
    all("| logfmt", &["b"], "a=? b=1", "more of 0");
    all("| logfmt", &["b"], "a=\"@\" @ b=1", "more of 1");
    all("| logfmt", &["b"], "a=\"@\" # b=1", "[]");
    all("| logfmt", &["b"], "#x b=1", "[]");
    all("| logfmt", &["b"], "@=1 b=1", "more of 0");
    all("| logfmt", &["b"], "b=1 ?", "[]");
    all("| logfmt", &["b"], "a=@\"x b=#", "more of 0");
    all("| logfmt", &["b"], "a=\"\\\"@\" b=#", "[1]");
    all("| logfmt", &["b"], "a=\"\\u00@\" b=#", "more of 0");
    all("| logfmt --strict", &["b"], "a=@ =1 b=#", "the line");
    all("| logfmt --strict", &["b"], "#x b=1", "more of 0");
    all("| logfmt --keep-empty", &["b"], "#x b=1", "more of 0");
    all("| logfmt c=`b`", &["c"], "a=# b=#", "[1]");
}

#[test]
fn patterns_depend_on_where_their_literals_are_found_first() {
    let check = |text, expected| check("| pattern `<_> [<a>] <b> <_>`", &["a", "b"], text, expected);
    check("# [@] # @", "[1 2]");
    check("@ [@] # @", "[1 2]");
    check("? [@] # @", "more of 0");
    check("x [?] # @", "more of 0");
    check("x [#] #", "[0 1]");
    check("nothing #", "[]");
}

#[test]
fn numbers_are_told_from_texts() {
    check("| json | n > 3 and n != 7", &[], r#"{"n":#,"m":#}"#, "[] 0:5");
    check("| json | n > 3 | unwrap n", &[], r#"{"n":#}"#, "[] 0:3 -> 0");
    check("| json | n > 3 | unwrap m", &[], r##"{"n":"#","m":#}"##, "[] 0:3 1:1 -> 1");
    check("| json | n > 3", &["n"], r#"{"n":#}"#, "[0]");
    check("| json | n > 3 or n=`x`", &[], r#"{"n":#}"#, "[0]");
    check("| json | n > 3", &[], r#"{"n":1#}"#, "[0]");
    check("| json | n > 3 | m > 0", &[], r#"{"n":#,"n":#,"m":1}"#, "[0 1]");
    check("| json | n > 3 | n_extracted=``", &[], r#"{"n":#}"#, "[0]");
    check("| json | label_format m=n | n > 3", &[], r#"{"n":#}"#, "[0]");
    check("| json | logfmt | n > 3", &[], r#"{"n":#}"#, "[0]");
    check_of(&[("n", "1")], "| json | n > 3", &[], r#"{"n":#}"#, "[0]");
}

#[test]
fn levels_depend_on_what_tells_them() {
    let check = |text, expected| check("| drop x", &["detected_level"], text, expected);
    check(r#"{"level":"warn","msg":"@"}"#, "[]");
    check(r#"{"a":"?","level":"@"}"#, "more of 0");
    check(r#"{"a":"@","level":"@"}"#, "more of 1");
    check(r#"{"a":"@"}"#, "more of 0");
    check(r#"{"a":"~","b":#}"#, "[]");
    check("a=# level=info msg=@", "[]");
    check("a=# lvl=info msg=@", "[]");
    check("a=# severity=info level=~", "more of 1");
    check("# INFO @", "[]");
    check("@ INFO ?", "more of 0");
    check("err~", "more of 0");
    check("x ~ error#", "[]");
    check("x ~ error~", "more of 1");
    check("%:%:%.# I x~", "more of 4");
    check("%:%:%,# - [NOTICE] ~", "[]");
    check("10:#:# W - ~", "more of 0");
    check("<#>~", "more of 0");
    check("I%%~ 10:11:12 x", "more of 2");
    check("I%%  10:11:12 x", "[]");
    check("# - - [#] \"GET /~ HTTP/1.1\" 500 #", "[]");
    check("# - - [#] \"GET /~ HTTP/1.1\" # #", "more of 3");
    check("# - - [#] \"@", "more of 2");
    check("# - ? [#] \"GET /~ HTTP/1.1\" 200 #", "more of 1");
    check_of(&[("level", "x")], "| drop x", &["detected_level"], "?", "[]");
}

#[test]
fn what_columns_do_not_tell_is_known() {
    for query in
        ["| regexp `(?P<a>x)`", "| json | line_format `x`", "| unpack | json", "|> `<_>x`", "| label_format a=`{{.b}}`"]
    {
        let needed = Needed { labels: NeededLabels::All, level: false };
        let pipeline = Pipeline::new(&stages(query).unwrap(), &needed, &clock()).unwrap();
        assert!(Reads::of(&pipeline).is_none(), "{query}");
    }
}

/// Each word that tells a level has a part that is searched for where a text is to be silent.
#[test]
fn silence_covers_every_word() {
    let names = ["trc", "dbg", "inf", "information", "wrn", "critical", "fatal"].map(str::as_bytes).into_iter();
    let names = names.chain(format::OTHER_NAMES.iter().map(|(name, _)| *name));
    for name in names.inspect(|name| assert!(format::named(name).is_some())) {
        assert!(Silence::Names.pattern().is_match(name), "{}", name.escape_ascii());
    }
    for (word, _) in level::WORDS {
        assert!(Silence::Words.pattern().is_match(word) && Silence::Names.pattern().is_match(word));
    }
    assert_eq!(level_of_text(b"notice me"), "unknown");
    assert!(level::NAMES.iter().all(|name| Silence::Words.pattern().is_match(name.as_bytes())));
}
