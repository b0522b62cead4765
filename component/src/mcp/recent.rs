//! The tools of the log of recent adds. They exist only if the operator turned the log on.

use schemars::JsonSchema;
use serde::Serialize;

use super::call::Call;
use super::tool::{Effect, Reply, Tool};
use crate::fields::Nothing;
use kroger_core::cart::recent_adds;
use kroger_core::failure::Failure;
use kroger_core::ports::Timestamp;

#[derive(Serialize, JsonSchema)]
pub(super) struct RecentAdds {
    /// The adds, the newest first.
    adds: Vec<Add>,
    /// Adds older than this are forgotten.
    kept_for_hours: u64,
}

#[derive(Serialize, JsonSchema)]
struct Add {
    added_at: String,
    items: Vec<AddedItem>,
}

#[derive(Serialize, JsonSchema)]
struct AddedItem {
    upc: String,
    quantity: u32,
    modality: String,
}

/// Shows the recent adds.
pub(super) struct ViewRecentAdds;

impl Tool for ViewRecentAdds {
    const NAME: &'static str = "view_recent_adds";
    const TITLE: &'static str = "Recent adds";
    const DESCRIPTION: &'static str = "Shows what this server added to the cart recently. It is not the cart: changes that \
        the user made in the Kroger app do not show.";
    const EFFECT: Effect = Effect::Looks;
    const ASKS_KROGER: bool = false;
    type Input = Nothing;
    type Output = RecentAdds;

    fn run(call: &Call<'_>, _: Nothing) -> Result<Reply<RecentAdds>, Failure> {
        let lifetime = call.cx.settings.recent_adds.unwrap_or_default();
        let adds: Vec<Add> = recent_adds::view(call.cx, call.user)?.into_iter().map(Add::from).collect();
        let lines = adds.iter().map(|add| {
            let items: Vec<String> = add.items.iter().map(|item| format!("{} x {}", item.quantity, item.upc)).collect();
            format!("- {}: {}", add.added_at, items.join(", "))
        });
        let listed: Vec<String> = lines.collect();
        let listed = if listed.is_empty() { "Nothing was added lately.".to_owned() } else { listed.join("\n") };
        let text = format!("{listed}\nNext: get_product names a UPC; forget_recent_adds wipes this.");
        Ok(Reply { value: RecentAdds { adds, kept_for_hours: lifetime.as_secs() / 3_600 }, text })
    }
}

impl From<recent_adds::Add> for Add {
    fn from(add: recent_adds::Add) -> Self {
        let items = add.items.into_iter().map(|item| AddedItem {
            upc: item.upc,
            quantity: item.quantity,
            modality: item.modality,
        });
        Self { added_at: Timestamp::readable(add.added_at), items: items.collect() }
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Forgotten {
    forgotten: bool,
}

/// Wipes the log.
pub(super) struct ForgetRecentAdds;

impl Tool for ForgetRecentAdds {
    const NAME: &'static str = "forget_recent_adds";
    const TITLE: &'static str = "Forget recent adds";
    const DESCRIPTION: &'static str = "Wipes the log of recent adds. The cart stays as it is.";
    const EFFECT: Effect = Effect::Removes;
    const ASKS_KROGER: bool = false;
    type Input = Nothing;
    type Output = Forgotten;

    fn run(call: &Call<'_>, _: Nothing) -> Result<Reply<Forgotten>, Failure> {
        recent_adds::forget(call.cx, call.user)?;
        let text = "The log of recent adds is wiped. The cart is as it was.".to_owned();
        Ok(Reply { value: Forgotten { forgotten: true }, text })
    }
}
