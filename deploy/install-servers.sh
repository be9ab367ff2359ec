#!/bin/sh
# Install what a local stack needs of Debian: Java 17 or later, Maven, Redis, Prometheus, Alertmanager.
# With `--tests` also chromium, in which the tests open the live page, nginx, through which they do, and what the examples over HTTPS are run
# with: curl, PHP, Node. Nothing is done where everything is there. The packages' own system services are kept from starting, now and at the next boot:
# `vigie up` starts its own servers, on its own ports, as the user who calls it. Services that were there before are left alone.
set -eu

packages=""
services=""
need() { # program, package, service of that package
    if ! PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; then
        packages="$packages $2"
        services="$services ${3:-}"
    fi
}

java_version() { # major version, 0 where there is none
    found=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1) || found=""
    echo "${found:-0}"
}

[ "$(java_version)" -ge 17 ] || packages="$packages default-jre-headless"
need mvn maven
need redis-server redis-server redis-server
need prometheus prometheus prometheus
need promtool prometheus
need prometheus-alertmanager prometheus-alertmanager prometheus-alertmanager
if [ "${1:-}" = --tests ]; then
    need chromium chromium
    need nginx nginx nginx
    need curl curl
    need php php-cli
    need node nodejs
fi

if [ -z "$packages" ]; then
    echo "Java, Maven, Redis, Prometheus and Alertmanager are installed."
    exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "These packages are missing:$packages. Run this script as root: su -c '$0'" >&2
        exit 1
    fi
    exec sudo -- "$0" "$@"
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "This is no Debian. Install by other means:$packages" >&2
    exit 1
fi

# While this file says 101, no package's service is started by its installation. One that was there is put back at the end, also by the
# next run if this one is killed.
policy=/usr/sbin/policy-rc.d
saved="$policy.before-vigie"
mark="# of Vigie's install-servers.sh"
restore() {
    if grep -qs "$mark" "$policy"; then rm -f "$policy"; fi
    if [ -e "$saved" ] || [ -L "$saved" ]; then mv -f "$saved" "$policy"; fi
}
trap restore EXIT
trap 'exit 130' INT TERM HUP
restore
if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$saved"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
echo "Installing:$packages"
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -y -qq --no-install-recommends $packages

for service in $services; do
    if command -v systemctl >/dev/null 2>&1; then systemctl disable -q "$service" >/dev/null 2>&1 || true; fi
    if command -v update-rc.d >/dev/null 2>&1; then update-rc.d "$service" disable >/dev/null 2>&1 || true; fi
done

if [ "$(java_version)" -lt 17 ]; then
    echo "Kafka needs Java 17 or later; this Debian's default is $(java_version). Install a later one (openjdk-17-jre-headless)." >&2
    exit 1
fi
echo "Installed:$packages. Their system services are off."
