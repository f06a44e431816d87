//! Escaping of untrusted text in logs.

use std::fmt::{self, Write};

/// The longest text that is not truncated, in characters: every name is shorter, and so is nearly every error of a
/// library.
const LONGEST: usize = 256;

/// Formats text from a client, another node or a library on one line that it can neither break nor hide in.
///
/// Control and invisible characters, including line ends and bidirectional marks, are escaped as in Rust string
/// literals, and so is the backslash. The text is truncated after 256 characters, with `…` at the end; the rest is not
/// even formatted. Quotes are not escaped: they are common in errors, and no log is parsed by them.
///
/// ```
/// use roomwire_core::Escaped;
///
/// assert_eq!(Escaped("ada\r\nERROR all is lost").to_string(), r"ada\r\nERROR all is lost");
/// ```
#[derive(Clone, Copy)]
pub struct Escaped<T>(pub T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line { out: f, left: LONGEST, is_cut: false };
        match write!(line, "{}", self.0) {
            // The error that stops the formatting of the rest.
            Err(fmt::Error) if line.is_cut => Ok(()),
            written => written,
        }
    }
}

/// Like [`fmt::Display`]: every format is escaped.
impl<T: fmt::Display> fmt::Debug for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Like [`Escaped`], without truncation: for text that is shown once, to a person.
pub(crate) struct EscapedWhole<'a>(pub(crate) &'a str);

impl fmt::Display for EscapedWhole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Line { out: f, left: usize::MAX, is_cut: false }.write_str(self.0)
    }
}

struct Line<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left: usize,
    is_cut: bool,
}

impl Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.left == 0 {
                self.is_cut = true;
                self.out.write_char('…')?;
                return Err(fmt::Error);
            }
            self.left -= 1;
            match character {
                '"' | '\'' => self.out.write_char(character)?,
                other => write!(self.out, "{}", other.escape_debug())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fmt};

    use super::{Escaped, LONGEST};

    #[test]
    fn what_could_break_a_line_or_hide_in_it_is_escaped_and_the_rest_is_as_it_was() {
        for (text, shown) in [
            ("räume 🏠 'a' \"b\"", "räume 🏠 'a' \"b\""),
            ("a\r\nb\0\t", r"a\r\nb\0\t"),
            ("\u{1b}[31mred", r"\u{1b}[31mred"),
            ("\u{9b}31m \u{85} \u{7f}", r"\u{9b}31m \u{85} \u{7f}"),
            ("\u{202e}abc\u{200f}", r"\u{202e}abc\u{200f}"),
            ("\u{2028}\u{2029}\u{feff}", r"\u{2028}\u{2029}\u{feff}"),
            // Escape sequences in the input cannot be confused with escaped characters.
            (r"a\nb", r"a\\nb"),
        ] {
            assert_eq!(Escaped(text).to_string(), shown);
            assert_eq!(format!("{:?}", Escaped(text)), shown);
        }
    }

    #[test]
    fn no_character_that_ends_a_line_or_is_a_command_gets_through() {
        for character in ('\0'..=char::MAX).filter(|character| character.is_control()) {
            let shown = Escaped(character).to_string();
            assert!(shown.chars().all(|character| character.is_ascii_graphic()), "{character:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_not_formatted_further() {
        struct Endless<'a>(&'a Cell<usize>);
        impl fmt::Display for Endless<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    self.0.set(self.0.get() + 1);
                    f.write_str("x\n")?;
                }
            }
        }
        let written = Cell::new(0);
        let shown = Escaped(Endless(&written)).to_string();
        assert_eq!(shown, format!("{}…", r"x\n".repeat(LONGEST / 2)));
        assert_eq!(written.get(), LONGEST / 2 + 1);
        let whole = "ä".repeat(LONGEST);
        assert_eq!(Escaped(&whole).to_string(), whole);
    }

    #[test]
    fn an_error_of_the_writer_stays_one() {
        struct Broken;
        impl fmt::Display for Broken {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        let mut text = String::new();
        assert!(fmt::Write::write_fmt(&mut text, format_args!("{}", Escaped(Broken))).is_err());
    }
}
