//! `doctor`: looks at everything that a sign-in depends on, and says for each point what to do.
//!
//! It refreshes nothing and changes no grant. The points come from the first system's pages on
//! troubleshooting and support, and from the troubles of its users.

mod local;
mod point;
mod tokens;
mod upstream;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use self::point::{Point, Verdict};
use super::exit::Unwell;
use super::opening::StoreOptions;
use super::print::{Cell, Palette, Tone, json, print, table};
use crate::{Given, Purpose, Settings, StoreLocation};

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp doctor
  kroger-mcp doctor --offline
  kroger-mcp doctor --json | jq '.points[] | select(.verdict == \"bad\")'

Exit code 1: something is bad.";

#[derive(Debug, Args)]
pub(super) struct DoctorOptions {
    /// Print the points as JSON.
    #[arg(long)]
    json: bool,
    /// Ask nothing of Kroger: no network, no credentials.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    store: StoreOptions,
}

#[derive(Serialize)]
struct Report {
    healthy: bool,
    points: Vec<Point>,
}

pub(super) async fn doctor(options: &DoctorOptions, given: &Given) -> Result<()> {
    let points = look(options, given).await;
    let report = Report { healthy: points.iter().all(|point| point.verdict != Verdict::Bad), points };
    if options.json {
        print(&json(&report)?)?;
    } else {
        print(&page(Palette::of_stdout(), &report.points))?;
    }
    if report.healthy { Ok(()) } else { Err(Unwell.into()) }
}

/// Looks at each point. A point that depends on a bad one is left out.
async fn look(options: &DoctorOptions, given: &Given) -> Vec<Point> {
    let store = match StoreLocation::find(options.store.store.as_deref(), given, Purpose::Kroger) {
        Ok(store) => store,
        Err(refused) => return vec![Point::bad("store", refused.to_string())],
    };
    let mut points = local::files(&store, given);
    let settings = match Settings::new(given, store.clone()) {
        Ok(settings) => settings,
        Err(refused) => {
            points.insert(0, Point::bad("settings", refused.to_string()));
            return points;
        }
    };
    points.insert(0, local::settings(&settings, given));
    points.push(upstream::redirect(&settings).await);
    let opened = tokens::open(store.clone(), given);
    if options.offline {
        points.push(Point::new("network", Verdict::Note, "not looked at, because of --offline"));
    } else {
        // The credentials do not depend on the store.
        let empty = if opened.is_err() { tokens::open_empty(store, given).ok() } else { None };
        points.extend(upstream::points(&settings, opened.as_ref().ok().or(empty.as_ref())).await);
    }
    match opened {
        Ok(opened) => points.extend(tokens::points(&opened).await),
        Err(point) => points.push(point),
    }
    points.push(local::log());
    points
}

fn page(palette: Palette, points: &[Point]) -> String {
    let rows: Vec<[Cell; 3]> = points.iter().map(row).collect();
    let count = |verdict| points.iter().filter(|point| point.verdict == verdict).count();
    let (bad, warnings) = (count(Verdict::Bad), count(Verdict::Warning));
    let end = match (bad, warnings) {
        (0, 0) => palette.paint(Tone::Good, "All is well."),
        (0, _) => palette.paint(Tone::Soon, &format!("It works; {warnings} to look at.")),
        (1, _) => palette.paint(Tone::Bad, "1 point needs you."),
        _ => palette.paint(Tone::Bad, &format!("{bad} points need you.")),
    };
    format!("{}\n{end}\n", table(palette, ["", "POINT", "FOUND"], &rows))
}

fn row(point: &Point) -> [Cell; 3] {
    let (tone, mark) = match point.verdict {
        Verdict::Good => (Tone::Good, "ok"),
        Verdict::Warning => (Tone::Soon, "warn"),
        Verdict::Bad => (Tone::Bad, "BAD"),
        Verdict::Note => (Tone::Faint, "--"),
    };
    [Cell::new(tone, mark), point.name.as_str().into(), point.detail.as_str().into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_marks_each_point_and_counts_what_needs_someone() {
        let warning = Point::new("disk", Verdict::Warning, "nearly full");
        let good = Point::good("store", "fine");

        let bad = page(Palette::Plain, &[good.clone(), warning.clone(), Point::bad("clock", "two hours ahead")]);
        let warned = page(Palette::Plain, &[good.clone(), warning]);

        assert_eq!(
            bad,
            "      POINT  FOUND\nok    store  fine\nwarn  disk   nearly full\nBAD   clock  two hours ahead\n\n1 point needs you.\n"
        );
        assert!(warned.ends_with("It works; 1 to look at.\n"), "{warned}");
        assert!(page(Palette::Plain, &[good]).ends_with("All is well.\n"));
    }
}
