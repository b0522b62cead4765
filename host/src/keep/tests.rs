//! Tests the promises that every kind of bucket keeps.

use std::collections::HashSet;
use std::fs;
use std::future::Future;

use super::buckets::{Bucket, Buckets, ENV, RESCUE};
use super::keyvalue::{KEYS_PER_PAGE, KeyPage, KeyValueError, MAX_KEY, MAX_VALUE};
use super::sqlite;
use tempfile::TempDir;

/// Runs `future` on a runtime of its own.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// Lets `writes` wait together, so that they share commits.
async fn all_at_once<W>(writes: impl Iterator<Item = W>)
where
    W: Future<Output = Result<(), KeyValueError>> + Send + 'static,
{
    for task in writes.map(tokio::spawn).collect::<Vec<_>>() {
        task.await.expect("a task that ends").expect("a write");
    }
}

fn set(bucket: &Bucket, key: String) -> impl Future<Output = Result<(), KeyValueError>> + use<> {
    let bucket = bucket.clone();
    async move { bucket.set(&key, Vec::new()).await }
}

fn delete(bucket: &Bucket, key: String) -> impl Future<Output = Result<(), KeyValueError>> + use<> {
    let bucket = bucket.clone();
    async move { bucket.delete(&key).await }
}

fn buckets(directory: &TempDir) -> Buckets {
    let store = sqlite::Store::open(&directory.path().join(".tokens"), ".tokens").expect("a new store");
    Buckets::new(store, ["default".to_owned()])
}

fn open(buckets: &Buckets, name: &str) -> Bucket {
    buckets.open(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs `test` with a durable and with a volatile bucket.
fn with_each_kind(test: impl Fn(Bucket)) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let buckets = buckets(&directory);
    test(open(&buckets, "default"));
    test(open(&buckets, RESCUE));
}

fn words(error: KeyValueError) -> String {
    match error {
        KeyValueError::Other(words) => words,
        other @ KeyValueError::NoSuchStore => panic!("{other:?}"),
    }
}

#[test]
fn only_buckets_that_are_offered_can_be_opened() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let buckets = buckets(&directory).with_env_file(directory.path().join(".env"));

    for name in ["", "other", "Default", ENV] {
        assert_eq!(buckets.open(name).err(), Some(KeyValueError::NoSuchStore), "{name:?}");
    }

    fs::write(directory.path().join(".env"), "").expect("a .env file");
    assert!(buckets.open(ENV).is_ok());
}

#[test]
fn a_value_is_there_until_it_is_replaced_or_deleted() {
    with_each_kind(|bucket| {
        wait(async {
            assert_eq!(bucket.get("k").await, Ok(None));
            assert_eq!(bucket.exists("k").await, Ok(false));
            bucket.set("k", b"\0\xff".to_vec()).await.expect("set");
            assert_eq!(bucket.get("k").await, Ok(Some(b"\0\xff".to_vec())));
            bucket.set("k", Vec::new()).await.expect("set again");
            assert_eq!(bucket.get("k").await, Ok(Some(Vec::new())));
            assert_eq!(bucket.exists("k").await, Ok(true));
            bucket.delete("k").await.expect("delete");
            bucket.delete("k").await.expect("delete what is absent");
            assert_eq!(bucket.get("k").await, Ok(None));
        });
    });
}

#[test]
fn buckets_do_not_see_each_others_keys() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = sqlite::Store::open(directory.path(), "tokens").expect("a store");
    let buckets = Buckets::new(store, ["a".to_owned(), String::new()]);
    let (a, unnamed) = (open(&buckets, "a"), open(&buckets, ""));
    wait(async {
        a.set("k", b"1".to_vec()).await.expect("set");
        assert_eq!(unnamed.get("k").await, Ok(None));
        assert_eq!(unnamed.list_keys(None).await, Ok(KeyPage::default()));
    });
}

#[test]
fn unusual_keys_are_refused_in_every_operation() {
    let long = "k".repeat(MAX_KEY + 1);
    with_each_kind(|bucket| {
        for key in ["", "A", "a b", "a/b", "ä", "a\0", "a'; --", &long] {
            wait(async {
                let refusals = [
                    bucket.get(key).await.map(drop),
                    bucket.set(key, Vec::new()).await,
                    bucket.delete(key).await,
                    bucket.exists(key).await.map(drop),
                    bucket.increment(key, 1).await.map(drop),
                ];
                for refusal in refusals {
                    assert!(words(refusal.expect_err(key)).starts_with("a key is 1 to 128"));
                }
            });
        }
    });
}

#[test]
fn the_longest_key_and_value_are_taken_and_longer_values_refused() {
    let key = "k".repeat(MAX_KEY);
    with_each_kind(|bucket| {
        wait(async {
            bucket.set(&key, vec![7; MAX_VALUE]).await.expect("1 MiB");
            assert_eq!(bucket.get(&key).await, Ok(Some(vec![7; MAX_VALUE])));
            let refused = bucket.set(&key, vec![7; MAX_VALUE + 1]).await;
            assert_eq!(words(refused.expect_err("too long")), "a value is at most 1 MiB");
        });
    });
}

#[test]
fn a_counter_starts_at_0_and_reads_as_digits() {
    with_each_kind(|bucket| {
        wait(async {
            assert_eq!(bucket.increment("c", 0).await, Ok(0));
            assert_eq!(bucket.exists("c").await, Ok(false), "a delta of 0 writes nothing");
            assert_eq!(bucket.increment("c", 5).await, Ok(5));
            assert_eq!(bucket.increment("c", 2).await, Ok(7));
            assert_eq!(bucket.increment("c", 0).await, Ok(7));
            assert_eq!(bucket.get("c").await, Ok(Some(b"7".to_vec())));
            bucket.set("c", b"40".to_vec()).await.expect("set");
            assert_eq!(bucket.increment("c", 2).await, Ok(42));
        });
    });
}

#[test]
fn a_counter_that_would_overflow_or_is_no_number_stays_as_it_is() {
    with_each_kind(|bucket| {
        wait(async {
            bucket.increment("c", u64::MAX).await.expect("the largest counter");
            let overflow = bucket.increment("c", 1).await.expect_err("overflow");
            assert_eq!(words(overflow), "the counter would exceed 64 bits");
            assert_eq!(bucket.increment("c", 0).await, Ok(u64::MAX));

            bucket.set("text", b"secret".to_vec()).await.expect("set");
            for delta in [0, 1] {
                let refused = bucket.increment("text", delta).await.expect_err("no number");
                assert_eq!(words(refused), "the value under this key is not a counter");
            }
            assert_eq!(bucket.get("text").await, Ok(Some(b"secret".to_vec())));
        });
    });
}

#[test]
fn a_lasting_key_is_listed_once_while_others_come_and_go() {
    with_each_kind(|bucket| {
        wait(async {
            all_at_once((0..2_500).map(|n| set(&bucket, format!("k{n}")))).await;
            let mut listed = Vec::new();
            let mut cursor = None;
            loop {
                let page = bucket.list_keys(cursor).await.expect("a page");
                assert!(page.keys.len() <= KEYS_PER_PAGE);
                let leaving = page.keys.iter().step_by(2).cloned();
                all_at_once(leaving.map(|key| delete(&bucket, key))).await;
                bucket.set("k2000", b"overwritten".to_vec()).await.expect("set");
                bucket.set(&format!("new{}", listed.len()), Vec::new()).await.expect("set");
                listed.extend(page.keys);
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
            let distinct: HashSet<_> = listed.iter().collect();
            assert_eq!(distinct.len(), listed.len(), "no key twice");
            assert!((0..2_500).all(|n| distinct.contains(&format!("k{n}"))));
            assert!(distinct.contains(&"new0".to_owned()), "what is created behind the cursor is found");
        });
    });
}

#[test]
fn a_key_created_behind_the_cursor_is_found_after_the_last_keys_are_deleted() {
    with_each_kind(|bucket| {
        wait(async {
            all_at_once((0..=KEYS_PER_PAGE).map(|n| set(&bucket, n.to_string()))).await;
            let page = bucket.list_keys(None).await.expect("the first page");
            all_at_once((0..=KEYS_PER_PAGE).map(|n| delete(&bucket, n.to_string()))).await;
            bucket.set("new", Vec::new()).await.expect("set");

            let rest = bucket.list_keys(page.cursor).await.expect("the second page");
            assert_eq!(rest, KeyPage { keys: vec!["new".to_owned()], cursor: None });
        });
    });
}

#[test]
fn a_bucket_of_exactly_one_page_has_no_second() {
    with_each_kind(|bucket| {
        wait(async {
            all_at_once((0..KEYS_PER_PAGE).map(|n| set(&bucket, n.to_string()))).await;
            let page = bucket.list_keys(None).await.expect("a page");
            assert_eq!((page.keys.len(), page.cursor), (KEYS_PER_PAGE, None));
            let beyond = bucket.list_keys(Some(u64::MAX)).await;
            assert_eq!(beyond, Ok(KeyPage::default()));
        });
    });
}

#[test]
fn all_handles_share_the_rescue_bucket_and_it_has_a_limit() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let buckets = buckets(&directory);
    let (one, other) = (open(&buckets, RESCUE), open(&buckets, RESCUE));
    wait(async {
        for n in 0..10_000 {
            one.set(&n.to_string(), Vec::new()).await.expect("set");
        }
        assert_eq!(other.exists("9999").await, Ok(true));
        let full = other.set("one-more", Vec::new()).await.expect_err("full");
        assert_eq!(words(full), "the bucket rescue is full");
        other.set("1", b"still replaced".to_vec()).await.expect("set");
        other.delete("2").await.expect("delete");
        other.set("one-more", Vec::new()).await.expect("room again");
    });
}
