//! Writes the reports of a hand-made run: `cargo run -p samklang-reports --example specimen -- FOLDER [good|mixed|large|realistic|matrix|hostile]`.

#[path = "../tests/common/mod.rs"]
#[expect(clippy::unwrap_used, reason = "shared with the tests")]
mod common;

use std::{
    error::Error,
    path::{Path, PathBuf},
};

use samklang_reports::{Colour, MatrixReport, Reports, write_all, write_page};
use samklang_verdict::{Catalogue, PlayedPair, Role, VendorMatrix, pairs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("which folder?")?);
    std::fs::create_dir_all(&folder)?;
    let kind = args.next();
    if kind.as_deref() == Some("matrix") {
        return matrix(&folder);
    }
    let result = match kind.as_deref() {
        Some("good") => common::good(),
        Some("realistic") => common::realistic(),
        Some("hostile") => hostile(),
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

/// A run of a server whose announced version tries to break the page.
fn hostile() -> samklang_verdict::ResultFile {
    let mut result = common::mixed();
    let version =
        format!("1.163.2 </title><script>alert(1)</script> \u{202e}{} \u{1f600}", "wide".repeat(100));
    result.participants[0].answered_version = Some(version);
    result.settle();
    result
}

/// Four vendors; each of their pairs has ten thousand fails with every kind of blame.
fn matrix(folder: &Path) -> Result<(), Box<dyn Error>> {
    let vendors: Vec<_> = ["ash@1", "elm@1", "fir@1", "oak@1"].map(str::to_owned).into();
    let blame = |i: usize| [Some(Role::A), Some(Role::B), None][i % 3];
    let result = || common::large(&|i| common::fail("client.refused", blame(i), common::HOSTILE, "a", "b"));
    let met: Vec<_> =
        pairs(&vendors).into_iter().map(|[a, b]| PlayedPair { a, b, result: result() }).collect();
    let file = VendorMatrix::of(vendors, None, &met);
    let report = MatrixReport::new(&file, &met, Catalogue::english());
    write_page(&folder.join("report.html"), &report.html())?;
    print!("{}", report.closing(Colour::Never));
    Ok(())
}
