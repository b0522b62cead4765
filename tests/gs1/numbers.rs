//! Reads a product number from each line of the input, and prints its readings:
//! `UPC=form,…`, or `refused`. For `tests/gs1/compare.py`.

use std::io::{self, BufRead, Write};

use kroger_core::item::product_number::{ProductNumber, Reading};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        match ProductNumber::parse(&line?) {
            Ok(number) => writeln!(out, "{}", number.readings().iter().map(shown).collect::<Vec<_>>().join(","))?,
            Err(_) => writeln!(out, "refused")?,
        }
    }
    Ok(())
}

fn shown(reading: &Reading) -> String {
    format!("{}={:?}", reading.upc.as_str(), reading.form)
}
