#!/bin/sh
# Installs the programs that the tests drive for real (browser, mail clients, Postfix's load generator, a
# balancer, PostgreSQL).
# As root on Debian or Ubuntu this needs nobody; elsewhere it names what to install and goes on: the tests
# that need a missing program are then skipped and say so. Under CI a missing program is a failure.
set -eu

missing=
need() { # need COMMAND PACKAGE
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need chromium chromium
need swaks swaks
need msmtp msmtp
need curl curl
need smtp-source postfix
need haproxy haproxy
need strace strace
need gcc "gcc libc6-dev"
perl -MMail::DKIM::Signer -e 1 2>/dev/null || missing="$missing libmail-dkim-perl"  # signs mails by other code
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql  # Debian keeps it out of PATH
[ -n "$missing" ] || exit 0

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "smsbridge: installing for the tests:$missing"
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    if apt-get update -qq >"$log" 2>&1 &&
        apt-get install -y -qq --no-install-recommends $missing fonts-dejavu-core >>"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    tail -n 5 "$log" >&2
    rm -f "$log"
fi
echo "smsbridge: not installed:$missing" >&2
echo "smsbridge: for all tests: sudo apt-get install --no-install-recommends$missing fonts-dejavu-core" >&2
[ "${CI:-}" != true ] || exit 1
