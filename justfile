# The recipes are the steps of CI. `just --list` shows them.

set shell := ["bash", "-euo", "pipefail", "-c"]

# Everything that CI does
ci: lint test

# Formatting, lints, shell scripts, licences
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    shellcheck docker/engine docker/base-image docker/synapse/start docker/rocketchat/start .ci/run
    .ci/licences

# The project's own tests, and the whole suite on real servers
test:
    cargo test --workspace --locked

# The whole suite once, with servers as processes
process:
    cargo run --locked -- run synapse --deploy process --format plain

# How long things take, as a table
bench:
    cargo bench --locked -p samklang

# Draw up what runs propose, and accept or reject it
review:
    cargo run --locked -- review
