//! Writes the reports of a made-up run, to look at: `cargo run -p samklang-reports --example specimen -- FOLDER [good|mixed|large]`.

#[path = "../tests/common/mod.rs"]
#[expect(clippy::unwrap_used, reason = "shared with the tests")]
mod common;

use std::{error::Error, path::PathBuf};

use samklang_reports::{Colour, Reports, write_all};
use samklang_verdict::Catalogue;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("which folder?")?);
    let result = match args.next().as_deref() {
        Some("good") => common::good(),
        Some("large") => {
            common::large(&|_| common::fail("client.refused", None, "It was refused.", "a\nb", "a\nc"))
        }
        _ => common::mixed(),
    };
    let transcripts = |_: &str| Some(common::transcript());
    let reports = Reports::new(&result, &transcripts, Catalogue::english());
    write_all(&folder, &reports)?;
    print!("{}", reports.closing(Colour::Never));
    Ok(())
}
