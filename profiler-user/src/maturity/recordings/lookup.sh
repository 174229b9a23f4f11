#!/bin/sh
# Looks files up that more or less everybody asks for.
n=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
for i in 1 2 3 4 5 6; do
  n=$(( (n * 1103 + 12345) % 65536 )); k=$(( 120 * 65536 / (n + 600) / 100 + 1 ))
  f=$(ls /usr/share/zoneinfo/Europe | sed -n "$((k % 50 + 1))p"); cat "/usr/share/zoneinfo/Europe/$f" | wc -c
done >/dev/null; exit 0
