//! Ctrl-C: the first one stops the run tidily, the second one stops it at once.

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Listens for Ctrl-C and for the request to terminate.
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Starts to listen. From here on neither signal ends the program by itself.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// At the first signal, `stop` turns true and `on_first` is called; at the second one this returns.
    pub(super) async fn watch(mut self, stop: watch::Sender<bool>, on_first: impl FnOnce()) {
        self.next().await;
        stop.send_replace(true);
        on_first();
        self.next().await;
    }
}
