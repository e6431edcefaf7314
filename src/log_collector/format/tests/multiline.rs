//! Which lines become one entry: real traces of each language, and what holds for any order of lines.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::READ_AT;
use crate::log_collector::format::multiline::{ENTRY_LINES_MAX, Multiline};
use crate::log_collector::format::{Channel, Decoded, LINE_BYTES_MAX};

/// An entry, and the number of the line that ended it.
type Ended = (usize, Channel, String);

fn add(multiline: &mut Multiline, number: usize, channel: Channel, line: &str, ended: &mut Vec<Ended>) {
    let line = Decoded { is_joined: line.contains("joined"), ..Decoded::new(channel, READ_AT, line.as_bytes()) };
    multiline.add(&line, number as u64, |entry| {
        ended.push((number, entry.channel, String::from_utf8(entry.line.to_vec()).unwrap()));
    });
}

/// The entries that `lines` become.
fn entries(lines: &[&str]) -> Vec<String> {
    let (mut multiline, mut ended) = (Multiline::default(), Vec::new());
    for (number, line) in lines.iter().enumerate() {
        add(&mut multiline, number, Channel::None, line, &mut ended);
    }
    multiline.end_all(|entry| ended.push((0, entry.channel, String::from_utf8(entry.line.to_vec()).unwrap())));
    ended.into_iter().map(|(_, _, text)| text).collect()
}

/// `trace` is one entry between two others, and so it is twice in a row.
#[track_caller]
fn check(trace: &str) {
    let trace = trace.trim_matches('\n');
    let mut lines = vec!["2026-11-22 13:04:05 INFO before"];
    lines.extend(trace.lines());
    lines.push("2026-11-22 13:04:06 INFO after");
    lines.extend(trace.lines());
    let expected = ["2026-11-22 13:04:05 INFO before", trace, "2026-11-22 13:04:06 INFO after", trace];
    assert_eq!(entries(&lines), expected);
}

#[test]
fn java_with_causes() {
    check(
        r"
2026-11-22 13:04:05.123 ERROR [main] c.e.OrderService - order 4711 failed
com.example.OrderException: cannot place order
	at com.example.OrderService.place(OrderService.java:42)
	at java.base/java.util.Optional.orElseThrow(Optional.java:403)
	... 12 common frames omitted
	Suppressed: java.io.IOException: close failed
		at com.example.Db.close(Db.java:7)
Caused by: java.sql.SQLException: connection refused
	at com.example.Db.connect(Db.java:21)
	... 14 more",
    );
    check(
        r#"
Exception in thread "main" java.lang.NullPointerException: Cannot invoke "String.length()"
	at com.example.Main.main(Main.java:5)"#,
    );
}

#[test]
fn python_with_a_chain() {
    check(
        r#"
ERROR:root:request failed
Traceback (most recent call last):
  File "/app/main.py", line 10, in handle
    return 1 / 0
           ~~^~~
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/main.py", line 12, in handle
    raise app.errors.Problem("x") from None
app.errors.Problem: x"#,
    );
    check(
        r#"
Traceback (most recent call last):
  File "<stdin>", line 1, in <module>
KeyboardInterrupt"#,
    );
    check(
        r#"
  File "/app/x.py", line 1
    a b
      ^
SyntaxError: invalid syntax"#
            .replacen("\n  File", "\nTraceback (most recent call last):\n  File", 1)
            .as_str(),
    );
}

#[test]
fn go_with_goroutines() {
    check(
        r"
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48e2ab]

goroutine 1 [running]:
main.(*Server).handle(0x0, {0xc00001c0a8, 0x5})
	/app/server.go:25 +0x1b
main.main()
	/app/main.go:9 +0x1d
created by main.start in goroutine 1
	/app/main.go:14 +0x25

goroutine 18 [chan receive]:
main.worker(...)
	/app/worker.go:5
exit status 2",
    );
}

#[test]
fn rust_with_a_backtrace() {
    check(
        r"
thread 'main' panicked at src/main.rs:4:27:
called `Option::unwrap()` on a `None` value
stack backtrace:
   0: rust_begin_unwind
             at /rustc/90b35a6/library/std/src/panicking.rs:697:5
   1: core::panicking::panic_fmt
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.",
    );
    check(
        r"
thread 'tokio-runtime-worker' panicked at src/lib.rs:1:1:
boom
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
    );
    check(
        r"
Error: cannot read the configuration

Caused by:
    0: failed to open app.toml
    1: No such file or directory (os error 2)",
    );
}

#[test]
fn dotnet_with_an_inner_exception() {
    check(
        r"
Unhandled exception. System.InvalidOperationException: cannot place order
 ---> System.Net.Http.HttpRequestException: connection refused
   at Shop.Client.Get() in /app/Client.cs:line 12
   --- End of inner exception stack trace ---
--- End of stack trace from previous location ---
   at Shop.Program.Main(String[] args) in /app/Program.cs:line 5",
    );
    check(
        r#"
fail: Microsoft.AspNetCore.Server.Kestrel[13]
      Connection id "0HN" has an unhandled exception
      System.IO.IOException: broken pipe
         at Shop.Program.Main()"#,
    );
}

#[test]
fn javascript_with_its_place_and_its_cause() {
    check(
        r"
/app/index.js:3
  throw new TypeError('x is not a function');
  ^

TypeError: x is not a function
    at handle (/app/index.js:3:9)
    at node:internal/main/run_main_module:28:49 {
  code: 'ERR_X',
  [cause]: Error: inner
      at connect (/app/db.js:7:11)
}",
    );
    check(
        r#"
TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument must be of type string
    at validateString (node:internal/validators:162:11)"#,
    );
}

#[test]
fn indented_continuations() {
    check("SELECT statement: duration 12 ms\n\tSELECT *\n\t  FROM orders\n\tWHERE id = 4711");
    check("{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}");
}

#[test]
fn other_lines_stay_alone() {
    let lines = [
        "one",
        "two",
        "",
        "Error: a",
        "Error: b",
        "java.lang.A: x is no failure's trace",
        "Done",
        "main.main()",
        "goroutine",
        "ERROR something",
        "INFO something else",
        "exit status 2",
        "}",
    ];
    assert_eq!(entries(&lines), lines);
}

#[test]
fn entries_are_bounded_in_lines_and_bytes_and_nothing_is_cut_off() {
    let mut lines = vec!["head"];
    lines.extend(std::iter::repeat_n(" more", ENTRY_LINES_MAX));
    let counts: Vec<usize> = entries(&lines).iter().map(|entry| entry.lines().count()).collect();
    assert_eq!(counts, [ENTRY_LINES_MAX, 1]);

    let long = " ".to_owned() + &"x".repeat(LINE_BYTES_MAX / 2 - 1);
    let lengths: Vec<usize> = entries(&["head", &long, &long, &long]).iter().map(String::len).collect();
    assert_eq!(lengths, [4 + 1 + long.len(), long.len(), long.len()]);
}

/// Lines of every kind.
const LINES: [&str; 27] = [
    "INFO x",
    "ERROR x",
    "",
    "java.lang.IllegalStateException: x",
    "\tat a.B.c(B.java:1)",
    "Caused by: x",
    "Traceback (most recent call last):",
    "  File \"x.py\", line 1, in f",
    "    f()",
    "ValueError: error",
    "app.Problem: error",
    "During handling of the above exception",
    "panic: x",
    "goroutine 1 [running]:",
    "main.handleError()",
    "main.main()",
    "\t/app/main.go:9 +0x1d",
    "exit status 2",
    "thread 'main' panicked at src/main.rs:4:27:",
    "stack backtrace:",
    "   0: rust_begin_unwind",
    "    at f (x.js:1:1)",
    "  ^",
    "}",
    "--- End of x",
    "created by x",
    "a long line that was joined, error",
];

proptest! {
    /// The process ends after any line, and goes on where the oldest entry begins that has not ended; what ended before is
    /// delivered.
    #[test]
    fn a_restart_changes_no_entry(
        lines in vec((select(&[Channel::None, Channel::Stdout, Channel::Stderr][..]), select(&LINES[..])), 1..60),
        end in any::<Index>(),
    ) {
        let end = end.index(lines.len());
        let (mut multiline, mut expected) = (Multiline::default(), Vec::new());
        let mut resume = 0;
        for (number, (channel, line)) in lines.iter().enumerate() {
            add(&mut multiline, number, *channel, line, &mut expected);
            if number == end {
                resume = multiline.pending_from().unwrap_or(number as u64 + 1);
            }
        }
        let (mut restarted, mut again) = (Multiline::default(), Vec::new());
        for (number, (channel, line)) in lines.iter().enumerate().skip(usize::try_from(resume).unwrap()) {
            add(&mut restarted, number, *channel, line, &mut again);
        }
        for (multiline, ended) in [(&mut multiline, &mut expected), (&mut restarted, &mut again)] {
            multiline.end_all(|entry| {
                ended.push((usize::MAX, entry.channel, String::from_utf8(entry.line.to_vec()).unwrap()));
            });
        }
        expected.retain(|(number, ..)| end < *number);
        again.retain(|(number, ..)| end < *number);
        prop_assert_eq!(again, expected);
    }

    #[test]
    fn no_line_is_lost_or_doubled(lines in vec(select(&LINES[..]), 0..60)) {
        prop_assert_eq!(entries(&lines).join("\n"), lines.join("\n"));
    }
}
