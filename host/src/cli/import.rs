//! `import`: takes sign-ins from the files of other programs.
//!
//! It shows what it would take, and from where, before anything is written. It never shows a token.
//! The component decides which sign-in is newer, and which may be taken.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use kroger_core::sign_in::import::Found;

use super::exit::{Unwell, usage};
use super::opening::{StoreOptions, start};
use super::print::{Cell, Palette, Tone, confirm, now, print, printable, short, span, table};
use super::values::user_id;
use super::{legacy, words};
use crate::files::token_files::{self, SignIn};
use crate::{Given, Host, ImportOutcome, Standing, log};

pub(super) const EXAMPLES: &str = "\
Examples:
  kroger-mcp import ~/old/.tokens            the first system's pickle
  kroger-mcp import ~/old/.env --yes         replace what is older, unasked
  kroger-mcp import ~/.local/share/kroger-mcp/.kroger_token_user.json --user ann

Stop the other program first: refresh tokens are single use, and two programs
that refresh the same one sign the person out.

Exit code 1: nothing was imported, or an entry of a file cannot be used.";

#[derive(Debug, Args)]
pub(super) struct ImportOptions {
    /// A `.tokens` pickle or `.kroger_tokens.json` of the first system, a .env,
    /// or kroger-api's `.kroger_token_user.json`
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The user whose tokens they are, if a file does not say it [default: `KROGER_HARDCODED_USER_ID`, else `user_default`]
    #[arg(long, value_name = "ID", value_parser = user_id)]
    user: Option<String>,
    /// Replace older sign-ins without asking.
    #[arg(long, short)]
    yes: bool,
    /// Also replace newer sign-ins, and take those of users who were forgotten since.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    store: StoreOptions,
}

/// A sign-in of a file, and what happens to it.
struct Offer {
    user: String,
    file: String,
    found: Found,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is taken, and replaces no sign-in that works.
    Take(Standing),
    /// It takes the place of a sign-in that works, or of a deletion.
    Replace(Standing),
    Leave(Standing),
    /// Another file has a newer one of the same user.
    Outdone,
}

pub(super) async fn import(options: &ImportOptions, given: &Given) -> Result<()> {
    let settings = options.store.settings(given)?;
    let default_user = options.user.clone().unwrap_or_else(|| settings.component.default_user.as_str().to_owned());
    let Read { mut offers, left_out } = read_all(&options.files, &default_user)?;
    let host = start(settings).await?;
    assess(&host, &mut offers, options.force).await?;
    left_out.iter().for_each(log::complain);
    print(&plan(&offers, now()))?;
    let replaced = offers.iter().filter(|offer| matches!(offer.fate, Fate::Replace(_))).count();
    if replaced > 0 && !options.yes {
        let sign_ins = if replaced == 1 { "a sign-in".to_owned() } else { format!("{replaced} sign-ins") };
        let question = format!("Replace {sign_ins}?");
        if !confirm(&question, "nothing was imported; --yes answers yes")? {
            bail!("Nothing was imported.");
        }
    }
    take(&host, &offers).await?;
    if left_out.is_empty() { Ok(()) } else { Err(Unwell.into()) }
}

/// The contents of all files.
struct Read {
    offers: Vec<Offer>,
    /// Entries that cannot be used, a sentence each.
    left_out: Vec<String>,
}

/// Reads all files, or fails: the caller must correct a file that cannot be used. An entry that cannot
/// be used does not prevent the others.
fn read_all(files: &[PathBuf], default_user: &str) -> Result<Read> {
    let (mut offers, mut left_out) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.display().to_string();
        let read = token_files::read(file).map_err(|error| usage(format!("{name}: {error}")))?;
        let offer = |SignIn { user_id, found }| Offer {
            user: user_id.unwrap_or_else(|| default_user.to_owned()),
            file: name.clone(),
            found,
            fate: Fate::Outdone,
        };
        offers.extend(read.sign_ins.into_iter().map(offer));
        left_out.extend(read.unusable.iter().map(|entry| legacy::left_out(&name, entry)));
    }
    offers.sort_by_key(|offer| (offer.user.clone(), Reverse(age_key(&offer.found))));
    Ok(Read { offers, left_out })
}

/// When a sign-in was obtained. Of two sign-ins of the same user, the one obtained later counts.
fn age_key(found: &Found) -> u64 {
    found.obtained_at.or(found.expires_at).unwrap_or_default().as_secs()
}

async fn assess(host: &Host, offers: &mut [Offer], force: bool) -> Result<()> {
    let mut last = None;
    for offer in offers {
        if last.as_ref() == Some(&offer.user) {
            continue;
        }
        last = Some(offer.user.clone());
        let standing = host.assess(&offer.user, &offer.found).await;
        let standing = standing.map_err(words::error).with_context(|| offer.file.clone())?;
        offer.fate = fate(standing, force);
    }
    Ok(())
}

fn fate(standing: Standing, force: bool) -> Fate {
    match standing {
        Standing::Absent | Standing::Dead => Fate::Take(standing),
        Standing::Newer => Fate::Replace(standing),
        Standing::Older | Standing::Forgotten if force => Fate::Replace(standing),
        Standing::Older | Standing::Forgotten | Standing::Known | Standing::Useless => Fate::Leave(standing),
    }
}

async fn take(host: &Host, offers: &[Offer]) -> Result<()> {
    let mut imported = 0_usize;
    let mut is_well = true;
    for offer in offers {
        let (Fate::Take(expected) | Fate::Replace(expected)) = offer.fate else { continue };
        let outcome = host.import(&offer.user, &offer.found, expected).await.map_err(words::error)?;
        match outcome {
            ImportOutcome::Imported => imported += 1,
            ImportOutcome::Declined(_) => {
                is_well = false;
                print(&format!("{} changed meanwhile and was left alone; import again.\n", printable(&offer.user)))?;
            }
        }
    }
    let is_all_here = offers.iter().all(|offer| offer.fate == Fate::Leave(Standing::Known));
    print(&conclusion(imported))?;
    if is_well && (imported > 0 || is_all_here) { Ok(()) } else { Err(Unwell.into()) }
}

fn conclusion(imported: usize) -> String {
    match imported {
        0 => "Nothing was imported.\n".to_owned(),
        1 => "Imported 1 sign-in. The program that it is from must not refresh it any more.\n".to_owned(),
        _ => format!("Imported {imported} sign-ins. The programs that they are from must not refresh them any more.\n"),
    }
}

fn plan(offers: &[Offer], now: u64) -> String {
    if offers.is_empty() {
        return String::new();
    }
    let rows: Vec<[Cell; 6]> = offers.iter().map(|offer| row(offer, now)).collect();
    table(Palette::of_stdout(), ["USER", "FROM", "OBTAINED", "ACCESS TOKEN", "REFRESH TOKEN", "THEN"], &rows)
}

fn row(offer: &Offer, now: u64) -> [Cell; 6] {
    let (tone, then) = words(offer.fate);
    let ago = |at: u64| if at > now { "in the future".to_owned() } else { format!("{} ago", span(now - at)) };
    let obtained = offer.found.obtained_at.map_or_else(|| "unknown".to_owned(), |at| ago(at.as_secs()));
    [
        short(&offer.user).as_ref().into(),
        file_name(&offer.file).into(),
        obtained.into(),
        access_token(&offer.found, now).into(),
        if offer.found.refresh_token.is_some() { "yes" } else { "none" }.into(),
        Cell::new(tone, then),
    ]
}

fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn access_token(found: &Found, now: u64) -> String {
    match found.expires_at.map(kroger_core::ports::Timestamp::as_secs) {
        _ if found.access_token.is_none() => "none".to_owned(),
        Some(at) if at > now => format!("{} left", span(at - now)),
        Some(at) => format!("expired {} ago", span(now - at)),
        None => "of unknown age".to_owned(),
    }
}

fn words(fate: Fate) -> (Tone, &'static str) {
    match fate {
        Fate::Outdone => (Tone::Faint, "is left: another file has a newer one"),
        Fate::Take(Standing::Dead) => (Tone::Good, "is taken, in place of a sign-in that has ended"),
        Fate::Take(_) => (Tone::Good, "is taken"),
        Fate::Replace(Standing::Older) => (Tone::Bad, "replaces a newer sign-in"),
        Fate::Replace(Standing::Forgotten) => (Tone::Bad, "is taken, though the user was forgotten since"),
        Fate::Replace(_) => (Tone::Soon, "replaces an older sign-in"),
        Fate::Leave(Standing::Older) => (Tone::Faint, "is left: the store has a newer one (--force)"),
        Fate::Leave(Standing::Forgotten) => (Tone::Faint, "is left: the user was forgotten since (--force)"),
        Fate::Leave(Standing::Known) => (Tone::Faint, "is left: the store has it, or has used it"),
        Fate::Leave(_) => (Tone::Faint, "is left: there is nothing in it that works"),
    }
}

#[cfg(test)]
mod tests {
    use kroger_core::ports::Timestamp;
    use kroger_core::secret::Secret;

    use super::*;

    #[test]
    fn older_sign_ins_are_replaced_only_by_force_and_known_ones_never() {
        for (standing, unforced, forced) in [
            (Standing::Absent, Fate::Take(Standing::Absent), Fate::Take(Standing::Absent)),
            (Standing::Newer, Fate::Replace(Standing::Newer), Fate::Replace(Standing::Newer)),
            (Standing::Older, Fate::Leave(Standing::Older), Fate::Replace(Standing::Older)),
            (Standing::Forgotten, Fate::Leave(Standing::Forgotten), Fate::Replace(Standing::Forgotten)),
            (Standing::Known, Fate::Leave(Standing::Known), Fate::Leave(Standing::Known)),
            (Standing::Useless, Fate::Leave(Standing::Useless), Fate::Leave(Standing::Useless)),
        ] {
            assert_eq!((fate(standing, false), fate(standing, true)), (unforced, forced));
        }
    }

    #[test]
    fn the_plan_says_what_comes_from_where_and_shows_no_token() {
        let found = Found {
            access_token: Some(Secret::new("canary")),
            refresh_token: Some(Secret::new("canary")),
            expires_at: Some(Timestamp::from_secs(940)),
            obtained_at: Some(Timestamp::from_secs(400)),
            scope: None,
        };
        let offer =
            Offer { user: "ann".into(), file: "/old/.tokens".into(), found, fate: Fate::Take(Standing::Absent) };

        let text = plan(&[offer], 1_000);

        assert_eq!(
            text,
            "USER  FROM     OBTAINED  ACCESS TOKEN    REFRESH TOKEN  THEN\n\
             ann   .tokens  10m ago   expired 1m ago  yes            is taken\n"
        );
    }
}
