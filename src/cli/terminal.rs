//! Pictures in a terminal: half-blocks in colour, letters, or real pictures where the terminal shows them.

use std::env;
use std::fmt::Write;
use std::io::IsTerminal;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::ValueEnum;

use crate::base::error::Result;
use crate::base::system::terminal_size;
use crate::picture::Raster;
use crate::picture::colours::Colour;

/// From light to dark, for terminals without colours.
const LETTERS: &[u8] = b" .:-=+*#%@";
/// Bytes of base64 that kitty takes at a time.
const KITTY_CHUNK: usize = 4096;
/// The size of a terminal that does not tell its own.
const USUAL: [usize; 2] = [80, 24];

/// What a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Show {
    /// Half-blocks in true colour
    Blocks,
    /// Half-blocks in 256 colours
    Colours256,
    /// Letters, for terminals without colours
    Letters,
    /// The kitty graphics protocol
    Kitty,
    /// The inline images of iTerm
    Iterm,
}

impl Show {
    /// The best that the terminal of standard output shows, by what it says of itself.
    pub(super) fn best() -> Self {
        Self::of(&|name| env::var(name).unwrap_or_default())
    }

    fn of(variable: &dyn Fn(&str) -> String) -> Self {
        let (term, program) = (variable("TERM"), variable("TERM_PROGRAM"));
        if !variable("NO_COLOR").is_empty() || term == "dumb" || term.is_empty() {
            return Self::Letters;
        }
        // A multiplexer passes on blocks, but not pictures.
        let is_direct = variable("TMUX").is_empty() && !term.starts_with("screen") && !term.starts_with("tmux");
        if is_direct && (term == "xterm-kitty" || term == "xterm-ghostty" || program == "ghostty") {
            return Self::Kitty;
        }
        if is_direct && (program == "iTerm.app" || program == "WezTerm") {
            return Self::Iterm;
        }
        let colour = variable("COLORTERM");
        match colour.as_str() {
            "truecolor" | "24bit" => Self::Blocks,
            _ if term.ends_with("-direct") => Self::Blocks,
            _ if term.contains("256color") => Self::Colours256,
            _ => Self::Letters,
        }
    }

    /// Whether it takes a PNG.
    pub(super) fn takes_png(self) -> bool {
        matches!(self, Self::Kitty | Self::Iterm)
    }
}

/// Columns and rows of the terminal that standard output is, if it is one.
pub(super) fn size() -> Option<[usize; 2]> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let size = terminal_size(&stdout).map(|size| size.map(usize::from));
    Some(size.filter(|s| s[0] > 0 && s[1] > 0).unwrap_or(USUAL))
}

/// A PNG for a terminal that shows it.
pub(super) fn png_text(show: Show, png: &[u8]) -> String {
    let coded = BASE64_STANDARD.encode(png);
    if show == Show::Iterm {
        return format!("\x1b]1337;File=inline=1;size={};preserveAspectRatio=1:{coded}\x07\n", png.len());
    }
    let chunks: Vec<&[u8]> = coded.as_bytes().chunks(KITTY_CHUNK).collect();
    let mut text = String::new();
    for (i, chunk) in chunks.iter().enumerate() {
        let first = if i == 0 { "a=T,f=100," } else { "" };
        let more = u8::from(i + 1 < chunks.len());
        let _ = write!(text, "\x1b_G{first}m={more};{}\x1b\\", String::from_utf8_lossy(chunk));
    }
    text + "\n"
}

/// The rows of a picture that has two pixels in each cell, one above the other.
pub(super) fn rows(show: Show, picture: &Raster) -> Result<Vec<String>> {
    let row = |y: usize| -> String {
        let mut text = String::new();
        let mut last = None;
        for x in 0..picture.width {
            let pair = [picture.colour(x, 2 * y), picture.colour(x, 2 * y + 1)];
            if show == Show::Letters {
                text.push(letter(pair));
                continue;
            }
            if last != Some(pair) {
                text += &code(show, pair);
                last = Some(pair);
            }
            text.push(if pair == [None, None] { ' ' } else { '▀' });
        }
        if show == Show::Letters { text } else { text + "\x1b[0m" }
    };
    Ok((0..picture.height.div_ceil(2)).map(row).collect())
}

/// The darkness of two pixels as a letter; a blank where there is nothing.
fn letter(pair: [Option<Colour>; 2]) -> char {
    let lightness = |c: &Colour| (u32::from(c[0]) * 299 + u32::from(c[1]) * 587 + u32::from(c[2]) * 114) / 1000;
    let known: Vec<u32> = pair.iter().flatten().map(lightness).collect();
    let n = known.len() as u32;
    let Some(mean) = known.iter().sum::<u32>().checked_div(n) else { return ' ' };
    let last = LETTERS.len() - 1;
    LETTERS.get(last - mean as usize * last / 255).map_or(' ', |&b| char::from(b))
}

/// The codes that set the colours of the upper and the lower half of a cell; without one, that of the terminal.
fn code(show: Show, [upper, lower]: [Option<Colour>; 2]) -> String {
    let one = |layer: u8, colour: Option<Colour>| match colour {
        None => format!("{}", layer + 1),
        Some([r, g, b]) if show == Show::Blocks => format!("{layer};2;{r};{g};{b}"),
        Some(colour) => format!("{layer};5;{}", of_256(colour)),
    };
    format!("\x1b[{};{}m", one(38, upper), one(48, lower))
}

/// The nearest of the 256 colours: one of a cube of 6 × 6 × 6, or of 24 greys.
fn of_256(colour: Colour) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let distance =
        |other: Colour| -> u32 { colour.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
    let step = |v: u8| (0..6usize).min_by_key(|&i| STEPS[i].abs_diff(v)).unwrap_or(0);
    let [r, g, b] = colour.map(step);
    let in_cube = ((16 + 36 * r + 6 * g + b) as u8, [STEPS[r], STEPS[g], STEPS[b]]);
    let mean = colour.iter().map(|&v| u16::from(v)).sum::<u16>() / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23) as u8;
    let of_greys = (232 + grey, [8 + 10 * grey; 3]);
    if distance(in_cube.1) <= distance(of_greys.1) { in_cube.0 } else { of_greys.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Show {
        Show::of(&|name| variables.iter().find(|v| v.0 == name).map_or(String::new(), |v| v.1.to_owned()))
    }

    #[test]
    fn a_terminal_gets_what_it_says_that_it_shows() {
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Show::Kitty);
        assert_eq!(of(&[("TERM", "xterm-kitty"), ("TMUX", "/tmp/x")]), Show::Letters);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")]), Show::Iterm);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Show::Blocks);
        assert_eq!(of(&[("TERM", "tmux-256color")]), Show::Colours256);
        assert_eq!(of(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), Show::Letters);
        assert_eq!(of(&[("TERM", "dumb")]), Show::Letters);
        assert_eq!(of(&[]), Show::Letters);
    }

    #[test]
    fn greys_and_colours_have_their_numbers() {
        assert_eq!(
            [[0, 0, 0], [255, 255, 255], [128, 128, 128], [255, 0, 0], [0, 0, 255]].map(of_256),
            [16, 231, 244, 196, 21]
        );
    }

    #[test]
    fn a_cell_holds_two_pixels() {
        let picture = Raster {
            width: 2,
            height: 3,
            pixels: vec![0, 1, 1, 1, 0, 2],
            palette: vec![[0; 3], [255; 3], [9; 3]],
            transparent: Some(2),
        };
        let rows = rows(Show::Blocks, &picture).unwrap();
        assert_eq!(rows[0], "\x1b[38;2;0;0;0;48;2;255;255;255m▀\x1b[38;2;255;255;255;48;2;255;255;255m▀\x1b[0m");
        assert_eq!(rows[1], "\x1b[38;2;0;0;0;49m▀\x1b[39;49m \x1b[0m");
        assert_eq!(super::rows(Show::Letters, &picture).unwrap(), ["+ ", "@ "]);
    }

    #[test]
    fn kitty_gets_its_picture_in_pieces() {
        let text = png_text(Show::Kitty, &[7; 4000]);
        assert_eq!(text.matches("\x1b_G").count(), 2);
        assert!(text.starts_with("\x1b_Ga=T,f=100,m=1;") && text.contains("\x1b_Gm=0;"));
    }
}
