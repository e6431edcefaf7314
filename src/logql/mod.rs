//! LogQL: a query's text becomes a syntax tree, the tree says what to fetch, and what is fetched becomes the answer.
//!
//! No I/O, no clock, no runtime: whoever calls fetches what is asked for and hands it in.
//!
//! # Grammar
//!
//! `[ ]` may be missing, `{ }` may repeat. Keywords and functions are written in any case; a function's name is a label's
//! name where no arguments and no grouping follow. A NAME is a letter or `_` and letters, digits and `_`; keywords are
//! none, but `bool`.
//!
//! ```text
//! query       = log | metric
//! log         = selector pipeline | "(" log ")"
//! selector    = "{" [ matcher { "," matcher } ] "}"
//! matcher     = NAME ( "=" | "!=" | "=~" | "!~" ) STRING
//! pipeline    = { lineFilter | "|" stage }
//! lineFilter  = ( "|=" | "!=" | "|~" | "!~" | "|>" | "!>" ) text { "or" text }
//! text        = STRING | ip
//! ip          = "ip" "(" STRING ")"
//! stage       = "json" [ extracts ] | "logfmt" { "--strict" | "--keep-empty" } [ extracts ]
//!             | "regexp" STRING | "pattern" STRING | "unpack" | "decolorize"
//!             | "line_format" STRING | "label_format" format { "," format }
//!             | ( "drop" | "keep" ) target { "," target } | labelFilter
//! extracts    = NAME [ "=" STRING ] { "," NAME [ "=" STRING ] }
//! format      = NAME "=" ( NAME | STRING )
//! target      = NAME | matcher
//! labelFilter = and { "or" and }
//! and         = unit { [ "and" | "," ] unit }
//! unit        = "(" labelFilter ")" | matcher | NAME ( "=" | "!=" ) ip
//!             | NAME ( "=" | "==" | "!=" | ">" | ">=" | "<" | "<=" ) ( [ sign ] ( NUMBER | DURATION ) | BYTES )
//! unwrap      = "|" "unwrap" ( NAME | conversion "(" NAME ")" ) { "|" labelFilter }
//! conversion  = "bytes" | "duration" | "duration_seconds"
//!
//! metric      = operand { operator modifiers operand }
//! operand     = rangeOp "(" [ NUMBER "," ] range ")" [ grouping ]
//!             | vectorOp [ grouping ] "(" [ NUMBER "," ] metric ")" [ grouping ]
//!             | "label_replace" "(" metric "," STRING "," STRING "," STRING "," STRING ")"
//!             | "vector" "(" NUMBER ")" | [ sign ] NUMBER | "(" metric ")"
//! range       = selector window pipeline [ unwrap ] | selector pipeline [ unwrap ] window
//!             | "(" selector pipeline [ unwrap ] ")" window [ unwrap ] | "(" range ")"
//! window      = "[" DURATION "]" [ "offset" [ "-" ] DURATION ]
//! grouping    = ( "by" | "without" ) names
//! operator    = "or" | "and" | "unless" | "==" | "!=" | ">" | ">=" | "<" | "<=" | "+" | "-" | "*" | "/" | "%" | "^"
//! modifiers   = [ "bool" ] [ ( "on" | "ignoring" ) names [ ( "group_left" | "group_right" ) [ names ] ] ]
//! names       = "(" [ NAME { "," NAME } ] ")"
//! sign        = "+" | "-"
//! ```
//!
//! Operators bind from `or` (loosest) over `and` and `unless`, comparisons, `+` and `-`, `*`, `/` and `%` to `^`; all to
//! the left but `^`. A sign belongs to its number: `-2^2` is 4.

mod arithmetic;
pub mod ast;
mod error;
pub mod eval;
mod format;
mod lexer;
pub mod limits;
mod mentions;
mod names;
mod parser;
pub mod pipeline;
mod plan;
mod quoted;
pub mod regexp;
pub mod stages;
mod token;
pub mod units;

pub use error::{Error, Position};
pub use format::pretty;
pub use mentions::mentions;
pub use parser::{parse, parse_labels, parse_selector};
pub use plan::{Fetch, matchers};

/// What a template of an alert says, whose labels and value these are; `clock` is for its functions of time.
///
/// # Errors
///
/// Why there is no text.
pub fn expand_template(
    text: &str,
    labels: &[(String, String)],
    value: f64,
    clock: &pipeline::Clock,
) -> Result<String, String> {
    stages::expand(text, labels, value, clock)
}
