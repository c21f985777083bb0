#!/bin/sh
# Makes the certificates that production.cfg names, with an authority of their own, and one client certificate.
#   make-certificates.sh FOLDER NAME…     NAME: what agents and users call this HAProxy (host name or IP address)
# In FOLDER afterwards: site.pem, runtime-api.pem, agents-ca.pem (for HAProxy); agents-ca.pem, agent.crt, agent.key (for
# agents and coordinator); agents-ca.key (keep it elsewhere). Replace site.pem by one that browsers trust.
set -eu
[ $# -ge 2 ] || { sed -n '3,5s/^# \{0,1\}//p' "$0" >&2; exit 64; }
folder=$1
shift
names=
for name in "$@"; do
  case $name in
    *:* | *[0-9].[0-9]*.[0-9]*.[0-9]*) names="$names,IP:$name" ;;
    *) names="$names,DNS:$name" ;;
  esac
done
umask 077
mkdir -p "$folder"
cd "$folder"

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

# issue NAME EXTENSIONS
issue() {
  key "$1.key"
  printf '%s\n' "$2" > "$1.ext"
  openssl req -new -key "$1.key" -subj "/CN=berth $1" |
    openssl x509 -req -CA agents-ca.pem -CAkey agents-ca.key -days 825 -extfile "$1.ext" -out "$1.crt"
  rm "$1.ext"
}

key agents-ca.key
openssl req -x509 -new -key agents-ca.key -subj '/CN=berth authority' -days 3650 -out agents-ca.pem
for name in site runtime-api; do
  issue "$name" "subjectAltName=${names#,}
extendedKeyUsage=serverAuth"
  cat "$name.crt" "$name.key" > "$name.pem"
  rm "$name.crt" "$name.key"
done
issue agent 'extendedKeyUsage=clientAuth'
