//! Listens to a connection for facts that the HTTP parser does not report.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::tasks::lock;

/// At most this much of a request line is kept. The parser refuses longer ones.
const LONGEST_LINE: usize = 66_000;

/// The facts about a connection beside its requests.
#[derive(Debug)]
pub(super) struct ConnectionNotes {
    /// The request line as it arrives, or `None` while a request is being handled.
    line: Mutex<Option<Vec<u8>>>,
    reset: AtomicBool,
}

impl ConnectionNotes {
    pub(super) fn new() -> Self {
        Self { line: Mutex::new(Some(Vec::new())), reset: AtomicBool::new(false) }
    }

    /// Makes the connection end with a reset (RST) in place of an orderly close.
    pub(super) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// Says that the bytes of the next read are a request line.
    pub(super) fn expect_line(&self) {
        *lock(&self.line) = Some(Vec::new());
    }

    /// Method and target of the request line as it stood on the wire, split at its spaces. `http::Uri` drops everything
    /// after a raw `#`, and a server that forgets to encode an alias sends exactly that.
    pub(super) fn take_line(&self) -> Option<(String, String)> {
        let line = lock(&self.line).take()?;
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let (method, rest) = line.trim_end().split_once(' ')?;
        let target = rest.rsplit_once(' ').map_or(rest, |(target, _version)| target);
        Some((method.to_owned(), target.to_owned()))
    }
}

/// A connection that the tap listens to.
pub(super) struct Tap {
    stream: TlsStream<TcpStream>,
    heard: Arc<ConnectionNotes>,
}

impl Tap {
    pub(super) fn new(stream: TlsStream<TcpStream>, heard: Arc<ConnectionNotes>) -> Self {
        Self { stream, heard }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if self.heard.reset.load(Ordering::Relaxed) {
            // If this fails, the connection is closed in order, and the fault is milder than meant.
            let _ = self.stream.get_ref().0.set_zero_linger();
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(line) = lock(&self.heard.line).as_mut()
            && line.len() < LONGEST_LINE
            && !line.contains(&b'\n')
        {
            let new = &buf.filled()[before..];
            line.extend_from_slice(&new[..new.len().min(LONGEST_LINE)]);
        }
        polled
    }
}

impl AsyncWrite for Tap {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.heard.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
