//! The calls to Kroger that a search takes.

use crate::Context;
use crate::catalog::location::LocationId;
use crate::catalog::page_request::{Filter, PageRequest, Term};
use crate::catalog::products::product_page;
use crate::catalog::search::by_upc::ByUpc;
use crate::catalog::search::found::{Found, found};
use crate::catalog::search::query::{MOST_TERMS, ProductQuery, brand, page};
use crate::failure::Failure;
use crate::upstream::quota::Purpose;
use crate::user::UserId;

/// One search to make.
pub(super) enum Step {
    /// A call to Kroger, in words and as a request.
    Page {
        searched_for: String,
        request: PageRequest,
        notes: Vec<String>,
    },
    Upcs(ByUpc),
    /// What was given cannot be searched for.
    Refused {
        searched_for: String,
        failure: Failure,
    },
}

pub(super) fn steps(query: &ProductQuery, location: Option<&LocationId>) -> Result<Vec<Step>, Failure> {
    if query.terms.len() > MOST_TERMS {
        let allowed = "1 to 10 terms a call, each a search of its own; search for the others in another call";
        return Err(Failure::invalid_argument("terms", allowed));
    }
    let brand = query.brand.as_deref().map(brand).transpose()?;
    let page = page(query, location);
    PageRequest { filter: Filter::Brand(String::new()), limit: query.limit(), ..page.clone() }.check()?;
    let each = query.terms.iter().enumerate();
    let mut steps: Vec<Step> = each.map(|(index, text)| term(index, text, brand.as_deref(), &page)).collect();
    if let Some(brand) = brand.filter(|_| query.terms.is_empty() && query.upcs.is_empty()) {
        let request = PageRequest { filter: Filter::Brand(brand.clone()), ..page };
        steps.push(Step::Page { searched_for: brand, request, notes: Vec::new() });
    }
    if !query.upcs.is_empty() {
        steps.push(Step::Upcs(ByUpc::read(&query.upcs)?));
    }
    if steps.is_empty() {
        return Err(Failure::invalid_argument("terms", "something to search for: a term, a brand or a UPC"));
    }
    Ok(steps)
}

/// One term that cannot be searched for does not take the others with it.
fn term(index: usize, text: &str, brand: Option<&str>, page: &PageRequest) -> Step {
    match Term::parse(text) {
        Ok((term, note)) => {
            let searched_for = term.as_str().to_owned();
            let filter = Filter::Term { term, brand: brand.map(str::to_owned) };
            let request = PageRequest { filter, ..page.clone() };
            Step::Page { searched_for, request, notes: note.into_iter().collect() }
        }
        Err(allowed) => Step::Refused {
            searched_for: text.chars().filter(|c| !c.is_control()).take(64).collect(),
            failure: Failure::invalid_argument(&format!("terms[{index}]"), allowed),
        },
    }
}

impl Step {
    pub(super) fn take(
        self,
        cx: Context<'_>,
        user: &UserId,
        query: &ProductQuery,
        location: Option<&LocationId>,
    ) -> Found {
        match self {
            Self::Page { searched_for, request, notes } => match product_page(cx, user, &request, Purpose::Browse) {
                Ok(page) => found(query, &request, &page, searched_for, notes),
                Err(failure) => Found::refused(searched_for, notes, failure),
            },
            Self::Upcs(upcs) => upcs.look_up(cx, user, query, location),
            Self::Refused { searched_for, failure } => Found::refused(searched_for, Vec::new(), failure),
        }
    }
}
