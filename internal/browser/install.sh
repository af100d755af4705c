#!/bin/sh
# Installs what the tests in a browser need: Chromium from the distribution,
# where it is missing, and the rules of axe-core.
set -eu
(cd "$(dirname "$0")" && npm install --no-audit --no-fund --no-package-lock --ignore-scripts --silent)
if [ -x /usr/bin/chromium ]; then
	exit 0
fi
export DEBIAN_FRONTEND=noninteractive
sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo='sudo -n -E'
fi
$sudo apt-get -qq update
$sudo apt-get -qq install -y --no-install-recommends chromium >/dev/null
test -x /usr/bin/chromium
