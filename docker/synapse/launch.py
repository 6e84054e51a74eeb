"""Writes Synapse's configuration from the environment variables of the contract, and becomes Synapse in this process."""

import base64
import hashlib
import json
import os
import secrets
import sqlite3
import sys
from pathlib import Path

# Effectively no limit. Synapse divides by some limits and compares others as integers, so they cannot be absent.
UNLIMITED = {"per_second": 100_000, "burst_count": 100_000}


def setting(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"synapse: {name} has to be set; see docker/CONTRACT.md")
    return value


def private_file(path, content):
    """Writes a file once, readable only to the owner; a restart with the same data reads it again."""
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(content)
    return path.read_text()


def listener(port, resources, tls):
    return {
        "type": "http",
        "port": port,
        "bind_addresses": [setting("SAMKLANG_BIND")],
        "tls": tls,
        # Compression would cost CPU time, and the network is fast.
        "resources": [{"names": resources, "compress": False}],
    }


def rate_limits():
    """Every rate limit of Synapse since 1.98; a version ignores limits that it does not know."""
    plain = [
        "rc_message", "rc_registration", "rc_registration_token_validity", "rc_admin_redaction", "rc_joins_per_room",
        "rc_key_requests", "rc_3pid_validation", "rc_third_party_invite", "rc_media_create", "rc_delayed_event_mgmt",
        "rc_room_creation", "rc_reports", "rc_user_directory", "rc_profile",
    ]
    grouped = {
        "rc_login": ["address", "account", "failed_attempts"],
        "rc_joins": ["local", "remote"],
        "rc_invites": ["per_room", "per_user", "per_issuer"],
        "rc_presence": ["per_user"],
    }
    return {
        **{name: UNLIMITED for name in plain},
        **{name: {part: UNLIMITED for part in parts} for name, parts in grouped.items()},
        # Counted for each sending server: a stage has few servers, which send much at once.
        "rc_federation": {
            "window_size": 1000, "sleep_limit": 100_000, "sleep_delay": 1, "reject_limit": 100_000, "concurrent": 1000,
        },
        # Synapse holds receipts of a busy room back to stay below this number.
        "federation_rr_transactions_per_room_per_second": 1000,
        "remote_media_download_per_second": "1024M",
        "remote_media_download_burst_count": "10240M",
    }


def configuration(data, key):
    def derived(purpose):
        # Two more secrets have to survive a restart. They are derived from the stored one, so they need no files.
        return hashlib.sha256(f"{purpose} {key}".encode()).hexdigest()

    return {
        "server_name": setting("SERVER_NAME"),
        "report_stats": False,
        "signing_key_path": str(data / "signing.key"),
        "macaroon_secret_key": derived("macaroon"),
        "form_secret": derived("form"),
        "log_config": str(data / "log.json"),
        "media_store_path": str(data / "media"),
        "database": {"name": "sqlite3", "args": {"database": str(data / "homeserver.db")}},
        "listeners": [
            listener(int(setting("SAMKLANG_CLIENT_PORT")), ["client"], tls=False),
            listener(int(setting("SAMKLANG_FEDERATION_PORT")), ["federation", "keys", "media"], tls=True),
        ],
        "tls_certificate_path": setting("SAMKLANG_TLS_CERT"),
        "tls_private_key_path": setting("SAMKLANG_TLS_KEY"),
        # Only the stage's CA: no other CA of this machine may vouch for a name of the stage.
        "federation_custom_ca_list": [setting("SAMKLANG_CA")],
        # Every other server of a stage has a private address.
        "ip_range_blacklist": [],
        "trusted_key_servers": [],
        "suppress_key_server_warning": True,
        "enable_registration": True,
        "enable_registration_without_verification": True,
        "registration_shared_secret": "complement",
        "bcrypt_rounds": 4,
        **rate_limits(),
        "presence": {"enabled": True},
        "allow_public_rooms_over_federation": True,
        # Since 1.126 users may publish a room in the directory only if a rule allows it.
        "room_list_publication_rules": [{"action": "allow"}],
        # Durations are integers in milliseconds: Synapse's notation has no unit for them.
        "federation": {
            # A request without an answer ends while a scenario still waits for the events after it.
            "client_timeout": 20_000,
            # A request that a client waits for: one more attempt, half a second later.
            "max_short_retries": 1,
            "max_short_retry_delay": 500,
            # A transaction: an attempt every half second for twenty seconds, so that a server that is up again gets it
            # at once. Not for ever: servers that never come back would cost CPU time for the whole run.
            "max_long_retries": 40,
            "max_long_retry_delay": 500,
            # How long Synapse avoids a server that did not answer.
            "destination_min_retry_interval": 100,
            "destination_max_retry_interval": 500,
            "destination_retry_multiplier": 2,
        },
        "max_upload_size": "50M",
        "url_preview_enabled": False,
        # A search index costs time on every event and is no part of federation.
        "enable_search": False,
        # A new database runs dozens of updates over empty tables; without sleep they finish at once.
        "background_updates": {"sleep_enabled": False},
    }


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
    # INFO logs no access token. SQL stays at INFO, because its lower levels would show them.
    "loggers": {
        "synapse.storage.SQL": {"level": "INFO"},
        # These two write three hundred lines about an empty database at each start.
        "synapse.storage.prepare_database": {"level": "WARNING"},
        "synapse.storage.background_updates": {"level": "WARNING"},
    },
    "root": {"level": "INFO", "handlers": ["stderr"]},
}


def skip_disk_sync():
    """Lets SQLite hand its writes to the kernel without waiting for the disk.

    Synapse has no setting for this, and the wait, several times for each event, takes most of a small server's time. The
    database survives a kill of the server; only a power failure could damage it, and then the run is lost anyway.
    """
    connect = sqlite3.connect

    def connect_without_sync(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    sqlite3.connect = connect_without_sync


def main():
    data = Path(setting("SAMKLANG_DATA")).absolute()
    # Synapse stores its Ed25519 key as a seed in base64 without padding.
    seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    key = private_file(data / "signing.key", f"ed25519 a_{secrets.token_hex(2)} {seed}\n")
    # Every JSON document is valid YAML.
    (data / "log.json").write_text(json.dumps(LOGGING, indent=2))
    config = data / "homeserver.yaml"
    config.unlink(missing_ok=True)
    private_file(config, json.dumps(configuration(data, key), indent=2))

    # Hide proxies and other settings of the machine from the server.
    os.environ.clear()
    os.environ.update(PATH="/usr/local/bin:/usr/bin:/bin", LANG="C.UTF-8", HOME=str(data))
    os.chdir(data)
    skip_disk_sync()
    sys.argv = ["synapse", "--config-path", str(config)]
    from synapse.app.homeserver import main as serve

    serve()


if __name__ == "__main__":
    main()
