//! The calls to Kroger that a search takes. One that fails stops no other.

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::page_request::{Filter, PageRequest, Selection, Term};
use crate::catalog::products::product_page;
use crate::catalog::search::by_upc::ByUpc;
use crate::catalog::search::found::{TermFound, found};
use crate::catalog::search::query::{MOST_TERMS, ProductQuery, brand, selection};
use crate::failure::Failure;
use crate::text::cleaned;
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// One call to make, or the reason why none is made.
pub(super) enum SearchStep {
    /// A page of Kroger's search.
    Page {
        /// The term or brand, in words.
        searched_for: String,
        request: PageRequest,
        notes: Vec<String>,
    },
    Upcs(ByUpc),
    /// A term that Kroger would not take.
    Refused {
        searched_for: String,
        failure: Failure,
    },
}

/// The steps of `query`: one for each term, else one for the brand; then one for
/// the UPCs.
///
/// # Errors
/// `invalid_argument`, which names the field.
pub(super) fn steps(query: &ProductQuery, location: Option<&LocationId>) -> Result<Vec<SearchStep>, Failure> {
    if query.terms.len() > MOST_TERMS {
        let allowed = "1 to 10 terms a call, each a search of its own; search for the others in another call";
        return Err(Failure::invalid_argument("terms", allowed));
    }
    let brand = query.brand.as_deref().map(brand).transpose()?;
    let selection = selection(query, location);
    Selection { limit: query.limit(), ..selection.clone() }.check()?;
    let each = query.terms.iter().enumerate();
    let mut steps: Vec<SearchStep> =
        each.map(|(index, text)| term(index, text, brand.as_deref(), &selection)).collect();
    if let Some(brand) = brand.filter(|_| query.terms.is_empty() && query.upcs.is_empty()) {
        let request = PageRequest { filter: Filter::Brand(brand.clone()), selection };
        steps.push(SearchStep::Page { searched_for: brand, request, notes: Vec::new() });
    }
    if !query.upcs.is_empty() {
        steps.push(SearchStep::Upcs(ByUpc::read(&query.upcs)?));
    }
    if steps.is_empty() {
        return Err(Failure::invalid_argument("terms", "something to search for: a term, a brand or a UPC"));
    }
    Ok(steps)
}

/// A bad term refuses itself alone.
fn term(index: usize, text: &str, brand: Option<&str>, selection: &Selection) -> SearchStep {
    match Term::parse(text) {
        Ok((term, note)) => {
            let searched_for = term.as_str().to_owned();
            let filter = Filter::Term { term, brand: brand.map(str::to_owned) };
            let request = PageRequest { filter, selection: selection.clone() };
            SearchStep::Page { searched_for, request, notes: note.into_iter().collect() }
        }
        Err(allowed) => SearchStep::Refused {
            searched_for: cleaned(text, 64),
            failure: Failure::invalid_argument(&format!("terms[{index}]"), allowed),
        },
    }
}

impl SearchStep {
    /// Makes the call.
    pub(super) fn take(
        self,
        cx: Context<'_>,
        user: &UserId,
        query: &ProductQuery,
        location: Option<&LocationId>,
    ) -> TermFound {
        match self {
            Self::Page { searched_for, request, notes } => match product_page(cx, user, &request, Purpose::Browse) {
                Ok(page) => found(query, &request.selection, &page, searched_for, notes),
                Err(failure) => TermFound::refused(searched_for, notes, failure),
            },
            Self::Upcs(upcs) => upcs.look_up(cx, user, query, location),
            Self::Refused { searched_for, failure } => TermFound::refused(searched_for, Vec::new(), failure),
        }
    }
}
