//! Rates how well a search term matches a product. Knows nothing of prices and locations.

use super::products::Product;

impl Product {
    /// Rates how well a search for `words` finds the product; 0 is not at all.
    ///
    /// The words of its name count most, and the last one most of all: a search for milk finds milk
    /// before milk chocolate.
    pub(super) fn relevance(&self, words: &[String]) -> u32 {
        words.iter().map(|word| self.relevance_of(word)).sum()
    }

    pub(super) fn has_all(&self, words: &[String]) -> bool {
        words.iter().all(|word| self.relevance_of(word) > 0)
    }

    fn relevance_of(&self, word: &str) -> u32 {
        let names = stems(&self.description);
        match names.iter().position(|name| name == word) {
            Some(at) if at + 1 == names.len() => return 12,
            Some(_) => return 8,
            None => {}
        }
        if names.iter().any(|name| name.starts_with(word)) {
            return 4;
        }
        u32::from(stems(self.shelf.category).iter().any(|name| name == word))
    }
}

/// Returns the words of a text as a search compares them: in lower case and singular.
pub(super) fn stems(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| stem(&word.to_lowercase())).collect()
}

fn stem(word: &str) -> String {
    match word {
        _ if word.len() < 4 || word.ends_with("ss") => word.to_owned(),
        _ => match (word.strip_suffix("ies"), word.strip_suffix("oes"), word.strip_suffix('s')) {
            (Some(stem), _, _) => format!("{stem}y"),
            (_, Some(stem), _) => format!("{stem}o"),
            (_, _, Some(stem)) => stem.to_owned(),
            _ => word.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::products;
    use super::*;

    #[test]
    fn plurals_match_and_the_last_word_counts_most() {
        assert_eq!(stems("Roma Tomatoes & Berries, glass"), ["roma", "tomato", "berry", "glass"]);
        let relevance = |name: &str, words: &str| {
            products::all().iter().find(|product| product.description == name).unwrap().relevance(&stems(words))
        };
        assert!(relevance("Kroger Chocolate Milk", "milk") > relevance("Kroger Chocolate Milk", "chocolate"));
        assert!(relevance("Kroger Tomato Soup", "tomatoes") > 0);
        assert_eq!(relevance("Kroger Tomato Soup", "milk"), 0);
    }
}
