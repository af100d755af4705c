#!/usr/bin/env bash
# Installs the clients that the proofs run, in the versions of package-lock.json.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --no-audit --no-fund --ignore-scripts --silent
