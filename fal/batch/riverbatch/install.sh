#!/bin/sh
# Installs PostgreSQL from the distribution, where it is missing.
set -eu
have() { command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
if have; then
	exit 0
fi
export DEBIAN_FRONTEND=noninteractive
sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo='sudo -n -E'
fi
$sudo apt-get -qq update
$sudo apt-get -qq install -y --no-install-recommends postgresql >/dev/null
have
