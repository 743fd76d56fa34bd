//! `segy-import view IN`: a section in the terminal, or as a PNG.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::base::cancel::CancelHandle;
use crate::base::error::{Error, Result, failed, unreadable};
use crate::cli::overrides::ReadingArgs;
use crate::cli::progress::{ReadingBar, print, print_bytes};
use crate::cli::report::{may_write, write_whole};
use crate::cli::terminal::{self, Show};
use crate::dataset::Span;
use crate::picture::Raster;
use crate::picture::axis::{label, ticks};
use crate::picture::colours::{COLOUR_MAPS, colour_map};
use crate::picture::drawn::Drawing;
use crate::picture::plot::{Axis, bound_places};
use crate::report::chosen::{ChosenSection, SectionChoice, choose_section};
use crate::report::sections::{Down, down};
use crate::store::is_remote;

/// Columns of the labels of the sample axis in a terminal.
const LABEL: usize = 7;
/// Rows of a terminal that the picture leaves to its title, its axis and the prompt.
const OTHER_ROWS: usize = 4;
/// Columns from gather to gather; if there are more, they are not marked.
const COLUMNS_OF_GATHER: usize = 3;
/// Pixels of a picture in a terminal that shows pictures.
const PICTURE: [usize; 2] = [1200, 700];

/// Show a section of a SEG-Y file or a dataset, in the terminal or as a PNG
///
/// By default it shows the middle line of a stacked volume, or the gathers around the middle. A terminal gets blocks of
/// colour, or a picture if it can show one.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ViewArgs {
    /// SEG-Y file, or dataset
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// Show this inline
    #[arg(long, value_name = "N", group = "choice", allow_negative_numbers = true)]
    inline: Option<i64>,

    /// Show this crossline
    #[arg(long, value_name = "N", group = "choice", allow_negative_numbers = true)]
    crossline: Option<i64>,

    /// Show the slice at this time or depth, in ms, metres, feet or Hz; reads all traces
    #[arg(long, value_name = "MS", group = "choice", allow_negative_numbers = true)]
    slice: Option<f64>,

    /// Show the traces in which a header field has this value, as in cdp=1200
    #[arg(long, value_name = "KEY=N", group = "choice", value_parser = key)]
    gather: Option<(String, f64)>,

    /// Show traces A up to but not including B, counted from 0
    #[arg(long, value_name = "A:B", group = "choice", allow_hyphen_values = true)]
    traces: Option<Span>,

    /// Draw wiggles with filled peaks
    #[arg(long)]
    wiggle: bool,

    /// Colours, from the lowest to the highest amplitude [default: grey, or batlow for data of one sign]
    #[arg(long, value_name = "NAME", value_parser = names_of_maps())]
    colours: Option<String>,

    /// Share of the amplitudes that the colours span
    #[arg(long, value_name = "PERCENT", default_value_t = 99.0, value_parser = percent)]
    percentile: f64,

    /// Raise the amplitudes
    #[arg(long, value_name = "DB", default_value_t = 0.0, allow_negative_numbers = true, value_parser = decibels)]
    gain: f64,

    /// Reverse the polarity
    #[arg(long)]
    reverse: bool,

    /// Write a PNG with axes instead; - is standard output
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,

    /// Width of the section in the PNG, in pixels [default: by the number of traces]
    #[arg(long, value_name = "PIXELS", requires = "png", value_parser = clap::value_parser!(u16).range(10..=10_000))]
    width: Option<u16>,

    /// Height of the section in the PNG, in pixels [default: by the number of samples]
    #[arg(long, value_name = "PIXELS", requires = "png", value_parser = clap::value_parser!(u16).range(10..=10_000))]
    height: Option<u16>,

    /// Replace an existing PNG
    #[arg(long, requires = "png")]
    overwrite: bool,

    /// How to draw in the terminal [default: the best that it says it can show]
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "png")]
    show: Option<Show>,

    #[command(flatten)]
    reading: ReadingArgs,
}

const EXAMPLES: &str = "\
Examples: segy-import view line_042.sgy
          segy-import view survey.sgy --inline 1200 --colours vik
          segy-import view shots.sgy --gather field_record=17 --wiggle --png shot_17.png";

fn names_of_maps() -> PossibleValuesParser {
    PossibleValuesParser::new(COLOUR_MAPS.iter().map(|m| clap::builder::PossibleValue::new(m.name).help(m.about)))
}

fn key(text: &str) -> std::result::Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("write KEY=N, as in cdp=1200")?;
    let value = value.trim().parse().map_err(|_| "write KEY=N with a number, as in cdp=1200")?;
    Ok((name.trim().to_owned(), value))
}

fn percent(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|p| (1.0..=100.0).contains(p)).ok_or_else(|| "give a number from 1 to 100".into())
}

fn decibels(text: &str) -> std::result::Result<f64, String> {
    text.parse().ok().filter(|p| (-200.0..=200.0).contains(p)).ok_or_else(|| "give a number from -200 to 200".into())
}

impl ViewArgs {
    pub(super) fn run(self) -> Result<()> {
        let size = terminal::size();
        match &self.png {
            Some(path) if path.as_os_str() == "-" && size.is_some() => {
                return Err(Error::Usage("--png -: a terminal does not show the bytes of a PNG; name a file".into()));
            }
            Some(path) if path.as_os_str() != "-" => may_write(path, self.overwrite)?,
            None if size.is_none() && self.show.is_none() => {
                // What is wrong with the input comes first.
                if !is_remote(&self.input) {
                    std::fs::metadata(&self.input).map_err(|e| unreadable(&self.input, &e))?;
                }
                return Err(Error::Usage(
                    "standard output is not a terminal; --png FILE writes a picture, and --show letters text".into(),
                ));
            }
            _ => {}
        }
        let cancel = CancelHandle::new();
        cancel.listen_to_signals().map_err(failed("cannot listen to signals"))?;
        let bar = ReadingBar::new(0);
        let choice = self.choice();
        let overwrite = self.overwrite;
        let Self { input, wiggle, colours, percentile, gain, reverse, png, width, height, show, reading, .. } = self;
        let chosen = choose_section(&input, &reading.resolve()?, &choice, &mut |n| bar.set(n), &cancel)?;
        drop(bar);
        let map = colours.as_deref().and_then(colour_map);
        let size_asked = [width, height].map(|n| n.map(usize::from));
        let drawing = Drawing { percentile, gain, is_reversed: reverse, map, is_wiggle: wiggle, size: size_asked };
        match png {
            Some(path) => {
                let bytes = chosen.png(&drawing)?;
                if path.as_os_str() == "-" { print_bytes(&bytes) } else { write_whole(&path, &bytes, overwrite) }
            }
            None => print(&in_terminal(&chosen, drawing, size, show.unwrap_or_else(Show::best))?),
        }
    }

    fn choice(&self) -> SectionChoice {
        let number = |name: &str, n: i64| SectionChoice::Key(name.to_owned(), n as f64);
        if let Some(n) = self.inline {
            number("inline", n)
        } else if let Some(n) = self.crossline {
            number("crossline", n)
        } else if let Some((name, value)) = &self.gather {
            SectionChoice::Key(name.clone(), *value)
        } else if let Some(at) = self.slice {
            SectionChoice::Slice(at)
        } else {
            self.traces.map_or(SectionChoice::Middle, |span| SectionChoice::Traces(span.start, span.end))
        }
    }
}

/// The section as large as the terminal, with its title above and labels at the edges.
fn in_terminal(chosen: &ChosenSection, drawing: Drawing, size: Option<[usize; 2]>, show: Show) -> Result<String> {
    if show.takes_png() {
        return Ok(terminal::png_text(show, &chosen.png(&Drawing { size: PICTURE.map(Some), ..drawing })?));
    }
    let [columns, rows] = size.unwrap_or([80, 24]);
    let width = columns.saturating_sub(LABEL + 1).max(4);
    let bounds = chosen.bounds(drawing.is_wiggle);
    let n_rows_of_bounds = usize::from(!bound_places(&bounds, width, COLUMNS_OF_GATHER).is_empty());
    let height = rows.saturating_sub(OTHER_ROWS + n_rows_of_bounds).max(2);
    let drawing = Drawing { size: [Some(width), Some(2 * height)], ..drawing };
    let picture: Raster = drawing.draw(&chosen.view.section);
    let Down { name, first, last } = down(&chosen.view, &chosen.shape);
    let labels = down_labels([first, last], height);
    let mut text = format!("{}\n{}", cut(&chosen.title, columns), bounds_row(&bounds, picture.width, show));
    let of_axis = terminal::rows(show, &picture)?.into_iter().enumerate().map(|(y, row)| {
        let label = labels.iter().find(|(at, _)| *at == y).map_or("", |(_, text)| text.as_str());
        format!("{label:>LABEL$} {row}\n")
    });
    text.extend(of_axis);
    Ok(text + &across_row(&chosen.across(0.5), &name, width, columns))
}

/// The row above the picture: where gathers begin; empty if that is not known.
fn bounds_row(bounds: &[f64], width: usize, show: Show) -> String {
    let mut row = vec![' '; width];
    for place in bound_places(bounds, width, COLUMNS_OF_GATHER) {
        row[place] = if show == Show::Letters { '|' } else { '╷' };
    }
    let row: String = row.into_iter().collect();
    if row.trim().is_empty() { String::new() } else { format!("{:LABEL$} {}\n", "", row.trim_end()) }
}

/// Labels of the rows of the sample axis.
fn down_labels(ends: [f64; 2], height: usize) -> Vec<(usize, String)> {
    let (marks, step) = ticks(ends[0], ends[1], height / 4);
    let place = |mark: f64| ((mark - ends[0]) / (ends[1] - ends[0]) * (height - 1) as f64).round() as usize;
    let labels = marks.into_iter().filter(|_| ends[0] != ends[1]);
    labels.map(|mark| (place(mark), cut(&label(mark, step), LABEL))).collect()
}

/// The row below: the unit of the sample axis, and numbers along the traces.
fn across_row(axis: &Axis, down: &str, width: usize, columns: usize) -> String {
    let mut row: Vec<char> = format!("{:>LABEL$} ", cut(down, LABEL)).chars().collect();
    row.resize(LABEL + 1 + width, ' ');
    let (marks, step) = ticks(axis.first, axis.last, width / 14);
    let mut free = LABEL + 1;
    let put = |row: &mut Vec<char>, at: usize, text: &str| {
        for (i, c) in text.chars().enumerate() {
            if let Some(place) = row.get_mut(at + i) {
                *place = c;
            }
        }
    };
    let end = LABEL + 1 + width.saturating_sub(axis.name.chars().count() + 1);
    for mark in marks.into_iter().filter(|_| axis.first != axis.last) {
        let text = label(mark, step);
        let n = text.chars().count();
        let at = LABEL + 1 + ((mark - axis.first) / (axis.last - axis.first) * (width - 1) as f64).round() as usize;
        let at = at.saturating_sub(n / 2);
        if at >= free && at + n < end {
            put(&mut row, at, &text);
            free = at + n + 1;
        }
    }
    put(&mut row, end + 1, &axis.name);
    cut(row.iter().collect::<String>().trim_end(), columns) + "\n"
}

fn cut(text: &str, columns: usize) -> String {
    text.chars().take(columns).collect()
}
