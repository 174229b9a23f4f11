//! `cargo xtask maturity`: how well the forecasts of new behaviour hold, as the table and the plot of `docs/maturity.md`.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::cargo;
use crate::sh::{self, say};

const BEGIN: &str = "<!-- table: cargo xtask maturity -->\n";
const END: &str = "<!-- end of table -->\n";

/// What is told of many splits of one sort.
struct Row {
    what: String,
    covered: f64,
    width: f64,
    came: f64,
}

pub(crate) fn maturity() -> Result<()> {
    let mut test = cargo::cargo();
    test.args(["test", "--package", "profiler-user", "--lib", "maturity::tests::the_interval"]);
    test.args(["--", "--nocapture", "--test-threads=1"]);
    let told = test.output().context("running the test")?;
    let said = String::from_utf8_lossy(&told.stderr);
    ensure!(told.status.success(), "the intervals do not hold:\n{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("| ")).collect();
    let path = sh::workspace().join("docs/maturity.md");
    let page = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let (before, rest) = page.split_once(BEGIN).context("the page has no place for the table")?;
    let (_, after) = rest.split_once(END).context("the page's table has no end")?;
    let mut table = "| process | units seen | units ahead | splits | covered | came fewer | came more | mean width | mean expected | mean came |\n\
        |---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for line in &lines {
        table.push_str(line);
        table.push('\n');
    }
    fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
    let rows: Vec<Row> = lines.iter().filter_map(|line| row(line)).collect();
    let plot = sh::workspace().join("docs/maturity.svg");
    fs::write(&plot, draw(&rows))?;
    say(format!("wrote {} and {}", path.display(), plot.display()));
    Ok(())
}

/// The rows that sum up: their names are bold.
fn row(line: &str) -> Option<Row> {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let what = cells.first()?.strip_prefix("**")?.strip_suffix("**")?.to_owned();
    let number = |place: usize| cells.get(place)?.trim_end_matches(" %").parse().ok();
    Some(Row { what, covered: number(4)?, width: number(7)?, came: number(9)? })
}

/// Two panels: how often the interval held, and how wide it was beside what came.
fn draw(rows: &[Row]) -> String {
    const LINE: usize = 26;
    const TOP: usize = 60;
    let height = TOP + rows.len() * LINE + 30;
    let widest = rows.iter().map(|row| row.width.max(row.came)).fold(1.0, f64::max);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"900\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"180\" y=\"25\">splits where the 95 % interval held (80 to 100 %; shaded 90 to 99)</text>\n\
         <text x=\"620\" y=\"25\">mean width (bar), new that came (tick)</text>\n\
         <rect x=\"380\" y=\"40\" width=\"180\" height=\"{}\" fill=\"#dfeedd\"/>\n",
        height - 60
    );
    for (number, row) in rows.iter().enumerate() {
        let y = TOP + number * LINE;
        let x = 180.0 + (row.covered - 80.0).max(0.0) * 20.0;
        let (width, came) = (row.width / widest * 230.0, 620.0 + row.came / widest * 230.0);
        let _never_fails = write!(
            svg,
            "<text x=\"10\" y=\"{}\">{}</text>\n\
             <circle cx=\"{x:.0}\" cy=\"{y}\" r=\"5\" fill=\"#1f4e79\"/>\n\
             <rect x=\"620\" y=\"{}\" width=\"{width:.0}\" height=\"12\" fill=\"#9dc3e6\"/>\n\
             <rect x=\"{came:.0}\" y=\"{}\" width=\"2\" height=\"18\" fill=\"#c00000\"/>\n\
             <text x=\"{:.0}\" y=\"{}\">{:.1}</text>\n",
            y + 4,
            row.what,
            y - 6,
            y - 9,
            625.0 + width.max(row.came / widest * 230.0),
            y + 4,
            row.width,
        );
    }
    svg.push_str("</svg>\n");
    svg
}
