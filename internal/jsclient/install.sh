#!/usr/bin/env bash
# Installs the official JavaScript client that the proof runs.
set -euo pipefail
cd "$(dirname "$0")"
npm install --no-audit --no-fund --no-package-lock --ignore-scripts --silent
