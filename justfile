# The steps of CI, as `.ci/step` takes them. `just --list` shows them.

set shell := ["bash", "-euo", "pipefail", "-c"]

# Exactly what CI does, with an engine of its own
ci:
    .ci/run

# Formatting, lints, shell scripts, licences
lint:
    .ci/step tools formatting clippy scripts licences

# The project's own tests; some of them play with real servers
test:
    .ci/step tests

# The whole suite once, with servers as processes
process:
    .ci/step processes

# Does the suite notice each fault that it is there to notice?
selftest *args:
    cargo run --release --locked -- selftest {{args}}

# How long things take, as a table
bench:
    cargo bench --locked -p samklang

# Show what runs propose as expectations, and accept or reject it
review:
    cargo run --locked -- review
