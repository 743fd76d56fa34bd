//! The page of a report in a real browser: Chromium without a window.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{Survey, run, scratch, stderr};

/// What the browser is called on Debian, Ubuntu, and where it is Google's.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser. `None` where there is none, which is said on standard error; in CI it is a failure.
fn browser() -> Option<&'static str> {
    let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let found = NAMES.into_iter().find(is_there);
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no Chromium: CI is set, so the tests with a browser are not skipped"
        );
        crate::support::python::say("SKIPPED, NOT TESTED: the page in a browser: there is no Chromium");
    }
    found
}

struct Page {
    survey: Survey,
    html: PathBuf,
    browser: &'static str,
}

impl Page {
    fn new(browser: &'static str) -> Self {
        let survey = Survey::new(&["--kind", "prestack", "--traces", "1500", "--samples", "300"]);
        let html = survey.path("page.html");
        let output = run(&["report", survey.input.to_str().unwrap(), "-o", html.to_str().unwrap()]);
        assert!(output.status.success(), "{}", stderr(&output));
        Self { survey, html, browser }
    }

    /// Opens the page, with a state in its address, and other options of the browser.
    fn open(&self, state: &str, options: &[&str]) -> Output {
        let profile = scratch();
        let mut command = Command::new(self.browser);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--enable-logging=stderr", "--window-size=1200,1500"]).args(options);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        let output = command.arg(format!("file://{}{state}", self.html.display())).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let console: Vec<String> =
            stderr(&output).lines().filter(|l| l.contains("CONSOLE")).map(str::to_owned).collect();
        assert_eq!(console, Vec::<String>::new(), "nothing is said on the console");
        output
    }

    fn screenshot(&self, name: &str, options: &[&str]) -> Picture {
        let file = self.survey.path(name);
        let option = format!("--screenshot={}", file.display());
        self.open("", &[&[option.as_str()], options].concat());
        Picture::read(&file)
    }

    fn dom(&self, state: &str) -> String {
        String::from_utf8(self.open(state, &["--dump-dom"]).stdout).unwrap()
    }
}

/// Lightness of the pixels of a screenshot.
struct Picture {
    width: usize,
    lightness: Vec<u8>,
}

impl Picture {
    fn read(path: &Path) -> Self {
        let mut decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let per = info.line_size / info.width as usize;
        let lightness = bytes.chunks(per).map(|p| p[1]).collect();
        Self { width: info.width as usize, lightness }
    }

    /// Rows in which there are many different greys: a section is drawn there.
    fn rows_of_sections(&self) -> usize {
        let is_rich = |row: &&[u8]| {
            let mut seen = [false; 256];
            row.iter().for_each(|&p| seen[usize::from(p)] = true);
            seen.iter().filter(|&&s| s).count() > 60
        };
        self.lightness.chunks(self.width).filter(is_rich).count()
    }

    fn corner(&self) -> u8 {
        self.lightness[self.width * 2 + 2]
    }
}

#[test]
fn the_page_is_drawn_in_light_and_dark() {
    let Some(browser) = browser() else { return };
    let page = Page::new(browser);
    let light = page.screenshot("light.png", &["--blink-settings=preferredColorScheme=1"]);
    let dark = page.screenshot("dark.png", &["--blink-settings=preferredColorScheme=0"]);
    assert!(light.corner() > 240 && dark.corner() < 40, "{} {}", light.corner(), dark.corner());
    for picture in [&light, &dark] {
        assert!(picture.rows_of_sections() > 300, "{} rows show a section", picture.rows_of_sections());
    }
}

#[test]
fn colours_gain_and_polarity_follow_the_controls() {
    let Some(browser) = browser() else { return };
    let page = Page::new(browser);
    let plain = page.dom("");
    for label in ["Gathers in file order", "Percentiles", "Spectrum", "receivers", "offset", "File headers"] {
        assert!(plain.contains(label), "{label}");
    }
    // The controls appear when the script runs; they take their state from the address.
    assert!(plain.contains("id=\"controls\">") && plain.contains("type=\"linear\" slope=\"1\" intercept=\"0\""));
    assert!(plain.contains("tableValues=\"1.0000 0.0000\""), "black peaks");
    let changed = page.dom("#colours=vik&gain=20&reverse=1");
    assert!(changed.contains("slope=\"-10\" intercept=\"5.5\""), "twenty decibels are ten times, the other way round");
    assert!(changed.contains("tableValues=\"0.0000 0.0078 "), "the reds of vik");
    // What the mouse shows: moved by a script of the test, in a copy of the page.
    let html = std::fs::read_to_string(&page.html).unwrap();
    let script = "<script>{const i=document.getElementById('main'),b=i.getBoundingClientRect();\
        i.dispatchEvent(new MouseEvent('mousemove',{clientX:b.left+1,clientY:b.top+1}))}</script></body>";
    std::fs::write(&page.html, html.replacen("</body>", script, 1)).unwrap();
    let told = page.dom("");
    let out = told.split("data-of=\"main\">").nth(1).unwrap().split('<').next().unwrap();
    assert!(out.starts_with("trace 251 · ") && out.contains("offset ") && out.ends_with("0 ms"), "{out}");
}
