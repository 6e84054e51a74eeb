//! `samklang curl`.

use samklang_reports::{Reports, transcripts_in};
use samklang_verdict::{Catalogue, Problem, message};

use super::{
    CommandResult,
    args::CurlArgs,
    print,
    record::{RecordedRun, exchange_id},
};

/// Prints a curl line that sends the request of an exchange again.
pub(super) fn curl(args: &CurlArgs) -> CommandResult {
    let id = exchange_id(&args.exchange)
        .ok_or_else(|| Problem::configuration(message!("record.no-number", text = args.exchange)))?;
    let record = RecordedRun::open(args.run.as_deref())?;
    let (_, exchange) = record.exchange(id, None)?;
    let transcripts = transcripts_in(&record.folder);
    let reports = Reports::new(&record.result, &transcripts, Catalogue::english());
    print(&reports.curl(&exchange).map_err(Problem::configuration)?)
}
