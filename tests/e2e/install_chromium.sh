#!/bin/sh
# Find a Chromium for the browser tests, or install one: Debian's as root, else Playwright's own.
set -eu

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done
if [ -n "${EMORL_CHROMIUM:-}" ] && [ -x "$EMORL_CHROMIUM" ]; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Debian's chromium for the browser tests"
    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium && exit 0
fi
if python -m playwright install chromium; then
    exit 0
fi
echo "No Chromium for the browser tests: none is on PATH, apt-get could not install one (needs" >&2
echo "root), and Playwright could not download its own. Install Chromium, or set" >&2
echo "EMORL_CHROMIUM to its executable, then run the same command again." >&2
exit 1
