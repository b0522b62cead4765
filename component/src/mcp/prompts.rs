//! The prompts that a person can choose by name. Each becomes a message in the person's words that leads a model
//! through the tools. Calls no tool itself.

use rmcp::ErrorData;
use rmcp::model::{GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role};
use serde_json::Value;

use kroger_core::text::cleaned_lines;

/// The most characters of an argument.
const LONGEST: usize = 20_000;

struct Known {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// The name, whether it is required, and its description.
    arguments: &'static [(&'static str, Need, &'static str)],
    text: fn(&Given<'_>) -> String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Must,
    May,
}

const PROMPTS: [Known; 4] = [
    Known {
        name: "shopping_list_to_cart",
        title: "Shopping list to cart",
        description: "Find each item of a shopping list at my store, check all of them, and add them to my cart.",
        arguments: &[("list", Need::Must, "The items, with amounts"), STORE],
        text: |given| {
            format!(
                "Put this shopping list into my Kroger cart:\n\n{}\n\n{}\
                 1. Search for the items with search_products, each as a term, up to 10 a call.\n\
                 2. If one product clearly fits, take it. If several do, show me up to three and let me choose.\n\
                 3. Call check_cart_items with all of them; tell me the total and every warning.\n\
                 4. When I agree, call add_to_cart once, with an idempotency_key of your own making.",
                given.text("list"),
                given.at_store(),
            )
        },
    },
    Known {
        name: "recipe_to_ingredients",
        title: "Recipe to ingredients",
        description: "Find the ingredients of a recipe at my store, in the amounts that it needs.",
        arguments: &[
            ("recipe", Need::Must, "The recipe, or its name"),
            ("servings", Need::May, "For how many people"),
            STORE,
        ],
        text: |given| {
            let servings = given.optional("servings").map(|count| format!(" for {count} people")).unwrap_or_default();
            format!(
                "Find what I need to cook this{servings}:\n\n{}\n\n{}\
                 1. List the ingredients with amounts; leave out those that most kitchens have, and name them.\n\
                 2. Search for them with search_products, up to 10 a call, and choose sizes that cover the amounts.\n\
                 3. Show me product, size, price and aisle of each, and say which are out of stock.\n\
                 4. Add nothing to the cart until I say so.",
                given.text("recipe"),
                given.at_store(),
            )
        },
    },
    Known {
        name: "weekly_restock",
        title: "Weekly restock",
        description: "Buy again what I buy each week.",
        arguments: &[("items", Need::May, "What I buy each week"), STORE],
        text: |given| {
            let items = given.optional("items").map_or_else(
                || "Ask me what I buy each week; if there is a tool view_recent_adds, look there first.".to_owned(),
                |items| format!("Each week I buy:\n\n{items}"),
            );
            format!(
                "Restock my kitchen. {items}\n\n{}\
                 1. Find the products with search_products, up to 10 a call; prefer products on sale if they are as good.\n\
                 2. Call check_cart_items; tell me the total, the items out of stock, and a replacement for each.\n\
                 3. When I agree, call add_to_cart once, with an idempotency_key of your own making.",
                given.at_store(),
            )
        },
    },
    Known {
        name: "reconnect_account",
        title: "Reconnect my account",
        description: "Sign me in to Kroger again.",
        arguments: &[],
        text: |_| {
            "Connect my Kroger account.\n\
             1. Call token_status. If it says signed_in, tell me so and stop, unless a call was refused with \
             token_rejected or scope_missing.\n\
             2. Call sign_in, with anew true if token_status says signed_in; show me the link and the number, and wait \
             until I say that I agreed.\n\
             3. If the last page did not load, or asks to be copied, ask me for its address and call complete_sign_in \
             with it.\n\
             4. Call token_status and tell me whether it worked."
                .to_owned()
        },
    },
];

const STORE: (&str, Need, &str) = ("store", Need::May, "A store id or a zip code; my preferred store if absent");

pub(super) fn list() -> Vec<Prompt> {
    PROMPTS.iter().map(Known::definition).collect()
}

/// Answers the prompt `name`, or an error if there is no such prompt or an argument is missing.
pub(super) fn get(name: &str, arguments: Option<&JsonObject>) -> Result<GetPromptResult, ErrorData> {
    let Some(prompt) = PROMPTS.iter().find(|prompt| prompt.name == name) else {
        let names = PROMPTS.map(|prompt| prompt.name).join(", ");
        return Err(ErrorData::invalid_params(format!("There is no such prompt; there are {names}."), None));
    };
    let given = Given(arguments);
    let missing = prompt.arguments.iter().find(|(name, need, _)| *need == Need::Must && given.optional(name).is_none());
    if let Some((name, _, what)) = missing {
        return Err(ErrorData::invalid_params(format!("`{name}` is missing: {what}."), None));
    }
    let message = PromptMessage::new_text(Role::User, (prompt.text)(&given));
    Ok(GetPromptResult::new(vec![message]).with_description(prompt.description))
}

impl Known {
    fn definition(&self) -> Prompt {
        let arguments = self.arguments.iter().map(|(name, need, what)| {
            PromptArgument::new(*name).with_description(*what).with_required(*need == Need::Must)
        });
        Prompt::new(self.name, Some(self.description), Some(arguments.collect())).with_title(self.title)
    }
}

/// The arguments of the call.
struct Given<'a>(Option<&'a JsonObject>);

impl Given<'_> {
    /// A pasted recipe may hold what its reader did not see.
    fn optional(&self, name: &str) -> Option<String> {
        let text = cleaned_lines(self.0?.get(name).and_then(Value::as_str)?, LONGEST);
        (!text.is_empty()).then_some(text)
    }

    fn text(&self, name: &str) -> String {
        self.optional(name).unwrap_or_default()
    }

    fn at_store(&self) -> String {
        self.optional("store").map(|store| format!("At the store {store}.\n")).unwrap_or_default()
    }
}
